# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How good clouds are: against LiDAR, against each other, against the cloud before.

Accuracy is the distance from a point of ours to the nearest of the LiDAR, completeness that from a
point of the LiDAR to ours, over the part of space that both could see: our points beside a beam of
the LiDAR that came back, and the LiDAR's points that a camera looks at.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from scipy.spatial import KDTree

from selfdepth_ros.clouds.tally import DistanceTally
from selfdepth_ros.core.config import knob
from selfdepth_ros.core.coverage import sees
from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3

Points = Float[np.ndarray, 'n 3']


@dataclass(frozen=True)
class QualityConfig:
    """What is measured, and how."""

    edges_m: tuple[float, ...] = (1.0, 5.0, 10.0, 20.0, 40.0, 60.0)
    """Between these distances from the body lie the bands."""
    thresholds_m: tuple[float, ...] = (0.1, 0.2, 0.5, 1.0)
    """A point is right when the nearest of the others is this near."""
    cap_m: float = knob(5.0, unit='m', low=0.01, high=1000.0)
    """Longer distances count as this long."""
    beam_deg: float = knob(0.15, unit='deg', low=0.01, high=10.0)
    """Our points further than this from every beam of the LiDAR are not judged: nothing says
    what is there. A beam's neighbourhood adds this angle to the error, most on grazed ground."""
    samples: int = knob(20_000, unit='points', low=100, high=10_000_000)
    """At most so many points of a cloud are asked in each measure."""
    max_apart_ms: float = knob(60.0, unit='ms', low=0.0, high=10_000.0)
    """LiDAR scans further from a cloud's stamp are not compared with it."""

    def __post_init__(self) -> None:
        for name in ('edges_m', 'thresholds_m'):
            values = getattr(self, name)
            if len(values) < 2 - (name == 'thresholds_m') or list(values) != sorted(set(values)):
                raise ConfigError(f'{name}: found {list(values)}, expected increasing distances.')

    def tally(self) -> DistanceTally:
        """An empty tally with these bands and thresholds."""
        return DistanceTally(self.edges_m, self.thresholds_m, self.cap_m)


class CloudJudge:
    """Takes in clouds of one rig, one after another, and keeps the tallies."""

    def __init__(self, rig: Rig, config: QualityConfig) -> None:
        self._rig, self._config = rig, config
        self._pairs = [(pair.first, pair.second) for pair in rig.overlap_pairs()]
        self.accuracy, self.completeness = config.tally(), config.tally()
        self.overlap, self.stability = config.tally(), config.tally()

    def against_lidar(
        self,
        cloud: Float32[np.ndarray, 'n 3'],
        lidar: Float32[np.ndarray, 'm 3'],
        body_from_lidar: SE3,
    ) -> None:
        """Compare with a scan; both in the body frame at one time."""
        if not len(lidar):
            return
        beside = self._sample(cloud[beside_beams(cloud, lidar, body_from_lidar, self._beam_rad)])
        self._add(self.accuracy, beside, KDTree(lidar))
        looked_at = self._sample(lidar[seen_by(self._rig, lidar)])
        self._add(self.completeness, looked_at, _tree(cloud))

    def between_cameras(
        self, cloud: Float32[np.ndarray, 'n 3'], camera: UInt8[np.ndarray, ' n']
    ) -> None:
        """Compare what cameras say about what two of them see."""
        own = [cloud[camera == index] for index in range(len(self._rig))]
        trees = [_tree(points) for points in own]
        for first, second in self._pairs:
            points = self._sample(own[first], len(self._pairs))
            shared = points[sees(self._rig.cameras[second], points)]
            self._add(self.overlap, shared, trees[second])

    def over_time(
        self,
        cloud: Float32[np.ndarray, 'n 3'],
        before: Float32[np.ndarray, 'm 3'],
        before_from_now: SE3,
    ) -> None:
        """Compare with the cloud before, which is in the body frame of its own time."""
        points = before_from_now.apply(self._sample(cloud))
        self._add(self.stability, points[seen_by(self._rig, points)], _tree(before))

    @property
    def _beam_rad(self) -> float:
        return float(np.radians(self._config.beam_deg))

    def _sample(self, points: Any, parts: int = 1) -> Any:
        """Some of the points, the same ones of the same cloud."""
        most = max(1, self._config.samples // parts)
        if len(points) <= most:
            return points
        return points[np.random.default_rng(len(points)).choice(len(points), most, replace=False)]

    def _add(self, tally: DistanceTally, points: Any, tree: KDTree | None) -> None:
        """Count the distances of points to the nearest of a tree; None: there is nothing."""
        if not len(points):
            return
        distance = np.full(len(points), np.inf)
        if tree is not None:
            distance = tree.query(points, distance_upper_bound=self._config.cap_m)[0]
        tally.add(distance, np.linalg.norm(points, axis=-1).astype(float))


def seen_by(rig: Rig, points: Points) -> Bool[np.ndarray, ' n']:
    """Tell which points (body frame) some camera sees past the robot's own body."""
    seen = np.zeros(len(points), bool)
    for entry in rig.cameras:
        seen |= sees(entry, points)
    return seen


def beside_beams(
    points: Points, lidar: Float[np.ndarray, 'm 3'], body_from_lidar: SE3, beam_rad: float
) -> Bool[np.ndarray, ' n']:
    """Tell which points lie within an angle of a beam that came back, as the LiDAR sees them."""
    if not len(points):
        return np.zeros(0, bool)
    lidar_from_body = body_from_lidar.inverse()
    beams, own = (_directions(lidar_from_body.apply(p)) for p in (lidar, points))
    chord = 2 * np.sin(beam_rad / 2)
    distance = KDTree(beams).query(own, distance_upper_bound=chord)[0]
    return np.isfinite(distance)


def f_score(precision: Any, completeness: Any) -> Any:
    """Harmonic mean of the two shares; 0 when both are."""
    total = precision + completeness
    return np.where(total > 0, 2 * precision * completeness / np.where(total > 0, total, 1), total)


def chamfer_m(accuracy_m: Any, completeness_m: Any) -> Any:
    """Mean of the two mean distances."""
    return (accuracy_m + completeness_m) / 2


def _directions(points: Any) -> Any:
    """Unit vectors."""
    return points / np.maximum(np.linalg.norm(points, axis=-1, keepdims=True), 1e-9)


def _tree(points: Points) -> KDTree | None:
    """A tree that is quick to build; None of nothing."""
    return KDTree(points, compact_nodes=False, balanced_tree=False) if len(points) else None
