# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Transitions of a managed node that fail visibly and leave nothing half done."""

import functools
import traceback
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from rclpy.exceptions import NameValidationException
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from selfdepth_ros.core.errors import SelfdepthError


class Stoppable(Protocol):
    """A managed node that can undo what a transition has begun; one at a time holds `lock`."""

    lock: Any

    def get_logger(self) -> Any:
        """The node's logger."""
        ...

    def gave_up(self, state: LifecycleState, expected: bool) -> None:
        """Undo a transition from `state`; `expected`: it failed with an error on purpose."""
        ...


NodeT = TypeVar('NodeT', bound=Stoppable)


def transition(
    body: Callable[[NodeT, LifecycleState], None],
) -> Callable[[NodeT, LifecycleState], TransitionCallbackReturn]:
    """Make a transition of a method that raises when it fails: rclpy swallows what it raises."""

    @functools.wraps(body)
    def run(self: NodeT, state: LifecycleState) -> TransitionCallbackReturn:
        with self.lock:
            try:
                body(self, state)
            except Exception as error:
                # A parameter may have put a name together that is none.
                expected = isinstance(error, (SelfdepthError, NameValidationException))
                text = ' '.join(str(error).split()) if expected else traceback.format_exc()
                self.get_logger().fatal(text)
                self.gave_up(state, expected)
                return TransitionCallbackReturn.FAILURE
            return TransitionCallbackReturn.SUCCESS

    return run
