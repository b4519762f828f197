# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters that are set while the node runs: checked, then applied, or refused with a reason."""

from collections.abc import Callable, Sequence
from typing import Any, Generic

from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from selfdepth_ros.core.config import knobs
from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.nodes.parameters import ConfigT, When, as_list, read


class LiveParameters(Generic[ConfigT]):
    """Watches the declared parameters of a configuration class.

    Args:
        node: has declared them.
        cls: the configuration class.
        when: name of a parameter -> when it takes effect.
        configured: whether the node works with its parameters now.
        apply: takes the new configuration, when the node is configured; must not raise.

    rclpy itself refuses wrong types, values out of range and what is read-only.
    """

    def __init__(
        self,
        node: Node,
        cls: type[ConfigT],
        when: Callable[[str], When],
        configured: Callable[[], bool],
        apply: Callable[[ConfigT], None],
    ) -> None:
        self._node, self._cls, self._when = node, cls, when
        self._configured, self._apply = configured, apply
        self._names = {own.name for own in knobs(cls)}
        node.add_on_set_parameters_callback(self._check)
        # From Iron on; before it (Humble), the check is the last that is heard of a change.
        self._later = getattr(node, 'add_post_set_parameters_callback', None)
        if self._later:
            self._later(self._changed)

    def _check(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        given = self._ours(parameters)
        if not given:
            return SetParametersResult(successful=True)
        try:
            self._refuse_late(given)
            config = read(self._node, self._cls, given)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if not self._later and self._configured():
            self._apply(config)
        return SetParametersResult(successful=True)

    def _changed(self, parameters: Sequence[Parameter]) -> None:
        if self._ours(parameters) and self._configured():
            self._apply(read(self._node, self._cls))

    def _ours(self, parameters: Sequence[Parameter]) -> dict[str, Any]:
        """Values by name, without those of rclpy, such as the overrides of QoS."""
        return {own.name: own.value for own in parameters if own.name in self._names}

    def _refuse_late(self, given: dict[str, Any]) -> None:
        """Refuse a change of what is in use already; the same value again is none."""
        if not self._configured():
            return
        for name, value in given.items():
            now = as_list(self._node.get_parameter(name).value)
            if self._when(name) is When.CONFIGURED and as_list(value) != now:
                raise ConfigError(
                    f'{name}: found the node configured with {now!r}, which stays until it is '
                    f'configured again: `ros2 lifecycle set {self._node.get_name()} deactivate`, '
                    '`... cleanup`, set the parameter, `... configure`, `... activate`.'
                )
