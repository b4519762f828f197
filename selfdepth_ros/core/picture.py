# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How bright and how sharp an image is: what a dark, covered or dirty camera shows first."""

from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

_SIDE_PX = 160
"""Images are looked at on a grid of about so many columns, of neighbouring pixels each."""


class Look(NamedTuple):
    """One image in two numbers."""

    brightness: float
    """Mean grey level, 0 to 255."""
    sharpness: float
    """Mean difference of neighbouring pixels, in grey levels: blur, dirt and darkness lower it."""


def look_at(image: UInt8[np.ndarray, 'h w 3']) -> Look:
    """Measure brightness and sharpness of the green channel, on every few columns and rows."""
    step = max(1, image.shape[1] // _SIDE_PX)
    here = image[:-1:step, :-1:step, 1].astype(np.int16)
    right, below = image[:-1:step, 1::step, 1], image[1::step, :-1:step, 1]
    rows, columns = (min(a.shape[axis] for a in (here, right, below)) for axis in (0, 1))
    here = here[:rows, :columns]
    change = np.abs(right[:rows, :columns] - here) + np.abs(below[:rows, :columns] - here)
    return Look(float(here.mean()), float(change.mean()) / 2)
