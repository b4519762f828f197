# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of a bag are cameras, odometry, LiDAR and depth truth: found by name and type, or
read from a mapping file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.frames import TF_STATIC, tf_beside, tf_static_among
from selfdepth_ros.bags.preferences import (
    DEPTH_WORDS,
    FirstMessage,
    choose_lidar,
    choose_odometry,
)
from selfdepth_ros.core.sync import MOST_OFFSET_MS
from selfdepth_ros.messages import stamp_ns

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'
ODOMETRY = 'nav_msgs/msg/Odometry'
POINT_CLOUD = 'sensor_msgs/msg/PointCloud2'

_OFFSET = 'stamp_offset_ms'
# zstd_image_transport packs raw images into CompressedImage, which nobody else can unpack.
_NO_IMAGE_TRANSPORT = re.compile(r'compressedDepth$|/zstd$')
_PREFERRED = ('image_raw', 'image_color', 'image', 'image_rect_color', 'image_rect', 'image_mono')


@dataclass(frozen=True)
class CameraTopics:
    """Where one camera's data is."""

    name: str
    image: str
    info: str
    frame_id: str | None = None
    """None: the frame named by the CameraInfo."""
    stamp_offset_ns: int = 0
    """By how much the stamps of its images, and of its depths, are later than their exposure."""

    @property
    def rectified(self) -> bool:
        """True when the images are undistorted, so that P describes them instead of K and D."""
        return 'image_rect' in self.image

    def exposed_ns(self, msg: Any) -> int:
        """When an image or a depth of it was exposed: its corrected stamp; 0 when it has none."""
        stamp = stamp_ns(msg.header)
        return stamp - self.stamp_offset_ns if stamp else 0


@dataclass(frozen=True)
class BagTopics:
    """What is read of a bag."""

    cameras: tuple[CameraTopics, ...]
    odometry: str | None = None
    lidar: str | None = None
    body_frame: str = 'base_link'
    tf_static: str = TF_STATIC
    """Topic of the fixed frames; those that may move are on its neighbour, without _static."""
    notes: tuple[str, ...] = field(default=(), repr=False, compare=False)
    """What was left out or chosen among several, for people."""

    @property
    def tf(self) -> str:
        """Topic of the frames that may move."""
        return tf_beside(self.tf_static)


def discover(
    topics: Mapping[str, str],
    counts: Mapping[str, int],
    first: FirstMessage = lambda _: None,
) -> BagTopics:
    """Find the cameras (one per namespace with pictures), odometry and LiDAR among `topics`.

    A camera's name is its namespace without the parts that all cameras share at either end.
    Pictures without CameraInfo are no camera where others have it, unless they are named like the
    others': such a camera is not left out unasked. Of several odometries or LiDARs one is chosen,
    `first` helping. Raises BagError when there is no camera.
    """
    candidates: dict[str, list[str]] = {}
    for topic, kind in topics.items():
        if kind in {IMAGE, COMPRESSED} and _is_picture(topic):
            candidates.setdefault(_namespace(topic), []).append(topic)
    found_cameras = [
        CameraTopics(
            name=namespace,
            image=min(images, key=lambda topic: _preference(topic, counts)),
            info=f'{namespace}/camera_info',
        )
        for namespace, images in sorted(candidates.items())
    ]
    cameras, others = _told_apart(found_cameras, topics, counts)
    cameras = _named(cameras)
    if not cameras:
        found = ', '.join(sorted(topics)) or 'no topic at all'
        raise BagError(
            f'no camera among the topics ({found}): expected {IMAGE} or {COMPRESSED}, as in '
            '/camera_front/image_raw; record the cameras, or name their topics in a mapping file'
        )
    heard = {
        of: [topic for topic, kind in topics.items() if kind == of and counts.get(topic, 0)]
        for of in (ODOMETRY, POINT_CLOUD)
    }
    odometry = choose_odometry(heard[ODOMETRY], counts, first)
    lidar = choose_lidar(heard[POINT_CLOUD], counts, first)
    return BagTopics(
        cameras=tuple(cameras),
        odometry=odometry.topic,
        lidar=lidar.topic,
        tf_static=tf_static_among(topics, counts),
        notes=(*others, *(note for note in (odometry.note, lidar.note) if note)),
    )


