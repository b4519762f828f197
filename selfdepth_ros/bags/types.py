# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The message types, made once: generating their code takes a third of a second."""

from functools import cache

from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore


@cache
def typestore() -> Typestore:
    """Return the types of Humble; newer distributions have the same ones."""
    return get_typestore(Stores.ROS2_HUMBLE)
