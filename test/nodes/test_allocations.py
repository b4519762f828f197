# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a warm stage allocates beside what it hands on: by the stages of benchmarks/runtime.py."""

import importlib.util
from pathlib import Path

import pytest

from selfdepth_ros.core.frames import POINT
from selfdepth_ros.shipped import shipped

PATH = Path(__file__).parents[2] / 'benchmarks' / 'runtime.py'
CHAINS = ('fuse and pack', 'fuse and pack: NumPy', 'fuse to message')
"""Their cloud is beside the message, and is a stage's that is measured on its own."""


@pytest.fixture(scope='module')
def benchmark():
    spec = importlib.util.spec_from_file_location('benchmark_runtime', PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_warm_stage_allocates_more_than_it_hands_on(benchmark):
    scene = benchmark.make_scene(6, 320, 192)
    cloud_bytes = scene.depths.size * POINT.itemsize
    stages = benchmark.our_stages(scene, shipped('model.onnx'))
    assert {*CHAINS, 'obstacles', 'scan'} < {stage.name for stage in stages}
    for stage in stages:
        for _ in range(2):
            stage.run()
        handed = stage.bytes + (cloud_bytes if stage.name in CHAINS else 0)
        assert benchmark.beside(stage) <= handed, stage.name


def test_an_allocation_is_seen(benchmark):
    def wasteful():
        bytearray(3_000_000)
        return bytearray(1_000_000)

    stage = benchmark.Stage('wasteful', wasteful, 1_000_000)
    assert 1_900_000 < benchmark.beside(stage) < 3_100_000
