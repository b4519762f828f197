# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Does `surround_depth` grow or slow down? The work of an hour, as fast as it goes.

    python benchmarks/endurance.py --frames 36000                   # an hour at 10 Hz
    python benchmarks/endurance.py --minutes 10 --model shipped

The real node in a process of its own: six raw images and odometry in; cloud, obstacles, scan and a
depth image out, over DDS. The next set goes out when the cloud of the last one is here. `--model
brightness` (the default) has three operations instead of a network, so that everything else of
the node is driven hard; `shipped` is the package's.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, LaserScan, PointCloud2
from tqdm import tqdm

from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.core.rig import Rig, load_rig
from selfdepth_ros.demo.domain import hold_free_domain
from selfdepth_ros.demo.processes import NodeProcess, set_up_middleware
from selfdepth_ros.messages import stamp_ns
from selfdepth_ros.nodes.execution import Stop, make_executor
from selfdepth_ros.nodes.to_ros import header, image_message
from selfdepth_ros.shipped import shipped

sys.path.append(str(Path(__file__).parents[1] / 'test' / 'shared'))
from small_model import write_model

HOUR = 36_000
"""Frames of an hour at 10 Hz."""
PICTURES = 20
STAGGER_NS = 3_000_000
PATIENCE_S = 10.0
NODE = '/surround_depth'


def write_brightness(folder: Path, rig: Rig) -> Path:
    """Write the model of three operations at the size of the rig's images."""
    size = rig.cameras[0].camera
    manifest = Manifest('brightness', size.width, size.height, 'z_depth', 0.1, 100.0, rig.names)
    return write_model(folder, manifest, embed=False, gain=0.5)


def pictures(rig: Rig) -> list[list[Image]]:
    """Smooth images, so that clouds are full: several sets, one image for each camera."""
    draw = np.random.default_rng(0)
    sets = []
    for _ in range(PICTURES):
        images = []
        for item in rig.cameras:
            shape = item.camera.height, item.camera.width, 3
            ramp = np.linspace(draw.integers(0, 120), draw.integers(120, 255), shape[1])
            pixels = np.broadcast_to(ramp[:, None], shape).astype(np.uint8)
            images.append(image_message(pixels, 'rgb8', 0, item.frame_id))
        sets.append(images)
    return sets


class Driver:
    """Sends a set, waits for its cloud, takes the time. rclpy must be up."""

    def __init__(self, rig: Rig) -> None:
        self._node = Node('endurance')
        self._executor = make_executor()
        self._executor.add_node(self._node)
        self._cameras = [
            self._node.create_publisher(Image, f'{name}/image_raw', qos_profile_sensor_data)
            for name in rig.names
        ]
        self._odometry = self._node.create_publisher(Odometry, 'odom', 50)
        self._sets, self._sent, self._newest_ns = pictures(rig), 0, 0
        depth = f'{NODE}/{rig.names[0]}/depth'
        self._heard = [
            self._node.create_subscription(PointCloud2, f'{NODE}/points', self._take, 2),
            self._node.create_subscription(PointCloud2, f'{NODE}/obstacles', self._ignore, 2),
            self._node.create_subscription(LaserScan, f'{NODE}/scan', self._ignore, 2),
            self._node.create_subscription(Image, depth, self._ignore, 2),
        ]

    def _take(self, message: PointCloud2) -> None:
        self._newest_ns = stamp_ns(message.header)

    def _ignore(self, message: Any) -> None:
        pass

    def step(self, patience_s: float = PATIENCE_S) -> float | None:
        """Seconds from the first image's publication to its cloud; None when none came."""
        images = self._sets[self._sent % PICTURES]
        self._sent += 1
        begin_s, begin_ns = time.monotonic(), self._node.get_clock().now().nanoseconds
        for later_ns in (0, 20_000_000):
            self._publish_pose(begin_ns + later_ns)
        for index, (publisher, image) in enumerate(zip(self._cameras, images, strict=True)):
            image.header = header(begin_ns + index * STAGGER_NS, image.header.frame_id)
            publisher.publish(image)
        while self._newest_ns < begin_ns:
            if time.monotonic() - begin_s > patience_s:
                return None
            self._executor.spin_once(timeout_sec=0.05)
        return time.monotonic() - begin_s

    def _publish_pose(self, at_ns: int) -> None:
        pose = Odometry(header=header(at_ns, 'odom'), child_frame_id='base_link')
        pose.pose.pose.position.x = at_ns % 10**12 * 1e-9
        self._odometry.publish(pose)

    def close(self) -> None:
        """Leave the graph."""
        self._node.destroy_node()


def resident_mb(pid: int) -> float:
    """Resident memory of a process (Linux)."""
    pages = int(Path(f'/proc/{pid}/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 1e6


@dataclass
class Course:
    """What was measured, frame by frame."""

    latency_s: list[float] = field(default_factory=list)
    resident_mb: list[float] = field(default_factory=list)
    lost: int = 0

    def summary(self) -> dict[str, float]:
        """Growth after the first sixth, and how the slowest frames changed."""
        count = len(self.latency_s)
        settled = np.array(self.resident_mb[count // 6 :])
        slope = np.polyfit(np.arange(len(settled)), settled, 1)[0]
        latency_ms = np.array(self.latency_s) * 1e3
        first, last = latency_ms[: count // 12], latency_ms[-(count // 12) :]
        p99_first, p99_last = np.percentile(first, 99), np.percentile(last, 99)
        values = {
            'frames': count,
            'lost': self.lost,
            'resident_mb': settled[-1],
            'growth_mb_per_hour_at_10_hz': slope * HOUR,
            'grown_mb_after_first_sixth': settled[-1] - settled[0],
            'median_first_ms': np.median(first),
            'median_last_ms': np.median(last),
            'p99_first_ms': p99_first,
            'p99_last_ms': p99_last,
            'p99_ratio': p99_last / p99_first,
        }
        return {name: round(float(value), 3) for name, value in values.items()}


def run(driver: Driver, process: NodeProcess, frames: int, minutes: float) -> Course:
    """Drive until so many frames, or so many minutes, have passed. Raises DemoError."""
    while driver.step(patience_s=1.0) is None:
        process.check()
    course, end_s = Course(), time.monotonic() + minutes * 60
    with tqdm(total=frames, unit='frame') as bar:
        while len(course.latency_s) < frames and time.monotonic() < end_s:
            latency_s = driver.step()
            process.check()
            bar.update()
            if latency_s is None:
                course.lost += 1
                continue
            course.latency_s.append(latency_s)
            course.resident_mb.append(resident_mb(process.pid))
    return course


def main() -> None:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--frames', type=int, default=HOUR)
    parser.add_argument('--minutes', type=float, default=float('inf'), help='at most so long')
    parser.add_argument('--model', choices=('brightness', 'shipped'), default='brightness')
    options = parser.parse_args()
    domain = hold_free_domain()
    set_up_middleware(domain.number)
    rig = load_rig(shipped('rig.yaml'))
    rclpy.init()
    stop, driver = Stop(), Driver(rig)
    with tempfile.TemporaryDirectory(prefix='selfdepth_endurance_') as temporary:
        folder = Path(temporary)
        own = options.model == 'brightness'
        model = write_brightness(folder, rig) if own else shipped('model.onnx')
        given = {'model': model, 'rig': shipped('rig.yaml')}
        with NodeProcess('surround_depth', given, folder / 'log', stop) as process:
            course = run(driver, process, options.frames, options.minutes)
    driver.close()
    rclpy.try_shutdown()
    domain.close()
    print(json.dumps({'model': options.model, **course.summary()}))


if __name__ == '__main__':
    main()
