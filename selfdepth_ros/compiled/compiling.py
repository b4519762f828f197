# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How loops become machine code: for stated types, when their module is imported."""

from collections.abc import Callable
from typing import Any

from numba import njit, types, void

_OPTIONS = {'nogil': True, 'error_model': 'numpy', 'boundscheck': False}


def given(kind: Any, dimensions: int) -> Any:
    """Type of a contiguous array that is only read."""
    return types.Array(kind, dimensions, 'C', readonly=True)


def compiled(*arguments: Any, returns: Any = void) -> Callable[[Any], Any]:
    """Compile for these types only, so that nothing is left to compile while cameras run."""

    def compile_now(function: Any) -> Any:
        signature = returns(*arguments)
        try:
            return njit(signature, cache=True, **_OPTIONS)(function)
        # No folder to write to, a full disk, a file cut short: that costs time, not the cloud.
        except Exception:
            return njit(signature, **_OPTIONS)(function)

    return compile_now
