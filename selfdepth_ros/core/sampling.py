# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Values of an image between and at its pixels."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float


def nearest(image: Any, pixels: Float[Any, '*n 2'], valid: Bool[Any, '*n']) -> Any:
    """Nearest values (*n) of an image (h, w); what is not valid reads the first pixel."""
    whole = np.where(valid[..., None], np.rint(pixels), 0).astype(np.intp)
    columns, rows = np.moveaxis(whole, -1, 0)
    height, width = image.shape
    return image[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]


def bilinear(image: Any, pixels: Float[Any, '*n 2']) -> Any:
    """Interpolated values (*n) of an image (h, w) at pixels; beyond the border, those of it."""
    height, width = image.shape
    x, y = np.moveaxis(np.clip(pixels, 0, [width - 1, height - 1]), -1, 0)
    left, top = np.minimum(x.astype(np.intp), width - 2), np.minimum(y.astype(np.intp), height - 2)
    right, low = x - left, y - top
    upper = image[top, left] * (1 - right) + image[top, left + 1] * right
    lower = image[top + 1, left] * (1 - right) + image[top + 1, left + 1] * right
    return upper * (1 - low) + lower * low
