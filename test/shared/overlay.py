# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Do LiDAR, rig, stamps and odometry of a bag fit its images? Outlines must fall on edges."""

from dataclasses import dataclass

import cv2
import numpy as np

from selfdepth_ros.core.cameras import Camera
from selfdepth_ros.core.se3 import SE3, interpolate_poses

NEAREST_M, FARTHEST_M = 3.0, 60.0
WITHIN_NS = 60_000_000
# Neighbours in a ring, rad: less than the rings of a LiDAR are apart, more than its steps.
CELL_HEIGHT, CELL_WIDTH, REACH = 0.012, 0.006, 2


@dataclass
class View:
    """One image, and the points of one sweep in its camera's frame at its stamp."""

    name: str
    lens: Camera
    image: np.ndarray
    points: np.ndarray

    def __post_init__(self):
        self.edges = upright_edges(self.image)
        near = (self.points[:, 2] > NEAREST_M) & (self.points[:, 2] < FARTHEST_M)
        self.points = self.points[near]
        self.outlines = self.points[self.are_outlines()]

    def are_outlines(self):
        """Which points are beside something well behind them, in a row of the image."""
        pixels, seen = self.lens.project(self.points)
        z = self.points[:, 2]
        row = np.where(seen, pixels[:, 1] / (CELL_HEIGHT * self.lens.focal), 0).astype(int)
        column = np.where(seen, pixels[:, 0] / (CELL_WIDTH * self.lens.focal), 0).astype(int)
        nearest = np.full((row.max() + 1, column.max() + 1 + 2 * REACH), np.inf)
        np.minimum.at(nearest, (row[seen], column[seen] + REACH), z[seen])
        beside = np.stack([nearest[row, column + REACH + step] for step in (-2, -1, 1, 2)], axis=1)
        behind = np.isfinite(beside) & (beside > 1.2 * z[:, None] + 0.5)
        return seen & behind.any(axis=1) & (z <= nearest[row, column + REACH])

    def edges_at(self, points, turn):
        """Strength of edges where points project to with the camera turned."""
        pixels, seen = self.lens.project(turn.rotate(points))
        u, v = np.round(pixels[seen]).astype(int).T
        return self.edges[v, u]

    def picture(self):
        """The image with its points, near red, far blue; outlines are larger."""
        canvas = self.image[..., ::-1].copy()
        for points, radius in ((self.points, 1), (self.outlines, 4)):
            pixels, seen = self.lens.project(points)
            shade = 255 * np.clip(1 - np.log(points[seen, 2].clip(2) / 2) / np.log(40), 0, 1)
            colours = cv2.applyColorMap(shade.astype(np.uint8)[:, None], cv2.COLORMAP_JET)[:, 0]
            for (u, v), colour in zip(pixels[seen], colours, strict=True):
                cv2.circle(canvas, (round(u), round(v)), radius, colour.tolist(), -1)
        return canvas


def views_of(reader, most=1000):
    """Every image with a sweep near its stamp; points move as the odometry, where there is one."""
    rig = reader.rig()
    sweeps = list(reader.lidar())
    stamps = np.array([stamp for stamp, _ in sweeps])
    views = []
    for frame in reader.surround_frames():
        for entry, image, stamp in zip(rig.cameras, frame.images, frame.stamps_ns, strict=True):
            nearest = None if stamp is None else int(np.abs(stamps - stamp).argmin())
            if nearest is None or abs(stamps[nearest] - stamp) > WITHIN_NS:
                continue
            image_from_sweep = _motion(reader, int(stamps[nearest]), stamp)
            camera_from_sweep = entry.body_from_camera.inverse() @ image_from_sweep
            points = camera_from_sweep.apply(sweeps[nearest][1].astype(np.float64))
            views.append(View(entry.name, entry.camera, image, points))
            if len(views) == most:
                return views
    return views


def fit(views, turn=None):
    """Mean strength of image edges at LiDAR outlines; 1 is that at any of the points.

    Beside that of all points, since a turn moves them all, say from the road into the trees.
    """
    turn = SE3.identity() if turn is None else turn
    at_outlines = np.concatenate([view.edges_at(view.outlines, turn) for view in views])
    at_points = np.concatenate([view.edges_at(view.points, turn) for view in views])
    return float(at_outlines.mean() / at_points.mean())


def turned_by(degrees, axis):
    """The turn of a camera about its own axis."""
    twist = np.zeros(6)
    twist[3 + axis] = np.deg2rad(degrees)
    return SE3.exp(twist)


def upright_edges(image):
    """How strongly brightness changes along the rows; 1 is the image's mean."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    change = np.abs(cv2.Sobel(cv2.GaussianBlur(grey, (0, 0), 2), cv2.CV_32F, 1, 0))
    capped = cv2.GaussianBlur(np.minimum(change, np.percentile(change, 95)), (0, 0), 2)
    return capped / capped.mean()


def _motion(reader, sweep_ns, image_ns):
    """Body at the image's stamp from body at the sweep's."""
    if sweep_ns == image_ns or reader.topics.odometry is None:
        return SE3.identity()
    poses, valid = interpolate_poses(*reader.odometry(), np.array([sweep_ns, image_ns]))
    assert valid.all()
    return poses[1].inverse() @ poses[0]
