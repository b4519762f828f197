# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A bag of clouds against the recording that it was made of."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.bags.trajectory import Trajectory
from selfdepth_ros.clouds.quality import CloudJudge, QualityConfig, chamfer_m, f_score
from selfdepth_ros.clouds.recorded import RecordedCloud, RecordedClouds, nearest_in_time
from selfdepth_ros.clouds.tally import DistanceTally
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CloudScores:
    """What was measured, by range band and over all bands."""

    config: QualityConfig
    judge: CloudJudge
    clouds: int
    scans: int
    """Clouds that were compared with a scan."""
    lidar_topic: str | None = None
    """Of these scans."""

    def to_dict(self) -> dict[str, Any]:
        """Return all figures, NaN as None; the last of each list is over all bands."""
        judge = self.judge
        lidar = _lidar_figures(judge.accuracy, judge.completeness)
        measures = {'lidar': lidar, 'overlap': _figures(judge.overlap),
                    'stability': _figures(judge.stability)}  # fmt: skip
        return {
            'clouds': self.clouds, 'scans': self.scans, 'lidar_topic': self.lidar_topic,
            'edges_m': list(self.config.edges_m), 'thresholds_m': list(self.config.thresholds_m),
            'cap_m': self.config.cap_m,
            **{name: {key: _plain(value) for key, value in figures.items()}
               for name, figures in measures.items()},
        }  # fmt: skip

    def table(self) -> str:
        """Return tables for people: what was not measured is left out."""
        thresholds = self.config.thresholds_m
        parts = []
        if self.judge.completeness.count[-1]:
            heads = [f'P/C/F {threshold:g} m' for threshold in thresholds]
            figures = _lidar_figures(self.judge.accuracy, self.judge.completeness)
            parts.append(
                f'against {self.scans} LiDAR scans of {self.lidar_topic} (mean distances, m; '
                'shares: precision, completeness, F-score)\n'
                f'{self._rows(_lidar_row, figures, _LIDAR_HEADS, heads)}'
            )
        for title, tally in (
            ('two cameras about the same surface', self.judge.overlap),
            ('the cloud before, moved by odometry', self.judge.stability),
        ):
            if tally.count[-1]:
                heads = [f'<= {threshold:g} m' for threshold in thresholds]
                rows = self._rows(_row, _figures(tally), _HEADS, heads)
                parts.append(f'{title} (distances, m)\n{rows}')
        return '\n\n'.join(parts)

    def _rows(
        self, row: Callable[[Any, int], str], figures: Any, heads: str, further: list[str]
    ) -> str:
        edges = self.config.edges_m
        names = [f'{low:g}-{high:g} m' for low, high in zip(edges, edges[1:], strict=False)]
        lines = ['range'.ljust(9) + heads + ''.join(head.rjust(17) for head in further)]
        for band, name in enumerate([*names, 'all']):
            lines.append(name.ljust(9) + row(figures, band))
        return '\n'.join(lines)


_LIDAR_HEADS = ' accuracy complete  chamfer'
_HEADS = '   median     mean    points'


def _lidar_row(figures: dict[str, Any], band: int) -> str:
    distances = [figures[key][band] for key in ('accuracy_m', 'completeness_m', 'chamfer_m')]
    shares = [figures[key][band] for key in ('precision', 'completeness', 'f_score')]
    triples = (
        '/'.join(f'{value:.2f}' for value in triple) for triple in zip(*shares, strict=True)
    )
    return ''.join(f'{value:9.3f}' for value in distances) + ''.join(t.rjust(17) for t in triples)


def _row(figures: dict[str, Any], band: int) -> str:
    middle = f'{figures["median_m"][band]:9.3f}{figures["mean_m"][band]:9.3f}'
    shares = ''.join(f'{value:17.2f}' for value in figures['within'][band])
    return f'{middle}{figures["points"][band]:10d}{shares}'


def _lidar_figures(accuracy: DistanceTally, completeness: DistanceTally) -> dict[str, Any]:
    return {
        'accuracy_m': accuracy.mean_m,
        'completeness_m': completeness.mean_m,
        'chamfer_m': chamfer_m(accuracy.mean_m, completeness.mean_m),
        'precision': accuracy.within,
        'completeness': completeness.within,
        'f_score': f_score(accuracy.within, completeness.within),
        'points': accuracy.count,
        'lidar_points': completeness.count,
    }


def _figures(tally: DistanceTally) -> dict[str, Any]:
    return {
        'median_m': tally.median_m,
        'mean_m': tally.mean_m,
        'within': tally.within,
        'points': tally.count,
    }


def _plain(values: Any) -> Any:
    """Nested lists of an array, NaN as None: JSON has none."""
    rounded = np.where(np.isnan(values), None, np.round(values, 5).astype(object))
    return rounded.tolist()


def _placed_lidar(reader: BagReader) -> SE3 | None:
    """Where the LiDAR is; None, with a warning, where no fixed frames tell, or without one."""
    try:
        return reader.body_from_lidar()
    except BagError as error:
        log.warning('clouds are not compared with %s: %s', reader.topics.lidar, error)
        return None


def compare(
    clouds: RecordedClouds,
    reader: BagReader,
    rig: Rig,
    config: QualityConfig,
    every: int = 1,
    progress: Callable[[Iterator[Any]], Iterator[Any]] = iter,
) -> CloudScores:
    """Measure every n-th cloud. What the recording lacks (LiDAR, odometry) is left out.

    `rig` has the recording's cameras, as they were when the clouds were made; what lies behind
    its masks of the robot's own body is not expected of the cloud.
    """
    judge, track = CloudJudge(rig, config), Trajectory(reader)
    body_from_lidar = _placed_lidar(reader)
    count = scans = 0
    before: RecordedCloud | None = None
    pairs = nearest_in_time(
        ((cloud.stamp_ns, cloud) for cloud in clouds),
        reader.lidar() if body_from_lidar else (),
        int(config.max_apart_ms * 1e6),
    )
    for index, (stamp_ns, cloud, scan) in enumerate(progress(pairs)):
        if index % every == 0:
            count += 1
            if scan and (moved := track.now_from_then(stamp_ns, scan[0])):
                scans += 1
                judge.against_lidar(cloud.points, moved.apply(scan[1]), moved @ body_from_lidar)
            if cloud.fields.camera is not None:
                judge.between_cameras(cloud.points, cloud.fields.camera)
            if before and (moved := track.now_from_then(before.stamp_ns, stamp_ns)):
                judge.over_time(cloud.points, before.points, moved)
        before = cloud
    return CloudScores(config, judge, count, scans, reader.topics.lidar)
