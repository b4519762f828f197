# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Every lens: rays and pixels undo each other, agree with OpenCV, and have gradients."""

import math
from functools import partial

import cv2
import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from selfdepth_ros.core.cameras import Camera, EquidistantCamera, PinholeCamera, pixel_grid
from selfdepth_ros.core.errors import CalibrationError

# The kinds of lens seen on robots; fisheye wider than half a turn included.
PLUMB_BOB = PinholeCamera(
    640, 400, 420.0, 425.0, 322.0, 195.0, 'plumb_bob', (-0.3, 0.11, 1e-3, -2e-3, -0.02)
)
RATIONAL = PinholeCamera(
    640, 400, 320.0, 318.0, 318.0, 203.0, 'rational_polynomial',
    (0.4, 0.05, 5e-4, -3e-4, 0.002, 0.75, 0.15, 0.01),
)  # fmt: skip
FISHEYE = EquidistantCamera(640, 480, 190.0, 191.0, 319.0, 242.0, (0.02, -0.01, 3e-3, -4e-4))
LENSES = {
    'none': PinholeCamera(640, 400, 300.0, 305.0, 311.5, 207.25),
    'plumb_bob': PLUMB_BOB,
    'rational_polynomial': RATIONAL,
    'equidistant': FISHEYE,
}
lenses = pytest.mark.parametrize('camera', LENSES.values(), ids=LENSES)


@st.composite
def cameras(draw):
    """Draw a random lens, to be called for the camera itself."""
    width, height = draw(st.integers(32, 2000)), draw(st.integers(32, 1500))
    matrix = {
        'fx': draw(st.floats(0.3, 2.0)) * width,
        'fy': draw(st.floats(0.3, 2.0)) * width,
        'cx': draw(st.floats(0.3, 0.7)) * width,
        'cy': draw(st.floats(0.3, 0.7)) * height,
    }
    model = draw(st.sampled_from(list(LENSES)))
    if model == 'equidistant':
        k = tuple(draw(st.floats(-0.1, 0.1)) / 2**power for power in range(4))
        return partial(EquidistantCamera, width, height, **matrix, distortion=k)
    radial, tangential = st.floats(-0.5, 0.5), st.floats(-5e-3, 5e-3)
    parts = [radial, radial, tangential, tangential, radial, radial, radial, radial]
    count = {'none': 0, 'plumb_bob': 5, 'rational_polynomial': 8}[model]
    k = tuple(draw(part) for part in parts[:count])
    return partial(PinholeCamera, width, height, **matrix, distortion_model=model, distortion=k)


