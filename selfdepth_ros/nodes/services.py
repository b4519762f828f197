# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The services of `surround_depth`: ~/save_cloud and ~/reload_model, both std_srvs/Trigger.

They answer when the work is done; what went wrong is in `message`. A model that is compiled takes
minutes: so they have a thread, an executor and a small node of their own, and images and clouds go
on meanwhile. (Coroutines on the node's own executor would do, but the EventsExecutor of the PyPI
wheels asks a waiting one without pause, and crashed after some of them.)
"""

import functools
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from typing import Any, Protocol

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.inference.interrupts import interrupt_other_threads
from selfdepth_ros.nodes.execution import leave_behind
from selfdepth_ros.nodes.model import Model
from selfdepth_ros.nodes.saving import SaveConfig, SaveError, save

PATIENCE_S = 5.0
"""How long ~/save_cloud waits for a set of images; cameras slower than that are not live."""
_FAREWELL_S = 1.0
_FAREWELLS = 20


class NotReadyError(SelfdepthError):
    """The node is not in the state that a service needs."""


class Served(Protocol):
    """What the services ask of the node, from their own thread."""

    def next_cloud(self) -> 'Future[PointCloud]':
        """The cloud of the next set, as ~/points has it. Raises SelfdepthError when inactive."""
        ...

    def save_config(self) -> SaveConfig:
        """Where to write."""
        ...

    def condition(self) -> str:
        """How the node is, in words."""
        ...

    def load_model(self) -> Model:
        """Load and check model and rig file that the parameters name. Raises SelfdepthError."""
        ...

    def use_model(self, model: Model) -> None:
        """Go on with another model and its rig, or with the old ones: then SelfdepthError."""
        ...


class Services:
    """See the module. Made in the thread of the node's executor, closed there."""

    def __init__(self, node: Node, served: Served) -> None:
        self._node, self._served = node, served
        # Without global arguments: they name the node itself.
        self._desk = Node(
            f'{node.get_name()}_services',
            namespace=node.get_namespace(),
            use_global_arguments=False,
            start_parameter_services=False,
            enable_rosout=False,
        )
        for name, work in {'~/save_cloud': self._save, '~/reload_model': self._reload}.items():
            full_name = node.resolve_service_name(name)
            self._desk.create_service(Trigger, full_name, functools.partial(self._answer, work))
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._desk)
        self._closing = False
        self.reload_problem = ''
        """Why the last ~/reload_model did not put its model in place; empty when it did."""
        self._thread = threading.Thread(target=self._spin, name='services', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End, and the compiling of a model, too, if it does so soon."""
        self._closing = True
        self._executor.wake()
        for _ in range(_FAREWELLS):  # it may be on its way to the compiler yet
            interrupt_other_threads()
            self._thread.join(_FAREWELL_S / _FAREWELLS)
        if self._thread.is_alive():
            leave_behind(self._thread)
        else:
            self._executor.shutdown()
            self._desk.destroy_node()

    def _spin(self) -> None:
        while not self._closing:
            try:
                self._executor.spin_once(timeout_sec=_FAREWELL_S)
            except ExternalShutdownException:
                pass
            except Exception:  # a client that has gone must not end the services of the others
                if not self._closing:
                    self._node.get_logger().error(traceback.format_exc())

    def _answer(self, work: Callable[[], str], request: Any, response: Any) -> Any:
        """Answer whatever happens: an exception would end the executor."""
        try:
            response.message = work()
            response.success = True
        except SelfdepthError as error:
            response.message = str(error)
        except Exception:
            response.message = traceback.format_exc()
        # Two lines: rclpy ties a place in the code to one severity.
        if response.success:
            self._node.get_logger().info(response.message)
        elif not self._closing:
            self._node.get_logger().error(response.message)
        return response

    def _save(self) -> str:
        """Wait for the next set, and write its cloud."""
        wish, config = self._served.next_cloud(), self._served.save_config()
        try:
            cloud = wish.result(PATIENCE_S)
        except NotInTime:
            wish.cancel()
            raise SaveError(
                f'found no cloud within {PATIENCE_S:.0f} s ({self._served.condition()}), expected '
                'images of at least one camera: see /diagnostics'
            ) from None
        files = save(cloud, config, self._node.get_fully_qualified_name())
        return f'{" and ".join(map(str, files))}: {len(cloud)} points in {cloud.frame_id}'

    def _reload(self) -> str:
        """Load and check; only then is the old engine let go."""
        try:
            model = self._served.load_model()
            self._served.use_model(model)
        except NotReadyError:
            raise
        except SelfdepthError as error:
            self.reload_problem = f'{error}. The model that was loaded stays in use'
            raise type(error)(self.reload_problem) from error
        self.reload_problem = ''
        engine = model.engine
        return f'loaded {engine.manifest.name!r} on {engine.device}; rig: {model.rig_source}'
