# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From the parts of the node to its state and to /diagnostics."""

from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticStatus

from selfdepth_ros.inference import DepthEngine
from selfdepth_ros.nodes.intake import Intake
from selfdepth_ros.nodes.live_rig import LiveRig
from selfdepth_ros.nodes.monitor import Monitor, camera_statuses, engine_status, status
from selfdepth_ros.nodes.motion import EgoMotion
from selfdepth_ros.nodes.sets import SetQueue


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
        cameras = camera_statuses(name, arrivals, self.monitor)
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
