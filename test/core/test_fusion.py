# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Points stand where the depth says, and what is not a surface does not become a point."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfdepth_ros.core.cameras import EquidistantCamera, PinholeCamera
from selfdepth_ros.core.depth import DepthLimit
from selfdepth_ros.core.depth_filters import FlyingPixels, Margin, SkyGrowth
from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.fusion import Fusion, FusionConfig
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3

H, W, F = 48, 80, 70.0
FORWARD = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
PINHOLE = PinholeCamera(W, H, F, F, (W - 1) / 2, (H - 1) / 2)
DISTORTED = PinholeCamera(W, H, F, 72.0, 41.0, 22.0, 'plumb_bob', (-0.1, 0.02, 0.001, -0.001, 0.0))
FISHEYE = EquidistantCamera(W, H, 30.0, 30.0, 40.0, 23.0, (0.02, -0.01, 0.0, 0.0))
EVERYTHING = FusionConfig(
    min_range_m=0.0, max_range_m=1000.0, margin_px=0, flying_slope=0.0, sky_reach_px=0
)
RNG = np.random.default_rng(7)


def turned(yaw_deg: float) -> np.ndarray:
    c, s = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ FORWARD


def rig_of(*cameras, masks=None, yaws=None, height_m: float = 1.5) -> Rig:
    yaws = yaws or [40.0 * i for i in range(len(cameras))]
    masks = masks or [None] * len(cameras)
    poses = [
        SE3.from_rotation_translation(turned(yaw), np.array([0.1 * i, 0.2, height_m]))
        for i, yaw in enumerate(yaws)
    ]
    return Rig(
        tuple(
            RigCamera(f'c{i}', camera, pose, f'c{i}_optical', mask)
            for i, (camera, pose, mask) in enumerate(zip(cameras, poses, masks, strict=True))
        )
    )


def colours(count: int) -> np.ndarray:
    return RNG.integers(0, 256, (count, H, W, 3), dtype=np.uint8)


def fuse(rig: Rig, depths: np.ndarray, config: FusionConfig | None = None, **options):
    depths = np.ascontiguousarray(depths, np.float32)
    return Fusion(rig, config, **options).fuse(depths, colours(len(depths)))


def road(camera=PINHOLE, height_m: float = 1.5) -> np.ndarray:
    """Z-depth of flat ground; the sky is infinitely far."""
    rays, _ = camera.pixel_rays()
    with np.errstate(divide='ignore'):
        return np.where(rays[..., 1] > 1e-6, height_m * rays[..., 2] / rays[..., 1], np.inf)


# -- where points stand --


@pytest.mark.parametrize('camera', [PINHOLE, DISTORTED, FISHEYE])
@pytest.mark.parametrize('kind', ['z_depth', 'ray_distance'])
def test_every_point_falls_back_on_its_own_pixel_at_its_own_depth(camera, kind):
    rig = rig_of(camera, camera)
    depths = RNG.uniform(1, 50, (2, H, W)).astype(np.float32)
    images = colours(2)
    fusion = Fusion(rig, EVERYTHING, kind)
    cloud = fusion.fuse(depths, images)
    for index, item in enumerate(rig.cameras):
        own = cloud.camera == index
        local = item.body_from_camera.inverse().apply(cloud.points[own].astype(np.float64))
        pixels, valid = item.camera.project(local)
        u, v = np.rint(pixels).astype(int).T
        assert valid.mean() > 0.99
        assert np.abs(pixels - np.stack([u, v], -1)).max() < 0.02
        measured = local[:, 2] if kind == 'z_depth' else np.linalg.norm(local, axis=-1)
        np.testing.assert_allclose(measured, depths[index, v, u], rtol=1e-4)
        np.testing.assert_array_equal(cloud.colors[own], images[index, v, u])


def test_the_road_is_flat_and_whole_up_to_the_range():
    depth = road()
    cloud = fuse(rig_of(PINHOLE), depth[None], FusionConfig(margin_px=0))
    np.testing.assert_allclose(cloud.points[:, 2], 0, atol=1e-4)
    distance = depth / PINHOLE.pixel_rays()[0][..., 2]
    assert len(cloud) == (distance < 60).sum()


