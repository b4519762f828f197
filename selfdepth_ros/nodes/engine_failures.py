# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""When an engine has failed for good: a CUDA context that is lost stays lost in its process."""

from collections.abc import Iterator
from contextlib import contextmanager

from selfdepth_ros.inference import EngineError
from selfdepth_ros.nodes.execution import BrokenError

MOST_IN_A_ROW = 10
"""At 10 Hz a second: what passes by itself has passed by then."""


class EngineFailures:
    """Counts the sets in a row that the engine failed on. The worker counts, the executor asks."""

    def __init__(self) -> None:
        self._count = 0
        self._last = ''

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Run the engine meanwhile. Errors of frames do not count: they are of other classes."""
        try:
            yield
        except (EngineError, RuntimeError) as error:  # RuntimeError: torch, on the device
            if not _lacks_memory(error):
                self._last = ' '.join(str(error).split())
                self._count += 1
            raise
        self._count = 0

    def check(self) -> None:
        """Raise BrokenError once the engine has failed too often."""
        if self._count >= MOST_IN_A_ROW:
            raise BrokenError(
                f'the engine failed on {self._count} sets in a row ({self._last}); the process '
                'ends, for a GPU whose context is lost works in a new process only'
            )


def _lacks_memory(error: BaseException | None) -> bool:
    """Whether torch had no room: that passes when another program ends, and a new process would
    not find room either. Known by its name, for there may be no torch.
    """
    while error is not None:
        if type(error).__name__ == 'OutOfMemoryError':
            return True
        error = error.__cause__
    return False
