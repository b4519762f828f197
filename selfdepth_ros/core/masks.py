# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Masks of pixels: resizing without losing one, and a compact text for the rig file."""

import base64
import binascii
import zlib
from typing import Any

import numpy as np
from jaxtyping import Bool

from selfdepth_ros.core.errors import CalibrationError


def scale_mask(mask: Bool[np.ndarray, '_ _'], width: int, height: int) -> Bool[np.ndarray, '_ _']:
    """Resize a mask: a pixel is True if any source pixel under it is."""
    rows, columns = mask.shape
    total = np.zeros((rows + 1, columns + 1), dtype=np.int64)
    total[1:, 1:] = mask.cumsum(0).cumsum(1)
    top, bottom = _spans(rows, height)
    left, right = _spans(columns, width)
    below, above = total[bottom], total[top]
    return below[:, right] - below[:, left] - above[:, right] + above[:, left] > 0


def _spans(source: int, target: int) -> tuple[Any, Any]:
    """First and past-the-last source pixel under each target pixel, in whole numbers."""
    index = np.arange(target)
    return index * source // target, -((index + 1) * -source // target)


def encode_mask(mask: Bool[np.ndarray, '_ _']) -> str:
    """Text of a mask: its bits row by row (first pixel highest), zlib, base64."""
    return base64.b64encode(zlib.compress(np.packbits(mask).tobytes(), 9)).decode('ascii')


def decode_mask(text: str, width: int, height: int) -> Bool[np.ndarray, '_ _']:
    """Return the mask of `encode_mask`; CalibrationError when it is not one of this size."""
    try:
        packed = zlib.decompress(base64.b64decode(text, validate=True))
    except (binascii.Error, zlib.error, ValueError, TypeError) as cause:
        raise CalibrationError(
            f'self_occlusion: found text that is no mask ({cause}), expected base64 of zlib. '
            'Save the rig again, or remove the mask.'
        ) from cause
    expected = (width * height + 7) // 8
    if len(packed) != expected:
        raise CalibrationError(
            f'self_occlusion: found a mask of {len(packed)} bytes, expected {expected} for '
            f'{width}x{height} pixels. Draw it at the size of the calibration.'
        )
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=width * height)
    return bits.reshape(height, width).astype(bool)
