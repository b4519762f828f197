# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth images without distortion say the same places."""

import numpy as np
import pytest

from selfdepth_ros.core.cameras import EquidistantCamera, PinholeCamera
from selfdepth_ros.core.rectified import RectifiedDepth

W, H = 160, 96
BARREL = PinholeCamera(W, H, 90.0, 92.0, 81.0, 46.0, 'plumb_bob', (-0.25, 0.05, 0.002, 0.001, 0.0))
CUSHION = PinholeCamera(W, H, 90.0, 92.0, 81.0, 46.0, 'plumb_bob', (0.2, 0.02, 0.0, 0.0, 0.0))
NORMAL = np.array([0.2, 0.3, 1.0])


def z_of_the_plane(camera) -> np.ndarray:
    """A slanted wall eight metres ahead."""
    rays, _ = camera.pixel_rays()
    return (8 / (rays / rays[..., 2:] @ NORMAL)).astype(np.float32)


@pytest.mark.parametrize('camera', [BARREL, CUSHION])
def test_a_wall_is_where_a_pinhole_sees_it(camera):
    rectified = RectifiedDepth(camera)
    found = rectified(z_of_the_plane(camera))
    assert found.dtype == np.float32 and found.shape == (H, W)
    assert not any(rectified.camera.distortion)
    expected = z_of_the_plane(rectified.camera)
    seen = np.isfinite(found)
    np.testing.assert_allclose(found[seen], expected[seen], rtol=1e-2)  # half a pixel
    off = np.abs(z_of_the_plane(camera) / expected - 1).max()
    assert off > 0.03  # and without, the corners were wrong by that
    _, within = camera.project(rectified.camera.pixel_rays()[0])
    np.testing.assert_array_equal(seen, within)


def test_what_the_camera_does_not_see_has_no_depth():
    """A cushion's corners are outside of the image that the pinhole would have."""
    found = RectifiedDepth(CUSHION)(z_of_the_plane(CUSHION))
    assert np.isnan(found[0, 0]) and np.isfinite(found[H // 2]).mean() > 0.8
    assert np.isfinite(RectifiedDepth(BARREL)(z_of_the_plane(BARREL))).all()


@pytest.mark.parametrize(
    'camera',
    [
        PinholeCamera(W, H, 90.0, 92.0, 81.0, 46.0),
        EquidistantCamera(W, H, 60.0, 60.0, 80.0, 48.0, (0.02, -0.01, 0.0, 0.0)),
    ],
)
def test_depths_without_distortion_and_of_fisheyes_stay_as_they_are(camera):
    rectified = RectifiedDepth(camera)
    depth = z_of_the_plane(camera)
    assert rectified.camera is camera
    assert rectified(depth) is depth
