# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two views of a cloud: from behind and above, and straight from above."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.viz.canvas import BACKGROUND, INK, blank, fill, line, splat, turbo, write

RING_EVERY_M = 10
EGO = np.array([[2.2, 0.0], [-1.6, 1.0], [-0.9, 0.0], [-1.6, -1.0]])  # an arrow, metres
EGO_COLOR = (255, 176, 32)
NEAREST_M = 0.5  # nothing nearer to the eye is drawn
POINT_ANGLE = 1 / 220  # a pixel of the rig's cameras, rad: how large a point is drawn
LEAST_M, LARGEST_PX = 0.06, 8


def draw_cloud_perspective(
    cloud: PointCloud,
    width: int = 1600,
    height: int = 900,
    eye_m: tuple[float, float, float] = (-17.0, 6.0, 13.0),
    target_m: tuple[float, float, float] = (7.0, 0.0, 0.0),
    field_of_view_deg: float = 62.0,
    reach_m: int = 50,
) -> Any:
    """RGB picture (height, width, 3) of a cloud in its own colours, seen from `eye_m`.

    The eye and what it looks at are in the cloud's frame (x forward, y left, z up).
    """
    view = _View(width, height, eye_m, target_m, field_of_view_deg)
    picture = blank(width, height)
    pixels, depth, seen = view.project(cloud.points)
    pixels_per_metre = view.focal / depth[seen]
    footprint_m = np.maximum(POINT_ANGLE * np.linalg.norm(cloud.points[seen], axis=-1), LEAST_M)
    sizes = np.clip(np.ceil(footprint_m * pixels_per_metre), 2, LARGEST_PX).astype(np.intp)
    fade = np.clip(1.15 - depth[seen] / 110, 0.35, 1)[:, None]
    colors = BACKGROUND + fade * (_brighter(cloud.colors[seen]) - BACKGROUND)
    splat(picture, pixels[seen], depth[seen], sizes, colors.astype(np.uint8))
    for radius_m in range(RING_EVERY_M, reach_m + 1, RING_EVERY_M):
        _ring_in_view(picture, view, radius_m)
    arrow, _, ahead = view.project(np.column_stack([EGO, np.full(len(EGO), 0.1)]))
    if ahead.all():
        for part in ([0, 1, 2], [0, 2, 3]):
            fill(picture, arrow[part], EGO_COLOR)
    _caption(picture, cloud)
    return picture


def draw_cloud_birdseye(
    cloud: PointCloud, size: int = 1000, reach_m: float = 40.0, color: str = 'rgb'
) -> Any:
    """RGB picture (size, size, 3) from above, ahead is up; the highest point is on top.

    `color`: 'rgb' paints the cloud's own colours, 'height' turbo colours from -0.5 to 6 m.
    """
    picture = blank(size, size)
    per_metre = size / (2 * reach_m)
    points = cloud.points
    near = np.abs(points[:, :2]).max(axis=-1, initial=0) < reach_m if len(points) else slice(0)
    points = points[near]
    colors = (
        turbo((points[:, 2] + 0.5) / 6.5)
        if color == 'height'
        else _brighter(cloud.colors[near]).astype(np.uint8)
    )
    splat(
        picture,
        _from_above(points[:, :2], size, per_metre),
        -points[:, 2],
        np.full(len(points), max(2, round(per_metre * 0.12))),
        colors,
    )
    for radius_m in range(RING_EVERY_M, int(reach_m) + 1, RING_EVERY_M):
        ring = _from_above(radius_m * _circle(), size, per_metre)
        line(picture, ring, INK, alpha=0.45)
        write(picture, f'{radius_m} m', (int(ring[315, 0]) + 4, int(ring[315, 1]) - 4), 0.45)
    arrow = _from_above(EGO, size, per_metre)
    for part in ([0, 1, 2], [0, 2, 3]):
        fill(picture, arrow[part], EGO_COLOR)
    _caption(picture, cloud)
    return picture


class _View:
    """A pinhole that looks from one point at another, its horizon level."""

    def __init__(self, width: int, height: int, eye: Any, target: Any, fov_deg: float) -> None:
        self.focal = width / 2 / np.tan(np.radians(fov_deg) / 2)
        self._centre = np.array([(width - 1) / 2, (height - 1) / 2])
        self._eye = np.asarray(eye, float)
        forward = np.asarray(target, float) - self._eye
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1])
        right /= np.linalg.norm(right)
        self._axes = np.stack([right, np.cross(forward, right), forward])

    def project(
        self, points: Float[np.ndarray, 'n 3']
    ) -> tuple[Float[np.ndarray, 'n 2'], Float[np.ndarray, ' n'], Bool[np.ndarray, ' n']]:
        """Pixels, depth, and which points lie ahead."""
        local = (points - self._eye) @ self._axes.T
        ahead = local[:, 2] > NEAREST_M
        depth = np.where(ahead, local[:, 2], 1.0)
        return local[:, :2] / depth[:, None] * self.focal + self._centre, depth, ahead


def _circle() -> Float[np.ndarray, '361 2']:
    """The unit circle, a point per degree; index 0 is ahead, 90 is left."""
    angle = np.radians(np.arange(361))
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _from_above(points: Float[np.ndarray, 'n 2'], size: int, per_metre: float) -> Any:
    """Body x, y -> picture: x is up, y is left."""
    return (size - 1) / 2 - points[:, ::-1] * per_metre


def _ring_in_view(picture: Any, view: _View, radius_m: int) -> None:
    ground = np.column_stack([radius_m * _circle(), np.zeros(361)])
    pixels, _, ahead = view.project(ground)
    for first, last in _runs(ahead):
        line(picture, pixels[first:last], INK, alpha=0.3)
    label = pixels[0]
    if ahead[0]:
        write(picture, f'{radius_m} m', (int(label[0]) + 4, int(label[1]) - 3), 0.45)


def _runs(flags: Bool[np.ndarray, ' n']) -> list[tuple[int, int]]:
    """Begin and end of each run of True."""
    padded = np.concatenate([[False], flags, [False]]).astype(np.int8)
    turns = np.flatnonzero(np.diff(padded))
    return [(int(a), int(b)) for a, b in zip(turns[::2], turns[1::2], strict=True)]


def _brighter(colors: Any) -> Any:
    """Lift the shadows: single points look darker on black than a surface does."""
    return 255 * (colors / 255.0) ** 0.75


def _caption(picture: Any, cloud: PointCloud) -> None:
    text = f'{len(cloud):,} points in {cloud.frame_id}, rings every {RING_EVERY_M} m'
    if cloud.missing:
        text += f', without {", ".join(cloud.missing)}'
    write(picture, text, (14, picture.shape[0] - 14), 0.55)