def cameras_of_rig(
    cameras: Sequence[CameraTopics], names: Sequence[str]
) -> dict[str, CameraTopics]:
    """Return the cameras of a rig by its names for them, as far as they are there.

    Names depend on what else there is: `front` in a rig is `sensors_front` beside other cameras.
    So a name may also be that of the end of a namespace, of one camera that has no other.
    """
    found = {camera.name: camera for camera in cameras if camera.name in names}
    for name in names:
        others = (camera for camera in cameras if camera not in found.values())
        ends = [camera for camera in others if name in _ends(_namespace(camera.image))]
        if name not in found and len(ends) == 1:
            found[name] = ends[0]
    return found


def _ends(namespace: str) -> set[str]:
    """Return `front` and `sensors_front` of `/sensors/front`."""
    parts = namespace.strip('/').split('/')
    return {'_'.join(parts[first:]) for first in range(len(parts))}


def depth_truth_topic(camera: CameraTopics) -> str:
    """Return the topic of a camera's true depth, where a bag has it."""
    return f'{_namespace(camera.image)}/depth_truth'


def topic_patterns(cameras: Sequence[CameraTopics]) -> tuple[str, str] | None:
    """Return the image and the info topic of all cameras, with {camera} where the name stands.

    Images without /compressed, as the node's parameters want it. None where no one pattern fits.
    """
    images = _pattern([(c.name, c.image.removesuffix('/compressed')) for c in cameras])
    infos = _pattern([(c.name, c.info) for c in cameras])
    return None if images is None or infos is None else (images, infos)


def _pattern(topics: Sequence[tuple[str, str]]) -> str | None:
    """The pattern that gives each topic for its camera's name."""
    fitting: list[set[str]] = []
    for name, topic in topics:
        parts = topic.split('/')
        places = [index for index, part in enumerate(parts) if part == name]
        fitting.append({'/'.join([*parts[:i], '{camera}', *parts[i + 1 :]]) for i in places})
    return min(set.intersection(*fitting), default=None) if fitting else None


