# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Semi-global matching of a rectified pair (Hirschmueller 2008; OpenCV's), and its settings."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

# As released with Watson et al. 2019: penalties of a step of one and of more disparities, percent
# by which the best must win, and what is called a speckle. The release has twelve settings, of
# blocks of 1 to 3 and 64 to 160 disparities in images 1242 pixels wide. A robot comes nearer to
# things than a car of KITTI, and what is nearer than a range of disparities reaches is told to be
# far, by matches that reproject well: so one range here, which reaches it, of images 640 wide.
SMALL_STEP, LARGE_STEP, UNIQUENESS, SPECKLE_PIXELS, SPECKLE_RANGE = 36, 288, 10, 100, 16
BLOCKS, DISPARITIES, WIDTH_PX = (3, 5), 256, 640
# OpenCV's disparities are integers, this many to a column; their number is a multiple of it, too.
PER_COLUMN = 16


class Setting(NamedTuple):
    """What differs from one matching to another."""

    block: int
    """Side of the window that is compared, pixels."""
    disparities: int
    """Columns that are looked through, a multiple of 16."""
    small_step: int = SMALL_STEP
    large_step: int = LARGE_STEP
    uniqueness: int = UNIQUENESS


def fixed(width: int) -> list[Setting]:
    """Settings of every matching, for images of this width."""
    return [Setting(block, _disparities(width)) for block in BLOCKS]


def drawn(width: int, rng: np.random.Generator) -> list[Setting]:
    """One setting at random, around the fixed ones."""
    small = int(rng.integers(SMALL_STEP // 4, 2 * SMALL_STEP))
    return [
        Setting(
            block=int(rng.choice(BLOCKS)),
            disparities=_disparities(width),
            small_step=small,
            large_step=small * int(rng.integers(2, 13)),
            uniqueness=int(rng.integers(5, 16)),
        )
    ]


def _disparities(width: int) -> int:
    return max(1, round(DISPARITIES * width / WIDTH_PX / PER_COLUMN)) * PER_COLUMN


def disparities(
    left: UInt8[np.ndarray, 'h w'], right: UInt8[np.ndarray, 'h w'], setting: Setting
) -> Float32[np.ndarray, 'h w']:
    """How many columns further left things of the left image are in the right one; NaN: unknown.

    Nothing is known of the first `setting.disparities` columns.
    """
    matcher = cv2.StereoSGBM.create(
        minDisparity=0, numDisparities=setting.disparities, blockSize=setting.block,
        P1=setting.small_step, P2=setting.large_step, disp12MaxDiff=-1, preFilterCap=63,
        uniquenessRatio=setting.uniqueness, speckleWindowSize=SPECKLE_PIXELS,
        speckleRange=SPECKLE_RANGE, mode=cv2.STEREO_SGBM_MODE_SGBM,
    )  # fmt: skip
    found = matcher.compute(left, right).astype(np.float32) / PER_COLUMN
    return np.where(found >= 0, found, np.float32('nan'))


def disparities_of_right(
    left: UInt8[np.ndarray, 'h w'], right: UInt8[np.ndarray, 'h w'], setting: Setting
) -> Float32[np.ndarray, 'h w']:
    """The same for each pixel of the right image, matched on its own: mirrored, right is left."""
    mirrored = (np.ascontiguousarray(each[:, ::-1]) for each in (right, left))
    return disparities(*mirrored, setting)[:, ::-1]


def mutual(
    of_left: Float32[np.ndarray, 'h w'], of_right: Float32[np.ndarray, 'h w'], apart_px: float
) -> Bool[np.ndarray, 'h w']:
    """Where the match of a left pixel says, up to `apart_px`, that this pixel is its match.

    What one image alone sees is matched with something that has a match of its own.
    """
    rows, columns = np.indices(of_left.shape)
    match = columns - np.nan_to_num(of_left).round().astype(np.intp)
    inside = np.isfinite(of_left) & (match >= 0)
    back = of_right[rows, match.clip(0)]
    return inside & (np.abs(np.nan_to_num(of_left - back, nan=np.inf)) <= apart_px)
