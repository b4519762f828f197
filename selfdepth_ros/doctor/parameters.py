# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the live node must be told of a rig's topics."""

from collections.abc import Iterator, Sequence

from selfdepth_ros.bags.discovery import BagTopics, CameraTopics, topic_patterns
from selfdepth_ros.bags.frames import TF_STATIC

_USUAL = '/{camera}/image_raw', '/{camera}/camera_info'


def node_parameters(cameras: Sequence[CameraTopics], topics: BagTopics) -> Iterator[str]:
    """Name the parameters and remappings where topics are not as the node expects them; else
    nothing. `cameras`: those of the rig, in its order."""
    patterns = topic_patterns(cameras)
    if patterns is None:
        yield 'remapping NAME/image_raw and NAME/camera_info: no image_topic fits all cameras'
    elif patterns != _USUAL:
        yield f'with image_topic: {patterns[0]} and info_topic: {patterns[1]}'
    jpeg = [camera.name for camera in cameras if camera.image.endswith('/compressed')]
    if len(jpeg) == len(cameras):
        yield 'with transport: compressed'
    elif jpeg:
        yield (
            f'republishing images: those of {", ".join(jpeg)} are compressed, the others raw, and '
            'there is one transport for all'
        )
    if any(camera.stamp_offset_ns for camera in cameras):
        offsets_ms = [camera.stamp_offset_ns / 1e6 for camera in cameras]
        names = ', '.join(camera.name for camera in cameras)
        spread_ms = max(offsets_ms) - min(offsets_ms)
        yield (
            f'with stamp_offsets_ms: {offsets_ms} (of {names}) and a deadline_ms that is longer '
            f'by {spread_ms:g} than without: images with late stamps come late'
        )
    if topics.tf_static != TF_STATIC:
        yield (
            f'remapping {TF_STATIC} to {topics.tf_static} and /tf to {topics.tf} where it listens '
            'to TF (rig:=topics, motion.source: tf)'
        )
