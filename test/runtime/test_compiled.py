# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Compiled fusion gives the cloud of the reference bit for bit, and no cloud depends on it."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from fusion_cases import FILTERS, SEEDS, assert_same, rig_of, scene_of
from hypothesis import given, settings
from hypothesis import strategies as st

from selfdepth_ros.compiled import fastest_steps
from selfdepth_ros.compiled.steps import CompiledSteps
from selfdepth_ros.core.depth import DepthLimit
from selfdepth_ros.core.fusion import Fusion, FusionConfig
from selfdepth_ros.core.se3 import SE3


@settings(max_examples=40, deadline=None)
@given(
    SEEDS,
    FILTERS,
    st.sampled_from(['z_depth', 'ray_distance']),
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.booleans(),
)
def test_the_cloud_is_the_references_bit_for_bit(seed, config, kind, present, moves):
    rng = np.random.default_rng(seed)
    rig, (depths, images) = rig_of(rng), scene_of(rng)
    motion = SE3.exp(rng.normal(size=(3, 6)) * 0.1) if moves else None
    confidence = rng.random(depths.shape).astype(np.float32)
    reference, compiled = (
        Fusion(rig, config, kind, DepthLimit(150.0), **steps).fuse(
            depths, images, present, 7, confidence, motion
        )
        for steps in ({}, {'steps': CompiledSteps})
    )
    assert_same(compiled, reference)


def test_the_cases_above_have_points_sky_and_what_is_dropped():
    """They could all be empty, and equal."""
    rng = np.random.default_rng(1)
    rig, (depths, images) = rig_of(rng), scene_of(rng)
    counts = [
        len(Fusion(rig, replace(FusionConfig(), **change)).fuse(depths, images))
        for change in ({}, {'sky_reach_px': 0}, {'flying_slope': 0.0}, {'margin_px': 0})
    ]
    assert 500 < counts[0] < min(counts[1:]) and max(counts) < depths.size


def test_arrays_that_are_only_read_and_not_in_a_row():
    """As a vendor's runtime or a bag reader may hand them over."""
    rng = np.random.default_rng(2)
    rig, (depths, images) = rig_of(rng), scene_of(rng)
    expected = Fusion(rig).fuse(depths, images)
    fusion = Fusion(rig, steps=CompiledSteps)
    depths.flags.writeable = images.flags.writeable = False
    assert_same(fusion.fuse(depths, images), expected)
    wide, tall = np.repeat(depths, 2, axis=2), np.repeat(images, 2, axis=1)
    assert_same(fusion.fuse(wide[:, :, ::2], tall[:, ::2]), expected)


def test_one_frame_does_not_change_the_cloud_of_another():
    rng = np.random.default_rng(3)
    rig, (depths, images) = rig_of(rng), scene_of(rng)
    fusion = Fusion(rig, steps=CompiledSteps)
    first = fusion.fuse(depths, images)
    before = first.records.copy()
    fusion.fuse(depths[::-1].copy(), images[::-1].copy())
    assert first.records.tobytes() == before.tobytes()


def test_the_fastest_is_the_compiled():
    backend = fastest_steps()
    assert backend.steps is CompiledSteps
    assert backend.description.startswith('compiled (numba ')


def backend_of_a_new_process(**environment: str) -> str:
    code = 'from selfdepth_ros.compiled import fastest_steps; print(fastest_steps().description)'
    if environment.pop('without', ''):
        code = f'import sys; sys.modules["numba"] = None; {code}'
    command = [sys.executable, '-c', code]
    result = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


def test_without_the_compiler_numpy_does_it_and_says_why():
    told = backend_of_a_new_process(without='numba')
    assert told.startswith('NumPy (numba cannot be used: ')


def test_a_cache_that_is_missing_cut_short_or_no_folder_costs_only_time(tmp_path: Path):
    compiled = fastest_steps().description
    cache = tmp_path / 'cache'
    assert backend_of_a_new_process(NUMBA_CACHE_DIR=str(cache)) == compiled
    written = [path for path in cache.rglob('*') if path.suffix in ('.nbi', '.nbc')]
    assert len(written) >= 10
    for path in written:
        path.write_bytes(path.read_bytes()[:100])
    assert backend_of_a_new_process(NUMBA_CACHE_DIR=str(cache)) == compiled
    (tmp_path / 'file').touch()
    assert backend_of_a_new_process(NUMBA_CACHE_DIR=str(tmp_path / 'file')) == compiled
