# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images of cameras at the network's size."""

import numpy as np
from jaxtyping import UInt8


def resize_into(image: UInt8[np.ndarray, 'H W 3'], target: UInt8[np.ndarray, 'h w 3']) -> None:
    """Fill `target` with the image: each pixel is the mean of the area that it covers."""
    if image.shape == target.shape:
        np.copyto(target, image)
        return
    import cv2  # only where images are not of network size

    cv2.resize(image, target.shape[1::-1], dst=target, interpolation=cv2.INTER_AREA)
