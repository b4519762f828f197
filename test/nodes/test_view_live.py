# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth view --live`: what is published is shown, whoever publishes it."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import CHROMIUM, PATIENCE_S, Browser
from coloured import BLUE, GREEN, RED, START_NS, one_camera, share, wall
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, PointCloud2

from selfdepth_ros.core.rig import save_rig
from selfdepth_ros.messages import pack_points
from selfdepth_ros.nodes.to_ros import cloud_message, image_message

SECOND = 10**9


class Viewer:
    """The process, and what it says."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, '-m', 'selfdepth_ros.cli', 'view', '--live', '--no-open']
        self.process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.url = ''
        self.lines: list[str] = []
        while not self.url:
            self.lines.append(self.process.stdout.readline())
            assert self.lines[-1], self.lines
            if found := re.search(r'http://\S+', self.lines[-1]):
                self.url = found[0]
        self._reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout))
        self._reader.start()

    def stop(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            self._reader.join()


@pytest.fixture
def view(tmp_path: Path) -> Iterator[Viewer]:
    save_rig(one_camera(), tmp_path / 'rig.yaml')
    viewer = Viewer('--topic', '/clouds', '--rig', str(tmp_path / 'rig.yaml'))
    yield viewer
    viewer.stop()


@pytest.mark.skipif(CHROMIUM is None, reason='chromium is not installed')
@pytest.mark.timeout(900)
def test_clouds_and_images_are_shown_also_of_a_publisher_that_came_anew(
    view, listener, tmp_path
) -> None:
    node = listener.node
    # Beside the other camera it is called sensors_front, and front in the rig.
    images = node.create_publisher(Image, '/sensors/front/image_raw', qos_profile_sensor_data)
    other = node.create_publisher(Image, '/spare/image_raw', qos_profile_sensor_data)
    blue = np.full((48, 64, 3), BLUE, np.uint8)
    with Browser(tmp_path) as browser:
        browser.open(view.url)
        # The second publisher is another one, and its stamps are those of an hour before.
        for channel, color, stamp in ((0, RED, START_NS), (1, GREEN, START_NS - 3600 * SECOND)):
            clouds = node.create_publisher(PointCloud2, '/clouds', 5)

            def seen(picture, clouds=clouds, channel=channel, color=color, stamp=stamp) -> bool:
                clouds.publish(cloud_message(pack_points(wall(color)), stamp, 'base_link'))
                images.publish(image_message(blue, 'rgb8', stamp, 'front_optical'))
                return share(picture, channel) > 0.02 and share(picture, 2) > 2e-4

            picture = browser.wait(seen, f'points of {color}')
            assert share(picture, 1 - channel) < 0.01
            assert f'stamp {stamp // SECOND}' in browser.evaluate('document.body.innerText')
            node.destroy_publisher(clouds)
        node.destroy_publisher(images)
        node.destroy_publisher(other)
    assert view.stop() == 0
    assert 'Traceback' not in ''.join(view.lines)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_order_without_a_cloud(view, number) -> None:
    assert view.stop(number) == 0
    assert 'Traceback' not in ''.join(view.lines)


def test_a_cloud_that_cannot_be_read_is_told_once(view, listener) -> None:
    clouds = listener.node.create_publisher(PointCloud2, '/clouds', 5)
    broken = PointCloud2(width=1, height=1, point_step=4, row_step=4)
    broken.data.frombytes(bytes(4))

    def told() -> int:
        clouds.publish(broken)
        return sum('expected x' in line for line in view.lines)

    listener.wait(told, 'a warning')
    for _ in range(20):
        told()
        listener.spin()
    assert told() == 1
    assert view.stop() == 0
    listener.node.destroy_publisher(clouds)
