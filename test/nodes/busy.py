# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A node that is asked to end while ~/reload_model is in C++ code; `compiles` or `hangs` there.

Its status is 3 when Python cleans up with that code still at work, which may then call Python.
"""

import atexit
import os
import sys
import threading
import time
from pathlib import Path

from rclpy.node import Node
from std_srvs.srv import Trigger

from selfdepth_ros.inference.tensorrt_build import compile_engine
from selfdepth_ros.nodes import execution
from selfdepth_ros.nodes.services import Services

sys.path.insert(0, str(Path(__file__).parents[1] / 'shared'))
import tensorrt_stand_in

started, ended = threading.Event(), threading.Event()


class Steps(tensorrt_stand_in.Called):
    """The first step lasts until the monitor is interrupted."""

    def __call__(self, callback, *values):
        if callback.__name__ == 'step_complete':
            started.set()
            while not callback.__self__.interrupted:
                time.sleep(0.01)
        return super().__call__(callback, *values)


class Busy(Node):
    """Has the services of surround_depth, and loads what never comes."""

    def __init__(self) -> None:
        super().__init__('busy')
        self._desk = Services(self, self)

    def load_model(self) -> None:
        """See Served."""
        try:
            if sys.argv[1] == 'hangs':
                started.set()
                threading.Event().wait()
            compile_engine(b'', {}, Path(sys.argv[2]), 'drive')
        finally:
            ended.set()

    def ask(self) -> None:
        """Call the service."""
        client = self.create_client(Trigger, '~/reload_model')
        client.wait_for_service()
        self._answer = client.call_async(Trigger.Request())

    def destroy_node(self) -> None:
        """As surround_depth does."""
        self._desk.close()
        super().destroy_node()


sys.modules['tensorrt'] = tensorrt_stand_in.module(Steps({}))
atexit.register(lambda: ended.is_set() or os._exit(3))
raise SystemExit(execution.run('busy', Busy, Busy.ask, [], lambda node: started.is_set()))
