# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth doctor --live` on the cameras of these tests."""

import importlib.util
import json
import subprocess
import sys

import pytest
from rclpy.qos import QoSReliabilityPolicy as Reliability
from sensor_msgs.msg import Image

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
    assert 'trainable: no' in result.stdout  # the pictures stand still
    if importlib.util.find_spec('tf2_msgs'):
        assert found['deployable']['yes']
    else:
        assert 'TF cannot be heard' in str(found['warnings'])
        assert 'no chain of transforms' in str(found['deployable'])
