# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What is known to be true about an image: depth images of a simulator, or projected LiDAR."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Int, Int64

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3, interpolate_poses
from selfdepth_training.occlusion import hidden_points
from selfdepth_training.protocols import EvaluationConfig

# A sweep farther from an image than this is not its truth.
SWEEP_TOLERANCE_NS = 60_000_000


class EvaluationError(SelfdepthError):
    """A bag that holds nothing to evaluate against."""


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


def require_one_kind(readers: Sequence[BagReader]) -> None:
    """Raise EvaluationError where some bags have depth truth and others LiDAR."""
    kinds = {truth_kind(reader): reader.path for reader in readers}
    if len(kinds) > 1:
        found = ' and '.join(f'{kind} in {path}' for kind, path in kinds.items())
        raise EvaluationError(
            f'Found {found}, expected one kind of truth: errors against a LiDAR are of other '
            'pixels. Evaluate these bags one after another.'
        )


def frame_truths(reader: BagReader, rig: Rig, config: EvaluationConfig) -> Iterator[FrameTruth]:
    """Every n-th surround frame with its truth, in the rig's order; nothing where there is none.

    What the protocol does not count is left out, but for its bounds of depth. Raises
    EvaluationError where depth truth has not the shape of its images, and at the end where no
    sweep of the LiDAR was near any frame.
    """
    found = _depth_image_truths if reader.has_depth_truth else _lidar_truths
    for frame, cameras in found(reader, rig, config):
        counted = [
            None if truth is None else _counted(truth, entry, config)
            for truth, entry in zip(cameras, rig.cameras, strict=True)
        ]
        yield FrameTruth(frame, counted)


def _counted(truth: CameraTruth, entry: RigCamera, config: EvaluationConfig) -> CameraTruth:
    """The truth without what the crop and the masks leave out."""
    keep = config.counts(truth.u, truth.v, entry.camera.width, entry.camera.height)
    if config.without_body and entry.self_occlusion is not None:
        keep &= ~entry.self_occlusion[truth.v, truth.u]
    return CameraTruth(*(values[keep] for values in truth))


def _depth_image_truths(
    reader: BagReader, rig: Rig, config: EvaluationConfig
) -> Iterator[FrameTruth]:
    pending: dict[tuple[int, int], np.ndarray] = {}
    depths = iter(reader.depth_truth())
    latest = -1
    for index, frame in enumerate(reader.surround_frames()):
        stamps = [stamp for stamp in frame.stamps_ns if stamp is not None]
        last = max(stamps, default=frame.stamp_ns)  # none: not one image could be decoded
        # Truth is recorded beside its image: read on until one second past this frame.
        while latest < last + 1_000_000_000:
            item = next(depths, None)
            if item is None:
                break
            camera, latest, depth = item
            pending[camera, latest] = depth
        if index % config.every == 0:
            found = [pending.get((c, stamp)) for c, stamp in enumerate(frame.stamps_ns)]
            sized = (
                None if depth is None else _all_pixels(_of_its_image(depth, entry, reader))
                for depth, entry in zip(found, rig.cameras, strict=True)
            )
            yield FrameTruth(frame, list(sized))
        pending = {key: depth for key, depth in pending.items() if key[1] > last}


