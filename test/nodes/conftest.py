# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The live graph of these tests: cameras in one process, the node in another, a listener here."""

import importlib.util
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PATIENCE_S = float(os.environ.get('SELFDEPTH_PATIENCE_S', 120))
"""After so long without what must come, a test fails; more for a machine that does other work."""
_ASK_AGAIN_S = 1.0


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f'nodes_{name}', HERE / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='session')
def scene(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Model, rigs and pictures on disk."""
    return load('scene').Scene.write(tmp_path_factory.mktemp('scene'))


@pytest.fixture(scope='session')
def staggered() -> ModuleType:
    """Cameras that fire one after another, and the motion of their robot."""
    return load('staggered')


@pytest.fixture
def stage(scene: Any, listener: 'Listener') -> Iterator[Any]:
    """Six cameras of this process, each of which can fail; see stage.py."""
    made = load('stage').Stage(listener, scene)
    yield made
    made.close()


def environment() -> dict[str, str]:
    """What a process of a script needs to find the package in the source tree."""
    paths = [str(ROOT), *os.environ.get('PYTHONPATH', '').split(os.pathsep)]
    return {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, paths))}


class NodeProcess:
    """A node in a process of its own; its output is in `log`."""

    def __init__(
        self, log: Path, *command: str, ros_arguments: tuple[str, ...] = (), **parameters: Any
    ) -> None:
        self._log, self.command = log, command
        pairs = [part for item in parameters.items() for part in ('-p', '{}:={}'.format(*item))]
        line = [sys.executable, *command, '--ros-args', *ros_arguments, *pairs]
        with log.open('w') as file:
            self.process = subprocess.Popen(
                line, stdout=file, stderr=subprocess.STDOUT, cwd=ROOT, env=environment()
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def lines(self, level: str) -> list[str]:
        return [line for line in self.log.splitlines() if line.startswith(f'[{level}]')]

    def status(self) -> int:
        """Wait for the end."""
        return self.process.wait(PATIENCE_S)

    def stop(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.status()
        finally:
            if self.process.poll() is None:
                self.process.kill()


@contextmanager
def stopping(process: NodeProcess) -> Iterator[NodeProcess]:
    try:
        yield process
    finally:
        process.stop()


@pytest.fixture(scope='session')
def cameras(scene: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """The cameras play during all tests."""
    log = tmp_path_factory.mktemp('cameras') / 'log'
    with stopping(NodeProcess(log, str(HERE / 'cameras.py'))) as process:
        yield process


@pytest.fixture
def surround(tmp_path: Path, cameras: NodeProcess) -> Iterator[Callable[..., NodeProcess]]:
    """Start the node with parameters; it is stopped after the test."""
    started: list[NodeProcess] = []

    def start(**parameters: Any) -> NodeProcess:
        assert cameras.process.poll() is None, cameras.log
        log = tmp_path / f'{len(started)}.log'
        started.append(NodeProcess(log, '-m', 'selfdepth_ros.nodes.surround_depth', **parameters))
        return started[-1]

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Callable[..., NodeProcess]]:
    """Start any node of the package with parameters; it is stopped after the test."""
    started: list[NodeProcess] = []

    def start(module: str, **parameters: Any) -> NodeProcess:
        log = tmp_path / f'{module}_{len(started)}.log'
        started.append(NodeProcess(log, '-m', module, **parameters))
        return started[-1]

    yield start
    for node in started:
        node.stop()


class Listener:
    """A node of this process; what it hears is kept by topic."""

    def __init__(self) -> None:
        import rclpy
        from rclpy.node import Node

        from selfdepth_ros.nodes.execution import make_executor

        rclpy.init(args=[])
        self.node = Node(f'listener_{os.getpid()}')
        self._executor = make_executor()
        self._executor.add_node(self.node)
        self._subscriptions: list[Any] = []
        self._clients: dict[str, Any] = {}
        self.heard: dict[str, list[Any]] = {}

    def listen(self, kind: type, topic: str, **qos: Any) -> list[Any]:
        from rclpy.qos import QoSProfile

        messages = self.heard.setdefault(topic, [])
        profile = QoSProfile(**{'depth': 20, **qos})
        self._subscriptions.append(
            self.node.create_subscription(kind, topic, messages.append, profile)
        )
        return messages

    def wait(self, until: Callable[[], Any], what: str) -> None:
        """Listen until something is true; fail if it never becomes so."""
        give_up_s = time.monotonic() + PATIENCE_S
        while not until():
            assert time.monotonic() < give_up_s, f'{what}: not within {PATIENCE_S:.0f} s'
            self._executor.spin_once(timeout_sec=0.1)

    def spin(self) -> None:
        """Hear what has come."""
        self._executor.spin_once(timeout_sec=0.02)

    def call(self, kind: type, name: str, request: Any) -> Any:
        """Call a service, once."""
        answer = self.client(kind, name).call_async(request)
        self.wait(answer.done, name)
        return answer.result()

    def client(self, kind: type, name: str) -> Any:
        """A client, kept: a new one is ready before the server has discovered that it listens,
        and an answer given by then is lost. Servers discover in the order of creation, so once a
        client that came later has had an answer of the same node, this one will have its own."""
        if name not in self._clients:
            client = self._clients[name] = self.node.create_client(kind, name)
            self.wait(client.service_is_ready, name)
            self._await_discovery(name.rpartition('/')[0])
        return self._clients[name]

    def _await_discovery(self, node: str) -> None:
        """Wait until a node has discovered all that this one has created so far."""
        from rcl_interfaces.srv import ListParameters

        probe = self.node.create_client(ListParameters, f'{node}/list_parameters')
        self.wait(probe.service_is_ready, f'{node}/list_parameters')
        answers: list[Any] = []
        asked_s = -math.inf

        def answered() -> bool:
            nonlocal asked_s
            if time.monotonic() > asked_s + _ASK_AGAIN_S:
                answers.append(probe.call_async(ListParameters.Request()))
                asked_s = time.monotonic()
            return any(answer.done() for answer in answers)

        self.wait(answered, f'an answer of {node}')
        self.node.destroy_client(probe)

    def diagnostics(self) -> Callable[..., tuple[bytes, str, dict[str, str]]]:
        """Listen to /diagnostics; the result returns the last level, message and values.

        Of the node, or of another part: 1 is the engine, from 2 on the cameras of the rig.
        """
        from diagnostic_msgs.msg import DiagnosticArray

        messages = self.listen(DiagnosticArray, '/diagnostics')

        def last(part: int = 0) -> tuple[bytes, str, dict[str, str]]:
            if not messages:
                return b'', '', {}
            status = messages[-1].status[part]
            return status.level, status.message, {v.key: v.value for v in status.values}

        return last

    def forget(self) -> None:
        for subscription in self._subscriptions:
            self.node.destroy_subscription(subscription)
        self._subscriptions.clear()
        for client in self._clients.values():
            self.node.destroy_client(client)
        self._clients.clear()
        self.heard.clear()


@pytest.fixture(scope='session')
def the_listener() -> Iterator[Listener]:
    import rclpy

    listener = Listener()
    yield listener
    listener.node.destroy_node()
    rclpy.try_shutdown()


@pytest.fixture
def listener(the_listener: Listener) -> Iterator[Listener]:
    """A listener that has heard nothing yet."""
    yield the_listener
    the_listener.forget()