def load_mapping(path: str | Path) -> BagTopics:
    """Read a mapping file, for bags whose topics do not follow the usual names.

    ```yaml
    body_frame: base_link          # optional, as are odometry, lidar and tf_static
    tf_static: /robot1/tf_static
    odometry: /odom
    lidar: /lidar/points
    cameras:                       # in the order of the rig; two keys of theirs are optional:
      front: {image: /cam0/image_raw, info: /cam0/camera_info, frame: cam0}
      back: {image: /cam1/image_raw, info: /cam1/camera_info, stamp_offset_ms: 80}
    ```

    `stamp_offset_ms`: how much later the stamps of a camera are than its exposures.
    """
    try:
        tree = yaml.safe_load(Path(path).read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BagError(f'mapping file {path} cannot be read: {error}') from error
    tree = _checked(tree, {'cameras'}, {'body_frame', 'odometry', 'lidar', 'tf_static'}, f'{path}')
    if not isinstance(tree['cameras'], dict) or not tree['cameras']:
        raise BagError(f'{path}: cameras: expected one camera or more, by name')
    cameras = []
    for name, entry in tree['cameras'].items():
        where = f'{path}: cameras: {name}'
        entry = _checked(entry, {'image', 'info'}, {'frame', _OFFSET}, where)
        offset_ns = _offset_ns(entry.get(_OFFSET), where)
        cameras.append(
            CameraTopics(str(name), entry['image'], entry['info'], entry.get('frame'), offset_ns)
        )
    return BagTopics(
        cameras=tuple(cameras),
        odometry=tree.get('odometry'),
        lidar=tree.get('lidar'),
        body_frame=tree.get('body_frame') or 'base_link',
        tf_static=tree.get('tf_static') or TF_STATIC,
    )


def _offset_ns(value_ms: Any, where: str) -> int:
    """Return the offset of a camera's stamps; None: it has none."""
    if value_ms is None:
        return 0
    if type(value_ms) not in (int, float) or not abs(value_ms) <= MOST_OFFSET_MS:
        raise BagError(
            f'{where}: {_OFFSET}: found {value_ms!r}, expected a number from '
            f'{-MOST_OFFSET_MS:g} to {MOST_OFFSET_MS:g} ms'
        )
    return round(value_ms * 1e6)


def _checked(tree: Any, required: set[str], optional: set[str], where: str) -> dict[str, Any]:
    """Return the mapping, or say which key is unknown, missing or not a text."""
    if not isinstance(tree, dict):
        raise BagError(f'{where}: expected a mapping with {", ".join(sorted(required))}')
    known = required | optional
    for key, value in tree.items():
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f'; did you mean {close[0]}?' if close else ''
            raise BagError(
                f'{where}: unknown key {key!r}, expected {", ".join(sorted(known))}{hint}'
            )
        if key not in ('cameras', _OFFSET) and value is not None and not isinstance(value, str):
            raise BagError(f'{where}: {key}: expected a text, found {value!r}')
    if missing := sorted(name for name in required if not tree.get(name)):
        raise BagError(f'{where}: {", ".join(missing)} is missing')
    return tree


def _namespace(topic: str) -> str:
    """Return `/camera_front` of `/camera_front/image_raw/compressed`."""
    parts = topic.split('/')
    if parts[-1] == 'compressed':
        parts.pop()
    return '/'.join(parts[:-1])


def _told_apart(
    found: list[CameraTopics], topics: Mapping[str, str], counts: Mapping[str, int]
) -> tuple[list[CameraTopics], list[str]]:
    """Return the cameras, and of what else has pictures (a detector's, say) why it is none.

    Without one camera that has images and CameraInfo all are returned, to be complained about.
    """
    whole = {_name(c.image) for c in found if counts.get(c.image, 0) and counts.get(c.info, 0)}
    cameras, others = [], []
    for camera in found:
        alike = counts.get(camera.image, 0) and _name(camera.image) in whole
        if not whole or counts.get(camera.info, 0) or alike:
            cameras.append(camera)
        else:
            there = 'has no message' if camera.info in topics else 'is not there'
            others.append(f'{camera.image} is not taken for a camera: {camera.info} {there}')
    return cameras, others


def _named(cameras: list[CameraTopics]) -> list[CameraTopics]:
    """Give names to cameras that have their namespaces instead."""
    paths = [camera.name.strip('/').split('/') for camera in cameras]
    spare = min(map(len, paths), default=1) - 1  # one part of each stays
    shared = [len(set(parts)) == 1 for parts in zip(*paths, strict=False)]
    ends = [len(set(parts)) == 1 for parts in zip(*map(reversed, paths), strict=False)]
    first = len(list(takewhile(bool, shared[:spare])))
    last = len(list(takewhile(bool, ends[: spare - first])))
    return [
        replace(camera, name='_'.join(path[first : len(path) - last]) or 'camera')
        for camera, path in zip(cameras, paths, strict=True)
    ]


def _is_picture(topic: str) -> bool:
    return not DEPTH_WORDS.search(topic) and not _NO_IMAGE_TRANSPORT.search(topic)


def _name(topic: str) -> str:
    """Return `image_raw` of `/camera_front/image_raw/compressed`."""
    return topic.removesuffix('/compressed').rsplit('/', 1)[-1]


def _preference(topic: str, counts: Mapping[str, int]) -> tuple[bool, int, bool]:
    """Sort key: topics with images first, then the rawest, then the uncompressed."""
    compressed = topic.endswith('/compressed')
    base = _name(topic)
    rank = _PREFERRED.index(base) if base in _PREFERRED else len(_PREFERRED)
    return not counts.get(topic, 0), rank, compressed
