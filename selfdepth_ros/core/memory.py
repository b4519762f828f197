# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How this process gets its memory."""

import contextlib
import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_KEEP_BYTES = 1 << 30
_KEEP_BYTES_OF_OLD = 1 << 25  # as much as glibc before 2.35 takes


def keep_memory() -> None:
    """Let malloc keep freed memory, where it is glibc's.

    Images, clouds and messages are megabytes that are allocated anew for every set. By default
    such memory goes back to the system and comes again page by page, zeroed: 9 of the 20 ms that
    a set took outside the network.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        for size in (_KEEP_BYTES, _KEEP_BYTES_OF_OLD):
            if libc.mallopt(_M_MMAP_THRESHOLD, size):
                break
        libc.mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)
