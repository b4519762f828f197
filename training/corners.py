# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Corners of images, followed from one to the next (Lucas and Kanade 1981)."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_training.data.cache import FrameCache

CORNERS, CORNER_QUALITY, CORNER_SPACING_PX = 250, 0.005, 5
TRACK_WINDOW_PX, TRACK_LEVELS = 15, 4
# A corner must come back to where it started, tracked there and back again.
RETURN_PX = 0.7

Grey = UInt8[np.ndarray, 'h w']
Pixels = Float[np.ndarray, 'n 2']
NONE = np.zeros((0, 2))


class OdometryError(SelfdepthError):
    """Images that do not tell how the robot moved."""


class Tracks(NamedTuple):
    """Corners of one camera in two consecutive frames."""

    camera: int
    first: Float[np.ndarray, 'n 2']
    second: Float[np.ndarray, 'n 2']
    depth: Float[np.ndarray, ' n']
    """Metres in the first frame, of the rig's depth kind; NaN where it is not known."""


def grey(cache: FrameCache, frame: int, camera: int) -> Grey:
    """Return the brightness of one image of a recording."""
    return cv2.cvtColor(cache.images[frame][camera], cv2.COLOR_RGB2GRAY)


def corners_of(
    image: Grey, own_body: Bool[np.ndarray, 'h w'] | None, known: Float[np.ndarray, 'k 2'] = NONE
) -> Pixels:
    """Corners of a grey image, off the robot's own body and apart from the `known` ones."""
    usable = np.full(image.shape, 255, np.uint8)
    if own_body is not None:
        usable[own_body] = 0
    for x, y in known.round().astype(int):
        cv2.circle(usable, (int(x), int(y)), CORNER_SPACING_PX, 0, -1)
    wanted = max(CORNERS - len(known), 1)
    found = cv2.goodFeaturesToTrack(image, wanted, CORNER_QUALITY, CORNER_SPACING_PX, mask=usable)
    return np.zeros((0, 2)) if found is None else found.reshape(-1, 2).astype(float)


def followed(
    first: Grey, second: Grey, corners: Pixels, own_body: Bool[np.ndarray, 'h w'] | None
) -> tuple[Pixels, Bool[np.ndarray, ' n']]:
    """Where corners of the first image are in the second, and whether they lead back again."""
    if len(corners) == 0:
        return corners, np.zeros(0, bool)
    how = {'winSize': (TRACK_WINDOW_PX,) * 2, 'maxLevel': TRACK_LEVELS}
    start = corners.astype(np.float32)[:, None]
    there, ok, _ = cv2.calcOpticalFlowPyrLK(first, second, start, None, **how)
    back, again, _ = cv2.calcOpticalFlowPyrLK(second, first, there, None, **how)
    height, width = first.shape
    there, back = (p.reshape(-1, 2).astype(float) for p in (there, back))
    good = (ok.ravel() > 0) & (again.ravel() > 0)
    good &= np.linalg.norm(back - corners, axis=1) < RETURN_PX
    good &= (there >= 0).all(1) & (there[:, 0] <= width - 1) & (there[:, 1] <= height - 1)
    if own_body is not None:
        rows, columns = there[:, ::-1].round().clip(0, [height - 1, width - 1]).astype(int).T
        good &= ~own_body[rows, columns]
    return there, good
