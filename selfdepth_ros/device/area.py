# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images made smaller on a device: each pixel is the mean of the area that it covers."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8


class AreaResize:
    """From one size to a smaller one, as cv2's INTER_AREA.

    By whole factors bit for bit; by others, where sums are rounded otherwise, within a grey level.
    """

    def __init__(self, source: tuple[int, int], target: tuple[int, int], device: str) -> None:
        """`source` and `target`: height and width."""
        self._target = target
        rows, columns = (divmod(a, b) for a, b in zip(source, target, strict=True))
        self._factors = (rows[0], columns[0]) if rows[1] == columns[1] == 0 else None
        if not self._factors:
            self._down, self._across = (
                torch.from_numpy(shares(a, b)).to(device)
                for a, b in zip(source, target, strict=True)
            )

    def __call__(self, image: UInt8[torch.Tensor, 'H W 3']) -> UInt8[torch.Tensor, 'h w 3']:
        """Return the image at the target size."""
        if self._factors:
            return self._whole(image, *self._factors)
        wide = torch.einsum('xw,hwc->hxc', self._across, image.float())
        mean = torch.einsum('yh,hxc->yxc', self._down, wide)
        return mean.round().clamp(0, 255).to(torch.uint8)

    def _whole(self, image: Any, down: int, across: int) -> Any:
        height, width = self._target
        blocks = image.reshape(height, down, width, across, 3)
        total = blocks.sum(dim=(1, 3), dtype=torch.int32)
        if (down, across) == (2, 2):  # where cv2 rounds halves up, and to even elsewhere
            return ((total + 2) >> 2).to(torch.uint8)
        return (total * np.float32(1 / (down * across)).item()).round().to(torch.uint8)


def shares(source: int, target: int) -> Float32[np.ndarray, 'target source']:
    """How much of each of `source` pixels in a row lies in each of `target`; rows sum to 1."""
    edges = np.arange(target + 1) * (source / target)
    pixel = np.arange(source)
    low = np.maximum(edges[:-1, None], pixel)
    high = np.minimum(edges[1:, None], pixel + 1)
    return (np.maximum(high - low, 0) * (target / source)).astype(np.float32)
