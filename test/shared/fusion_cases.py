# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rigs, scenes and filters on which every fusion must give the cloud of the reference."""

import cv2
import numpy as np
from hypothesis import strategies as st

from selfdepth_ros.core.cameras import EquidistantCamera, PinholeCamera
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.fusion_config import FusionConfig
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
