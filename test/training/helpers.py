# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Parts of a bag as a bag of their own, and parts of a drive as the losses take them."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.bags.writer import BagWriter
from selfdepth_ros.core.cameras import Camera
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.geometry import RigGeometry, depth_kind
from selfdepth_training.losses.surround import SurroundReprojection, Views


class OnlyLidar(BagReader):
    """The bag as a real robot would have recorded it."""

    @property
    def has_depth_truth(self) -> bool:
        return False


def record(
    bag: Path,
    out: Path,
    *,
    frames: int = 12,
    cameras: Collection[str] | None = None,
    odometry: bool = True,
    still: bool = False,
    pace: float = 1.0,
    uncalibrated: Collection[str] = (),
    lenses: Mapping[str, Camera] | None = None,
    slow: Collection[str] = (),
    unplaced_lidar: bool = False,
) -> Path:
    """Write the first frames of `bag`, of some cameras, with or without odometry.

    `still` repeats the first frame and pose: a robot that stands; odometry is shorter by `pace`,
    as of a slower robot. Faults of cameras:
    `uncalibrated` ones have no CameraInfo, `lenses` replace theirs, `slow` ones skip every second
    image. `unplaced_lidar` adds clouds of a sensor that /tf_static does not know.
    """
    reader = BagReader(bag)
    rig = reader.rig() if cameras is None else reader.rig().subset(tuple(cameras))
    changed = (replace(c, camera=(lenses or {}).get(c.name, c.camera)) for c in rig.cameras)
    rig = replace(rig, cameras=tuple(changed))
    stamps, matrices = reader.odometry()
    with BagWriter(out) as writer:
        frames_of = [('base_link', c.frame_id, c.body_from_camera) for c in rig.cameras]
        writer.write_tf_static(frames_of, int(stamps[0]))
        for entry in rig.cameras:
            if entry.name not in uncalibrated:
                topic = f'/{entry.name}/camera_info'
                writer.write_camera_info(topic, int(stamps[0]), entry.frame_id, entry.camera)
        if odometry:
            for stamp, matrix in zip(stamps, matrices, strict=True):
                pose = SE3(matrices[0] if still else matrix)
                pose = SE3.from_rotation_translation(pose.rotation, pace * pose.translation)
                writer.write_odometry('/odom', int(stamp), pose)
        first = None
        for count, frame in enumerate(islice(reader.surround_frames(), frames)):
            first = first or frame
            shown = dict(zip(reader.cameras, (first if still else frame).images, strict=True))
            stamps_ns = dict(zip(reader.cameras, frame.stamps_ns, strict=True))
            if unplaced_lidar:
                writer.write_cloud('/lidar', frame.stamp_ns, 'lidar', np.ones((9, 3), np.float32))
            for entry in rig.cameras:
                if count % 2 and entry.name in slow:
                    continue
                writer.write_image(
                    f'/{entry.name}/image_raw', stamps_ns[entry.name], entry.frame_id,
                    shown[entry.name],
                )  # fmt: skip
    return out


def triplet(street: Any, now: int, step: int = 1) -> Views:
    """Frames now - step, now, now + step of the drive, at full size, with their true poses."""
    frames = [now - step, now, now + step]
    images = torch.from_numpy(street.cache.images[frames]).permute(0, 1, 4, 2, 3).float() / 255
    poses = street.cache.world_from_body[frames] @ street.rig.body_from_cameras().matrix
    return Views(
        images, torch.from_numpy(street.cache.present[frames]), SE3(torch.from_numpy(poses))
    )


def reprojection(rig: Rig, factor: int = 1) -> SurroundReprojection:
    """Reprojection at full image size, from depths `factor` times smaller."""
    entry = rig.cameras[0].camera
    size = entry.width // factor, entry.height // factor
    geometry = RigGeometry.of(rig, *size, depth_kind(rig), torch.device('cpu'))
    return SurroundReprojection(geometry, factor, 0.85)
