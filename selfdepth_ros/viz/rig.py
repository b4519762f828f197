# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A rig from above: what each camera sees of the plane of the cameras, and of the horizon."""

import math
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float

from selfdepth_ros.core.camera_view import CameraView, camera_view
from selfdepth_ros.core.coverage import Coverage, Interval, coverage, mean_height_m, sees
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.viz.canvas import (
    BACKGROUND,
    FAINT,
    INK,
    Picture,
    blank,
    fill,
    line,
    text_width,
    write,
)

# Far apart, also for the colour-blind (Okabe and Ito, 2008), then lighter ones.
_COLORS = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167), (240, 228, 66), (150, 110, 255),
    (213, 94, 0), (0, 114, 178), (170, 220, 170), (255, 190, 170), (150, 240, 240),
    (180, 180, 180),
)  # fmt: skip
_BLIND = (255, 40, 50)
_RING = ((74, 82, 98), (130, 142, 164), (214, 220, 232))  # one camera, two, three and more
_SIZE, _LEGEND = 1000, 380  # pixels
_RADIUS = 372  # of the plane, pixels
_RING_FROM, _RING_TO = 380, 398
_NAMED_DEG = 15  # a blind sector this wide has room for its name
_LISTED = 8  # blind sectors named in the legend
_STRENGTH = 0.42  # how much of a wedge's colour covers what is below it


class _Plan(NamedTuple):
    """A square picture of the plane: metres per pixel, and where each pixel is in the body."""

    per_metre: float
    places: Float[np.ndarray, 'size size 2']
    radius_px: Float[np.ndarray, 'size size']

    def pixels(self, places_m: Float[np.ndarray, 'n 2']) -> Float[np.ndarray, 'n 2']:
        """Body x, y -> picture: ahead is up, left is left."""
        return (_SIZE - 1) / 2 - places_m[:, ::-1] * self.per_metre


def draw_rig(rig: Rig, horizon: Coverage | None = None, reach_m: float = 12.0) -> Picture:
    """RGB picture of a rig from above, ahead is up.

    The disc is the horizontal plane at the cameras' mean height up to `reach_m`; the ring around
    it the coverage of the horizon (`coverage(rig)` unless given), red where no camera looks.
    """
    horizon = coverage(rig) if horizon is None else horizon
    picture = blank(_SIZE + _LEGEND, _SIZE)
    plan = _plan(reach_m)
    square = picture[:, :_SIZE]
    wedges = [_seen(rig, index, plan) for index in range(len(rig))]
    for wedge, color in zip(wedges, _colors(rig), strict=True):
        _tint(square, wedge, color)
    for wedge, color in zip(wedges, _colors(rig), strict=True):
        _outline(square, wedge, color)
    _horizon_ring(square, plan, horizon)
    _grid(square, plan, reach_m)
    _names(square, rig, wedges)
    _cameras(square, rig, plan)
    for interval in horizon.blind():
        _mark_blind(square, interval)
    _legend(picture, rig, horizon, reach_m)
    return picture


def _plan(reach_m: float) -> _Plan:
    """Lay the plane out: half a pixel's shift is below what can be seen."""
    rows, columns = np.mgrid[:_SIZE, :_SIZE].astype(np.float32)
    centre = (_SIZE - 1) / 2
    pixels = np.stack([centre - rows, centre - columns], axis=-1)
    per_metre = _RADIUS / reach_m
    return _Plan(per_metre, pixels / np.float32(per_metre), np.linalg.norm(pixels, axis=-1))


def _colors(rig: Rig) -> list[tuple[int, int, int]]:
    return [_COLORS[index % len(_COLORS)] for index in range(len(rig))]


def _seen(rig: Rig, index: int, plan: _Plan) -> Bool[np.ndarray, 'size size']:
    """Which pixels of the disc a camera sees."""
    inside = plan.radius_px <= _RADIUS
    places = plan.places[inside]
    height = np.full((len(places), 1), mean_height_m(rig), places.dtype)
    seen = np.zeros(inside.shape, bool)
    seen[inside] = sees(rig.cameras[index], np.concatenate([places, height], axis=-1))
    return seen


