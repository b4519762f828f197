# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""QoS that parameters override: a mistake in it is an error on purpose."""

from collections.abc import Iterator
from contextlib import contextmanager

from rclpy.exceptions import ParameterException
from rclpy.node import Node

from selfdepth_ros.core.errors import ConfigError

_EXPECTED = (
    'reliability: best_effort or reliable, history: keep_last or keep_all, depth: a whole number '
    'from 1 on, and of CameraInfo durability: volatile or transient_local'
)


@contextmanager
def overridden_qos(node: Node, topic: str) -> Iterator[None]:
    """Create a publisher or subscription of a topic meanwhile; ConfigError when its QoS is wrong.

    rclpy says of that what it says of bugs too, so only where parameters give a QoS is it theirs.
    """
    try:
        yield
    except (RuntimeError, ParameterException) as cause:
        beginning = f'qos_overrides.{node.resolve_topic_name(topic)}.'
        given = getattr(node, '_parameter_overrides', {})  # there is no public list of them
        found = [f'{name}: {given[name].value}' for name in given if name.startswith(beginning)]
        if not found:
            raise
        raise ConfigError(f'found {", ".join(found)} ({cause}); expected {_EXPECTED}') from cause
