# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where two calibrations of one robot (a rig file, CameraInfo with TF) disagree, in sentences."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from selfdepth_ros.core import so3
from selfdepth_ros.core.camera_view import lens_kind
from selfdepth_ros.core.cameras import Camera, pixel_grid
from selfdepth_ros.core.cameras.base import Lens
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.rig_camera import RigCamera

_MATRIX = ('fx', 'fy', 'cx', 'cy')
_SAMPLES = 24  # pixels across the image at which two lenses are compared


@dataclass(frozen=True)
class RigTolerance:
    """Up to where two rigs agree."""

    focal: float = 0.01
    """Difference of a focal length, relative to the first rig's; an error of scale as large."""
    pixel: float = 0.01
    """Shift of the principal point, and of any pixel by distortion, relative to the image."""
    rotation_deg: float = 0.5
    """Angle between the two orientations of a camera, degrees."""
    position_m: float = 0.02
    """Distance between the two positions of a camera, metres."""

    def __str__(self) -> str:
        return (
            f'{self.focal:.3g} of the focal length, {self.pixel:.3g} of the image, '
            f'{self.rotation_deg:.3g} deg and {self.position_m:.3g} m'
        )


EXACT = RigTolerance(1e-9, 1e-9, 1e-6, 1e-9)
"""Two rigs are the same one."""


class _Pair(NamedTuple):
    """One camera in both rigs, the second at the size of the first, and how to call the rigs."""

    first: RigCamera
    second: RigCamera
    names: tuple[str, str]
    limits: RigTolerance

    def say(self, what: str, first: object, second: object, more: str) -> str:
        """One sentence in the same words for every kind of disagreement."""
        return (
            f'{self.first.name}: {what} is {first} in {self.names[0]}, {second} in '
            f'{self.names[1]}: {more}.'
        )


def rig_differences(
    first: Rig,
    second: Rig,
    limits: RigTolerance | None = None,
    names: tuple[str, str] = ('the rig file', 'CameraInfo and TF'),
) -> list[str]:
    """Return a sentence for each disagreement of two rigs beyond `limits`; none when they agree.

    Cameras are matched by name, and those of the second rig scaled to the sizes of the first, as
    a rig file holds the network's size. Poses are compared where both have one body frame. Masks
    are not: CameraInfo has none.
    """
    told = [
        f'{name}: is in {names[index]}, not in {names[1 - index]}.'
        for index, (rig, other) in enumerate(((first, second), (second, first)))
        for name in rig.names
        if name not in other.names
    ]
    same_frame = first.body_frame == second.body_frame
    if not same_frame:
        told.append(
            f'body_frame: is {first.body_frame} in {names[0]}, {second.body_frame} in {names[1]}: '
            'the poses of the cameras cannot be compared.'
        )
    for entry in first.cameras:
        if entry.name in second.names:
            scaled = second[entry.name].scaled(entry.camera.width, entry.camera.height)
            pair = _Pair(entry, scaled, names, limits or RigTolerance())
            told += _intrinsics(pair, second[entry.name].camera)
            told += _extrinsics(pair) if same_frame else ()
    return told


def _intrinsics(pair: _Pair, unscaled: Camera) -> list[str]:
    """Compare lens model, focal length, centre and distortion."""
    kinds = lens_kind(pair.first.camera), lens_kind(pair.second.camera)
    told = [*_matrix(pair), *_distortion(pair)]
    if kinds[0] != kinds[1]:
        told.insert(0, pair.say('the lens', *kinds, 'one of them is rectified, or another lens'))
    shape, other = (c.width / c.height for c in (pair.first.camera, unscaled))
    if told and abs(shape / other - 1) > pair.limits.pixel:
        size, found = (f'{c.width}x{c.height}' for c in (pair.first.camera, unscaled))
        more = 'of another shape, perhaps it was cropped'
        told.insert(0, pair.say('the image', size, found, more))
    return told


def _matrix(pair: _Pair) -> Iterator[str]:
    """Compare fx, fy (relative) and cx, cy (relative to the image)."""
    first, second = pair.first.camera, pair.second.camera
    if not isinstance(first, Lens) or not isinstance(second, Lens):
        return
    for name, size in zip(_MATRIX, (None, None, first.width, first.height), strict=True):
        before, after = getattr(first, name), getattr(second, name)
        change = (after - before) / (size or before)
        if abs(change) > (pair.limits.pixel if size else pair.limits.focal):
            what = {'cx': 'of the width', 'cy': 'of the height'}.get(name, 'of it')
            at = f' px at {first.width}x{first.height}'
            yield pair.say(
                name, f'{before:.2f}{at}', f'{after:.2f}', f'they differ by {change:+.1%} {what}'
            )


def _distortion(pair: _Pair) -> list[str]:
    """Compare where the same rays fall, given one matrix (where the lenses have one)."""
    first, second = pair.first.camera, pair.second.camera
    if isinstance(first, Lens) and isinstance(second, Lens):
        second = replace(second, **{name: getattr(first, name) for name in _MATRIX})
    step = max(1, first.width // _SAMPLES)
    pixels = pixel_grid(first.width, first.height)[::step, ::step]
    rays, valid = first.rays(pixels)
    moved, inside = second.project(rays)
    both = valid & inside
    shift = float(np.abs(moved - pixels).max(axis=-1, where=both[..., None], initial=0).max())
    if shift <= pair.limits.pixel * first.width and both.any():
        return []
    found = f'pixels move by up to {shift:.1f} px' if both.any() else 'no ray is in both images'
    return [
        f'{pair.first.name}: the distortions of {pair.names[0]} and {pair.names[1]} disagree: '
        f'{found} at {first.width}x{first.height}.'
    ]


def _extrinsics(pair: _Pair) -> Iterator[str]:
    """Compare orientation and position in the body frame."""
    first, second = pair.first.body_from_camera, pair.second.body_from_camera
    turn = first.rotation.T @ second.rotation
    angle_deg = float(np.degrees(np.linalg.norm(so3.log(turn))))
    if angle_deg > pair.limits.rotation_deg:
        yield (
            f'{pair.first.name}: the orientations in {pair.names[0]} and {pair.names[1]} differ '
            f'by {angle_deg:.2f} deg.'
        )
    apart_m = float(np.linalg.norm(second.translation - first.translation))
    if apart_m > pair.limits.position_m:
        before, after = (np.round(pose.translation, 3).tolist() for pose in (first, second))
        yield pair.say('the position', before, after, f'{apart_m:.3f} m apart')
