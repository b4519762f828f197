# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""An engine that fails on every set ends the process, so that another one can begin."""

import sys

import pytest
import torch
from sensor_msgs.msg import PointCloud2

from selfdepth_ros.inference import EngineError
from selfdepth_ros.inference.cuda import DeviceError, device_errors
from selfdepth_ros.nodes.engine_failures import MOST_IN_A_ROW, EngineFailures
from selfdepth_ros.nodes.execution import EXIT_BROKEN, BrokenError
from selfdepth_ros.pipeline import PipelineError


def run(failures: EngineFailures, error: Exception | None = None) -> None:
    """One set."""
    try:
        with failures.counted():
            if error:
                raise error
    except Exception as raised:
        assert raised is error


@pytest.mark.parametrize('kind', [DeviceError, EngineError, RuntimeError])
def test_only_failures_in_a_row_break_an_engine(kind) -> None:
    failures = EngineFailures()
    for _ in range(3):
        for _ in range(MOST_IN_A_ROW - 1):
            run(failures, kind('an illegal memory access'))
            run(failures, PipelineError('an image of another size'))
        failures.check()
        run(failures)
    for _ in range(MOST_IN_A_ROW):
        failures.check()
        run(failures, kind('an illegal\nmemory access'))
    with pytest.raises(BrokenError, match=f'{MOST_IN_A_ROW} sets .*an illegal memory access'):
        failures.check()


def test_memory_that_another_program_holds_breaks_nothing() -> None:
    failures = EngineFailures()
    for _ in range(2 * MOST_IN_A_ROW):
        with pytest.raises(DeviceError), failures.counted(), device_errors('run it'):
            raise torch.cuda.OutOfMemoryError('CUDA out of memory')
    failures.check()


def test_a_node_whose_engine_fails_on_every_set_ends_as_broken(
    scene, surround, listener, tmp_path
) -> None:
    """A real model that runs on black images, as at the start, and on no others."""
    model = sys.modules['nodes_scene'].write_model(tmp_path, dies_of_light=True)
    node = surround(model=model, rig=scene.folder / 'rig.yaml')
    listener.listen(PointCloud2, '/surround_depth/points')
    listener.wait(lambda: node.process.poll() is not None, 'the end')
    assert node.status() == EXIT_BROKEN == 71
    (fatal,) = node.lines('FATAL')
    assert f'failed on {MOST_IN_A_ROW} sets in a row' in fatal
    assert 'Traceback' not in node.log
