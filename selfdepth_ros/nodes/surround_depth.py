# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The node `surround_depth`: images of all cameras in, one metric cloud out.

Callbacks store; one worker thread decodes, infers, fuses and publishes, and only what somebody
listens to. A lifecycle node that starts itself unless `autostart` is false.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.nodes import execution
from selfdepth_ros.nodes.calibration import CameraInfos
from selfdepth_ros.nodes.diagnostics import Condition
from selfdepth_ros.nodes.intake import Intake, make_queue, stamp_offsets_ns, topic_of
from selfdepth_ros.nodes.live import LiveParameters
from selfdepth_ros.nodes.live_rig import LiveRig, RigOfFile, RigOfTopics
from selfdepth_ros.nodes.model import (
    Model,
    build_model,
    camera_names,
    cameras_named,
    load_model,
    load_model_again,
    rig_of_file,
)
from selfdepth_ros.nodes.monitor import Monitor
from selfdepth_ros.nodes.motion import EgoMotion, poses_of
from selfdepth_ros.nodes.outputs import Outputs
from selfdepth_ros.nodes.parameters import (
    SurroundDepthConfig,
    declare,
    read,
    surround_when,
    warn_of_unused_qos,
)
from selfdepth_ros.nodes.processing import Calibrated, Processor
from selfdepth_ros.nodes.saving import SaveConfig
from selfdepth_ros.nodes.services import NotReadyError, Services
from selfdepth_ros.nodes.sets import Worker
from selfdepth_ros.nodes.start_times import StartTimes
from selfdepth_ros.nodes.tf import Tf
from selfdepth_ros.nodes.transitions import transition
from selfdepth_ros.pipeline import SurroundDepth

NAME = 'surround_depth'
_LOOK_EVERY_S = 0.2
"""How often TF and CameraInfo are looked at."""
_RIG_NEEDS_TF = (
    'there is no rig file, so the extrinsics must come from TF (a rig file, rig:=<path>.yaml, '
    'works without it)'
)


