# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Compiled fusion gives the cloud of the reference bit for bit, and no cloud depends on it."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from selfdepth_ros.compiled import fastest_steps
from selfdepth_ros.compiled.steps import CompiledSteps
from selfdepth_ros.core.cameras import EquidistantCamera, PinholeCamera
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.fusion import Fusion, FusionConfig
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3

H, W = 47, 83  # odd: half of the picture is not half of the pixels
CAMERAS = (
    PinholeCamera(W, H, 70.0, 70.0, 41.0, 23.0),
    PinholeCamera(W, H, 60.0, 62.0, 41.0, 22.0, 'plumb_bob', (-0.1, 0.02, 0.001, -0.001, 0.0)),
    EquidistantCamera(W, H, 22.0, 22.0, 40.0, 23.0, (0.02, -0.01, 0.0, 0.0)),
)
SEEDS = st.integers(0, 2**32 - 1)
FILTERS = st.builds(
    FusionConfig,
    margin_px=st.integers(0, 3),
    sky_reach_px=st.sampled_from([0, 1, 7, 48]),
    sky_step=st.sampled_from([0, 3, 10, 60]),
    flying_slope=st.sampled_from([0.0, 0.02, 0.08]),
    flying_bend=st.sampled_from([0.0, 0.02]),
    min_confidence=st.sampled_from([0.0, 0.5]),
    max_height_m=st.sampled_from([1000.0, 3.0]),
    overlap_check=st.booleans(),
)


def rig_of(rng: np.random.Generator) -> Rig:
    """Three lenses that look upwards and around, each with the robot's own body in view."""
    optical = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    entries = []
    for index, camera in enumerate(CAMERAS):
        turn = SE3.exp(np.array([0, 0, 0, 0, -0.3, 0.9 * index])).rotation
        pose = SE3.from_rotation_translation(turn @ optical, rng.normal(size=3))
        mask = rng.random((H, W)) < 0.01
        entries.append(RigCamera(f'c{index}', camera, pose, f'c{index}_optical', mask))
    return Rig(tuple(entries))


def scene_of(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Surfaces with soft and hard edges under a sky, sprinkled with what is no depth; images."""
    depths, images = [], []
    for _ in CAMERAS:
        coarse = np.exp(rng.uniform(-1, 5, (4, 7)))
        depth = cv2.resize(coarse, (W, H), interpolation=int(rng.integers(0, 3)))
        depth[: rng.integers(1, H)] *= rng.choice([1, 100])
        nothing = rng.random((H, W)) < 0.01
        depth[nothing] = rng.choice([np.nan, np.inf, -np.inf, 0.0, -3.0, 1e-30], nothing.sum())
        depths.append(depth)
        grey = rng.integers(0, 256, (3, 4, 3), dtype=np.uint8)
        images.append(cv2.resize(grey, (W, H), interpolation=cv2.INTER_LINEAR))
    return np.stack(depths).astype(np.float32), np.stack(images)


def assert_same(found: PointCloud, expected: PointCloud) -> None:
    assert found.records.tobytes() == expected.records.tobytes()
    np.testing.assert_array_equal(found.camera, expected.camera)
    np.testing.assert_array_equal(found.pixels_given(), expected.pixels_given())
    assert (found.missing, found.stamp_ns, found.frame_id) == (
        expected.missing,
        expected.stamp_ns,
        expected.frame_id,
    )


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
        Fusion(rig, config, kind, 150.0, **steps).fuse(
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
