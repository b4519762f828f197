# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From an ONNX file to a serialized TensorRT engine, 10.x and 11.x alike.

Networks are strongly typed: what is float16 or 8 bits is so in the ONNX file, not by a flag here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selfdepth_ros.inference.engine import EngineError
from selfdepth_ros.inference.engine_cache import DamagedError, seal, unseal
from selfdepth_ros.inference.graph import write_file
from selfdepth_ros.inference.interrupts import held_interrupts

log = logging.getLogger(__name__)

Shapes = Mapping[str, tuple[int, ...]]
"""Input -> its shape, the batch included."""
OLDEST = 10
"""The oldest major version whose interface this is."""
_loggers: dict[type, Any] = {}
_one_at_a_time = threading.Lock()


def vendor() -> Any:
    """The `tensorrt` module, which comes with JetPack or from pip. Raises EngineError."""
    try:
        import tensorrt
    except (ImportError, OSError) as cause:
        raise EngineError(
            f'TensorRT cannot be imported ({cause}); the tensorrt backend needs TensorRT '
            f'{OLDEST} or newer with its Python module: it comes with JetPack 6.1 and newer, '
            'elsewhere pip install tensorrt; without it the backend onnx runs the same model'
        ) from cause
    if int(tensorrt.__version__.partition('.')[0]) < OLDEST:
        raise EngineError(
            f'found TensorRT {tensorrt.__version__}, expected {OLDEST} or newer: upgrade it '
            '(JetPack 6.1 and newer have it), or use the backend onnx'
        )
    return tensorrt


def compile_engine(model: bytes, shapes: Shapes, timing: Path, name: str) -> bytes:
    """Compile an ONNX model for fixed shapes on this machine's GPU; takes minutes.

    `timing` is the file of the timing cache, which makes the next build of a like model fast.
    SIGINT and SIGTERM end the build at its next step; then what handles them usually is called.
    Raises EngineError.
    """
    trt = vendor()
    monitor = make_monitor(trt)
    with held_interrupts(monitor.interrupt):
        return _compile(trt, monitor, model, shapes, timing, name)


def _compile(
    trt: Any, monitor: Any, model: bytes, shapes: Shapes, timing: Path, name: str
) -> bytes:
    logger = process_logger(trt)
    builder = trt.Builder(logger)
    network = builder.create_network(network_flags(trt))
    _parse(trt.OnnxParser(network, logger), model, name)
    config = builder.create_builder_config()
    config.progress_monitor = monitor
    profile = builder.create_optimization_profile()
    for tensor, shape in shapes.items():
        profile.set_shape(tensor, shape, shape, shape)
    config.add_optimization_profile(profile)
    _load_timings(config, timing)
    plan = builder.build_serialized_network(network, config)
    if monitor.interrupted:
        raise EngineError(
            f'compiling {name!r} was interrupted by a signal; nothing is stored, start it again'
        )
    if plan is None:
        raise EngineError(
            f'TensorRT {trt.__version__} could not compile {name!r} for {dict(shapes)}: '
            f'{logger.last_error or "it gave no reason"}; expected a model that `selfdepth '
            'export` wrote; the backend onnx runs it as it is'
        )
    _save_timings(config, timing)
    return bytes(memoryview(plan))


def network_flags(trt: Any) -> int:
    """The flags of a strongly typed network with an explicit batch."""
    # From some version on there may be no other kind, and then no flag for it.
    flag = getattr(trt.NetworkDefinitionCreationFlag, 'STRONGLY_TYPED', None)
    return 0 if flag is None else 1 << int(flag)


def process_logger(trt: Any) -> Any:
    """The logger of all builders and engines of this process, with no error of this thread yet.

    TensorRT keeps one pointer, to the logger of the first that is there; a later one's own goes
    unheard, and a logger freed with the engine that was first would be called nevertheless.
    """
    with _one_at_a_time:
        logger = _loggers.get(trt.ILogger) or _loggers.setdefault(trt.ILogger, make_logger(trt))
    logger.forget()
    return logger


def make_logger(trt: Any) -> Any:
    """A TensorRT logger that writes to Python's log; it knows the last error of each thread."""
    severity = trt.ILogger.Severity
    levels = {
        severity.INTERNAL_ERROR: logging.ERROR,
        severity.ERROR: logging.ERROR,
        severity.WARNING: logging.WARNING,
    }

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self._heard = threading.local()  # one thread may compile while another one runs

        @property
        def last_error(self) -> str:
            """Of what this thread asked TensorRT for, since `forget`."""
            return getattr(self._heard, 'error', '')

        def forget(self) -> None:
            self._heard.error = ''

        def log(self, severity: Any, msg: str) -> None:
            level = levels.get(severity, logging.DEBUG)
            if level == logging.ERROR:
                self._heard.error = msg
            log.log(level, 'TensorRT: %s', msg)

    return Logger()


def make_monitor(trt: Any) -> Any:
    """A progress monitor: the outermost phases go to the log; `interrupt` ends the build."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.interrupted = False
            self._steps: dict[str, int] = {}

        def interrupt(self) -> None:
            self.interrupted = True

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            if not parent_phase:
                self._steps[phase_name] = num_steps
                log.info('TensorRT: %s (%d steps)', phase_name, num_steps)

        def phase_finish(self, phase_name: str) -> None:
            if self._steps.pop(phase_name, None) is not None:
                log.info('TensorRT: %s is done', phase_name)

        def step_complete(self, phase_name: str, step: int) -> bool:
            if phase_name in self._steps:
                steps = self._steps[phase_name]
                log.info('TensorRT: %s %d/%d', phase_name, step + 1, steps)
            return not self.interrupted

    return Monitor()


def _parse(parser: Any, model: bytes, name: str) -> None:
    if not parser.parse(model):
        errors = '; '.join(parser.get_error(i).desc() for i in range(min(parser.num_errors, 3)))
        raise EngineError(
            f'TensorRT cannot read {name!r}: {errors}; expected a model that `selfdepth export` '
            'wrote, or in 8 bits `selfdepth quantize --runtime tensorrt`; the backend onnx runs it'
        )


def _load_timings(config: Any, file: Path) -> None:
    """Give the builder the timings of earlier builds; a damaged file counts as none."""
    try:
        _, stored = unseal(file.read_bytes(), file)
    except FileNotFoundError:
        stored = b''
    except (OSError, DamagedError) as cause:
        log.warning('%s; the timing cache starts anew', cause)
        stored = b''
    if not config.set_timing_cache(config.create_timing_cache(stored), False):
        config.set_timing_cache(config.create_timing_cache(b''), False)


def _save_timings(config: Any, file: Path) -> None:
    """Keep the timings; that they cannot be written costs time later and nothing else."""
    try:
        write_file(file, seal({}, bytes(memoryview(config.get_timing_cache().serialize()))))
    except EngineError as cause:
        log.warning('%s', cause)
