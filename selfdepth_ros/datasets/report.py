# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What an import wrote of each scene, and what it could not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class SceneReport:
    """Filled while a scene is written. Losses of one kind are one line, with the first of them."""

    written: Counter[str] = field(default_factory=Counter)
    """Pictures by camera, 'sweeps', 'poses'."""
    notes: list[str] = field(default_factory=list)
    _lost: dict[tuple[str, str], int] = field(default_factory=dict)
    _first: dict[tuple[str, str], str] = field(default_factory=dict)

    def lose(self, what: str, kind: str, why: str = '') -> None:
        """Count a loss: of `what` (a camera ...), of a kind (missing ...), and more about it."""
        self._lost[what, kind] = self._lost.get((what, kind), 0) + 1
        self._first.setdefault((what, kind), why)

    def summary(self) -> str:
        """What was written, in one line."""
        cameras = sorted(name for name in self.written if name not in ('sweeps', 'poses'))
        pictures = sum(self.written[name] for name in cameras)
        return (
            f'{len(cameras)} cameras ({", ".join(cameras)}), {pictures} images, '
            f'{self.written["sweeps"]} sweeps, {self.written["poses"]} poses'
        )

    def lines(self) -> list[str]:
        """All of it."""
        lost = []
        for (what, kind), count in self._lost.items():
            first = self._first[what, kind]
            lost.append(f'lost: {what}: {count} x {kind}' + (f', first: {first}' if first else ''))
        return [self.summary(), *(f'note: {note}' for note in self.notes), *lost]


@dataclass
class ImportReport:
    """Every scene of an import, in order."""

    dataset: str
    source: Path
    bags: list[Path] = field(default_factory=list)
    """The bags that are there now."""
    failed: dict[str, str] = field(default_factory=dict)
    """Scenes without a bag, and why."""
    _lines: list[str] = field(default_factory=list)

    def done(self, path: Path, lines: Sequence[str], *, before: bool = False) -> None:
        """Keep the lines of a bag, written now or before."""
        self.bags.append(path)
        self._lines.append(f'{path}{" (finished before)" if before else ""}: {lines[0]}')
        self._lines += [f'  {line}' for line in lines[1:]]

    def fail(self, scene: str, why: str) -> None:
        """Keep why a scene has no bag."""
        self.failed[scene] = why
        self._lines.append(f'{scene}: no bag: {why}')

    def __str__(self) -> str:
        heading = (
            f'{self.dataset} of {self.source}: {len(self.bags)} bags, '
            f'{len(self.failed)} scenes without one'
        )
        return '\n'.join([heading, *self._lines])
