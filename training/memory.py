# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How the C library hands out memory while training on a CPU."""

import ctypes
import sys

# glibc's mallopt(3): parameters and their largest values.
TRIM_THRESHOLD, MMAP_THRESHOLD, LARGEST = -1, -3, 1 << 30


def keep_freed_memory() -> None:
    """Let the process keep what it frees, where the C library is glibc.

    Every step frees and takes the same tensors. Those above 32 MB at most go back to the system,
    which clears each page before it gives it again: a tenth of a step's time.
    """
    if not sys.platform.startswith('linux'):
        return
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, LARGEST)
        mallopt(TRIM_THRESHOLD, LARGEST)