def test_both_kinds_of_depth_give_one_cloud():
    rays, _ = PINHOLE.pixel_rays()
    z = RNG.uniform(2, 40, (1, H, W))
    by_z = fuse(rig_of(PINHOLE), z, EVERYTHING)
    by_ray = fuse(rig_of(PINHOLE), z / rays[..., 2], EVERYTHING, depth_kind='ray_distance')
    np.testing.assert_allclose(by_z.points, by_ray.points, rtol=1e-4, atol=1e-4)


def test_a_fisheye_beyond_90_degrees_needs_ray_distance():
    wide = EquidistantCamera(W, H, 20.0, 20.0, (W - 1) / 2, (H - 1) / 2, (0.0, 0.0, 0.0, 0.0))
    rays, _ = wide.pixel_rays()
    behind = rays[..., 2] < 0
    assert behind.any()
    depths = np.full((1, H, W), 5.0)
    assert len(fuse(rig_of(wide), depths, EVERYTHING)) < (~behind).sum() + 1
    cloud = fuse(rig_of(wide), depths, EVERYTHING, depth_kind='ray_distance')
    assert (cloud.points[:, 0] < 0).sum() > 0.9 * behind.sum()


# -- what does not become a point --


@given(st.floats(0, 10), st.floats(11, 200))
def test_no_point_is_out_of_range(least, most):
    rig, depths = rig_of(PINHOLE), np.exp(RNG.uniform(-2, 6, (1, H, W)))
    config = replace(EVERYTHING, min_range_m=least, max_range_m=most)
    cloud = fuse(rig, depths, config)
    origin = rig.cameras[0].body_from_camera.translation
    distance = np.linalg.norm(cloud.points - origin, axis=-1)
    assert np.all(distance > least - 1e-3)
    assert np.all(distance < most * (1 + 1e-4))
    expected = depths[0] / PINHOLE.pixel_rays()[0][..., 2]
    assert abs(len(cloud) - ((expected > least) & (expected < most)).sum()) <= 1


@pytest.mark.parametrize('nothing', [np.inf, -np.inf, np.nan, 0.0, -3.0])
def test_no_depth_no_point(nothing):
    depths = np.full((1, H, W), 4.0)
    depths[0, 10:20, 10:30] = nothing
    assert len(fuse(rig_of(PINHOLE), depths, FusionConfig(margin_px=0))) == H * W - 200
    assert len(fuse(rig_of(PINHOLE), depths, FusionConfig(margin_px=2))) == H * W - 14 * 24


def test_the_robots_own_body_is_left_out_with_its_margin():
    mask = np.zeros((H, W), bool)
    mask[40:] = True
    cloud = fuse(rig_of(PINHOLE, masks=[mask]), np.full((1, H, W), 4.0), FusionConfig(margin_px=1))
    assert len(cloud) == 39 * W


def test_heights_are_cut_in_the_body_frame():
    config = FusionConfig(min_height_m=0.2, max_height_m=2.0)
    cloud = fuse(rig_of(PINHOLE), np.full((1, H, W), 9.0), config)
    assert len(cloud) == len(cloud.colors) == len(cloud.camera) > 0
    assert cloud.points[:, 2].min() >= 0.2
    assert cloud.points[:, 2].max() <= 2.0


def test_missing_cameras_are_named_and_their_depths_not_looked_at():
    rig, depths = rig_of(PINHOLE, PINHOLE, PINHOLE), np.full((3, H, W), 5, np.float32)
    fusion, images = Fusion(rig), colours(3)
    cloud = fusion.fuse(depths, images, (True, False, True), stamp_ns=9)
    assert cloud.missing == ('c1',)
    assert cloud.stamp_ns == 9
    assert np.unique(cloud.camera).tolist() == [0, 2]
    nobody = fusion.fuse(depths, images, (False,) * 3)
    assert len(nobody) == 0
    assert nobody.missing == ('c0', 'c1', 'c2')


def test_a_cloud_is_not_changed_by_the_next():
    fusion, images = Fusion(rig_of(PINHOLE)), colours(1)
    first = fusion.fuse(np.full((1, H, W), 5, np.float32), images)
    points = first.points.copy()
    fusion.fuse(np.full((1, H, W), 7, np.float32), images)
    np.testing.assert_array_equal(first.points, points)


def test_cameras_of_several_sizes_are_refused():
    with pytest.raises(CalibrationError, match=r'rig\.scaled'):
        Fusion(rig_of(PINHOLE, PINHOLE.scaled(40, 24)))


