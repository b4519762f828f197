# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A live rig whose rig file has one camera turned: /diagnostics name it, and no other."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import PointCloud2

from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.health import CameraHealth, HealthConfig
from selfdepth_ros.core.rig import load_rig, save_rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.inference import load_engine
from selfdepth_ros.nodes.diagnostics import camera_statuses
from selfdepth_ros.nodes.health_watch import DISTRUST, HealthWatch
from selfdepth_ros.nodes.intake import Arrivals
from selfdepth_ros.nodes.monitor import Monitor
from selfdepth_ros.pipeline import SurroundDepth
from selfdepth_ros.shipped import shipped

NODE = '/surround_depth'
BUMPED = 'camera_back_left'


@pytest.fixture
def street(tmp_path, process):
    """The synthetic rig, and a rig file in which a camera looks 4 degrees aside."""
    rig = load_rig(shipped('rig.yaml'))
    turn = SE3.exp(np.array([0, 0, 0, 0, np.radians(4.0), 0]))
    cameras = [
        replace(c, body_from_camera=c.body_from_camera @ turn) if c.name == BUMPED else c
        for c in rig.cameras
    ]
    save_rig(replace(rig, cameras=tuple(cameras)), tmp_path / 'rig.yaml')
    process('selfdepth_ros.nodes.synthetic_rig', frames=6, rate_hz=4.0, transport='compressed')
    return tmp_path / 'rig.yaml'


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_bumped_camera_is_named_on_diagnostics(street, process, listener) -> None:
    process(
        'selfdepth_ros.nodes.surround_depth',
        rig=street,
        transport='compressed',
        deadline_ms=200.0,
        **{'health.period_s': 0.3},
    )
    listener.listen(PointCloud2, f'{NODE}/points')
    messages = listener.listen(DiagnosticArray, '/diagnostics')

    def named() -> list[str]:
        found = [item for message in messages for item in message.status]
        return sorted({i.hardware_id for i in found if i.message.startswith('disagrees')})

    listener.wait(named, 'the bumped camera on /diagnostics')
    so_far = len(messages)
    listener.wait(lambda: len(messages) > so_far + 5, 'more diagnostics')
    assert named() == [BUMPED]
    last = {item.name: item for item in messages[-1].status}
    assert last[NODE].level == last[f'{NODE}: {BUMPED}'].level == DiagnosticStatus.WARN
    assert f'camera {BUMPED}: disagrees with its neighbours' in last[NODE].message


def test_a_camera_with_a_problem_is_a_warning_and_less_trusted(scene) -> None:
    monitor = Monitor(('a', 'b', 'c'))
    watch = HealthWatch(None, monitor.cameras, monitor, None)
    assert watch.trust is None
    monitor.add_health({'b': CameraHealth(problem='dark or covered', since_s=0.0)})
    arrivals = {name: Arrivals(f'{name}/image_raw') for name in monitor.cameras}
    for item in arrivals.values():
        item.add()
    levels = {item.hardware_id: item for item in camera_statuses('/n', arrivals, monitor)}
    assert [item.level for item in levels.values()] == [b'\0', b'\1', b'\0']
    assert levels['b'].message.startswith('dark or covered (since ')
    assert watch.trust.tolist() == [1, DISTRUST, 1]


def test_a_set_is_copied_and_looked_at_once_a_period(scene) -> None:
    pipeline = SurroundDepth(load_engine(scene.model), scene.rig)
    images = tuple(scene.pictures.values())
    frame = SurroundFrame(1, images, (1, 1, 1))
    result = pipeline(frame)
    monitor = Monitor(scene.rig.names)
    motion = SimpleNamespace(back=lambda now_ns, then_ns: None)
    watch = HealthWatch(None, monitor.cameras, monitor, motion)
    watch.offer(pipeline, frame, result, HealthConfig(period_s=0.0))
    assert monitor.health == {}
    for _ in range(2):
        watch.offer(pipeline, frame, result, HealthConfig(period_s=60.0))
    watch._job.result()
    assert sorted(monitor.health) == sorted(monitor.cameras)
    before = monitor.health
    watch.offer(pipeline, frame, result, HealthConfig(period_s=60.0))
    assert monitor.health is before  # the next one is due in a minute


def test_what_was_wrong_is_forgotten_while_nobody_looks(scene, monkeypatch) -> None:
    """A camera is repaired while nobody listens, or begins to move on the body."""
    clock = SimpleNamespace(now_s=100.0)
    monkeypatch.setattr('selfdepth_ros.nodes.monitor.time.monotonic', lambda: clock.now_s)
    pipeline = SurroundDepth(load_engine(scene.model), scene.rig)
    good = SurroundFrame(1, tuple(scene.pictures.values()), (1, 1, 1))
    dark = replace(good, images=(np.zeros_like(good.images[0]), *good.images[1:]))
    monitor = Monitor(scene.rig.names)
    watch = HealthWatch(
        None, monitor.cameras, monitor, SimpleNamespace(back=lambda now_ns, then_ns: None)
    )

    def look(frame: SurroundFrame, looks: int) -> list[str]:
        for _ in range(2 * looks):
            watch.offer(pipeline, frame, pipeline(frame), HealthConfig())
            if watch._job:
                watch._job.result()
            clock.now_s += 1.0
        return [name for name, found in monitor.health.items() if found.problem]

    name = scene.rig.names[0]
    assert look(dark, 4) == [name]
    assert watch.trust[0] == DISTRUST
    monitor.unusable = {name: 'no such encoding'}
    clock.now_s += 3600.0
    monitor.add_idle()
    arrivals = {name: Arrivals(f'{name}/image_raw')}
    arrivals[name].add()
    (status,) = camera_statuses('/n', arrivals, monitor)
    assert (status.level, status.message) == (DiagnosticStatus.OK, 'images come')
    assert monitor.camera_problems() == []
    assert watch.trust is None
    assert look(good, 1) == []  # what was seen an hour ago is not held against it
    assert look(dark, 4) == [name]
    watch.rest()
    assert watch.trust is None
