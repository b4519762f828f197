# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures show things where they are, and files hold what was put into them."""

import cv2
import numpy as np
import pytest

from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.ply import write_ply
from selfdepth_ros.viz import (
    color_depth,
    draw_cloud_birdseye,
    draw_cloud_perspective,
    draw_depth_panels,
    save_png,
)
from selfdepth_ros.viz.canvas import blank, splat
from selfdepth_ros.viz.panels import color_error

RED = (255, 0, 0)


def cloud_at(*points: tuple[float, float, float], color=RED) -> PointCloud:
    count = len(points)
    return PointCloud.of(
        np.array(points, np.float32).reshape(count, 3),
        np.full((count, 3), color, np.uint8),
        np.zeros(count, np.uint8),
        7,
        'base_link',
        (),
    )


def centre_of(picture: np.ndarray, color=RED) -> np.ndarray:
    rows, columns = np.nonzero((picture == color).all(axis=-1))
    return np.array([columns.mean(), rows.mean()])


def test_birdseye_has_ahead_up_and_left_left_at_scale():
    picture = draw_cloud_birdseye(cloud_at((20, 10, 0)), size=801, reach_m=40)
    np.testing.assert_allclose(centre_of(picture), [400 - 100, 400 - 200], atol=1)


def test_birdseye_shows_the_highest_point():
    low, high = cloud_at((12, 3, 0)), cloud_at((12, 3, 2), color=(0, 0, 255))
    both = PointCloud.of(
        np.concatenate([high.points, low.points]),
        np.concatenate([high.colors, low.colors]),
        np.zeros(2, np.uint8),
        0,
        'base_link',
    )
    picture = draw_cloud_birdseye(both)
    assert (picture == (0, 0, 255)).all(axis=-1).any()
    assert not (picture == RED).all(axis=-1).any()


def test_what_is_looked_at_stands_in_the_middle_of_the_perspective():
    view = {'eye_m': (-15.0, 4.0, 10.0), 'target_m': (6.0, 1.0, 0.5), 'reach_m': 0}
    picture = draw_cloud_perspective(cloud_at((6, 1, 0.5)), 641, 361, **view)
    rows, columns = np.nonzero((picture[..., 0] > 120) & (picture[..., 1] < 40))
    assert abs(columns.mean() - 320) < 2
    assert abs(rows.mean() - 180) < 2


def test_the_nearer_point_hides_the_farther():
    picture = blank(9, 9)
    pixels = np.array([[4.0, 4.0], [4.0, 4.0]])
    colors = np.array([[0, 255, 0], RED], np.uint8)
    splat(picture, pixels, np.array([2.0, 5.0]), np.array([3, 5]), colors)
    assert (picture[4, 4] == (0, 255, 0)).all()
    assert ((picture == RED).all(axis=-1)).sum() == 25 - 9


@pytest.mark.parametrize('draw', [draw_cloud_birdseye, draw_cloud_perspective])
def test_an_empty_cloud_is_a_picture_too(draw):
    assert draw(cloud_at()).dtype == np.uint8


def test_near_is_red_far_is_blue_unknown_grey():
    near, far, unknown = color_depth(np.array([3.0, 60.0, np.nan])).astype(int)
    assert near[0] > near[2] + 50
    assert far[2] > far[0] + 50
    assert np.ptp(unknown) < 20
    assert np.ptp(color_depth(np.array([np.inf, 80.0, 200.0])), axis=0).max() == 0


def test_errors_are_white_where_right_blue_too_near_red_too_far():
    right, near, far, sky = color_error(
        np.array([10.0, 7.0, 13.0, 50.0]), np.array([10.0, 10.0, 10.0, np.inf])
    ).astype(int)
    assert right.min() > 230
    assert near[2] > near[0] + 100
    assert far[0] > far[2] + 100
    assert np.ptp(sky) < 20


def test_panels_hold_image_and_depth_of_each_camera():
    image = np.full((160, 240, 3), (200, 100, 50), np.uint8)
    depth = np.full((80, 120), 5.0)
    picture = draw_depth_panels([image, None], [depth, depth], names=('a', 'b'))
    assert (picture == (200, 100, 50)).all(axis=-1).sum() >= 0.7 * 80 * 120
    assert (picture == color_depth(depth)[0, 0]).all(axis=-1).sum() >= 1.5 * 80 * 120
    with_truth = draw_depth_panels([image], [depth], [depth])
    assert len(with_truth) > len(picture)


def test_a_png_comes_back_as_it_was_drawn(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    path = save_png(tmp_path / 'new' / 'picture.png', picture)
    read = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(read, picture)
    assert [item.name for item in path.parent.iterdir()] == ['picture.png']


def test_a_ply_is_read_by_open3d_as_it_was_written(tmp_path):
    import open3d

    rng = np.random.default_rng(1)
    points = rng.normal(size=(50, 3)).astype(np.float32)
    colors = rng.integers(0, 256, (50, 3), dtype=np.uint8)
    cloud = PointCloud.of(points, colors, np.zeros(50, np.uint8), 3, 'base_link')
    read = open3d.io.read_point_cloud(str(write_ply(tmp_path / 'new' / 'cloud.ply', cloud)))
    np.testing.assert_array_equal(np.asarray(read.points).astype(np.float32), points)
    np.testing.assert_array_equal(np.rint(np.asarray(read.colors) * 255), colors)
    assert len(list((tmp_path / 'new').iterdir())) == 1
