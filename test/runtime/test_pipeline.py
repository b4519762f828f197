# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images to cloud, through a real model whose depth is known."""

from dataclasses import replace

import numpy as np
import pytest

from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.fusion import FusionConfig
from selfdepth_ros.inference import load_engine
from selfdepth_ros.pipeline import PipelineError, SurroundDepth

HEIGHT, WIDTH = 24, 32


def frame(*images: np.ndarray | None) -> SurroundFrame:
    return SurroundFrame(5, images, tuple(None if image is None else 5 for image in images))


def flat(brightness: int, scale: int = 2) -> np.ndarray:
    return np.full((scale * HEIGHT, scale * WIDTH, 3), brightness, np.uint8)


@pytest.fixture
def surround(write_model, rig) -> SurroundDepth:
    return SurroundDepth(load_engine(write_model(), threads=1), rig)


def test_walls_ahead_and_behind_stand_where_the_network_sees_them(surround):
    """Focal 30 px at network size: black is 3 m away, white 6 m."""
    result = surround(frame(flat(0), flat(255)))
    points, camera = result.cloud.points, result.cloud.camera
    assert len(points) == 2 * HEIGHT * WIDTH
    np.testing.assert_allclose(points[camera == 0, 0], 3, rtol=1e-5)
    np.testing.assert_allclose(points[camera == 1, 0], -6, rtol=1e-5)
    np.testing.assert_allclose(points[camera == 1, 2].mean(), 2, atol=1e-4)
    assert result.cloud.stamp_ns == 5
    assert result.cloud.frame_id == 'base_link'
    np.testing.assert_array_equal(np.unique(result.cloud.colors[camera == 0]), [0])


def test_a_missing_camera_gives_no_points_and_changes_nothing_else(surround):
    whole = surround(frame(flat(0), flat(255)))
    part = surround(frame(None, flat(255)))
    assert part.cloud.missing == ('a',)
    assert part.present == (False, True)
    assert np.isnan(part.depths[0]).all()
    np.testing.assert_array_equal(part.cloud.points, whole.cloud.points[whole.cloud.camera == 1])


def test_results_outlive_the_next_frame(surround):
    first = surround(frame(flat(0), flat(0)))
    points, depths = first.cloud.points.copy(), first.depths.copy()
    surround(frame(flat(255), flat(255)))
    np.testing.assert_array_equal(first.cloud.points, points)
    np.testing.assert_array_equal(first.depths, depths)


def test_images_are_averaged_down_to_the_network(surround):
    checkers = np.kron(np.indices((HEIGHT, 2 * WIDTH)).sum(0) % 2, np.ones((2, 1)))
    image = np.repeat((checkers * 200)[..., None], 3, axis=-1).astype(np.uint8)
    result = surround(frame(image, None))
    assert np.unique(result.cloud.colors).tolist() == [100]


def test_images_of_network_size_are_taken_as_they_are(write_model, rig):
    surround = SurroundDepth(load_engine(write_model()), rig.scaled(WIDTH, HEIGHT))
    image = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    config = FusionConfig(flying_slope=0.0)
    surround = SurroundDepth(surround.engine, rig.scaled(WIDTH, HEIGHT), config)
    result = surround(frame(image, image))
    np.testing.assert_array_equal(result.cloud.colors[: HEIGHT * WIDTH], image.reshape(-1, 3))


def test_depths_near_the_networks_limit_are_sky(write_model, rig):
    """White is 6 m: beyond 90 % of a largest depth of 6.2 m it means 'further than I can say'."""
    engine = load_engine(write_model(manifest={'max_depth_m': 6.2}))
    result = SurroundDepth(engine, rig)(frame(flat(0), flat(255)))
    assert set(result.cloud.camera.tolist()) == {0}
    for_longer = load_engine(write_model(manifest={'max_depth_m': 12.4, 'focal_px': 60.0}))
    result = SurroundDepth(for_longer, rig)(frame(flat(0), flat(255)))
    assert set(result.cloud.camera.tolist()) == {0}


def test_the_model_decides_the_kind_of_depth(write_model, rig):
    engine = load_engine(write_model(manifest={'depth_kind': 'ray_distance'}))
    cloud = SurroundDepth(engine, rig)(frame(flat(0), None)).cloud
    distance = np.linalg.norm(cloud.points - [0, 0, 1], axis=-1)
    np.testing.assert_allclose(distance, 3, rtol=1e-5)


def test_uncertain_pixels_are_left_out_on_request(write_model, rig):
    engine = load_engine(write_model(confidence=True, manifest={'has_confidence': True}))
    surround = SurroundDepth(engine, rig, FusionConfig(min_confidence=0.5))
    assert set(surround(frame(flat(0), flat(255))).cloud.camera.tolist()) == {1}


def test_the_confidence_of_a_camera_that_is_not_trusted_is_lower(write_model, rig):
    engine = load_engine(write_model(confidence=True, manifest={'has_confidence': True}))
    surround = SurroundDepth(engine, rig, FusionConfig(min_confidence=0.6))
    images = frame(flat(255), flat(255))
    result = surround(images, trust=np.array([1, 0.5], np.float32))
    assert result.confidence.max(axis=(1, 2)).tolist() == [1, 0.5]
    assert set(result.cloud.camera.tolist()) == {0}
    np.testing.assert_array_equal(surround.last_images()[0], images.images[0][::2, ::2])


def test_stages_are_timed(surround):
    surround.warm_up()
    timings = surround(frame(flat(0), flat(0))).timings_s
    assert list(timings) == ['preprocess', 'infer', 'motion', 'fuse']
    assert all(seconds > 0 for seconds in timings.values())


def test_an_image_of_another_size_names_the_camera(surround):
    with pytest.raises(PipelineError, match=r'image of b is 32x24.* for 64x48'):
        surround(frame(flat(0), flat(0, scale=1)))


def test_an_image_that_was_decoded_at_a_half_is_of_its_cameras_size(surround):
    whole = surround(frame(flat(0), flat(255)))
    halves = replace(frame(flat(0), flat(255, scale=1)), reduced=(1, 2))
    np.testing.assert_array_equal(surround(halves).cloud.points, whole.cloud.points)
    with pytest.raises(PipelineError, match=r'image of b is 128x96.* for 64x48'):
        surround(replace(frame(flat(0), flat(255)), reduced=(1, 2)))


def test_a_frame_of_another_rig(surround):
    with pytest.raises(PipelineError, match=r'3 images, the rig 2 cameras \(a, b\)'):
        surround(frame(flat(0), flat(0), flat(0)))


def test_masks_of_the_rig_reach_the_network_size(write_model, rig):
    mask = np.zeros((2 * HEIGHT, 2 * WIDTH), bool)
    mask[HEIGHT:] = True
    masked = replace(
        rig, cameras=tuple(replace(item, self_occlusion=mask) for item in rig.cameras)
    )
    config = FusionConfig(margin_px=0)
    cloud = SurroundDepth(load_engine(write_model()), masked, config)(
        frame(flat(0), flat(0))
    ).cloud
    assert len(cloud) == HEIGHT * WIDTH