def some_pixels(camera):
    step = max(1, camera.width // 16)
    return pixel_grid(camera.width, camera.height)[::step, ::step]


@given(cameras(), st.floats(0.1, 100.0))
def test_projecting_a_ray_gives_its_pixel(lens, distance_m):
    camera = lens()
    pixels = some_pixels(camera)
    rays, valid = camera.rays(pixels)
    np.testing.assert_allclose(np.linalg.norm(rays, axis=-1), 1.0, atol=1e-12)
    assert np.isfinite(rays).all()
    found, seen = camera.project(distance_m * rays)
    assert seen[valid].all()
    np.testing.assert_allclose(found[valid], pixels[valid], atol=0.02)


# A fisheye that looks 130 degrees aside: Newton's steps from the rim once led nowhere.
@example(
    partial(
        EquidistantCamera, 32, 212, fx=32.0, fy=32.0, cx=16.0, cy=106.0,
        distortion=(0.0, 0.03125, 0.0078125, -0.001953125),
    ), 1
)  # fmt: skip
@given(cameras(), st.integers(0, 2**32 - 1))
def test_the_ray_of_a_projection_points_at_the_point(lens, seed):
    camera = lens()
    points = np.random.default_rng(seed).uniform(-10, 10, size=(200, 3))
    pixels, seen = camera.project(points)
    assert np.isfinite(pixels).all()
    rays, valid = camera.rays(pixels)
    both = seen & valid
    cosine = np.sum(rays * points, axis=-1) / np.linalg.norm(points, axis=-1)
    assert (cosine[both] > 1 - 1e-6).all()
    # Only the rim of the lens may be seen by one and not the other.
    assert both.sum() >= 0.9 * seen.sum() - 1


@lenses
def test_real_lenses_have_a_ray_for_every_pixel_to_a_millipixel(camera):
    pixels = pixel_grid(camera.width, camera.height)
    rays, valid = camera.rays(pixels)
    if not isinstance(camera, EquidistantCamera):  # whose corners may lie outside the lens
        assert valid.all()
    found, _ = camera.project(rays)
    np.testing.assert_allclose(found[valid], pixels[valid], atol=1e-3)


@given(cameras(), st.integers(0, 2**32 - 1))
def test_projection_is_opencv_s(lens, seed):
    camera = lens()
    points = np.random.default_rng(seed).uniform([-5, -5, 0.5], [5, 5, 10], size=(100, 3))
    pixels, seen = camera.project(points)
    matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
    k, zero = np.array(camera.distortion), np.zeros(3)
    if isinstance(camera, EquidistantCamera):
        expected, _ = cv2.fisheye.projectPoints(points[:, None], zero, zero, matrix, k)
    else:
        expected, _ = cv2.projectPoints(points, zero, zero, matrix, k if k.size else None)
    np.testing.assert_allclose(pixels[seen], expected[:, 0][seen], rtol=1e-9, atol=1e-6)


@lenses
def test_torch_says_what_numpy_says(camera):
    points = np.random.default_rng(0).uniform(-4, 4, size=(50, 20, 3))
    pixels, seen = camera.project(points)
    tensor_pixels, tensor_seen = camera.project(torch.as_tensor(points))
    np.testing.assert_allclose(tensor_pixels.numpy(), pixels, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(tensor_seen.numpy(), seen)
    rays, valid = camera.rays(some_pixels(camera))
    tensor_rays, tensor_valid = camera.rays(torch.as_tensor(some_pixels(camera)))
    np.testing.assert_allclose(tensor_rays.numpy(), rays, atol=1e-9)
    np.testing.assert_array_equal(tensor_valid.numpy(), valid)


@lenses
@pytest.mark.parametrize('convert', [np.asarray, torch.as_tensor], ids=['numpy', 'torch'])
def test_float32_stays_float32_and_agrees_with_float64(camera, convert):
    rays, valid = camera.pixel_rays()
    assert rays.dtype == np.float32
    exact, _ = camera.rays(pixel_grid(camera.width, camera.height))
    np.testing.assert_allclose(rays, exact, atol=1e-6)
    points = convert(7 * rays)
    pixels, seen = camera.project(points)
    assert pixels.dtype == points.dtype
    assert camera.rays(pixels)[0].dtype == points.dtype
    error = np.abs(np.asarray(pixels) - pixel_grid(camera.width, camera.height))
    assert error[valid].max() < 2e-3
    like, like_valid = camera.pixel_rays(like=points)
    assert type(like) is type(points) is type(like_valid)


@lenses
def test_gradients_are_right(camera):
    rng = np.random.default_rng(1)
    points = torch.as_tensor(rng.uniform([-1, -0.5, 1], [1, 0.5, 3], size=(5, 3)))
    points[0, :2] = 0.0  # on the axis
    pixels, seen = camera.project(points)
    assert seen.all()
    project = lambda value: camera.project(value)[0]  # noqa: E731
    assert torch.autograd.gradcheck(project, points.requires_grad_())
    rays = lambda value: camera.rays(value)[0]  # noqa: E731
    assert torch.autograd.gradcheck(rays, pixels[1:].detach().requires_grad_())


@lenses
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_no_point_and_no_pixel_makes_a_gradient_nan(camera, dtype):
    points = torch.tensor(
        [[0, 0, 0], [0, 0, -1], [0, 0, 1e-12], [1e3, 0, 1e-9], [1e6, 1e6, 1], [3, 0, -0.2],
         [1, 1, 0], [0, 0, 5], [0, 0, 1e10]], dtype=dtype, requires_grad=True,
    )  # fmt: skip
    pixels, _ = camera.project(points)
    assert torch.isfinite(pixels).all()
    pixels.sum().backward()
    assert torch.isfinite(points.grad).all()
    corners = [[camera.cx, camera.cy], [0, 0], [-1e4, 1e4], [1e6, 0], [0, 400]]
    places = torch.tensor(corners, dtype=dtype, requires_grad=True)
    rays, _ = camera.rays(places)
    assert torch.isfinite(rays).all()
    rays.sum().backward()
    assert torch.isfinite(places.grad).all()


@lenses
def test_what_has_no_place_is_not_seen(camera):
    points = np.array([[0, 0, -1.0], [0, 0, 0], [0, 0, np.inf], [np.nan] * 3, [np.inf, 0, np.inf]])
    assert not camera.project(points)[1].any()


@lenses
def test_the_image_ends_half_a_pixel_beyond_its_outer_centres(camera):
    def seen(u, v):
        rays, valid = camera.rays(np.array([u, v]))
        return bool(camera.project(rays)[1]) and bool(valid)

    middle = (camera.width / 2, camera.height / 2)
    assert seen(*middle)
    assert seen(0.0, middle[1])
    assert seen(-0.49, middle[1])
    assert not seen(-0.51, middle[1])
    assert not seen(camera.width - 0.49, middle[1])
    assert not seen(middle[0], camera.height - 0.49)


@given(cameras(), st.integers(8, 3000), st.integers(8, 3000))
def test_resizing_moves_edges_to_edges(lens, width, height):
    """Law of the half pixel: (u + 0.5) scales, u does not."""
    camera = lens()
    small = camera.scaled(width, height)
    assert (small.width, small.height) == (width, height)
    points = np.random.default_rng(0).uniform([-3, -3, 1], [3, 3, 9], size=(50, 3))
    pixels, seen = camera.project(points)
    scale = np.array([width / camera.width, height / camera.height])
    found, _ = small.project(points)
    np.testing.assert_allclose(found[seen], ((pixels + 0.5) * scale - 0.5)[seen], atol=1e-6)
    again = small.scaled(camera.width, camera.height)
    assert again.cx == pytest.approx(camera.cx)
    assert again.fy == pytest.approx(camera.fy)


@given(cameras(), st.integers(-5, 20), st.integers(-5, 20))
def test_cropping_moves_pixels(lens, x, y):
    camera = lens()
    part = camera.cropped(x, y, 20, 10)
    points = np.random.default_rng(0).uniform([-3, -3, 1], [3, 3, 9], size=(50, 3))
    pixels, seen = camera.project(points)
    found, found_seen = part.project(points)
    np.testing.assert_allclose(found[seen], pixels[seen] - [x, y], atol=1e-6)
    assert (part.width, part.height) == (20, 10)
    inside = (found >= -0.5).all(-1) & (found < [19.5, 9.5]).all(-1)
    np.testing.assert_array_equal(found_seen[seen], inside[seen])


def test_a_distortion_that_folds_back_is_used_up_to_the_fold():
    """r (1 - 0.3 r^2) grows up to r = 1 / sqrt(0.9), then returns: beyond, nothing is seen."""
    camera = PinholeCamera(
        4000, 4000, 1000.0, 1000.0, 1999.5, 1999.5, 'plumb_bob', (-0.3, 0.0, 0.0, 0.0)
    )
    fold = 1 / math.sqrt(0.9)
    for radius, expected in [(0.0, True), (fold - 0.02, True), (fold + 0.02, False), (1.6, False)]:
        assert bool(camera.project(np.array([radius, 0.0, 1.0]))[1]) is expected
    top = 1000 * fold * (1 - 0.3 * fold**2)
    assert bool(camera.rays(np.array([1999.5 + top - 2, 1999.5]))[1])
    assert not bool(camera.rays(np.array([1999.5 + top + 2, 1999.5]))[1])


def test_a_fisheye_sees_behind_its_own_plane():
    camera = EquidistantCamera(1000, 1000, 250.0, 250.0, 499.5, 499.5)
    angle = math.radians(100)
    pixel, seen = camera.project(np.array([math.sin(angle), 0.0, math.cos(angle)]))
    assert seen
    np.testing.assert_allclose(pixel, [499.5 + 250 * angle, 499.5])


@lenses
def test_every_lens_is_a_camera_and_a_value(camera):
    assert isinstance(camera, Camera)
    assert camera.focal == camera.fx
    assert camera == camera.scaled(camera.width, camera.height)
    assert hash(camera) == hash(camera.scaled(camera.width, camera.height))


@pytest.mark.parametrize('lens', [PinholeCamera, EquidistantCamera])
@pytest.mark.parametrize(
    ('field', 'value'),
    [('width', 0), ('height', -3), ('fx', 0.0), ('fy', -1.0), ('fx', math.nan),
     ('cx', math.inf), ('distortion', (math.nan, 0.0, 0.0, 0.0)),
     ('distortion', (1.0,))],
)  # fmt: skip
def test_numbers_that_are_no_camera_are_refused_by_name(lens, field, value):
    good = {'width': 64, 'height': 48, 'fx': 50.0, 'fy': 50.0, 'cx': 32.0, 'cy': 24.0}
    if lens is PinholeCamera:
        good['distortion_model'] = 'plumb_bob'
    with pytest.raises(CalibrationError, match=field):
        lens(**(good | {field: value}))


def test_an_unknown_distortion_model_is_refused():
    with pytest.raises(CalibrationError, match='EquidistantCamera'):
        PinholeCamera(64, 48, 50.0, 50.0, 32.0, 24.0, 'equidistant', (0.0,) * 4)


def test_coefficients_are_padded_and_trailing_zeros_cut():
    common = (64, 48, 50.0, 50.0, 32.0, 24.0)
    assert PinholeCamera(*common, 'plumb_bob', (0.1, 0.0, 0.0, 0.0)).distortion == (
        0.1,
        0,
        0,
        0,
        0,
    )
    twelve = (0.1, 0.0, 0.0, 0.0, 0.0, 0.2) + (0.0,) * 6
    assert len(PinholeCamera(*common, 'rational_polynomial', twelve).distortion) == 8
    with pytest.raises(CalibrationError, match='9 coefficients'):
        PinholeCamera(*common, 'rational_polynomial', (0.1,) * 9)
