# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The node `surround_depth`: images of all cameras in, one metric cloud out.

Callbacks store; one worker thread decodes, infers, fuses and publishes, and only what somebody
listens to. A lifecycle node that starts itself unless `autostart` is false.
"""

import functools
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from selfdepth_ros.core.errors import CalibrationError, SelfdepthError
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.inference import EngineError, load_engine
from selfdepth_ros.nodes import execution
from selfdepth_ros.nodes.calibration import CameraInfos, rig_from_file
from selfdepth_ros.nodes.intake import Intake, make_queue, topic_of
from selfdepth_ros.nodes.live_rig import LiveRig, RigOfFile, RigOfTopics
from selfdepth_ros.nodes.monitor import Monitor, diagnostics
from selfdepth_ros.nodes.motion import EgoMotion, OdometryPoses, Poses, TfPoses
from selfdepth_ros.nodes.outputs import Outputs
from selfdepth_ros.nodes.parameters import SurroundDepthConfig, declare, read
from selfdepth_ros.nodes.processing import Calibrated, Processor
from selfdepth_ros.nodes.sets import Worker
from selfdepth_ros.nodes.tf import Tf
from selfdepth_ros.pipeline import SurroundDepth
from selfdepth_ros.shipped import shipped

NAME = 'surround_depth'
FROM_TOPICS = 'topics'
"""Value of the parameter `rig`: calibration from CameraInfo and TF."""
_SILENT_AFTER_S = 3.0
_LOOK_EVERY_S = 0.2
"""How often TF and CameraInfo are looked at."""
_RIG_NEEDS_TF = (
    'there is no rig file, so the extrinsics must come from TF (a rig file, rig:=<path>.yaml, '
    'works without it)'
)
_MOTION_NEEDS_TF = 'motion.source is tf (odometry and none work without it)'
_Body = Callable[['SurroundDepthNode', LifecycleState], None]
_Callback = Callable[['SurroundDepthNode', LifecycleState], TransitionCallbackReturn]


def _transition(body: _Body) -> _Callback:
    """Make errors visible and leave nothing half done: rclpy swallows what a transition raises."""

    @functools.wraps(body)
    def run(self: 'SurroundDepthNode', state: LifecycleState) -> TransitionCallbackReturn:
        try:
            body(self, state)
        except SelfdepthError as error:
            self.get_logger().fatal(str(error))
        except Exception:
            self.get_logger().fatal(traceback.format_exc())
        else:
            return TransitionCallbackReturn.SUCCESS
        self._stop()
        if state.label == 'unconfigured':
            self._let_go()
        return TransitionCallbackReturn.FAILURE

    return run


class SurroundDepthNode(LifecycleNode):
    """See the module. Raises rclpy's ParameterException for parameters of wrong type or range."""

    def __init__(self) -> None:
        # First of all: rclpy destroys a node whose parameters are refused.
        self._live_rig: LiveRig | None = None
        self._tf: Tf | None = None
        self._motion: EgoMotion | None = None
        self._intake: Intake | None = None
        self._worker: Worker | None = None
        self._outputs: Outputs | None = None
        self._own_timers: list[Any] = []
        self._rig_problem = ''
        self._silent: list[str] = []
        super().__init__(NAME)
        declare(self, SurroundDepthConfig)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)

    # -- transitions --

    @_transition
    def on_configure(self, state: LifecycleState) -> None:
        """Load the model and the rig, or start to listen for the rig."""
        config = self._config = read(self, SurroundDepthConfig)
        self._engine = load_engine(_model(config), threads=config.threads)
        rig = None
        if path := _rig(config):
            rig = rig_from_file(path, config.cameras, config.output_frame)
        self._cameras: Sequence[str] = self._names(rig)
        self._outputs = Outputs(self, self._cameras, config)
        self._monitor = Monitor(self._cameras)
        self._motion = EgoMotion(self._poses(), config.motion.max_gap_ns)
        self._processor = Processor(
            self, self._cameras, self._outputs, self._monitor, self._motion
        )
        self._queue = make_queue(config, self._cameras)
        self._listen_for_calibration(rig)
        self._every(config.diagnostics_period_s, self._report)

    @_transition
    def on_activate(self, state: LifecycleState) -> None:
        """Subscribe and start the worker."""
        self._active_since_s = time.monotonic()
        self._queue = make_queue(self._config, self._cameras)
        self._intake = Intake(self, self._config, self._cameras, self._queue)
        self._worker = Worker(self._queue, self._processor.compute, self._processor.failed)
        super().on_activate(state)
        topics = ', '.join(self._intake.topics.values())
        self.get_logger().info(f'active: {len(self._cameras)} cameras ({topics})')

    @_transition
    def on_deactivate(self, state: LifecycleState) -> None:
        """Stop the worker and the subscriptions; the model stays loaded."""
        self._stop()
        super().on_deactivate(state)

    @_transition
    def on_cleanup(self, state: LifecycleState) -> None:
        """Let go of model, rig and publishers."""
        self._let_go()

    @_transition
    def on_shutdown(self, state: LifecycleState) -> None:
        """As deactivate and clean-up."""
        self._let_go()

    @_transition
    def on_error(self, state: LifecycleState) -> None:
        """Go back to unconfigured, whatever state things are in."""
        self._let_go()

    def start(self) -> None:
        """Configure and activate if `autostart` says so. Raises StartError when that fails."""
        if not self.get_parameter('autostart').value:
            self.get_logger().info('autostart is false: waiting for a lifecycle manager')
            return
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                raise execution.StartError(NAME)

    def destroy_node(self) -> None:
        """Stop the worker first: it publishes."""
        self._stop()
        super().destroy_node()

    def _stop(self) -> None:
        if self._intake:
            self._intake.close()
        if self._worker:
            self._worker.close()
        self._intake = self._worker = None

    def _let_go(self) -> None:
        self._stop()
        for timer in self._own_timers:
            self.destroy_timer(timer)
        self._own_timers = []
        for part in (self._live_rig, self._motion, self._tf, self._outputs):
            if part:
                part.close()
        self._live_rig = self._motion = self._tf = self._outputs = None
        self._engine = self._processor = None

    def _every(self, period_s: float, callback: Callable[[], None]) -> Any:
        """A timer on the steady clock: it also runs while simulated time stands still."""
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        timer = self.create_timer(period_s, callback, clock=clock)
        self._own_timers.append(timer)
        return timer

    # -- calibration --

    def _names(self, rig: Rig | None) -> Sequence[str]:
        names = self._config.cameras or self._engine.manifest.cameras if rig is None else rig.names
        if not names:
            raise CalibrationError(
                'no camera is named: found an empty list in the parameter cameras and in the '
                'model, and no rig file; give cameras:=[...] or rig:=<path>'
            )
        return names

    def _listen_for_calibration(self, rig: Rig | None) -> None:
        config = self._config
        topics = {name: topic_of(config.info_topic, name) for name in self._cameras}
        infos = CameraInfos(self, topics, config.rectified)
        if rig is not None:
            self._live_rig = RigOfFile(self, rig, infos)
            self._assemble(rig)
        else:
            tf, gap_ns = self._listen_to_tf(_RIG_NEEDS_TF), config.motion.max_gap_ns
            self._live_rig = RigOfTopics(self, infos, tf, config.output_frame, gap_ns)
        self._every(_LOOK_EVERY_S, self._look_at_rig)

    def _look_at_rig(self) -> None:
        """Make new tables where the calibration has changed; what cannot be used is reported."""
        if self._live_rig is None:
            return
        try:
            rig, self._rig_problem = self._live_rig.look(), ''
            if rig is not None:
                self._assemble(rig)
        except SelfdepthError as error:
            self._rig_problem = str(error)

    def _assemble(self, rig: Rig) -> None:
        pipeline = SurroundDepth(self._engine, rig, self._config.fusion)
        if self._processor.calibrated is None:
            pipeline.warm_up()
        self._processor.calibrated = Calibrated(pipeline, self._live_rig.mounts)
        if self._tf and not self._live_rig.mounts and self._config.motion.source != 'tf':
            self._tf.only_static()

    def _listen_to_tf(self, purpose: str) -> Tf:
        self._tf = self._tf or Tf(self, purpose)
        return self._tf

    # -- motion --

    def _poses(self) -> Poses | None:
        """What tells the robot's motion, as the parameters say."""
        motion, body_frame = self._config.motion, self._config.output_frame
        if motion.source == 'odometry':
            return OdometryPoses(self, motion.odometry_topic, body_frame)
        if motion.source == 'tf':
            return TfPoses(self._listen_to_tf(_MOTION_NEEDS_TF), motion.fixed_frame, body_frame)
        return None

    # -- diagnostics --

    def _report(self) -> None:
        self._warn_silent()
        level, message = self._state()
        values = self._monitor.values(self._queue.dropped, self._queue.stats)
        values['motion'] = self._motion.state
        values['sets_not_moved'] = str(self._motion.unmoved)
        values['calibration'] = self._live_rig.describe()
        name, model = self.get_fully_qualified_name(), self._engine.manifest.name
        array = diagnostics(name, model, level, message, values)
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)

    def _state(self) -> tuple[bytes, str]:
        """Level and message, the most serious first."""
        if self._intake is None:
            return DiagnosticStatus.OK, 'not active'
        if errors := self._errors():
            return DiagnosticStatus.ERROR, '; '.join(errors)
        if warnings := self._warnings():
            return DiagnosticStatus.WARN, '; '.join(warnings)
        if not self._outputs.wanted:
            return DiagnosticStatus.OK, 'idle: nobody listens'
        return DiagnosticStatus.OK, 'running'

    def _errors(self) -> list[str]:
        problem = self._monitor.problem.strip().splitlines()[-1:]
        return [*self._live_rig.errors(), *filter(None, [self._rig_problem]), *problem]

    def _warnings(self) -> list[str]:
        found = self._live_rig.warnings()
        if self._silent and self._processor.calibrated:
            found.append(f'no images on {", ".join(self._silent)}')
        if self._outputs.wanted and self._processor.calibrated:
            if self._monitor.missing and not self._silent:
                found.append(f'clouds without {", ".join(self._monitor.missing)}')
            if self._motion.problem:
                found.append(self._motion.problem)
        return found

    def _warn_silent(self) -> None:
        if self._intake is None:
            return
        before, now_s = self._silent, time.monotonic()
        self._silent = self._intake.silent(self._active_since_s, now_s, _SILENT_AFTER_S)
        newly = [topic for topic in self._silent if topic not in before]
        if newly:
            seen = ', '.join(f'{topic} ({self.count_publishers(topic)})' for topic in newly)
            self.get_logger().warning(
                f'no images for {_SILENT_AFTER_S:.0f} s on (publishers): {seen}; '
                'check image_topic, transport, QoS'
            )


def _model(config: SurroundDepthConfig) -> Path:
    if config.model:
        return Path(config.model)
    if not shipped('model.onnx').is_file():
        raise EngineError('this copy of the package holds no model: give one with model:=<path>')
    return shipped('model.onnx')


def _rig(config: SurroundDepthConfig) -> Path | None:
    """The rig file to use; None: listen to CameraInfo and TF."""
    if config.rig:
        return None if config.rig == FROM_TOPICS else Path(config.rig)
    model = _model(config)
    beside = (model if model.is_dir() else model.parent) / 'rig.yaml'
    return beside if beside.is_file() else None


def main(args: Sequence[str] | None = None) -> int:
    """Entry point of the process."""
    return execution.run(NAME, SurroundDepthNode, SurroundDepthNode.start, args)


if __name__ == '__main__':
    raise SystemExit(main())
