# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Small patches of depth that join nothing around them are wrong matches, mostly."""

import cv2
import numpy as np
import torch

from selfdepth_training.data.samples import SureDepth

# Pixels of a patch that is believed; relative step of depth between two pixels that ends a patch.
LEAST_PIXELS, STEP = 40, 0.1
# OpenCV compares integers: this many to a factor of e. The open ones lie far from all others.
PER_E, OPEN = 3000, -32000


def without_specks(swept: SureDepth) -> SureDepth:
    """Believe no more what OpenCV's filterSpeckles takes for one (Hirschmueller 2008)."""
    levels = torch.where(swept.sure, PER_E * torch.log(swept.depth), OPEN)
    kept = [
        cv2.filterSpeckles(level, OPEN, LEAST_PIXELS, STEP * PER_E)[0] != OPEN
        for level in levels.round().cpu().numpy().astype(np.int16)
    ]
    return SureDepth(swept.depth, torch.from_numpy(np.stack(kept)).to(swept.sure.device))
