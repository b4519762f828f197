# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Publishers and subscriptions of a node that belong together: all are made, or none."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

EntityT = TypeVar('EntityT')


def all_or_none(made: Iterable[EntityT], destroy: Callable[[EntityT], Any]) -> list[EntityT]:
    """Return what a generator makes one after another.

    When it raises, what it has made until then is destroyed: nobody else knows of it, and a node
    that is configured again would have it twice.
    """
    entities: list[EntityT] = []
    try:
        for entity in made:
            entities.append(entity)
    except Exception:
        for entity in entities:
            destroy(entity)
        raise
    return entities
