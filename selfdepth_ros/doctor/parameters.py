# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the live node must be told of a rig's topics."""

from collections.abc import Iterator, Sequence

from selfdepth_ros.bags.discovery import CameraTopics, topic_patterns

_USUAL = '/{camera}/image_raw', '/{camera}/camera_info'


def node_parameters(cameras: Sequence[CameraTopics]) -> Iterator[str]:
    """Name the parameters where topics are not as the node expects them; else nothing."""
    patterns = topic_patterns(cameras)
    if patterns is None:
        yield 'remapping NAME/image_raw and NAME/camera_info: no image_topic fits all cameras'
    elif patterns != _USUAL:
        yield f'with image_topic: {patterns[0]} and info_topic: {patterns[1]}'
