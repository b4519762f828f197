# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The line about the start: said with the first cloud, once, and true."""

import re
import subprocess
import sys
import time

from sensor_msgs.msg import PointCloud2

from selfdepth_ros.nodes.monitor import Record
from selfdepth_ros.nodes.start_times import StartTimes

TOLD = re.compile(r'first cloud ([0-9.]+) s after the start \((.*)\)')


def test_the_age_of_a_process_includes_the_start_of_its_interpreter() -> None:
    age = 'from selfdepth_ros.nodes.start_times import process_age_s; print(process_age_s())'
    begin_s = time.monotonic()
    answer = subprocess.run([sys.executable, '-c', age], capture_output=True, text=True)
    spent_s = time.monotonic() - begin_s
    assert 0 < float(answer.stdout) <= spent_s + 0.02  # the system counts in hundredths


def test_a_step_counts_once_and_the_line_is_said_once() -> None:
    times = StartTimes()
    for _ in range(2):
        times.mark('model')
    record = Record(time.monotonic(), 0.1, {'waiting': 9.0, 'infer': 0.0, 'fuse': 0.0}, (), 1)
    assert TOLD.fullmatch(times.first_cloud(record))[2].count('model') == 1
    times.mark('late')
    assert times.first_cloud(record) == ''


def test_the_node_tells_how_long_its_start_took(scene, surround, listener) -> None:
    begin_s = time.monotonic()
    node = surround(model=scene.model)
    clouds = listener.listen(PointCloud2, '/surround_depth/points')
    listener.wait(lambda: clouds, 'a cloud')
    spent_s = time.monotonic() - begin_s
    listener.wait(lambda: len(clouds) >= 3, 'three clouds')
    (told,) = TOLD.findall(node.log)
    steps = dict(part.rsplit(' ', 1) for part in told[1].split(', '))
    assert {'imports', 'node', 'model', 'calibration', 'inference'} <= set(steps)
    assert all(float(step) >= 0 for step in steps.values())
    # it is heard before the node has done with publishing; the line is in hundredths
    assert float(told[0]) <= spent_s + 0.1
