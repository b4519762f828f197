# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The few helpers that let one formula serve NumPy and torch."""

from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

_NUMPY_COMPLIES = hasattr(np, '__array_namespace_info__')
"""Whether NumPy keeps to the array API by itself: from 2.1 on."""


def namespace(*arrays: Any) -> Any:
    """Return the array library of arrays, as the array API has it.

    NumPy's own where it complies: its wrapper imports all of NumPy, f2py too (80 ms).
    """
    if _NUMPY_COMPLIES and all(isinstance(array, np.ndarray) for array in arrays):
        return np
    return array_namespace(*arrays)


def to_numpy(array: Any) -> np.ndarray:
    """Return any array (a torch tensor with a gradient too) as a NumPy array."""
    if hasattr(array, 'detach'):
        array = array.detach().cpu()
    return np.asarray(array)


def convert(array: Any, like: Any) -> Any:
    """Return `array` in the library, the dtype and on the device of `like`."""
    xp = namespace(like)
    if isinstance(like, np.ndarray):
        array = to_numpy(array)
    return xp.asarray(array, dtype=like.dtype, device=device(like))


def as_dtype(array: Any, dtype: Any) -> Any:
    """Cast within one array library; a no-op when the dtype is already right."""
    if array.dtype == dtype:
        return array
    return namespace(array).astype(array, dtype)
