# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What of an evaluation is kept to be shown: a score for every frame, and a few whole frames."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from selfdepth_training.evaluate import FrameScores, counted
from selfdepth_training.scale import Scale

APART_NS = 1_000_000_000
"""Of frames nearer to each other than this only the worst is shown: they show the same."""


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
    """Watches an evaluation; memory does not grow with its length but by a number a frame."""

    most: int
    """How many of the worst frames are kept."""
    scale: Scale = 'metric'
    """Of the depths that are scored."""
    stamps_ns: list[int] = field(default_factory=list)
    abs_rel: list[float] = field(default_factory=list)
    worst: list[ShownFrame] = field(default_factory=list)
    """The worst first."""
    typical: ShownFrame | None = None
    """A frame about as good as half of the others."""

    def watch(self, scored: FrameScores) -> None:
        """Take in a frame; one without any score is passed over."""
        which = counted(self.scale)
        errors = [getattr(score, which).abs_rel for score in scored.scores if score is not None]
        if not errors:
            return
        frame = ShownFrame(float(np.mean(errors)), scored)
        self.stamps_ns.append(frame.stamp_ns)
        self.abs_rel.append(frame.abs_rel)
        self._keep_if_worst(frame)
        middle = float(np.median(self.abs_rel))
        kept = self.typical
        if kept is None or abs(frame.abs_rel - middle) <= abs(kept.abs_rel - middle):
            self.typical = frame

    def _keep_if_worst(self, frame: ShownFrame) -> None:
        beside = [m for m in self.worst if abs(m.stamp_ns - frame.stamp_ns) < APART_NS]
        if any(m.abs_rel >= frame.abs_rel for m in beside):
            return
        others = [m for m in self.worst if not any(m is near for near in beside)]
        self.worst = sorted([*others, frame], key=lambda m: -m.abs_rel)[: self.most]
