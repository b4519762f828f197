# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Corners of each camera, found again in what the same camera sees before and after."""

from typing import NamedTuple

import numpy as np

from selfdepth_ros.core.rig import Rig
from selfdepth_training.corners import Following, corners_of, followed
from selfdepth_training.extrinsics.drive import REACH, Drive
from selfdepth_training.extrinsics.sightings import (
    Points,
    Sightings,
    joined_points,
    joined_sightings,
)

FOLLOWING = Following(count=150, spacing_px=6, window_px=13, return_px=0.3)


class Followed(NamedTuple):
    """Corners and where they are in other images."""

    points: Points
    sightings: Sightings


def followed_corners(drive: Drive, rig: Rig, anchors: list[int]) -> Followed:
    """Corners of the key frames `anchors`; those that are found nowhere else are left out."""
    points, sightings, count = [], [], 0
    for anchor in anchors:
        for camera in np.flatnonzero(drive.present[anchor]).tolist():
            found, seen = _of_image(drive, rig, anchor, camera)
            points.append(found)
            sightings.append(seen._replace(point=seen.point + count))
            count += len(found.camera)
    return Followed(joined_points(points), joined_sightings(sightings))


def _of_image(drive: Drive, rig: Rig, anchor: int, camera: int) -> Followed:
    image = drive.grey(anchor, camera)
    own_body = rig.cameras[camera].self_occlusion
    corners = corners_of(image, own_body, how=FOLLOWING)
    parts = []
    for way in (-1, 1):
        guess = corners
        for step in range(1, REACH + 1):
            frame = anchor + way * step
            if not drive.together(anchor, frame):
                break
            if not drive.present[frame, camera]:
                continue
            pictures = image, drive.grey(frame, camera)
            guess, good = followed(*pictures, corners, own_body, FOLLOWING, guess)
            which = np.flatnonzero(good)
            every = np.full(len(which), camera), np.full(len(which), frame)
            parts.append(Sightings(which, *every, guess[which]))
    count = len(corners)
    points = Points(np.full(count, camera), np.full(count, anchor), corners)
    return Followed(points, joined_sightings(parts))
