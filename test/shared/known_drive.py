# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A small known drive; the *_tree.py files beside this one store it as public datasets would.

All from the datasets' documentation and with 4x4 matrices only: what the importers share with
these files is the truth, not the code.
"""

import json
from dataclasses import dataclass, field

import cv2
import numpy as np

SECOND = 10**9
UPRIGHT = np.eye(3)
OPTICAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])


def pose(rotation_vector=(0, 0, 0), translation=(0, 0, 0), first=UPRIGHT):
    """4x4: rotation vector after `first`, translation."""
    matrix = np.eye(4)
    turn = np.asarray(rotation_vector, np.float64)
    matrix[:3, :3] = cv2.Rodrigues(turn)[0] @ first
    matrix[:3, 3] = translation
    return matrix


def wxyz(matrix):
    """Quaternion of a rotation, by its eigenvector of eigenvalue 1."""
    turn = cv2.Rodrigues(matrix[:3, :3])[0].ravel()
    angle = np.linalg.norm(turn)
    axis = turn / angle if angle else np.array([1.0, 0, 0])
    return [float(np.cos(angle / 2)), *map(float, np.sin(angle / 2) * axis)]


def jpeg(seed, size, suffix='.jpg'):
    """An image that no other has, as a file's bytes."""
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.imencode(suffix, pixels)[1].tobytes()


@dataclass
class Lens:
    size: tuple
    fx: float
    fy: float
    cx: float
    cy: float


@dataclass
class Drive:
    """What is true: poses (at each stamp), where the sensors are, what they saw."""

    cameras: dict
    """Lens and body_from_camera by name."""
    body_from_lidar: np.ndarray
    camera_ns: dict
    """Stamps by camera."""
    lidar_ns: list
    suffix: str = '.jpg'
    start: np.ndarray = field(default_factory=lambda: pose((0, 0, 0.4), (40.0, -25.0, 3.0)))
    """world_from_body at time 0."""

    def world_from_body(self, seconds):
        """A curve, with a little roll and pitch."""
        turn = (0.02 * np.sin(seconds), 0.03 * np.sin(2 * seconds), 0.3 * seconds)
        return self.start @ pose(turn, (6.0 * seconds, seconds**2, 0.1 * seconds))

    def at(self, stamp_ns, first_ns):
        """world_from_body at a stamp."""
        return self.world_from_body((stamp_ns - first_ns) / SECOND)

    @property
    def first_ns(self):
        return min([*self.lidar_ns, *(ns for stamps in self.camera_ns.values() for ns in stamps)])

    def image(self, name, index):
        """The file of a camera's image."""
        number = sorted(self.cameras).index(name)
        return jpeg([number, index], self.cameras[name][0].size, self.suffix)

    def points(self, index):
        """A sweep in the body's frame, (n, 3)."""
        rng = np.random.default_rng([99, index])
        return rng.uniform([-40, -40, 0], [40, 40, 6], (50 + index, 3))

    def in_lidar(self, index):
        """A sweep in the LiDAR's frame, and its intensities."""
        lidar_from_body = np.linalg.inv(self.body_from_lidar)
        points = self.points(index) @ lidar_from_body[:3, :3].T + lidar_from_body[:3, 3]
        return points, np.linspace(0, 1, len(points))


def surround(names, start_ns, periods_ns, counts):
    """A drive with cameras that look in several directions and a LiDAR that is turned."""
    cameras, camera_ns = {}, {}
    for index, name in enumerate(names):
        lens = Lens((48, 32), 40.0 + index, 41.0 + index, 23.0 + index / 4, 16.0 - index / 4)
        angle = 2 * np.pi * index / len(names)
        body_from_camera = pose((0, 0, angle), (1.0, 0.1 * index, 1.5)) @ pose(
            (0.01, 0.02, 0.03), (0, 0, 0), OPTICAL
        )
        cameras[name] = lens, body_from_camera
        camera_ns[name] = [
            start_ns + index * 1_000_000 + number * periods_ns[0] for number in range(counts[0])
        ]
    lidar_ns = [start_ns + 2_000_000 + number * periods_ns[1] for number in range(counts[1])]
    return Drive(cameras, pose((0.02, -0.01, -1.57), (0.9, 0.0, 1.8)), camera_ns, lidar_ns)


def write(path, content):
    """Write bytes, text or a tree as JSON; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), 'utf-8')
