# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a recording for training must hold, and the call of `ros2 bag record` for it."""

import re

_FIXED = ('/tf', '/tf_static')


def topics_to_record(cameras: str, image: str, transport: str, odometry: str) -> str:
    """Return the regular expression of the topics to record.

    `cameras`: expression of their namespaces; `image`: topic below it; `transport`: compressed or
    raw; `odometry`: topic, or empty.
    """
    ending = '/compressed' if transport == 'compressed' else ''
    others = [re.escape(topic) for topic in (*_FIXED, odometry) if topic]
    of_camera = f'({cameras})/({re.escape(image)}{ending}|camera_info)'
    return f'^({"|".join([of_camera, *others])})$'


def record_command(bag: str, topics: str, max_bag_size_mb: float, cache_mb: float) -> list[str]:
    """Return the call of the recorder, in the words that Humble's knows, too; sizes in MB."""
    sizes = {'--max-bag-size': max_bag_size_mb, '--max-cache-size': cache_mb}
    words = [part for name, value in sizes.items() for part in (name, str(int(value * 1e6)))]
    return ['ros2', 'bag', 'record', '-s', 'mcap', '-o', bag, *words, '--regex', topics]
