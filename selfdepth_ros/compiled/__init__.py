# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Fusion's work per pixel as machine code, where numba is installed; NumPy's elsewhere."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from selfdepth_ros.core.fusion_config import FusionConfig
from selfdepth_ros.core.fusion_steps import CameraTables, FusionSteps, NumpySteps


class FusionBackend(NamedTuple):
    """Who does the work per pixel, and what that is, in words for diagnostics."""

    steps: Callable[[Sequence[CameraTables], FusionConfig], FusionSteps]
    description: str


def fastest_steps() -> FusionBackend:
    """Return the compiled steps, or the reference and why it is that.

    The first call on a machine compiles for about 3 s; later ones load the result.
    """
    try:
        from selfdepth_ros.compiled import steps
    # A compiler that does not fit its NumPy fails in many ways, and no cloud needs one.
    except Exception as error:
        return FusionBackend(NumpySteps, f'NumPy (numba cannot be used: {error})')
    return FusionBackend(steps.CompiledSteps, steps.DESCRIPTION)
