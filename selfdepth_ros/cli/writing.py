# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where commands put their results: what cannot be written there is one clear error."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.files import make_writable


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Whatever in the block cannot be written is a ConfigError that names `path`."""
    try:
        yield
    except OSError as cause:
        raise ConfigError(
            f'{path} cannot be written ({cause.strerror or cause}). Give a place that can.'
        ) from cause


def make_folder(path: Path) -> None:
    """Make a folder to write to, before work is done for it. Raises ConfigError."""
    with writing(path):
        make_writable(path)
