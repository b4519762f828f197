# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth doctor --live` on the cameras of these tests."""

import importlib.util
import json
import random
import signal
import subprocess
import sys
import time

import pytest
from rclpy.qos import QoSReliabilityPolicy as Reliability
from sensor_msgs.msg import Image

from selfdepth_ros.bags.what_to_record import Wanted
from selfdepth_ros.core.rig import Rig


@pytest.mark.timeout(600)
def test_running_cameras_are_examined(scene, cameras, listener, tmp_path) -> None:
    images = listener.listen(Image, '/a/image_raw', reliability=Reliability.BEST_EFFORT)
    listener.wait(lambda: images, 'an image')
    out = tmp_path / 'live.json'
    command = (sys.executable, '-m', 'selfdepth_ros.cli', 'doctor', '--live', '--seconds', '5')
    result = subprocess.run([*command, '--json', str(out)], capture_output=True, text=True)
    assert result.returncode == 1 and out.exists(), result.stdout + result.stderr
    found = json.loads(out.read_text('utf-8'))
    rig: Rig = scene.rig
    assert [camera['name'] for camera in found['cameras']] == list(rig.names)
    for camera in found['cameras']:
        assert camera['topic'] == f'/{camera["name"]}/image_raw'
        assert camera['images'] > 1
        assert 0 < camera['rate_hz'] < 11
        assert (camera['width'], camera['height']) == (64, 48)
        assert camera['in_sets'] > 0.5
    assert found['sets']['spread_p95_ms'] == 0  # they have one stamp
    call = f"record.launch.py 'cameras:=/({'|'.join(rig.names)})' odometry:=none"
    assert f'record with: ros2 launch selfdepth_ros {call}\n' in result.stdout
    assert found['record'].endswith(call)
    assert 'trainable: no' in result.stdout  # the pictures stand still
    if importlib.util.find_spec('tf2_msgs'):
        assert found['deployable']['yes']
    else:
        assert 'TF cannot be heard' in str(found['warnings'])
        assert 'no chain of transforms' in str(found['deployable'])


@pytest.mark.timeout(600)
def test_what_a_recording_would_lack_is_told(cameras, listener) -> None:
    images = listener.listen(Image, '/a/image_raw', reliability=Reliability.BEST_EFFORT)
    listener.wait(lambda: images, 'an image')
    command = (sys.executable, '-m', 'selfdepth_ros.nodes.missing_topics')
    for wanted, lacks in ((Wanted(), True), (Wanted('/[a-z]+', transport='raw'), False)):
        result = subprocess.run([*command, *wanted], capture_output=True, text=True, check=True)
        told = result.stdout + result.stderr
        images = 'not published yet: no images on /camera_[^/]+/image_raw/compressed'
        assert (images in told) == lacks
        assert ('/a/image_raw' in told) == lacks


@pytest.mark.timeout(600)
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_ends_it_without_a_traceback(
    scene, cameras, listener, number
) -> None:
    """From the command's first line on: while it imports, starts, listens, judges and ends."""
    images = listener.listen(Image, '/a/image_raw', reliability=Reliability.BEST_EFFORT)
    listener.wait(lambda: images, 'an image')
    begin = (
        'import sys; from selfdepth_ros.cli.main import process; print("begun", flush=True); '
        'sys.exit(process())'
    )
    draw, statuses = random.Random(int(number)), []
    # Both end in the same handler.
    moments, apart_s = (6, 0.7) if number == signal.SIGINT else (3, 1.4)
    for step in range(moments):
        command = [sys.executable, '-c', begin, 'doctor', '--live', '--seconds', '1']
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as doctor:
            assert doctor.stdout.readline() == 'begun\n'
            delay_s = draw.uniform(apart_s * step, apart_s * (step + 1))
            time.sleep(delay_s)  # the moment that is tried, nothing is waited for
            doctor.send_signal(number)
            printed, errors = doctor.communicate()
        assert errors == '', (delay_s, errors)
        finished = 'deployable: no' in printed or 'deployable: yes' in printed
        assert doctor.returncode in (130, -number, *((0, 1) if finished else ())), delay_s
        statuses.append(doctor.returncode)
    assert {130, -number} & set(statuses), 'not one came before its end'
