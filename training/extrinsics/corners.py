# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Corners of each camera, found again in what the same camera sees before and after."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from selfdepth_ros.core.rig import Rig
from selfdepth_training.extrinsics.drive import Drive
from selfdepth_training.extrinsics.sightings import (
    Points,
    Sightings,
    joined_points,
    joined_sightings,
)

CORNERS, QUALITY, SPACING_PX = 150, 0.005, 6
# Key frames on either side in which a corner is looked for.
REACH = 2
WINDOW, LEVELS = (13, 13), 4
# Tracked there and back again, a corner must come back to where it started.
RETURN_PX = 0.3


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
    usable = None if own_body is None else np.where(own_body, 0, 255).astype(np.uint8)
    corners = cv2.goodFeaturesToTrack(image, CORNERS, QUALITY, SPACING_PX, mask=usable)
    corners = np.zeros((0, 1, 2), np.float32) if corners is None else corners
    parts = []
    for way in (-1, 1):
        guess = corners
        for step in range(1, REACH + 1):
            frame = anchor + way * step
            if not len(corners) or not drive.together(anchor, frame):
                break
            if not drive.present[frame, camera]:
                continue
            guess, good = _found(image, drive.grey(frame, camera), corners, guess, usable)
            which = np.flatnonzero(good)
            pixels = guess[which, 0].astype(float)
            every = np.full(len(which), camera), np.full(len(which), frame)
            parts.append(Sightings(which, *every, pixels))
    count = len(corners)
    points = Points(np.full(count, camera), np.full(count, anchor), corners[:, 0].astype(float))
    return Followed(points, joined_sightings(parts))


def _found(
    image: UInt8[np.ndarray, 'h w'],
    other: UInt8[np.ndarray, 'h w'],
    corners: Float[np.ndarray, 'n 1 2'],
    guess: Float[np.ndarray, 'n 1 2'],
    usable: UInt8[np.ndarray, 'h w'] | None,
) -> tuple[Float[np.ndarray, 'n 1 2'], np.ndarray]:
    """Where the corners are in another image, beginning at a guess, and whether surely so."""
    how = {'winSize': WINDOW, 'maxLevel': LEVELS, 'flags': cv2.OPTFLOW_USE_INITIAL_FLOW}
    there, ok, _ = cv2.calcOpticalFlowPyrLK(image, other, corners, guess.copy(), **how)
    back, again, _ = cv2.calcOpticalFlowPyrLK(other, image, there, corners.copy(), **how)
    height, width = image.shape
    good = (ok.ravel() > 0) & (again.ravel() > 0)
    good &= np.linalg.norm((back - corners)[:, 0], axis=1) < RETURN_PX
    good &= (there[:, 0] >= 0).all(1) & (there[:, 0] <= [width - 1, height - 1]).all(1)
    if usable is not None:
        columns, rows = there[:, 0].round().clip(0, [width - 1, height - 1]).astype(int).T
        good &= usable[rows, columns] > 0
    return there, good
