# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What modules below the nodes log, as the progress of a compilation, is in the node's log."""

from pathlib import Path

from rcl_interfaces.msg import Log
from rclpy.qos import QoSDurabilityPolicy, QoSProfile

TALKATIVE = Path(__file__).with_name('talkative.py')
SAID = [
    ('INFO', 'step 1/3'),
    ('WARN', 'the engine is corrupt'),
    ('ERROR', 'no memory'),
    ('INFO', 'from a thread'),
]
LEVELS = {20: 'INFO', 30: 'WARN', 40: 'ERROR'}


def test_progress_and_warnings_reach_console_and_rosout_once(listener, cameras, tmp_path) -> None:
    heard: list[Log] = []
    qos = QoSProfile(depth=100, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
    subscription = listener.node.create_subscription(Log, '/rosout', heard.append, qos)
    process = type(cameras)(tmp_path / 'log', str(TALKATIVE))
    try:

        def ours() -> list[tuple[str, str]]:
            return [(LEVELS[m.level], m.msg) for m in heard if m.name == 'talkative']

        listener.wait(lambda: len(ours()) >= len(SAID), 'what the modules say')
        assert ours() == SAID
    finally:
        assert process.stop() == 0, process.log
        listener.node.destroy_subscription(subscription)
    for level in ('INFO', 'WARN', 'ERROR'):
        expected = [text for own, text in SAID if own == level]
        assert [line.rpartition(': ')[2] for line in process.lines(level)] == expected
    assert 'root:' not in process.log
    assert 'a detail' not in process.log