class SurroundDepthNode(LifecycleNode):
    """See the module. Raises rclpy's ParameterException for parameters of wrong type or range."""

    def __init__(self) -> None:
        # First of all: rclpy destroys a node whose parameters are refused.
        self.lock = threading.RLock()
        """Held by transitions, and by whoever else replaces what a transition makes."""
        self._start_times = StartTimes()
        self._service_desk: Services | None = None
        self._live_rig: LiveRig | None = None
        self._tf: Tf | None = None
        self._motion: EgoMotion | None = None
        self._intake: Intake | None = None
        self._worker: Worker | None = None
        self._outputs: Outputs | None = None
        self._processor: Processor | None = None
        self._exit_status = execution.EXIT_CONFIG
        self._own_timers: list[Any] = []
        self._rig_problem, self._finished = '', False
        super().__init__(NAME)
        declare(self, SurroundDepthConfig, surround_when)
        LiveParameters(
            self, SurroundDepthConfig, surround_when, lambda: bool(self._processor), self._apply
        )
        self._service_desk = Services(self, self)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._start_times.mark('node')

    # -- transitions --

    @transition
    def on_configure(self, state: LifecycleState) -> None:
        """Load the model and the rig, or start to listen for the rig."""
        config = self._config = read(self, SurroundDepthConfig)
        rig = rig_of_file(config)
        self._engine = load_model(config, cameras_named(config, rig))
        if self._service_desk:
            self._service_desk.reload_problem = ''
        self._start_times.mark('model')
        self._cameras = camera_names(config, self._engine, rig)
        self._offsets_ns = stamp_offsets_ns(config, self._cameras)
        self._outputs = Outputs(self, self._cameras, config)
        self._monitor = Monitor(self._cameras)
        poses = poses_of(self, config.motion, config.output_frame, self._listen_to_tf)
        self._motion = EgoMotion(poses, config.motion.max_gap_ns)
        self._processor = Processor(
            self, self._cameras, self._outputs, self._monitor, self._motion, self._start_times
        )
        self._queue = make_queue(config, self._cameras)
        self._listen_for_calibration(rig)
        self._report_timer = self._every(config.diagnostics_period_s, self._report)

    @transition
    def on_activate(self, state: LifecycleState) -> None:
        """Subscribe and start the worker."""
        self._queue = make_queue(self._config, self._cameras)
        self._intake = Intake(self, self._config, self._offsets_ns, self._queue)
        self._worker = Worker(self._queue, self._processor.compute, self._processor.failed)
        super().on_activate(state)
        warn_of_unused_qos(self)  # now all entities are made
        topics = ', '.join(self._intake.topics.values())
        self.get_logger().info(f'active: {len(self._cameras)} cameras ({topics})')

    @transition
    def on_deactivate(self, state: LifecycleState) -> None:
        """Stop the worker and the subscriptions; the model stays loaded."""
        self._stop()
        super().on_deactivate(state)

    @transition
    def on_cleanup(self, state: LifecycleState) -> None:
        """Let go of model, rig and publishers."""
        self._let_go()

    @transition
    def on_shutdown(self, state: LifecycleState) -> None:
        """As deactivate and clean-up."""
        self._let_go()

    @transition
    def on_error(self, state: LifecycleState) -> None:
        """Go back to unconfigured, whatever state things are in."""
        self._let_go()

    def start(self) -> None:
        """Configure and activate if `autostart` says so. Raises StartError when that fails.

        With `build_only`: only load and check the model; SelfdepthError says why it cannot be.
        """
        config = read(self, SurroundDepthConfig)
        if config.build_only:
            engine = build_model(config)
            self.get_logger().info(f'{engine.manifest.name!r} is ready on {engine.device}')
            self._finished = True
            return
        if not self.get_parameter('autostart').value:
            self.get_logger().info('autostart is false: waiting for a lifecycle manager')
            return
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                raise execution.StartError(NAME, self._exit_status)

    def finished(self) -> bool:
        """Whether all that was asked for is done. Raises BrokenError when the engine is broken."""
        if self._processor:
            self._processor.failures.check()
        return self._finished

    def destroy_node(self) -> None:
        """Stop the threads first: they publish and answer."""
        self._stop()
        if self._service_desk:
            self._service_desk.close()
        super().destroy_node()

    def gave_up(self, state: LifecycleState, expected: bool) -> None:
        """See Stoppable."""
        if not expected:
            self._exit_status = execution.EXIT_BUG
        self._stop()
        if state.label == 'unconfigured':
            self._let_go()

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

    def _listen_for_calibration(self, rig: Rig | None) -> None:
        config = self._config
        topics = {name: topic_of(config.info_topic, name) for name in self._cameras}
        # TF first: it may be missing, and nobody would close the subscriptions then.
        tf = None if rig is not None else self._listen_to_tf(_RIG_NEEDS_TF)
        infos = CameraInfos(self, topics, config.rectified)
        if tf is None:
            self._live_rig = RigOfFile(self, rig, infos)
            self._assemble(rig)
        else:
            gap_ns = config.motion.max_gap_ns
            self._live_rig = RigOfTopics(self, infos, tf, config.output_frame, gap_ns)
        self._every(_LOOK_EVERY_S, self._look_at_rig)

    def _look_at_rig(self) -> None:
        """Make new tables where the calibration has changed; what cannot be used is reported."""
        with self.lock:  # a model that is being put in place takes rig and mounts together
            if self._live_rig is None:
                return
            before, self._rig_problem = self._rig_problem, ''
            try:
                rig = self._live_rig.look()
                if rig is not None:
                    self._assemble(rig)
            except SelfdepthError as error:
                self._live_rig.refuse()
                self._rig_problem = str(error)
                if self._rig_problem != before:
                    self.get_logger().error(f'this calibration cannot be used: {error}')

    def _assemble(self, rig: Rig) -> None:
        with self.lock:
            pipeline = SurroundDepth(self._engine, rig, self._config.fusion)
            if self._processor.calibrated is None:
                pipeline.warm_up()
                self.get_logger().info(f'fusion: {pipeline.fusion_description}')
            self._processor.calibrated = Calibrated(pipeline, self._live_rig.mounts)
            self._start_times.mark('calibration')
        if self._tf and not self._live_rig.mounts and self._config.motion.source != 'tf':
            self._tf.only_static()

    def _listen_to_tf(self, purpose: str) -> Tf:
        self._tf = self._tf or Tf(self, purpose)
        return self._tf

    # -- what services and live parameters ask for --

    def next_cloud(self) -> 'Future[PointCloud]':
        """See Served."""
        processor = self._processor
        if self._intake is None or processor is None:
            raise NotReadyError('found the node not active, expected it active: activate it')
        return processor.next_cloud()

    def save_config(self) -> SaveConfig:
        """See Served."""
        return read(self, SurroundDepthConfig).save

    def condition(self) -> str:
        """See Served."""
        with self.lock:
            return self._condition().state()[1] if self._processor else 'not configured'

    def load_model(self) -> Model:
        """See Served."""
        live_rig = self._live_rig
        if live_rig is None:
            raise NotReadyError(
                'found no model in use, expected the node configured: configure it'
            )
        config = read(self, SurroundDepthConfig)
        return load_model_again(config, self._cameras, live_rig.of_file)

    def use_model(self, model: Model) -> None:
        """See Served."""
        with self.lock:
            processor = self._processor
            if processor is None or (model.rig and model.rig.names != self._cameras):
                raise NotReadyError('found the node cleaned up meanwhile: configure it again')
            before, self._engine = self._engine, model.engine
            try:
                if processor.calibrated:
                    self._assemble(model.rig or processor.calibrated.pipeline.source)
            except Exception:
                self._engine = before
                raise
            if model.rig:
                self._live_rig.use(model.rig)

    def _apply(self, config: SurroundDepthConfig) -> None:
        """Go on with other filters, outputs and periods."""
        with self.lock:  # a model that is being put in place takes the filters with it
            before, self._config = self._config, config
            self._outputs.config = config
            if config.fusion != before.fusion and self._processor.calibrated:
                self._processor.calibrated.pipeline.use_filters(config.fusion)
        if config.diagnostics_period_s != before.diagnostics_period_s:
            self._own_timers.remove(self._report_timer)
            self.destroy_timer(self._report_timer)
            self._report_timer = self._every(config.diagnostics_period_s, self._report)

    # -- diagnostics --

    def _condition(self) -> Condition:
        return Condition(
            self._monitor,
            self._motion,
            self._live_rig,
            self._rig_problem,
            self._service_desk.reload_problem,
            self._intake,
            calibrated=self._processor.calibrated is not None,
            wanted=self._outputs.wanted,
        )

    def _report(self) -> None:
        if self._intake:
            self._intake.warn_of_silence()
        name, condition = self.get_fully_qualified_name(), self._condition()
        array = DiagnosticArray(status=condition.statuses(name, self._engine, self._queue))
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)


def main(args: Sequence[str] | None = None) -> int:
    """Entry point of the process."""
    return execution.run(
        NAME, SurroundDepthNode, SurroundDepthNode.start, args, finished=SurroundDepthNode.finished
    )


if __name__ == '__main__':
    raise SystemExit(main())
