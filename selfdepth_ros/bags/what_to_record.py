# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a recording for training must hold, and the call of `ros2 bag record` for it."""

import re
import shlex
from collections.abc import Collection, Mapping
from typing import NamedTuple

from selfdepth_ros.bags.discovery import COMPRESSED, IMAGE, ODOMETRY, POINT_CLOUD, BagTopics
from selfdepth_ros.bags.frames import TF_STATIC, tf_beside

NONE = 'none'
"""For the odometry of a robot without; `ros2 launch` takes no empty argument."""


class Wanted(NamedTuple):
    """What record.launch.py is told to record, and what it records by itself."""

    cameras: str = '/camera_[^/]+'
    """Regular expression of the cameras' namespaces."""
    image: str = 'image_raw'
    """Topic in the namespace of a camera."""
    transport: str = 'compressed'
    """Or raw."""
    odometry: str = '/odom'
    """Topic, or none."""
    tf_static: str = TF_STATIC
    """Topic of the fixed frames; those that may move are on its neighbour, without _static."""
    lidar: str = NONE
    """Topic, or none: training does without, evaluation measures by it."""

    @property
    def suffix(self) -> str:
        """What the transport puts behind the image topic."""
        return '/compressed' if self.transport == 'compressed' else ''


def topics_to_record(wanted: Wanted) -> str:
    """Return the regular expression of the topics to record."""
    every = (tf_beside(wanted.tf_static), wanted.tf_static, wanted.odometry, wanted.lidar)
    others = [re.escape(topic) for topic in every if topic not in ('', NONE)]
    of_camera = f'({wanted.cameras})/({re.escape(wanted.image)}{wanted.suffix}|camera_info)'
    return _any_of([of_camera, *others])


def _any_of(expressions: Collection[str]) -> str:
    """Return an expression of the whole topics that fit one of these."""
    return f'^({"|".join(expressions)})$'


def record_command(bag: str, topics: str, max_bag_size_mb: float, cache_mb: float) -> list[str]:
    """Return the call of the recorder, in the words that Humble's knows, too; sizes in MB."""
    sizes = {'--max-bag-size': max_bag_size_mb, '--max-cache-size': cache_mb}
    words = [part for name, value in sizes.items() for part in (name, str(int(value * 1e6)))]
    return [*_recorder(bag), *words, '--regex', topics]


def _recorder(bag: str) -> list[str]:
    return ['ros2', 'bag', 'record', '-s', 'mcap', '-o', bag]


def what_is_missing(wanted: Wanted, kinds: Mapping[str, str]) -> list[str]:
    """Say what of it is not among the topics, whose types are `kinds`; nothing: all is there."""
    image = re.escape(wanted.image) + wanted.suffix
    found = (re.fullmatch(f'(?P<camera>{wanted.cameras})/{image}', topic) for topic in kinds)
    cameras = [match['camera'] for match in found if match]
    missing = [
        f'no {camera}/camera_info beside the images of {camera}: training needs it'
        for camera in cameras
        if f'{camera}/camera_info' not in kinds
    ]
    if not cameras:
        missing.append(
            f'no images on {wanted.cameras}/{wanted.image}{wanted.suffix}: found '
            f'{_of_kinds(kinds, (IMAGE, COMPRESSED))}; see the arguments cameras, image, '
            'transport, or take the call that `selfdepth doctor --live` prints'
        )
    if wanted.odometry not in ('', NONE, *kinds):
        missing.append(
            f'no {wanted.odometry}: found {_of_kinds(kinds, (ODOMETRY,))}; give '
            f'odometry:=<topic>, or odometry:={NONE} for a robot without'
        )
    if wanted.lidar not in ('', NONE, *kinds):
        missing.append(
            f'no {wanted.lidar}: found {_of_kinds(kinds, (POINT_CLOUD,))}; give lidar:=<topic>'
        )
    if wanted.tf_static not in kinds:
        there = ', '.join(sorted(topic for topic in kinds if topic.endswith(TF_STATIC)))
        missing.append(
            f'no {wanted.tf_static}: found {there or "none"}; training needs to know where the '
            'cameras are: give tf_static:=<topic> for another one'
        )
    return missing


def _of_kinds(kinds: Mapping[str, str], wanted: Collection[str]) -> str:
    """List the topics of some types."""
    return ', '.join(sorted(topic for topic, kind in kinds.items() if kind in wanted)) or 'none'


def recording_call(topics: BagTopics, there: Collection[str]) -> str:
    """Return the call that records these cameras, TF and odometry, of the topics that there are.

    JPEGs where all cameras have them. It is that of record.launch.py where cameras differ by
    their namespaces only, as there. The LiDAR is left out: it may be the larger part of a bag.
    """
    images = [camera.image.removesuffix('/compressed') for camera in topics.cameras]
    jpeg = all(f'{image}/compressed' in there for image in images)
    transport = 'compressed' if jpeg else 'raw'
    spaces, names = zip(*(image.rsplit('/', 1) for image in images), strict=True)
    infos = [camera.info for camera in topics.cameras]
    odometry, fixed = topics.odometry or NONE, topics.tf_static
    wanted = Wanted(_one_of(spaces), names[0], transport, odometry, fixed)
    as_usual = infos == [f'{space}/camera_info' for space in spaces]
    of_cameras = [f'{image}{wanted.suffix}' for image in images]
    of_one_kind = {*of_cameras} <= {*there}
    if as_usual and all(spaces) and len(set(names)) == 1 and of_one_kind:
        given = zip(Wanted._fields, wanted, Wanted(), strict=True)
        own = [f'{name}:={value}' for name, value, default in given if value != default]
        return shlex.join(['ros2', 'launch', 'selfdepth_ros', 'record.launch.py', *own])
    if not of_one_kind:
        of_cameras = [camera.image for camera in topics.cameras]
    every = [*of_cameras, *infos, topics.tf, fixed, *filter(None, [topics.odometry])]
    # Names without an option, which Humble takes, are refused by Lyrical; --regex is known to all.
    return shlex.join([*_recorder('drive'), '--regex', _any_of([*map(re.escape, every)])])


def _one_of(spaces: Collection[str]) -> str:
    """Return an expression of some namespaces; the usual one where it fits."""
    usual = Wanted().cameras
    if all(re.fullmatch(usual, space) for space in spaces):
        return usual
    parents = {space.rpartition('/')[0] for space in spaces}
    lasts = [re.escape(space.rpartition('/')[2]) for space in spaces]
    if len(parents) == 1 and len(lasts) > 1:
        return f'{re.escape(parents.pop())}/({"|".join(lasts)})'
    return '|'.join(map(re.escape, spaces))
