# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A process with a node in which modules of the package log, also from a thread of their own."""

import logging
import sys
import threading

from rclpy.node import Node

from selfdepth_ros.nodes import execution

BUILD = logging.getLogger('selfdepth_ros.inference.tensorrt_build')
CACHE = logging.getLogger('selfdepth_ros.inference.engine_cache')
PACKAGE = logging.getLogger('selfdepth_ros')
FOREIGN = logging.getLogger('another_package')


def state() -> tuple:
    return PACKAGE.level, PACKAGE.propagate, list(PACKAGE.handlers)


def start(node: Node) -> None:
    for logger in (BUILD, CACHE):
        logger.debug('a detail')
    BUILD.info('step %d/%d', 1, 3)
    CACHE.warning('%s is corrupt', 'the engine')
    BUILD.error('no memory')
    FOREIGN.info('nothing of ours')
    thread = threading.Thread(target=CACHE.info, args=('from a thread',))
    thread.start()
    thread.join()


# A handler of everybody's, which must not say the same once more.
logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format='root: %(message)s')
before = state()
status = execution.run('talkative', lambda: Node('talkative'), start, None)
assert state() == before
raise SystemExit(status)
