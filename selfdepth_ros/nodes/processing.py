# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the worker does with a set: decode, compute, publish, take the time."""

import time
import traceback
from collections.abc import Sequence
from typing import Any

from rclpy.node import Node

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.sync import SetReady
from selfdepth_ros.messages import MessageError, decode_image
from selfdepth_ros.nodes.monitor import Monitor, Record
from selfdepth_ros.nodes.outputs import Outputs
from selfdepth_ros.pipeline import SurroundDepth


class Processor:
    """Turns sets into published clouds; nothing is computed that nobody listens to."""

    def __init__(
        self, node: Node, cameras: Sequence[str], outputs: Outputs, monitor: Monitor
    ) -> None:
        self._logger, self._clock = node.get_logger(), node.get_clock()
        self._cameras, self._outputs, self._monitor = cameras, outputs, monitor
        self.pipeline: SurroundDepth | None = None
        """None until the calibration is complete; sets are let go until then."""

    def compute(self, ready: SetReady) -> None:
        """Publish what a set becomes."""
        pipeline = self.pipeline
        if pipeline is None:
            return
        if not self._outputs.wanted:
            self._monitor.add_idle()
            return
        stages_s = {'waiting': self._age_s(ready.stamp_ns)}
        begin = time.perf_counter()
        frame = self._decode(ready)
        stages_s['decode'] = time.perf_counter() - begin
        result = pipeline(frame)
        stages_s.update(result.timings_s)
        begin = time.perf_counter()
        messages = self._outputs.pack(
            result, pipeline.rig, pipeline.engine.manifest.depth_kind, frame.stamps_ns
        )
        packed = time.perf_counter()
        for publisher, message in messages:
            publisher.publish(message)
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

    def failed(self, error: Exception) -> None:
        """Say a new problem once, in one line when it is one of ours; processing goes on."""
        text = str(error)
        if not isinstance(error, SelfdepthError):
            text = ''.join(traceback.format_exception(type(error), error, error.__traceback__))
        if self._monitor.add_failure(text):
            self._logger.error(f'no cloud: {text}')

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