def _of_its_image(
    depth: Float[np.ndarray, '_ _'], entry: RigCamera, reader: BagReader
) -> Float[np.ndarray, 'h w']:
    """Depth truth at its image's size, nearest pixels: a mean of near and far would be neither."""
    (rows, columns), (width, height) = depth.shape, (entry.camera.width, entry.camera.height)
    if (rows, columns) == (height, width):
        return depth
    if abs(rows - columns * height / width) >= 1:  # a pixel off is a side that was rounded
        raise EvaluationError(
            f'Found depth truth of {columns}x{rows} for the images of {entry.name} of '
            f'{width}x{height} in {reader.path}, expected one shape, at whatever size. Record the '
            'depth of the whole image, or leave its topic out of the bag.'
        )
    return cv2.resize(depth, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def _all_pixels(depth: Float[np.ndarray, 'h w']) -> CameraTruth:
    v, u = np.nonzero(np.isfinite(depth) & (depth > 0))
    return CameraTruth(u, v, depth[v, u])


def _lidar_truths(reader: BagReader, rig: Rig, config: EvaluationConfig) -> Iterator[FrameTruth]:
    odometry = reader.odometry() if config.ego_motion else None
    stamps = np.array([stamp for stamp, _ in reader.lidar()])
    if not len(stamps):
        return
    clouds = iter(reader.lidar())
    current = next(clouds, None)
    seen_ns, matched = [], False
    for index, frame in enumerate(reader.surround_frames()):
        there = [at for at in frame.stamps_ns if at is not None] or [frame.stamp_ns]
        middle = int(middle_ns(np.array(there)))
        nearest = int(stamps[np.abs(stamps - middle).argmin()])
        near = abs(nearest - middle) <= SWEEP_TOLERANCE_NS
        seen_ns.append(middle)
        matched |= near
        while current is not None and current[0] < nearest:
            current = next(clouds, None)
        if index % config.every or current is None or current[0] != nearest or not near:
            continue
        sweep, hidden = current[1], config.without_hidden
        truths = [
            None if at is None else lidar_truth(sweep, nearest, at, entry, odometry, hidden)
            for at, entry in zip(frame.stamps_ns, rig.cameras, strict=True)
        ]
        yield FrameTruth(frame, truths)
    if not matched:
        raise EvaluationError(no_sweep_near(reader, stamps, np.array(seen_ns)))


def middle_ns(stamps_ns: Int64[np.ndarray, '*sets c']) -> Int64[np.ndarray, '*sets']:
    """Halfway from the first to the last image of a set, whose sweep is the nearest to it.

    Not from the first image: nuScenes' sweep is stamped as it ends, after the last image of the
    set that it fired, and the sweep before is nearer to the first. Nor one for each image, for
    half of them would have the sweep before.
    """
    first, last = stamps_ns.min(-1), stamps_ns.max(-1)
    return np.asarray(first + (last - first) // 2)


def no_sweep_near(
    reader: BagReader, sweeps_ns: Int64[np.ndarray, ' n'], images_ns: Int64[np.ndarray, '*batch']
) -> str:
    """Say that no sweep of a bag's LiDAR belongs to any image, and by which clocks."""
    apart_s = (float(np.median(sweeps_ns)) - float(np.median(images_ns))) / 1e9
    spans = [f'{each.min() / 1e9:.3f} to {each.max() / 1e9:.3f} s' for each in
             (sweeps_ns, images_ns)]  # fmt: skip
    return (
        f'Found that {reader.topics.lidar} is stamped {apart_s:+.3f} s from the images in '
        f'{reader.path} (sweeps {spans[0]}, images {spans[1]}), expected a sweep within '
        f'{SWEEP_TOLERANCE_NS / 1e6:.0f} ms of some image. Record again with the LiDAR on the '
        "cameras' clock (PTP, NTP, or the driver's option for the host's time)."
    )


def lidar_truth(
    points_in_body: Float[np.ndarray, 'n 3'],
    sweep_ns: int,
    image_ns: int,
    entry: RigCamera,
    odometry: tuple[np.ndarray, np.ndarray] | None,
    without_hidden: bool = True,
) -> CameraTruth:
    """LiDAR points as the image of one camera sees them, see `lidar_seen`."""
    stamps_ns = sweep_ns, image_ns
    return CameraTruth(
        *lidar_seen(points_in_body, stamps_ns, entry, odometry, 'z_depth', without_hidden)
    )


def lidar_seen(
    points_in_body: Float[np.ndarray, 'n 3'],
    stamps_ns: tuple[int, int],
    entry: RigCamera,
    odometry: tuple[np.ndarray, np.ndarray] | None,
    kind: str,
    without_hidden: bool = True,
) -> tuple[Int[np.ndarray, ' m'], Int[np.ndarray, ' m'], Float[np.ndarray, ' m']]:
    """Columns, rows and depths (metres, 'z_depth' or 'ray_distance') of LiDAR points in an image.

    `stamps_ns`: of sweep and image. The points are moved by the robot's motion between them, and
    of several in a pixel the nearest is kept: that is what the camera sees. `without_hidden`
    leaves out the others that it cannot see. Beyond 90 degrees off axis there is no z-depth.
    """
    sweep_ns, image_ns = stamps_ns
    image_from_sweep = _motion(odometry, sweep_ns, image_ns)
    camera_from_sweep = entry.body_from_camera.inverse() @ image_from_sweep
    points = camera_from_sweep.apply(points_in_body.astype(np.float64))
    pixels, valid = entry.camera.project(points)
    depth_m = points[:, 2] if kind == 'z_depth' else np.linalg.norm(points, axis=1)
    valid &= depth_m > 0
    pixels, depth_m = pixels[valid], depth_m[valid]
    width, height = entry.camera.width, entry.camera.height
    if without_hidden:
        seen = ~hidden_points(pixels, depth_m, width, height, entry.camera.focal)
        pixels, depth_m = pixels[seen], depth_m[seen]
    u, v = np.rint(pixels).astype(np.int64).T.clip(0, [[width - 1], [height - 1]])
    nearest = np.full((height, width), np.inf, np.float32)
    np.minimum.at(nearest, (v, u), depth_m.astype(np.float32))
    return _all_pixels(nearest)


def _motion(odometry: tuple[np.ndarray, np.ndarray] | None, sweep_ns: int, image_ns: int) -> SE3:
    """Body at the image's stamp from body at the sweep's; no motion where odometry is silent."""
    if odometry is None:
        return SE3.identity()
    poses, valid = interpolate_poses(*odometry, np.array([sweep_ns, image_ns]))
    return poses[1].inverse() @ poses[0] if valid.all() else SE3.identity()
