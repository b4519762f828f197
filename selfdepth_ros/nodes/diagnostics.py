# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From the parts of the node to its state and to /diagnostics: one status for the whole, one for
the engine, one for each camera."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from selfdepth_ros.core.health import CameraHealth
from selfdepth_ros.inference import DepthEngine
from selfdepth_ros.nodes.intake import Arrivals, Intake
from selfdepth_ros.nodes.live_rig import LiveRig
from selfdepth_ros.nodes.monitor import Monitor
from selfdepth_ros.nodes.motion import EgoMotion
from selfdepth_ros.nodes.sets import SetQueue

_UNMATCHED = (
    'images come, but not into the last cloud: too late (images_late, deadline_ms), or their '
    "stamps are not of the others' time (images_stray), or they are fewer than the sets (rate_hz)"
)


@dataclass(frozen=True)
class Ahead:
    """Which cameras have stamps that are ahead of the others'."""

    leads_ns: Mapping[str, int] = field(default_factory=dict)
    """Camera -> by how much, as measured against the arrival of its images."""
    deadline_ns: int = 0
    """What is more than sets wait for is told."""

    def describe(self, camera: str) -> str | None:
        """Say that a camera is ahead, and what to do; None: it is not."""
        lead_ns = self.leads_ns.get(camera, 0)
        if lead_ns <= self.deadline_ns:
            return None
        return (
            f"its clock is ahead of the others' by about {lead_ns / 1e6:.0f} ms (or theirs come "
            'so much later: deadline_ms): synchronize the clocks (PTP, NTP), or correct it by '
            'stamp_offsets_ms'
        )


@dataclass(frozen=True)
class Condition:
    """How a configured node is at this moment."""

    monitor: Monitor
    motion: EgoMotion
    live_rig: LiveRig
    rig_problem: str
    """Why the newest calibration cannot be used; empty when it can."""
    reload_problem: str
    """Why the model that was to be loaded last is not in use; empty when it is."""
    intake: Intake | None
    """None: the node is not active."""
    calibrated: bool
    wanted: bool
    """Whether anybody listens."""

    def state(self) -> tuple[bytes, str]:
        """Level and message, the most serious first."""
        if self.intake is None:
            return DiagnosticStatus.OK, 'not active'
        if errors := self._errors():
            return DiagnosticStatus.ERROR, '; '.join(errors)
        if warnings := self._warnings(self.intake.silent()):
            return DiagnosticStatus.WARN, '; '.join(warnings)
        if not self.wanted:
            return DiagnosticStatus.OK, 'idle: nobody listens'
        return DiagnosticStatus.OK, 'running'

    def statuses(self, name: str, engine: DepthEngine, queue: SetQueue) -> list[DiagnosticStatus]:
        """The whole node, its engine, its cameras; `name` is the node's, fully qualified."""
        values = self.monitor.values(queue.dropped, queue.stats)
        values['motion'] = self.motion.state
        values['sets_not_moved'] = str(self.motion.unmoved)
        values['calibration'] = self.live_rig.describe()
        whole = status(name, engine.manifest.name, *self.state(), values)
        arrivals = self.intake.arrivals if self.intake else {}
        ahead = Ahead(queue.leads_ns(), queue.deadline_ns)
        cameras = camera_statuses(name, arrivals, self.monitor, ahead)
        return [whole, engine_status(name, engine, self.reload_problem), *cameras]

    def _errors(self) -> list[str]:
        problem = self.monitor.problem.strip().splitlines()[-1:]
        return [*self.live_rig.errors(), *filter(None, [self.rig_problem]), *problem]

    def _warnings(self, silent: list[str]) -> list[str]:
        found = self.live_rig.warnings()
        if silent and self.calibrated:
            found.append(f'no images on {", ".join(silent)}')
        if self.wanted and self.calibrated:
            if self.monitor.missing and not silent:
                found.append(f'clouds without {", ".join(self.monitor.missing)}')
            found += self.monitor.camera_problems()
            found += self.monitor.unusable.values()
            if self.motion.problem:
                found.append(self.motion.problem)
        return found


def status(
    name: str, hardware_id: str, level: bytes, message: str, values: dict[str, str]
) -> DiagnosticStatus:
    """Return a status with its values in order."""
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    return DiagnosticStatus(
        level=level, name=name, message=message, hardware_id=hardware_id, values=pairs
    )


def engine_status(name: str, engine: DepthEngine, problem: str) -> DiagnosticStatus:
    """What runs which network, and why not another; `name` is the node's."""
    manifest = engine.manifest
    values = {
        'device': engine.device,
        'model': manifest.name,
        'precision': manifest.precision,
        'size': f'{manifest.width}x{manifest.height}',
        'onnx_sha256': manifest.onnx_sha256,
    }
    level = DiagnosticStatus.WARN if problem else DiagnosticStatus.OK
    return status(f'{name}: engine', manifest.name, level, problem or 'loaded', values)


def camera_statuses(
    name: str, arrivals: Mapping[str, Arrivals], monitor: Monitor, ahead: Ahead | None = None
) -> list[DiagnosticStatus]:
    """Whether images of each camera come, and get into the clouds; `name` is the node's."""
    known = ahead or Ahead()
    return [_camera_status(name, camera, own, monitor, known) for camera, own in arrivals.items()]


def _camera_status(
    name: str, camera: str, arrivals: Arrivals, monitor: Monitor, ahead: Ahead
) -> DiagnosticStatus:
    level, message = DiagnosticStatus.OK, 'images come'
    if arrivals.silent:
        level, message = DiagnosticStatus.ERROR, f'no images on {arrivals.topic}'
    elif told := ahead.describe(camera):
        level, message = DiagnosticStatus.WARN, told
    elif camera in monitor.unusable or camera in monitor.missing:
        level, message = DiagnosticStatus.WARN, monitor.unusable.get(camera, _UNMATCHED)
    health = monitor.health.get(camera, CameraHealth())
    if health.problem and level == DiagnosticStatus.OK:
        level, message = DiagnosticStatus.WARN, health.describe(time.monotonic())
    values = {
        'topic': arrivals.topic,
        'images': str(arrivals.count),
        'rate_hz': f'{arrivals.rate_hz:.2f}',
        'silent_s': f'{arrivals.silence_s:.2f}',
        'stamps_ahead_ms': f'{ahead.leads_ns.get(camera, 0) / 1e6:.0f}',
        'clouds_without': monitor.sets_without(camera),
        'picture_aside_deg': f'{health.turn_deg:.2f}',
        'depths_disagree': f'{health.disagreement:.3f}',
        'depths_per_odometry': f'{health.scale:.2f}',
        'sharpness_of_rig': f'{health.sharpness:.2f}',
    }
    return status(f'{name}: {camera}', camera, level, message, values)
