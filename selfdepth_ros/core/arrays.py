# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The few helpers that let one formula serve NumPy and torch."""

from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

namespace = array_namespace


def to_numpy(array: Any) -> np.ndarray:
    """Return any array (a torch tensor with a gradient too) as a NumPy array."""
    if hasattr(array, 'detach'):
        array = array.detach().cpu()
    return np.asarray(array)


def convert(array: Any, like: Any) -> Any:
    """Return `array` in the library, the dtype and on the device of `like`."""
    xp = array_namespace(like)
    if isinstance(like, np.ndarray):
        array = to_numpy(array)
    return xp.asarray(array, dtype=like.dtype, device=device(like))


def as_dtype(array: Any, dtype: Any) -> Any:
    """Cast within one array library; a no-op when the dtype is already right."""
    if array.dtype == dtype:
        return array
    return array_namespace(array).astype(array, dtype)
