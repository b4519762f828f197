# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Corners of images, followed from one to another (Lucas and Kanade 1981)."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_training.data.cache import FrameCache

Grey = UInt8[np.ndarray, 'h w']
Mask = Bool[np.ndarray, 'h w']
Pixels = Float[np.ndarray, 'n 2']
NONE = np.zeros((0, 2))


@dataclass(frozen=True)
class Following:
    """How corners are looked for and followed; as odometry does where nothing else is said."""

    count: int = 250
    """Most corners of an image."""
    quality: float = 0.005
    """Share of the best corner's score that all others reach."""
    spacing_px: int = 5
    window_px: int = 15
    """Side of the window that is to look alike."""
    levels: int = 4
    """Of the pyramid, beside the image itself."""
    return_px: float = 0.7
    """Followed there and back again, a corner must come back so near to where it started."""


ODOMETRY = Following()


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
    return cv2.cvtColor(cache.images[frame, camera], cv2.COLOR_RGB2GRAY)


def corners_of(
    image: Grey,
    own_body: Mask | None,
    known: Float[np.ndarray, 'k 2'] = NONE,
    how: Following = ODOMETRY,
) -> Pixels:
    """Corners of a grey image, off the robot's own body and apart from the `known` ones."""
    usable = np.full(image.shape, 255, np.uint8)
    if own_body is not None:
        usable[own_body] = 0
    for x, y in known.round().astype(int):
        cv2.circle(usable, (int(x), int(y)), how.spacing_px, 0, -1)
    wanted = max(how.count - len(known), 1)
    found = cv2.goodFeaturesToTrack(image, wanted, how.quality, how.spacing_px, mask=usable)
    return NONE if found is None else found.reshape(-1, 2).astype(float)


def followed(
    first: Grey,
    second: Grey,
    corners: Pixels,
    own_body: Mask | None,
    how: Following = ODOMETRY,
    guess: Pixels | None = None,
) -> tuple[Pixels, Bool[np.ndarray, ' n']]:
    """Where corners of the first image are in the second, and whether they lead back again.

    They are looked for around their `guess`, else where they were. Those that left the image, or
    went behind the robot's own body, are lost.
    """
    there, good = there_and_back(first, second, corners, how, guess)
    height, width = first.shape
    good &= ((there >= 0) & (there <= [width - 1, height - 1])).all(1)
    return there, good & ~on_body(own_body, there)


def there_and_back(
    first: Grey, second: Grey, corners: Pixels, how: Following, guess: Pixels | None = None
) -> tuple[Pixels, Bool[np.ndarray, ' n']]:
    """As `followed`, beyond the borders of the image and the robot's own body, too."""
    if len(corners) == 0:
        return corners, np.zeros(0, bool)
    flags = 0 if guess is None else cv2.OPTFLOW_USE_INITIAL_FLOW
    given = {'winSize': (how.window_px,) * 2, 'maxLevel': how.levels, 'flags': flags}
    start = corners.astype(np.float32)
    # OpenCV overwrites the guesses.
    guesses = (None, None) if guess is None else (guess.astype(np.float32), start.copy())
    there, ok, _ = cv2.calcOpticalFlowPyrLK(first, second, start, guesses[0], **given)
    back, again, _ = cv2.calcOpticalFlowPyrLK(second, first, there, guesses[1], **given)
    good = (ok.ravel() > 0) & (again.ravel() > 0)
    good &= np.linalg.norm(back.astype(float) - corners, axis=1) < how.return_px
    return there.astype(float), good


def on_body(own_body: Mask | None, pixels: Pixels) -> Bool[np.ndarray, ' n']:
    """Whether pixels lie on the robot itself; those beyond the border are as those at it."""
    if own_body is None:
        return np.zeros(len(pixels), bool)
    height, width = own_body.shape
    columns, rows = pixels.round().clip(0, [width - 1, height - 1]).astype(int).T
    return own_body[rows, columns]
