# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Named cameras on one body: where each sits, what it sees of itself, who overlaps whom."""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from selfdepth_ros.core import strict_yaml
from selfdepth_ros.core.cameras import pixel_grid
from selfdepth_ros.core.errors import CalibrationError, SelfdepthError
from selfdepth_ros.core.files import write_file
from selfdepth_ros.core.rig_camera import RigCamera, camera_from_dict, camera_to_dict
from selfdepth_ros.core.se3 import SE3

__all__ = ['OverlapPair', 'Rig', 'RigCamera', 'load_rig', 'save_rig']

_FORMAT = 'selfdepth_rig 1'
_HEADING = """\
A camera rig. size: width, height in pixels. intrinsics: pixels, integer = pixel centre.
distortion.model: none, plumb_bob, rational_polynomial or equidistant; coefficients as CameraInfo.
body_from_camera: pose of the optical frame (x right, y down, z forward) in body_frame, metres.
self_occlusion (optional): pixels on the robot's own body; bits row by row, zlib, base64."""
# Where overlap is looked for: rays every few pixels, at these distances.
_OVERLAP_DISTANCES_M = (3.0, 10.0, 30.0)
_OVERLAP_SAMPLES = 48


class OverlapPair(NamedTuple):
    """Two cameras (indices into the rig) and the share of the first's pixels the second sees."""

    first: int
    second: int
    fraction: float