# -- flying pixels --


def blurred(row: np.ndarray, sigma: float) -> np.ndarray:
    """A row of inverse depth as a network draws it, and the whole map of such rows."""
    reach = np.arange(-8, 9)
    kernel = np.exp(-0.5 * (reach / sigma) ** 2)
    smooth = np.convolve(np.pad(row, 8, mode='edge'), kernel / kernel.sum(), mode='valid')
    return np.tile(smooth, (H, 1)).astype(np.float32)


def kept(inverse_depth: np.ndarray) -> np.ndarray:
    """What stays, with the default settings."""
    config = FusionConfig()
    keep = np.ones(inverse_depth.shape, bool)
    flying = FlyingPixels(*inverse_depth.shape, config.flying_slope, config.flying_bend)
    flying.remove(keep, np.ascontiguousarray(inverse_depth, np.float32))
    return keep


@given(
    st.floats(0.02, 1.0),
    st.floats(-1, 1),
    st.floats(-1, 1),
)
def test_planes_are_kept_whole_however_grazing(inverse_depth, across, down):
    """Down to a twentieth of the inverse depth at the other edge: a road from 3 m to 60 m."""
    u, v = np.meshgrid(np.linspace(-1, 1, W), np.linspace(-1, 1, H))
    tilt = np.array([across, down]) * 0.95 / max(abs(across) + abs(down), 1)
    assert kept(inverse_depth * (1 + tilt[0] * u + tilt[1] * v)).all()


