# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Entry points of the nodes: a signal ends the process in order from its first moment on.

Importing takes a second or two. Nothing is begun by then that would have to be ended, so a signal
ends the process at once, with 0 and without a traceback; later on `execution.Stop` takes over.
"""

import importlib
import os
import signal


def _run(node: str) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: os._exit(0))
    return int(importlib.import_module(f'selfdepth_ros.nodes.{node}').main())


def surround_depth() -> int:
    """Run the node of this name."""
    return _run('surround_depth')


def synthetic_rig() -> int:
    """Run the node of this name."""
    return _run('synthetic_rig')


def save_cloud() -> int:
    """Run the node of this name."""
    return _run('save_cloud')
