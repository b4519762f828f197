# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the worker does with a set: decode, compute, publish, take the time."""

import time
import traceback
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

import numpy as np
from rclpy.node import Node

from selfdepth_ros.core.errors import CalibrationError, SelfdepthError
from selfdepth_ros.core.frames import PointCloud, SurroundFrame
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.core.sync import SetReady
from selfdepth_ros.messages import MessageError, decode_image
from selfdepth_ros.nodes.monitor import Monitor, Record
from selfdepth_ros.nodes.motion import EgoMotion, MovingMounts
from selfdepth_ros.nodes.outputs import Computed, Outputs
from selfdepth_ros.pipeline import SurroundDepth

STEADY_M, STEADY_RAD = 0.02, 0.01
"""A mount that has moved less than this since the tables were made looks where they say."""


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
    ) -> None:
        self._logger, self._clock = node.get_logger(), node.get_clock()
        self._cameras, self._outputs, self._monitor = cameras, outputs, monitor
        self._motion = motion
        self.calibrated: Calibrated | None = None
        """None until the calibration is complete; sets are let go until then."""
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
        frame = self._decode(ready)
        decoded = time.perf_counter()
        frame, now_from_then, displaced = self._moved(frame, mounts)
        stages_s |= {'decode': decoded - begin, 'motion': time.perf_counter() - decoded}
        result = pipeline(frame, now_from_then)
        stages_s.update(result.timings_s)
        begin = time.perf_counter()
        kind = pipeline.engine.manifest.depth_kind
        computed = Computed(result, pipeline.rig, kind, frame.stamps_ns, config, displaced)
        messages = self._outputs.pack(computed)
        packed = time.perf_counter()
        for publisher, message in messages:
            publisher.publish(message)
        self._grant(computed)
        stages_s['pack'] = packed - begin
        stages_s['publish'] = time.perf_counter() - packed
        self._monitor.add(
            Record(
                done_s=time.monotonic(),
                latency_s=self._age_s(ready.stamp_ns),
                stages_s=stages_s,
                missing=result.cloud.missing,
                points=len(result.cloud),
            )
        )

    def _moved(
        self, frame: SurroundFrame, mounts: MovingMounts | None
    ) -> tuple[SurroundFrame, SE3 | None, set[int]]:
        """Return what moves each camera's points to the cloud's stamp, and who is displaced.

        A camera whose place on the body is not known is taken out of the frame.
        """
        moved = mounts.since_the_tables(frame.stamps_ns) if mounts else {}
        known = {index: pose for index, pose in moved.items() if pose is not None}
        frame = frame.without(moved.keys() - known)
        if not any(frame.present):
            raise CalibrationError(mounts.problem if mounts else 'no camera is left')
        now_from_then = self._motion.between(frame.stamp_ns, frame.stamps_ns)
        if not known:
            return frame, now_from_then, set()
        count = len(frame.images)
        moves = (
            np.tile(np.eye(4), (count, 1, 1)) if now_from_then is None else now_from_then.matrix
        )
        for index, pose in known.items():
            moves[index] = moves[index] @ pose.matrix
        displaced = {i for i, pose in known.items() if not pose.is_within(STEADY_M, STEADY_RAD)}
        return frame, SE3(moves), displaced

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

    def _decode(self, ready: SetReady) -> SurroundFrame:
        """Decode a set; a picture that cannot be decoded counts as missing, if others can."""
        images: list[Any] = []
        problems: list[str] = []
        for name, msg in zip(self._cameras, ready.payloads, strict=True):
            try:
                images.append(None if msg is None else decode_image(msg))
            except MessageError as error:
                images.append(None)
                problems.append(f'{name}: {error}')
        if problems:
            text = '; '.join(problems)
            if all(image is None for image in images):
                raise MessageError(text)
            self._logger.error(text, throttle_duration_sec=10.0)
        stamps = (None if i is None else m for i, m in zip(images, ready.members, strict=True))
        return SurroundFrame(ready.stamp_ns, tuple(images), tuple(stamps))
