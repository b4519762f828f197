# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A drive of a street bag as the *_tree.py files store drives: its own images, poses, sweeps."""

from pathlib import Path

import cv2
import numpy as np
from known_drive import Drive, Lens

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.core.se3 import interpolate_poses


class StreetDrive(Drive):
    """Each sample has the six images of a set and the sweep that is nearest in time."""

    def __init__(self, bag: Path) -> None:
        reader = BagReader(bag)
        # Odometry ends within the first and the last set.
        self._frames = [frame for frame in reader.surround_frames() if all(frame.present)][1:-1]
        sweeps = list(reader.lidar())
        stamps = np.array([stamp for stamp, _ in sweeps])
        nearest = [int(np.abs(stamps - frame.stamp_ns).argmin()) for frame in self._frames]
        self._sweeps = [sweeps[index][1] for index in nearest]
        cameras, camera_ns = {}, {}
        for index, entry in enumerate(reader.rig().cameras):
            lens = entry.camera
            size = lens.width, lens.height
            numbers = Lens(size, lens.fx, lens.fy, lens.cx, lens.cy)
            cameras[entry.name] = numbers, np.asarray(entry.body_from_camera.matrix)
            camera_ns[entry.name] = [frame.stamps_ns[index] for frame in self._frames]
        body_from_lidar = np.asarray(reader.body_from_lidar().matrix)
        super().__init__(cameras, body_from_lidar, camera_ns, stamps[nearest].tolist())
        self._odometry = reader.odometry()

    def at(self, stamp_ns, first_ns):
        poses, reached = interpolate_poses(*self._odometry, np.array([stamp_ns]))
        assert reached.all()
        return poses.matrix[0]

    def image(self, name, index):
        image = self._frames[index].images[list(self.cameras).index(name)]
        how = [cv2.IMWRITE_JPEG_QUALITY, 95]
        return cv2.imencode(self.suffix, np.ascontiguousarray(image[..., ::-1]), how)[1].tobytes()

    def points(self, index):
        return self._sweeps[index]
