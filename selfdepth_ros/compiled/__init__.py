# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The work per pixel and point as machine code, where numba is installed; NumPy's elsewhere."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from selfdepth_ros.core.downsample import Thinner, thin_numpy
from selfdepth_ros.core.fusion_config import FusionConfig
from selfdepth_ros.core.fusion_steps import CameraTables, FusionSteps, NumpySteps
from selfdepth_ros.core.scan_steps import NumpyScanSteps, ScanSteps

Shrinker = Callable[[Any, Any], None]
"""Fills a target (h, w, 3) with the mean colours of a larger image (H, W, 3); both uint8."""


class Backend(NamedTuple):
    """Who does the work per pixel and point, and what that is, in words for diagnostics."""

    steps: Callable[[Sequence[CameraTables], FusionConfig], FusionSteps]
    scan_steps: Callable[[], ScanSteps]
    thinner: Callable[[], Thinner]
    shrinker: Callable[[], Shrinker] | None
    """None: the reference, which is cv2, does it. What these three make is for one thread."""
    description: str


def fastest_steps() -> Backend:
    """Return the compiled steps, or the reference and why it is that.

    The first call on a machine compiles for about 3 s; later ones load the result.
    """
    try:
        from selfdepth_ros.compiled import area, outputs, steps
    # A compiler that does not fit its NumPy fails in many ways, and no cloud needs one.
    except Exception as error:
        told = f'NumPy (numba cannot be used: {error})'
        return Backend(NumpySteps, NumpyScanSteps, lambda: thin_numpy, None, told)
    return Backend(
        steps.CompiledSteps,
        outputs.CompiledScanSteps,
        outputs.CompiledThinner,
        area.Shrink,
        steps.DESCRIPTION,
    )
