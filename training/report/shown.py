# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What of an evaluation is kept to be shown: a score for every frame, and a few whole frames."""

import bisect
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from selfdepth_training.evaluate import FrameScores, counted
from selfdepth_training.scale import Scale

APART_NS = 1_000_000_000
"""Of frames nearer to each other than this only the worst is shown: they show the same."""
_AMONG = 8
"""Of so many frames the typical one is chosen."""


class ShownFrame(NamedTuple):
    """A frame and its error: abs_rel, mean over its cameras; median-scaled for relative depths."""

    abs_rel: float
    scored: FrameScores

    @property
    def stamp_ns(self) -> int:
        """Stamp of the frame."""
        return self.scored.frame.stamp_ns


@dataclass
class ShownFrames:
    """Watches an evaluation; memory does not grow with its length but by a few numbers a frame.

    Whole frames, with their images, are kept of 3 `most` + 6 at most.
    """

    most: int
    """How many of the worst frames are shown."""
    scale: Scale = 'metric'
    """Of the depths that are scored."""
    stamps_ns: list[int] = field(default_factory=list)
    abs_rel: list[float] = field(default_factory=list)
    _worst_by_second: dict[int, ShownFrame] = field(default_factory=dict, init=False)
    _ranked: list[tuple[float, int]] = field(default_factory=list, init=False)
    """Errors in order, and which frame it was: no two are alike."""
    _spread: list[tuple[tuple[float, int], ShownFrame]] = field(default_factory=list, init=False)
    """Frames whose ranks lie about evenly, and their entries of `_ranked`, in order."""

    def watch(self, scored: FrameScores) -> None:
        """Take in a frame; one without any score is passed over."""
        which = counted(self.scale)
        errors = [getattr(score, which).abs_rel for score in scored.scores if score is not None]
        if not errors:
            return
        frame = ShownFrame(float(np.mean(errors)), scored)
        self._keep_if_worst(frame)
        self._keep_spread(frame, len(self.abs_rel))
        self.stamps_ns.append(frame.stamp_ns)
        self.abs_rel.append(frame.abs_rel)

    @property
    def worst(self) -> list[ShownFrame]:
        """The worst frames, the worst first, at least APART_NS apart.

        Chosen so from the worst frame of each second: the first is the worst of all, and a frame
        worse than the last one shown, or any where less than `most` are shown, is within 2
        APART_NS of one that is shown and no better. Choosing from all frames would leave it
        within one, but there may be any number of them.
        """
        shown: list[ShownFrame] = []
        for frame in sorted(self._worst_by_second.values(), key=lambda kept: -kept.abs_rel):
            if all(abs(frame.stamp_ns - other.stamp_ns) >= APART_NS for other in shown):
                shown.append(frame)
        return shown[: self.most]

    @property
    def typical(self) -> ShownFrame | None:
        """A frame about as good as half of the others: among 39 to 61 % of them, in any order."""
        middle = (len(self._ranked) - 1) / 2
        ranks = self._ranks()
        if not ranks:
            return None
        return self._spread[int(np.argmin([abs(rank - middle) for rank in ranks]))][1]

    def _keep_if_worst(self, frame: ShownFrame) -> None:
        """Keep the worst of a second, of the worst seconds.

        One that is shown is less than APART_NS from frames of 3 seconds, its own included: the
        n-th that is shown is the worst of one of the 3 (n - 1) + 1 worst seconds.
        """
        worst, second = self._worst_by_second, frame.stamp_ns // APART_NS
        if second not in worst or frame.abs_rel > worst[second].abs_rel:
            worst[second] = frame
        if len(worst) > 3 * self.most - 2:
            del worst[min(worst, key=lambda second: worst[second].abs_rel)]

    def _keep_spread(self, frame: ShownFrame, index: int) -> None:
        """Of one frame too many drop the one between whose neighbours fewest frames lie.

        These are at most 2 (n + 1) / (_AMONG + 1) of n, and later frames between them are kept
        themselves: no gap is ever larger (as in Greenwald and Khanna, "Space-efficient online
        computation of quantile summaries", 2001; ranks are exact here).
        """
        bisect.insort(self._ranked, (frame.abs_rel, index))
        bisect.insort(self._spread, ((frame.abs_rel, index), frame), key=lambda kept: kept[0])
        if len(self._spread) > _AMONG:
            ranks = [-1, *self._ranks(), len(self._ranked)]
            del self._spread[int(np.argmin(np.subtract(ranks[2:], ranks[:-2])))]

    def _ranks(self) -> list[int]:
        return [bisect.bisect_left(self._ranked, entry) for entry, _ in self._spread]
