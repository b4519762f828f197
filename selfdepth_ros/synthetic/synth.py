# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes a drive through a street world as a rosbag2: images, lenses, frames, odometry, LiDAR."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from selfdepth_ros.bags.writer import BagWriter
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.synthetic.layout import plan_drive
from selfdepth_ros.synthetic.mesh import Array
from selfdepth_ros.synthetic.pool import render_frames
from selfdepth_ros.synthetic.recording import (
    EPOCH_NS,
    START_NS,
    FrameContent,
    Recording,
    check_range,
)
from selfdepth_ros.synthetic.rig import LIDAR_FRAME_ID, LIDAR_XYZ, street_rig

ODOMETRY_HZ = 50
# When a message reaches the recorder after its stamp.
_CAMERA_DELAY_NS, _LIDAR_DELAY_NS, _ODOMETRY_DELAY_NS = 6_000_000, 9_000_000, 1_000_000
Write = tuple[int, Callable[[], None]]


def write_bag(
    out: str | Path,
    seed: int,
    frames: int,
    width: int = 320,
    height: int = 192,
    *,
    rate_hz: float | int = 10,
    odometry: bool = True,
    odometry_noise: float | int = 0,
    progress: bool = True,
    workers: int = 1,
    storage: str = 'mcap',
    **options: Any,
) -> Path:
    """Write a bag; options are the other fields of Recording (depth_truth, noise, lidar ...).

    odometry_noise: relative error of each step of the odometry (0 = exact). workers > 1 renders
    in that many processes. Raises BagError for a path that exists, SyntheticError for bad options.
    """
    recording = Recording(seed, frames, width, height, rate_hz, **options)
    check_range('odometry_noise', odometry_noise)
    rig = street_rig(width, height, recording.distorted)
    with BagWriter(out, storage) as bag:
        _write_frames_of_reference(bag, rig)
        odom = _odometry(bag, recording, odometry_noise) if odometry else iter(())
        pending: list[Write] = []
        content = render_frames(recording, workers)
        for i, frame in enumerate(
            tqdm(content, 'synth', frames, disable=not progress, unit='frame')
        ):
            pending += _frame_writes(bag, rig, recording.base_ns(i), frame)
            until = EPOCH_NS + recording.base_ns(i + 1)
            pending = _write_until(pending, odom, until)
        _write_until(pending, odom, 2**63)
    return Path(out)


def _write_frames_of_reference(bag: BagWriter, rig: Rig) -> None:
    frames = [(rig.body_frame, c.frame_id, c.body_from_camera) for c in rig.cameras]
    lidar = SE3.from_rotation_translation(np.eye(3), np.array(LIDAR_XYZ))
    bag.write_tf_static(
        [*frames, (rig.body_frame, LIDAR_FRAME_ID, lidar)], EPOCH_NS + START_NS // 2
    )


def _write_until(pending: list[Write], odom: Iterator[Write], until: int) -> list[Write]:
    """Write what is due before a time, in the order of arrival; return the rest."""
    for item in odom:
        pending.append(item)
        if item[0] >= until:
            break
    pending.sort(key=lambda item: item[0])
    rest = []
    for log_ns, write in pending:
        if log_ns < until:
            write()
        else:
            rest.append((log_ns, write))
    return rest


def _frame_writes(bag: BagWriter, rig: Rig, base_ns: int, frame: FrameContent) -> Iterator[Write]:
    for i, mount in enumerate(rig.cameras):
        stamp = EPOCH_NS + int(frame.stamps_ns[i])
        log = stamp + _CAMERA_DELAY_NS
        common = {'stamp_ns': stamp, 'frame_id': mount.frame_id, 'log_ns': log}
        name, image = f'/{mount.name}', frame.images[i]
        yield (
            log,
            lambda n=name, c=common, m=mount: bag.write_camera_info(
                f'{n}/camera_info', camera=m.camera, **c
            ),
        )
        if image.ndim == 1:
            yield (
                log,
                lambda n=name, c=common, d=image: bag.write_compressed(
                    f'{n}/image_raw/compressed', data=d, **c
                ),
            )
        else:
            yield (
                log,
                lambda n=name, c=common, d=image: bag.write_image(f'{n}/image_raw', image=d, **c),
            )
        if frame.z_depths is not None:
            yield (
                log,
                lambda n=name, c=common, d=frame.z_depths[i]: bag.write_depth(
                    f'{n}/depth_truth', z_depth_m=d, **c
                ),
            )
    if frame.scan is not None:
        stamp, scan = EPOCH_NS + base_ns, frame.scan
        log = stamp + _LIDAR_DELAY_NS
        yield log, lambda: bag.write_cloud(
            '/lidar/points', stamp, LIDAR_FRAME_ID, scan.points, intensity=scan.intensity,
            ring=scan.ring, log_ns=log,
        )  # fmt: skip


def _odometry(bag: BagWriter, recording: Recording, noise: float | int) -> Iterator[Write]:
    """Poses in odom, whose origin is where the recording starts; from 0.2 s before to after."""
    step = 10**9 // ODOMETRY_HZ
    last = recording.base_ns(recording.frames - 1) + 240_000_000
    stamps = np.arange(START_NS - 10 * step, last + step, step)
    for stamp, pose in zip(stamps, odometry_poses(recording, stamps, noise), strict=True):
        time = EPOCH_NS + int(stamp)
        log = time + _ODOMETRY_DELAY_NS
        yield log, lambda t=time, p=pose, g=log: bag.write_odometry('/odom', t, SE3(p), log_ns=g)


def odometry_poses(recording: Recording, stamps_ns: Array, noise: float | int = 0) -> Array:
    """odom_from_body (n, 4, 4) at stamps since the drive's start; noise: relative, per step."""
    drive = plan_drive(recording.seed, recording.duration_s)[0]
    exact = np.linalg.inv(drive.world_from_body(START_NS * 1e-9)) @ drive.world_from_body(
        np.asarray(stamps_ns) * 1e-9
    )
    if not noise:
        return exact
    rng = np.random.default_rng([recording.seed, 91])
    scale = 1 + noise * rng.normal(0, 0.3)
    out = [exact[0]]
    for before, after in pairwise(exact):
        step = np.linalg.inv(before) @ after
        length = float(np.linalg.norm(step[:3, 3]))
        turn = SE3.exp(np.concatenate([np.zeros(3), [0, 0, noise * rng.normal(0, 0.2) * length]]))
        step[:3, 3] *= scale * (1 + noise * rng.normal())
        out.append(out[-1] @ step @ np.asarray(turn.matrix))
    return np.stack(out)
