# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the worker does with a set: decode, compute, publish, take the time."""

import functools
import os
import time
import traceback
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from rclpy.node import Node

from selfdepth_ros.core.errors import CalibrationError, SelfdepthError
from selfdepth_ros.core.frames import PointCloud, SurroundFrame
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.core.sync import SetReady
from selfdepth_ros.messages import MessageError, Picture, decode_at_least
from selfdepth_ros.nodes.engine_failures import EngineFailures
from selfdepth_ros.nodes.health_watch import HealthWatch
from selfdepth_ros.nodes.monitor import Monitor, Record
from selfdepth_ros.nodes.motion import STEADY_M, STEADY_RAD, EgoMotion, MovingMounts
from selfdepth_ros.nodes.outputs import Computed, Outputs
from selfdepth_ros.nodes.start_times import StartTimes
from selfdepth_ros.pipeline import PipelineError, SurroundDepth

_UNUSABLE = (MessageError, PipelineError)


class Calibrated(NamedTuple):
    """What sets are computed with: tables, and the cameras that move on the body."""

    pipeline: SurroundDepth
    mounts: MovingMounts | None = None


class Processor:
    """Turns sets into published clouds; nothing is computed that nobody listens to."""

    def __init__(
        self,
        node: Node,
        cameras: Sequence[str],
        outputs: Outputs,
        monitor: Monitor,
        motion: EgoMotion,
        start_times: StartTimes,
    ) -> None:
        self._logger, self._clock = node.get_logger(), node.get_clock()
        self._cameras, self._outputs, self._monitor = cameras, outputs, monitor
        self._motion, self._start_times = motion, start_times
        self._watch = HealthWatch(self._logger, cameras, monitor, motion)
        self._pool = ThreadPoolExecutor(os.cpu_count(), 'decode')
        """Decodes pictures side by side."""
        self.calibrated: Calibrated | None = None
        """None until the calibration is complete; sets are let go until then."""
        self.failures = EngineFailures()
        """Of the engine, in a row."""
        self._wishes: deque[Future[PointCloud]] = deque()

    def next_cloud(self) -> 'Future[PointCloud]':
        """The cloud of the next set that becomes one, whether anybody listens or not."""
        wish: Future[PointCloud] = Future()
        self._wishes.append(wish)
        return wish

    def compute(self, ready: SetReady) -> None:
        """Publish what a set becomes."""
        if self.calibrated is None:
            return
        (pipeline, mounts), config = self.calibrated, self._outputs.config
        if not (self._outputs.wanted or self._wishes):
            self._monitor.add_idle()
            return
        stages_s = {'waiting': self._age_s(ready.stamp_ns)}
        begin = time.perf_counter()
        frame = self._decode(ready, pipeline)
        frame, moved = _placed(frame, mounts)
        stages_s['decode'] = time.perf_counter() - begin
        motion = functools.partial(self._now_from_then, frame, moved)
        trust = self._watch.trust
        with self.failures.counted():
            result = pipeline(frame, motion, trust)
        says = pipeline.engine.manifest
        doubted = {i for i, pose in moved.items() if not pose.is_within(STEADY_M, STEADY_RAD)}
        if trust is not None:
            doubted |= set(np.flatnonzero(trust < 1).tolist())
        said = says.depth_kind, says.depth_limit
        computed = Computed(result, pipeline.rig, *said, frame.stamps_ns, config, doubted)
        stages_s |= result.timings_s | self._publish(computed)
        record = Record(
            done_s=time.monotonic(),
            latency_s=self._age_s(ready.stamp_ns),
            stages_s=stages_s,
            missing=result.cloud.missing,
            points=len(result.cloud),
        )
        self._monitor.add(record)
        if mounts:  # a camera that moves on the body is no bumped one
            self._watch.rest()
        else:
            self._watch.offer(pipeline, frame, result, config.health)
        if told := self._start_times.first_cloud(record):
            self._logger.info(told)

    def _publish(self, computed: Computed) -> dict[str, float]:
        """Publish what is listened to, hand out what was asked for; returns seconds by stage."""
        begin = time.perf_counter()
        messages = self._outputs.pack(computed)
        packed = time.perf_counter()
        for publisher, message in messages:
            publisher.publish(message)
        self._grant(computed)
        return {'pack': packed - begin, 'publish': time.perf_counter() - packed}

    def _now_from_then(self, frame: SurroundFrame, moved: Mapping[int, SE3]) -> SE3 | None:
        """What moves each camera's points to the cloud's stamp: the body, and `moved` mounts."""
        now_from_then = self._motion.between(frame.stamp_ns, frame.stamps_ns)
        if not moved:
            return now_from_then
        count = len(frame.images)
        moves = (
            np.tile(np.eye(4), (count, 1, 1)) if now_from_then is None else now_from_then.matrix
        )
        for index, pose in moved.items():
            moves[index] = moves[index] @ pose.matrix
        return SE3(moves)

    def failed(self, error: Exception) -> None:
        """Say a new problem once, in one line when it is one of ours; processing goes on."""
        text = str(error)
        if not isinstance(error, SelfdepthError):
            text = ''.join(traceback.format_exception(type(error), error, error.__traceback__))
        if self._monitor.add_failure(text):
            self._logger.error(f'no cloud: {text}')

    def _grant(self, computed: Computed) -> None:
        """Hand the cloud to those who asked for it and still wait."""
        while self._wishes:
            wish = self._wishes.popleft()
            if wish.set_running_or_notify_cancel():
                wish.set_result(self._outputs.cloud(computed))

    def _age_s(self, stamp_ns: int) -> float:
        return (self._clock.now().nanoseconds - stamp_ns) * 1e-9

    def _decode(self, ready: SetReady, pipeline: SurroundDepth) -> SurroundFrame:
        """Decode a set; a picture that cannot be used counts as missing, if others can."""
        # A raw image is a view, made sooner than it is handed to another thread.
        each = self._pool.map if self._outputs.config.transport == 'compressed' else map
        decode = functools.partial(_decoded, pipeline)
        decoded = list(each(decode, range(len(ready.payloads)), ready.payloads))
        pairs = zip(self._cameras, decoded, strict=True)
        problems = {name: f'{name}: {own}' for name, own in pairs if isinstance(own, _UNUSABLE)}
        pictures = [own if isinstance(own, Picture) else None for own in decoded]
        images = tuple(own and own.pixels for own in pictures)
        reduced = tuple(own.reduced if own else 1 for own in pictures)
        self._monitor.unusable = problems
        if problems and all(image is None for image in images):
            raise MessageError(next(iter(problems.values())))
        if problems:
            self._logger.error('; '.join(problems.values()), throttle_duration_sec=10.0)
        stamps = (None if i is None else m for i, m in zip(images, ready.members, strict=True))
        return SurroundFrame(ready.stamp_ns, images, tuple(stamps), reduced)


def _decoded(pipeline: SurroundDepth, index: int, msg: Any) -> Any:
    """The picture in a message, None for None; why it cannot be used is returned, not raised."""
    if msg is None:
        return None
    try:
        picture = decode_at_least(msg, pipeline.size)
        height, width, _ = picture.pixels.shape
        pipeline.check_size(index, (picture.reduced * height, picture.reduced * width))
    except _UNUSABLE as error:
        return error
    return picture


def _placed(
    frame: SurroundFrame, mounts: MovingMounts | None
) -> tuple[SurroundFrame, dict[int, SE3]]:
    """Return how moving mounts have moved since the tables were made, and the frame without the
    cameras whose place on the body is not known. Raises CalibrationError when none is left.
    """
    moved = mounts.since_the_tables(frame.stamp_ns, frame.stamps_ns) if mounts else {}
    known = {index: pose for index, pose in moved.items() if pose is not None}
    frame = frame.without(moved.keys() - known)
    if not any(frame.present):
        raise CalibrationError(mounts.problem if mounts else 'no camera is left')
    return frame, known
