# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What is known to be true about an image: depth images of a simulator, or projected LiDAR."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3, interpolate_poses

# A sweep farther from an image than this is not its truth.
SWEEP_TOLERANCE_NS = 60_000_000


class CameraTruth(NamedTuple):
    """True z-depths at pixels of one image."""

    u: Int[np.ndarray, ' n']
    v: Int[np.ndarray, ' n']
    z_depth_m: Float[np.ndarray, ' n']


class FrameTruth(NamedTuple):
    """A surround frame, and what is known about each camera's image (None: nothing)."""

    frame: SurroundFrame
    cameras: list[CameraTruth | None]


def truth_kind(reader: BagReader) -> str:
    """'depth truth' where a simulator recorded it, else 'LiDAR'."""
    return 'depth truth' if reader.has_depth_truth else 'LiDAR'


def frame_truths(reader: BagReader, rig: Rig, every: int = 1) -> Iterator[FrameTruth]:
    """Every n-th surround frame with its truth, in the rig's order; nothing where there is none.

    Pixels on the robot's own body are left out where the rig has masks.
    """
    if reader.has_depth_truth:
        return _depth_image_truths(reader, rig, every)
    return _lidar_truths(reader, rig, every)


def _depth_image_truths(reader: BagReader, rig: Rig, every: int) -> Iterator[FrameTruth]:
    pending: dict[tuple[int, int], np.ndarray] = {}
    depths = iter(reader.depth_truth())
    latest = -1
    for index, frame in enumerate(reader.surround_frames()):
        last = max(stamp for stamp in frame.stamps_ns if stamp is not None)
        # Truth is recorded beside its image: read on until one second past this frame.
        while latest < last + 1_000_000_000:
            item = next(depths, None)
            if item is None:
                break
            camera, latest, depth = item
            pending[camera, latest] = depth
        if index % every == 0:
            found = [pending.get((c, stamp)) for c, stamp in enumerate(frame.stamps_ns)]
            truths = [
                None if depth is None else _all_pixels(depth, entry)
                for depth, entry in zip(found, rig.cameras, strict=True)
            ]
            yield FrameTruth(frame, truths)
        pending = {key: depth for key, depth in pending.items() if key[1] > last}


def _all_pixels(depth: Float[np.ndarray, 'h w'], entry: RigCamera) -> CameraTruth:
    known = np.isfinite(depth) & (depth > 0)
    if entry.self_occlusion is not None:
        known &= ~entry.self_occlusion
    v, u = np.nonzero(known)
    return CameraTruth(u, v, depth[v, u])


def _lidar_truths(reader: BagReader, rig: Rig, every: int) -> Iterator[FrameTruth]:
    odometry = reader.odometry()
    stamps = np.array([stamp for stamp, _ in reader.lidar()])
    if not len(stamps):
        return
    clouds = iter(reader.lidar())
    current = next(clouds, None)
    for index, frame in enumerate(reader.surround_frames()):
        nearest = int(stamps[np.abs(stamps - frame.stamp_ns).argmin()])
        while current is not None and current[0] < nearest:
            current = next(clouds, None)
        if index % every or current is None or current[0] != nearest:
            continue
        if abs(nearest - frame.stamp_ns) > SWEEP_TOLERANCE_NS:
            continue
        truths = [
            None if stamp is None else lidar_truth(current[1], nearest, stamp, entry, odometry)
            for stamp, entry in zip(frame.stamps_ns, rig.cameras, strict=True)
        ]
        yield FrameTruth(frame, truths)


def lidar_truth(
    points_in_body: Float[np.ndarray, 'n 3'],
    sweep_ns: int,
    image_ns: int,
    entry: RigCamera,
    odometry: tuple[np.ndarray, np.ndarray] | None,
) -> CameraTruth:
    """LiDAR points as the image of one camera sees them.

    They are moved by the robot's motion between the two stamps, and of several points in a pixel
    the nearest is kept: that is what the camera sees.
    """
    image_from_sweep = _motion(odometry, sweep_ns, image_ns)
    camera_from_sweep = entry.body_from_camera.inverse() @ image_from_sweep
    points = camera_from_sweep.apply(points_in_body.astype(np.float64))
    pixels, valid = entry.camera.project(points)
    width, height = entry.camera.width, entry.camera.height
    u, v = np.rint(pixels[valid]).astype(np.int64).T.clip(0, [[width - 1], [height - 1]])
    nearest = np.full((height, width), np.inf, np.float32)
    np.minimum.at(nearest, (v, u), points[valid, 2].astype(np.float32))
    return _all_pixels(nearest, entry)


def _motion(odometry: tuple[np.ndarray, np.ndarray] | None, sweep_ns: int, image_ns: int) -> SE3:
    """Body at the image's stamp from body at the sweep's; no motion where odometry is silent."""
    if odometry is None:
        return SE3.identity()
    poses, valid = interpolate_poses(*odometry, np.array([sweep_ns, image_ns]))
    return poses[1].inverse() @ poses[0] if valid.all() else SE3.identity()