def _tint(
    square: Picture, wedge: Bool[np.ndarray, 'size size'], color: tuple[int, int, int]
) -> None:
    """Mix a colour into a wedge, its border softened."""
    weight = cv2.GaussianBlur(wedge.astype(np.float32), (3, 3), 0)[..., None] * _STRENGTH
    square[:] = (square + weight * (np.array(color, np.float32) - square)).astype(np.uint8)


def _outline(
    square: Picture, wedge: Bool[np.ndarray, 'size size'], color: tuple[int, int, int]
) -> None:
    """Draw the border of a wedge, so that overlapping ones can be told apart."""
    found, _ = cv2.findContours(wedge.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    for contour in found:
        closed = np.concatenate([contour, contour[:1]])[:, 0].astype(float)
        line(square, closed, color)


def _horizon_ring(square: Picture, plan: _Plan, horizon: Coverage) -> None:
    """Paint how many cameras see each azimuth of the horizon."""
    ring = (plan.radius_px >= _RING_FROM) & (plan.radius_px <= _RING_TO)
    x, y = np.moveaxis(plan.places[ring], -1, 0)
    count = horizon.count
    cells = np.floor((np.arctan2(y, x) / math.tau + 0.5) * len(count)).astype(np.intp)
    colors = np.array((_BLIND, *_RING), np.uint8)
    square[ring] = colors[np.minimum(count[np.minimum(cells, len(count) - 1)], len(_RING))]


def _grid(square: Picture, plan: _Plan, reach_m: float) -> None:
    """Draw circles of distance and ticks of azimuth."""
    every_m = reach_m / 3
    circle = _at(np.arange(361), 1.0)
    for radius_m in (every_m, 2 * every_m, 3 * every_m):
        ring = (_SIZE - 1) / 2 + circle * radius_m * plan.per_metre
        line(square, ring, INK, alpha=0.35)
        write(square, f'{radius_m:g} m', (int(ring[0, 0]) + 4, int(ring[0, 1]) + 15), 0.42)
    for azimuth in range(-150, 181, 30):
        tick = _at(np.array([azimuth, azimuth]), np.array([[_RING_TO + 2], [_RING_TO + 9]]))
        line(square, (_SIZE - 1) / 2 + tick, FAINT)
        name = {0: 'ahead 0', 90: 'left +90', -90: 'right -90', 180: 'back 180'}.get(azimuth)
        _label(square, name or f'{azimuth:+d}', azimuth, _RING_TO + 26, INK if name else FAINT)


def _at(
    azimuth_deg: Float[np.ndarray, ' n'] | np.ndarray, radius_px: float | np.ndarray
) -> np.ndarray:
    """Offset (x, y) in the picture from the body, at an azimuth: ahead is up, left is left."""
    angle = np.radians(azimuth_deg)
    return np.stack([-np.sin(angle), -np.cos(angle)], axis=-1) * radius_px


def _label(
    square: Picture, text: str, azimuth_deg: float, radius_px: float, color: tuple[int, int, int]
) -> None:
    """Write a text outside a circle of the picture: it begins, ends or is centred there."""
    x, y = (_SIZE - 1) / 2 + _at(np.array([azimuth_deg]), radius_px)[0]
    width = text_width(text, 0.45)
    left = x - width * (0.5 + 0.5 * math.sin(math.radians(azimuth_deg)))
    write(square, text, (round(left), round(y + 5)), 0.45, color)


def _names(square: Picture, rig: Rig, wedges: list[Bool[np.ndarray, 'size size']]) -> None:
    """Write each camera's number where it alone looks, or else where it looks."""
    total = np.sum(wedges, axis=0)
    for index, (wedge, color) in enumerate(zip(wedges, _colors(rig), strict=True)):
        alone = wedge & (total == 1)
        area = alone if alone.sum() > 400 else wedge
        if not area.any():
            continue
        # The pixel farthest from the area's border has the most room.
        room = cv2.distanceTransform(area.astype(np.uint8), cv2.DIST_L2, 5)
        y, x = np.unravel_index(int(room.argmax()), room.shape)
        _badge(square, str(index + 1), (int(x), int(y)), color)


def _badge(picture: Picture, text: str, at: tuple[int, int], color: tuple[int, int, int]) -> None:
    """Draw a number on a disc of a camera's colour."""
    cv2.circle(picture, at, 14, BACKGROUND, -1, cv2.LINE_AA)
    cv2.circle(picture, at, 13, color, 2, cv2.LINE_AA)
    write(picture, text, (at[0] - text_width(text, 0.5) // 2, at[1] + 5), 0.5)


def _cameras(square: Picture, rig: Rig, plan: _Plan) -> None:
    """Draw the body's x and y axes and every camera as an arrow where it sits."""
    axes = plan.pixels(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    line(square, axes[:2], (255, 90, 90))
    line(square, axes[[0, 2]], (90, 220, 90))
    for entry, color in zip(rig.cameras, _colors(rig), strict=True):
        pose = entry.body_from_camera
        ahead, side = pose.rotation[:2, 2], pose.rotation[:2, 0]
        corners = np.stack([0.35 * ahead, 0.14 * side - 0.12 * ahead, -0.14 * side - 0.12 * ahead])
        outline = plan.pixels(pose.translation[:2] + corners)
        fill(square, outline, color)
        line(square, np.concatenate([outline, outline[:1]]), INK)


def _mark_blind(square: Picture, interval: Interval) -> None:
    """Hatch a blind sector; a wide one is named where nothing else is drawn."""
    azimuths = np.arange(interval.start_deg, interval.start_deg + interval.width_deg, 3.0)
    for azimuth in azimuths:
        ends = _at(np.array([azimuth, azimuth]), np.array([[_RADIUS - 26], [_RADIUS - 4]]))
        line(square, (_SIZE - 1) / 2 + ends, _BLIND)
    if interval.width_deg >= _NAMED_DEG:
        text = f'blind {interval.width_deg:.1f} deg'
        x, y = (_SIZE - 1) / 2 + _at(np.array([interval.middle_deg]), _RADIUS - 70)[0]
        write(square, text, (round(x) - text_width(text) // 2, round(y)), color=_BLIND)


def _legend(picture: Picture, rig: Rig, horizon: Coverage, reach_m: float) -> None:
    """List the cameras, what the ring means, the blind sectors and the totals."""
    top = 40
    write(picture, f'{len(rig)} cameras in {rig.body_frame}', (_SIZE + 10, top), 0.6)
    for index, (entry, color) in enumerate(zip(rig.cameras, _colors(rig), strict=True)):
        top += 44
        _badge(picture, str(index + 1), (_SIZE + 24, top), color)
        write(picture, entry.name, (_SIZE + 48, top - 2), 0.5)
        write(picture, _told(camera_view(entry)), (_SIZE + 48, top + 15), 0.4, FAINT)
    top += 30
    for color, text in zip((*_RING, _BLIND), _ring_texts(horizon), strict=True):
        top += 26
        picture[top - 10 : top + 2, _SIZE + 14 : _SIZE + 40] = color
        write(picture, text, (_SIZE + 48, top), 0.45)
    for text in _blind_texts(horizon):
        top += 20
        write(picture, text, (_SIZE + 48, top), 0.45, _BLIND)
    plane = f'disc: the plane at {mean_height_m(rig):.2f} m, up to {reach_m:g} m'
    write(picture, plane, (_SIZE + 10, _SIZE - 38), 0.42, FAINT)
    write(picture, 'ring: how many cameras see the horizon', (_SIZE + 10, _SIZE - 18), 0.42, FAINT)


def _ring_texts(horizon: Coverage) -> list[str]:
    """What the colours of the ring mean, and how many degrees have each."""
    one, two, three = (horizon.covered_deg(number) for number in (1, 2, 3))
    return [
        f'one camera: {one - two:.1f} deg',
        f'two cameras: {two - three:.1f} deg',
        f'three or more: {three:.1f} deg',
        f'blind: {360 - one:.1f} deg',
    ]


def _blind_texts(horizon: Coverage) -> list[str]:
    """Limits of the blind sectors, the widest first."""
    blind = sorted(horizon.blind(), key=lambda interval: -interval.width_deg)
    texts = [f'{interval}, {interval.width_deg:.1f} wide' for interval in blind[:_LISTED]]
    return texts if len(blind) <= _LISTED else [*texts, f'and {len(blind) - _LISTED} more']


def _told(view: CameraView) -> str:
    return f'{view.lens}, {view.horizontal_deg:.0f} x {view.vertical_deg:.0f} deg'