@dataclass(frozen=True, eq=False)
class Rig:
    """The cameras of a robot, in the order that every batch, cloud and message follows.

    Raises CalibrationError for no cameras or two of one name.
    """

    cameras: tuple[RigCamera, ...]
    body_frame: str = 'base_link'

    def __post_init__(self) -> None:
        object.__setattr__(self, 'cameras', tuple(self.cameras))
        if not self.cameras:
            raise CalibrationError('cameras: found none, expected at least one.')
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated:
            raise CalibrationError(
                f'cameras: found {", ".join(repeated)} more than once, expected one camera per '
                'name. Rename one of them.'
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the cameras, in order."""
        return tuple(camera.name for camera in self.cameras)

    def __len__(self) -> int:
        return len(self.cameras)

    def index(self, name: str) -> int:
        """Return the place of a camera; CalibrationError when the rig has none of that name."""
        if name not in self.names:
            raise CalibrationError(
                f'Found no camera {name!r} in the rig, expected one of {", ".join(self.names)}.'
            )
        return self.names.index(name)

    def __getitem__(self, name: str) -> RigCamera:
        return self.cameras[self.index(name)]

    def body_from_cameras(self) -> SE3:
        """Poses of all cameras as one batch (C, 4, 4)."""
        return SE3.stack([camera.body_from_camera for camera in self.cameras])

    def scaled(self, width: int, height: int) -> 'Rig':
        """Return this rig with every image and mask resized to width x height."""
        return replace(self, cameras=tuple(c.scaled(width, height) for c in self.cameras))

    def subset(self, names: tuple[str, ...]) -> 'Rig':
        """Return the rig of these cameras, in this order."""
        return replace(self, cameras=tuple(self[name] for name in names))

    def with_poses(self, body_from_camera: SE3) -> 'Rig':
        """Return this rig with its cameras elsewhere: a batch (C,), in their order."""
        cameras = (
            replace(entry, body_from_camera=SE3(matrix))
            for entry, matrix in zip(self.cameras, body_from_camera.matrix, strict=True)
        )
        return replace(self, cameras=tuple(cameras))

    def with_cameras_of(self, other: 'Rig') -> 'Rig':
        """Return this rig with those of its cameras that `other` has as they are there."""
        cameras = (other[entry.name] if entry.name in other.names else entry
                   for entry in self.cameras)  # fmt: skip
        return replace(self, cameras=tuple(cameras))

    def calibrated_as(self, known: 'Rig') -> 'Rig':
        """Return this rig with its cameras as another rig has them, masks too, at its own sizes.

        Raises CalibrationError where the other lacks a camera or has poses in another frame.
        """
        if known.body_frame != self.body_frame:
            raise CalibrationError(
                f'Found a rig file with poses in {known.body_frame}, expected {self.body_frame}, '
                'as the recording has them. Transform its poses, or correct body_frame where only '
                'the name is wrong.'
            )
        if not set(self.names) <= set(known.names):
            raise CalibrationError(
                f'Found a rig file of {", ".join(known.names)}, expected the cameras of the '
                f'recording: {", ".join(self.names)}. Where they are the same ones, a mapping '
                'file (--mapping) names them as the rig file does.'
            )
        cameras = (
            known[entry.name].scaled(entry.camera.width, entry.camera.height)
            for entry in self.cameras
        )
        return replace(self, cameras=tuple(cameras))

    def with_masks_of(self, known: 'Rig') -> 'Rig':
        """Return this rig with the masks that another has for its cameras, at its own sizes."""

        def masked(entry: RigCamera) -> RigCamera:
            lens = entry.camera
            mask = known[entry.name].scaled(lens.width, lens.height).self_occlusion
            return replace(entry, self_occlusion=mask)

        return replace(self, cameras=tuple(map(masked, self.cameras)))

    def overlap_pairs(self, min_fraction: float = 0.02) -> tuple[OverlapPair, ...]:
        """Ordered pairs of cameras that see the same places 3 to 30 m away.

        Both directions are listed, since the shares differ. Pixels on the robot's own body do
        not count.
        """
        pairs = (
            OverlapPair(first, second, self._overlap(first, second))
            for first, second in itertools.permutations(range(len(self)), 2)
        )
        return tuple(pair for pair in pairs if pair.fraction >= min_fraction)

    def _overlap(self, first: int, second: int) -> float:
        source, target = self.cameras[first], self.cameras[second]
        step = max(1, source.camera.width // _OVERLAP_SAMPLES)
        pixels = pixel_grid(source.camera.width, source.camera.height)[::step, ::step]
        rays, seen = source.camera.rays(pixels)
        if source.self_occlusion is not None:
            seen = seen & ~source.self_occlusion[::step, ::step]
        target_from_source = target.body_from_camera.inverse() @ source.body_from_camera
        shared = [
            seen & target.camera.project(target_from_source.apply(distance_m * rays))[1]
            for distance_m in _OVERLAP_DISTANCES_M
        ]
        return float(np.mean(shared))

    def require_overlap(self, min_fraction: float = 0.02) -> tuple[OverlapPair, ...]:
        """Return the overlap pairs; CalibrationError when there are none."""
        pairs = self.overlap_pairs(min_fraction)
        if not pairs:
            raise CalibrationError(
                f'Found no two of {len(self)} cameras ({", ".join(self.names)}) that share '
                f'{min_fraction:.0%} of their view at 3 to 30 m, expected at least one such pair. '
                'Check the extrinsics (body_from_camera, not its inverse), or train without the '
                'spatial loss.'
            )
        return pairs


def save_rig(rig: Rig, path: Path | str) -> None:
    """Write a rig as YAML that a person can read; `load_rig` gives the same bits back."""
    data = {
        'format': _FORMAT,
        'body_frame': rig.body_frame,
        'cameras': [camera_to_dict(entry) for entry in rig.cameras],
    }
    write_file(path, strict_yaml.dump(data, _HEADING))


def load_rig(path: Path | str) -> Rig:
    """Read a rig file; CalibrationError names the file, the camera and the field."""
    data = strict_yaml.read(path, CalibrationError, 'a camera rig')
    try:
        return _rig_from_dict(data)
    except SelfdepthError as cause:
        raise CalibrationError(f'{path}: {cause}') from cause


def _rig_from_dict(data: dict[str, Any]) -> Rig:
    strict_yaml.check_keys(data, ('format', 'body_frame', 'cameras'), (), CalibrationError)
    if data['format'] != _FORMAT:
        raise CalibrationError(f'format: found {data["format"]!r}, expected {_FORMAT!r}.')
    if not isinstance(data['body_frame'], str) or not data['body_frame']:
        raise CalibrationError(f'body_frame: found {data["body_frame"]!r}, expected a frame name.')
    if not isinstance(data['cameras'], list):
        raise CalibrationError(f'cameras: found {data["cameras"]!r}, expected a list of cameras.')
    cameras = tuple(_camera(index, entry) for index, entry in enumerate(data['cameras']))
    return Rig(cameras, data['body_frame'])


def _camera(index: int, entry: Any) -> RigCamera:
    if not isinstance(entry, dict):
        raise CalibrationError(f'cameras[{index}]: found {entry!r}, expected a mapping.')
    try:
        return camera_from_dict(entry)
    except SelfdepthError as cause:
        name = entry.get('name', f'number {index}')
        raise CalibrationError(f'camera {name}: {cause}') from cause
