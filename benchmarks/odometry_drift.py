# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Are the clouds of use to software made for LiDAR? A LiDAR odometry runs on them and on LiDAR.

KISS-ICP (pip install kiss-icp) registers each cloud with the ones before; its drift is measured
against the odometry of the recording, which is exact in bags of `selfdepth synth`.
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from kiss_icp.config import KISSConfig
from kiss_icp.config.config import DataConfig, MappingConfig, RegistrationConfig
from kiss_icp.kiss_icp import KissICP

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.bags.trajectory import Trajectory
from selfdepth_ros.clouds.drift import Drift, drift
from selfdepth_ros.clouds.recorded import RecordedClouds

SOURCES = ('our clouds', 'LiDAR', 'standing still')


class Input(NamedTuple):
    """What the odometry is given."""

    max_range_m: float
    voxel_m: float


def register(clouds: Iterable[Any], given: Input) -> Iterator[Any]:
    """Yield the pose (4, 4) of each cloud (n, 3) in the frame of the first."""
    odometry = KissICP(
        KISSConfig(
            data=DataConfig(max_range=given.max_range_m, min_range=1.0, deskew=False),
            mapping=MappingConfig(voxel_size=given.voxel_m),
            registration=RegistrationConfig(max_num_threads=1),
        )
    )
    for points in clouds:
        odometry.register_frame(points.astype(np.float64), np.array([]))
        yield odometry.last_pose.copy()


def measure(
    clouds: Iterable[tuple[int, Any]], trajectory: Trajectory, given: Input, stretch_m: float
) -> tuple[Drift, Drift]:
    """Drift on (stamp, points), and that of an odometry which says that nothing moves."""
    stamps: list[int] = []

    def points_of() -> Iterator[Any]:
        for stamp_ns, points in clouds:
            stamps.append(stamp_ns)
            yield points

    found = np.stack(list(register(points_of(), given)))
    poses = [trajectory.fixed_from_body(stamp) for stamp in stamps]
    known = [index for index, pose in enumerate(poses) if pose is not None]
    true = np.stack([poses[index].matrix for index in known])
    still = np.tile(np.eye(4), (len(known), 1, 1))
    return drift(true, found[known], stretch_m), drift(true, still, stretch_m)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('clouds', type=Path, metavar='CLOUD_BAG', help='of `selfdepth cloud`')
    parser.add_argument('bag', type=Path, metavar='BAG', help='what it was made of, with LiDAR')
    parser.add_argument('--ranges', type=float, nargs='+', default=[15.0, 30.0, 60.0], metavar='M')
    parser.add_argument('--voxel', type=float, default=0.5, metavar='M', help='(default: 0.5)')
    parser.add_argument('--stretch', type=float, default=10.0, metavar='M', help='(default: 10)')
    args = parser.parse_args()
    reader = BagReader(args.bag)
    trajectory = Trajectory(reader)
    print(f'drift over stretches of {args.stretch:g} m\nup to   of              place   direction')
    for max_range_m in args.ranges:
        given = Input(max_range_m, args.voxel)
        recorded = ((c.stamp_ns, c.points) for c in RecordedClouds(args.clouds))
        ours, still = measure(recorded, trajectory, given, args.stretch)
        theirs, _ = measure(reader.lidar(), trajectory, given, args.stretch)
        for name, result in zip(SOURCES, (ours, theirs, still), strict=True):
            print(
                f'{max_range_m:3.0f} m   {name:15s}{result.percent:6.2f} %  '
                f'{result.deg_per_m:.4f} deg/m  ({result.stretches} stretches)'
            )


if __name__ == '__main__':
    main()
