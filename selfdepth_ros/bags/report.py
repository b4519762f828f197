# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What was used of a bag and what was not, in words a person can act on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class BagReport:
    """Filled while a bag is read; complete once an iterator has been read to its end."""

    path: Path
    damage: list[str] = field(default_factory=list)
    """What was wrong with the files themselves; empty for a healthy bag."""
    notes: list[str] = field(default_factory=list)
    """Choices made and oddities met that do not cost data."""
    dropped_cameras: list[str] = field(default_factory=list)
    """Cameras left out of the rig, with the reason."""
    complete_sets: int = 0
    """Surround sets with every camera, in the last reading."""
    partial_sets: int = 0
    """Surround sets with cameras missing, in the last reading."""
    _dropped: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def dropped(self) -> Counter[str]:
        """Dropped messages, by 'topic: reason', in the last reading of each kind."""
        return sum(self._dropped.values(), Counter())

    @property
    def clean(self) -> bool:
        """True when nothing was lost."""
        lost = self.damage or self.dropped_cameras or self.dropped or self.partial_sets
        return not lost

    def note(self, text: str) -> None:
        """Keep a note once."""
        if text not in self.notes:
            self.notes.append(text)

    def damaged(self, text: str) -> None:
        """Keep a damage once."""
        if text not in self.damage:
            self.damage.append(text)

    def begin(self, reading: str) -> Counter[str]:
        """Return an empty counter for a reading (of images, odometry ...), forgetting its last."""
        if reading == 'images':
            self.complete_sets = self.partial_sets = 0
        self._dropped[reading] = Counter()
        return self._dropped[reading]

    def __str__(self) -> str:
        lines = [f'{self.path}: {"read in full" if self.clean else "read in part"}']
        lines += [f'  damage: {text}' for text in self.damage]
        lines += [f'  camera left out: {text}' for text in self.dropped_cameras]
        lines += [f'  dropped {count} x {reason}' for reason, count in self.dropped.items()]
        if self.complete_sets or self.partial_sets:
            lines.append(
                f'  {self.complete_sets} complete and {self.partial_sets} partial surround sets'
            )
        return '\n'.join(lines + [f'  note: {text}' for text in self.notes])
