# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A dark RGB picture to draw on: text, lines, and points with a depth."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Integer, UInt8

from selfdepth_ros.core.files import write_file

BACKGROUND = (14, 17, 23)
INK = (226, 230, 238)
FAINT = (112, 122, 140)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FRACTION_BITS = 4  # OpenCV's fixed point for lines between pixels

Picture = UInt8[np.ndarray, 'height width 3']


def blank(width: int, height: int) -> Picture:
    """An empty picture."""
    return np.full((height, width, 3), BACKGROUND, np.uint8)


def write(
    picture: Picture,
    text: str,
    at: tuple[int, int],
    size: float = 0.5,
    color: tuple[int, int, int] = INK,
) -> None:
    """Write text with its lower left corner at (x, y), on a soft shadow."""
    for dx, dy, ink in ((1, 1, BACKGROUND), (-1, 1, BACKGROUND), (0, 0, color)):
        cv2.putText(picture, text, (at[0] + dx, at[1] + dy), _FONT, size, ink, 1, cv2.LINE_AA)


def text_width(text: str, size: float = 0.5) -> int:
    """Width of a written text in pixels."""
    return int(cv2.getTextSize(text, _FONT, size, 1)[0][0])


def line(
    picture: Picture,
    points: Float[np.ndarray, 'n 2'],
    color: tuple[int, int, int],
    alpha: float = 1.0,
) -> None:
    """Draw a line through points (x, y), mixed with what is there by `alpha`."""
    fixed = np.round(points * 2**_FRACTION_BITS).astype(np.int32)
    target = picture if alpha >= 1 else picture.copy()
    cv2.polylines(target, [fixed], False, color, 1, cv2.LINE_AA, _FRACTION_BITS)
    if alpha < 1:
        cv2.addWeighted(target, alpha, picture, 1 - alpha, 0, dst=picture)


def fill(picture: Picture, points: Float[np.ndarray, 'n 2'], color: tuple[int, int, int]) -> None:
    """Fill a convex outline."""
    fixed = np.round(points * 2**_FRACTION_BITS).astype(np.int32)
    cv2.fillConvexPoly(picture, fixed, color, cv2.LINE_AA, _FRACTION_BITS)


def splat(
    picture: Picture,
    pixels: Float[np.ndarray, 'n 2'],
    depth: Float[np.ndarray, ' n'],
    sizes: Integer[np.ndarray, ' n'],
    colors: UInt8[np.ndarray, 'n 3'],
) -> None:
    """Paint points as squares of `sizes` pixels, the nearest (least depth) on top."""
    height, width = picture.shape[:2]
    order = np.argsort(-depth, kind='stable')
    corner = np.floor(pixels - (sizes[:, None] - 1) / 2 + 0.5).astype(np.intp)[order]
    sizes = sizes[order]
    on_top = np.full(height * width, -1, np.intp)  # which point, in the order of painting
    largest = int(sizes.max(initial=0))
    for row, column in sorted(np.ndindex(largest, largest), key=max):
        index = np.flatnonzero(sizes > max(row, column))
        x, y = (corner[index] + (column, row)).T
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        np.maximum.at(on_top, y[inside] * width + x[inside], index[inside])
    painted = on_top >= 0
    picture.reshape(-1, 3)[painted] = colors[order][on_top[painted]]


def save_png(path: Path | str, picture: Picture) -> Path:
    """Write an RGB picture as PNG, whole or not at all; makes the folder."""
    path = Path(path)
    written, data = cv2.imencode('.png', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not written:
        raise ValueError(f'a picture of shape {picture.shape} cannot be written as PNG')
    write_file(path, data.tobytes())
    return path


def turbo(values: Float[np.ndarray, '*shape']) -> Any:
    """Turbo colours of values from 0 (blue) to 1 (red), uint8 (*shape, 3) RGB."""
    levels = np.clip(np.nan_to_num(values) * 255, 0, 255).astype(np.uint8)
    table = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_TURBO)
    return table[0, :, ::-1][levels]