@pytest.mark.parametrize('sigma', [0.6, 0.8, 1.2, 1.6])
@pytest.mark.parametrize(('near_m', 'far_m'), [(5.0, 20.0), (8.0, 50.0), (2.0, 10.0)])
def test_points_between_two_surfaces_are_dropped(sigma, near_m, far_m):
    row = np.where(np.arange(W) < W // 2, 1 / near_m, 1 / far_m)
    for inverse_depth in (blurred(row, sigma), blurred(row[::-1], sigma)):
        keep, depth = kept(inverse_depth), 1 / inverse_depth
        between = (depth > 1.3 * near_m) & (depth < 0.7 * far_m)
        assert between.any()
        assert not keep[between].any()
        assert keep[np.abs(depth / near_m - 1) < 0.02].all()
        assert keep.mean() > 0.9


def test_clean_edges_and_thin_poles_lose_nothing():
    inverse_depth = np.full((H, W), 1 / 30)
    inverse_depth[:, 20:40] = 1 / 5
    inverse_depth[10:, 60] = 1 / 8
    inverse_depth[:, 70:72] = 1 / 12
    assert kept(inverse_depth).all()


def test_the_image_does_not_wrap_around():
    keep = kept(np.tile(np.linspace(1, 0.05, W), (H, 1)) + np.linspace(0, 1, H)[:, None])
    assert keep.all()


def test_a_wall_that_goes_on_beyond_the_range_is_no_sky():
    """Its far half is left out, since the user wants 10 m; nothing grows from there."""
    depth = np.tile(np.linspace(4, 16, W, dtype=np.float32), (1, H, 1))
    config = FusionConfig(max_range_m=10.0, margin_px=0, flying_slope=0.0)
    rig, limit, plain = rig_of(PINHOLE), DepthLimit(100.0), np.full((1, H, W, 3), 90, np.uint8)
    fusions = [
        Fusion(rig, replace(config, sky_reach_px=reach), depth_limit=limit) for reach in (0, 48)
    ]
    clouds = [fusion.fuse(depth, plain) for fusion in fusions]
    assert 0 < len(clouds[0]) == len(clouds[1]) < H * W


def test_the_sky_is_nearer_for_a_shorter_focal_length():
    """What a network says grows with the focal length, so does the most that it can say."""
    wide = PinholeCamera(W, H, F / 2, F / 2, (W - 1) / 2, (H - 1) / 2)
    depths = np.full((2, H, W), 42.0)
    options = {'config': EVERYTHING, 'depth_limit': DepthLimit(84.0, F)}
    assert set(fuse(rig_of(PINHOLE, wide), depths, **options).camera) == {0}
    assert set(fuse(rig_of(PINHOLE, wide), depths * 2, **options).camera) == set()
    for_all = {'config': EVERYTHING, 'depth_limit': DepthLimit(84.0)}
    assert set(fuse(rig_of(PINHOLE, wide), depths, **for_all).camera) == {0, 1}


def test_sky_that_a_network_blurs_into_roofs_and_poles_stays_out():
    """At most 1 % of the sky may become points, although its edges reach into the range."""
    true_sky = np.ones((H, W), bool)
    true_sky[30:] = False
    true_sky[20:, 40:70] = False
    true_sky[5:, 10:14] = False
    inverse_depth = np.where(true_sky, 1 / 100, 1 / 25)
    inverse_depth = (
        inverse_depth + np.roll(inverse_depth, 1, 1) + np.roll(inverse_depth, 1, 0)
    ) / 3
    rig = rig_of(PINHOLE)
    fusion = Fusion(rig, FusionConfig(sky_reach_px=0))
    keep = fusion.keep(0, (1 / inverse_depth[None]).astype(np.float32), colours(1))
    assert (keep & true_sky).sum() <= 0.01 * true_sky.sum()
    assert keep.sum() > 0.7 * (~true_sky).sum()


@given(st.integers(0, 4), st.integers(0, H - 1), st.integers(0, W - 1))
def test_the_margin_is_a_square_that_stops_at_the_border(pixels, row, column):
    keep = np.ones((H, W), bool)
    keep[row, column] = False
    Margin(H, W, pixels).erode(keep)
    v, u = np.mgrid[:H, :W]
    near = (np.abs(v - row) <= pixels) & (np.abs(u - column) <= pixels)
    np.testing.assert_array_equal(keep, ~near)


# -- agreement of neighbours --


def test_a_point_that_the_neighbour_sees_through_is_dropped_on_request():
    rig = rig_of(PINHOLE, PINHOLE, yaws=[0.0, 0.0])
    depths = np.full((2, H, W), 20.0)
    depths[0, 20:28, 36:44] = 6.0  # the second camera sees the wall behind
    config = FusionConfig(flying_slope=0.0, margin_px=0, overlap_check=True)
    cloud = fuse(rig, depths, config)
    assert not np.any(cloud.points[cloud.camera == 0, 0] < 10)
    assert len(cloud) == 2 * H * W - 64
    agreed = depths.copy()
    agreed[1] = agreed[0]
    both = fuse(rig, agreed, config)
    assert (both.points[:, 0] < 10).sum() > 90


class TestSkyGrowth:
    """A dark roof before a plain sky; the network lets the roof's depth run out by ten pixels."""

    def setup_method(self):
        self.image = np.full((H, W, 3), 200, np.uint8)
        self.image[:, 40:] = (200, 204, 208)
        self.image[20:, 10:50] = 60  # the roof, and the ground below the horizon
        self.image[40:] = 200  # a road of the sky's very colour
        self.far = np.ones((H, W), bool)
        self.far[10:, :60] = False  # what the network calls near: the roof and ten pixels around
        self.far[40:] = False
        self.above = np.zeros((H, W), bool)
        self.above[:40] = True

    def kept(self, reach: int) -> np.ndarray:
        keep = ~self.far
        SkyGrowth(self.above, reach, step=10).remove(keep, self.far, self.image)
        return keep

    def test_the_sky_reaches_the_outline_and_stops_there(self):
        keep = self.kept(100)
        assert not keep[:20].any() and not keep[20:40, 52:].any()
        assert keep[20:40, 10:50].all()

    def test_below_the_horizon_nothing_is_taken(self):
        assert self.kept(100)[40:].all()

    def test_the_reach_is_kept(self):
        keep = self.kept(4)
        assert not keep[11:14, :60].any() and keep[15:20, :50].all()
        np.testing.assert_array_equal(self.kept(0), ~self.far)

    def test_fusion_takes_it_out_of_the_cloud(self):
        depth = np.where(self.far, 90.0, 20.0).astype(np.float32)[None]
        config, rig = FusionConfig(margin_px=0, flying_slope=0.0), rig_of(PINHOLE)
        fusions = [
            Fusion(rig, replace(config, sky_reach_px=reach), depth_limit=DepthLimit(92.0))
            for reach in (0, 100)
        ]
        with_sky, without = (len(fusion.fuse(depth, self.image[None])) for fusion in fusions)
        # Of the halo above the horizon (row 24 of this camera) only the roof remains.
        assert with_sky - without >= 10 * 60 + 4 * 20
