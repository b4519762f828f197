# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images to cloud with an engine whose depths lie on a device, as with its twin on the host."""

import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from other_device import OTHER

from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.fusion import FusionConfig
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.inference import DepthPrediction, DeviceEngine, load_engine
from selfdepth_ros.pipeline import SurroundDepth, SurroundResult

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA GPU')
DEVICES = pytest.mark.parametrize(
    'memory', ['cpu', OTHER.type, pytest.param('cuda', marks=NO_GPU)]
)
HEIGHT, WIDTH = 24, 32


class TorchLuminance:
    """The model of `small_model` in torch, its operations in the same order."""

    device = 'torch'

    def __init__(self, manifest: Manifest, memory: str) -> None:
        self.manifest, self.memory = manifest, memory

    def on_stream(self):
        return nullcontext()

    def infer(self, images, focal):
        raise AssertionError('the images were to stay on the device')

    def infer_on_device(self, images, focal):
        assert images.device.type == focal.device.type == self.memory
        assert images.dtype == torch.uint8
        bright = images.float().mean(dim=3) * np.float32(1 / 255)
        depth = (bright + 1) * focal[:, None, None] * np.float32(0.1)
        return DepthPrediction(depth, bright if self.manifest.has_confidence else None)


@pytest.fixture
def on_host_and_device(write_model, rig):
    """The same model twice."""

    def make(memory: str, config=None, cameras: Rig = rig, **options):
        engine = load_engine(write_model(**options), threads=1)
        twin = TorchLuminance(engine.manifest, memory)
        assert isinstance(twin, DeviceEngine) and not isinstance(engine, DeviceEngine)
        return SurroundDepth(engine, cameras, config), SurroundDepth(twin, cameras, config)

    return make


def frame_of(rng: np.random.Generator, *scales: int | None) -> SurroundFrame:
    """Random images of some multiple of the network's size."""
    images = tuple(
        None if n is None else rng.integers(0, 256, (n * HEIGHT, n * WIDTH, 3), dtype=np.uint8)
        for n in scales
    )
    return SurroundFrame(5, images, tuple(None if n is None else 5 for n in scales))


def assert_alike(found: SurroundResult, expected: SurroundResult) -> None:
    """Pixels are the same; depths are one operation's rounding apart at most."""
    np.testing.assert_allclose(found.depths, expected.depths, 1e-6)
    np.testing.assert_array_equal(found.cloud.pixels_given(), expected.cloud.pixels_given())
    np.testing.assert_array_equal(found.cloud.camera, expected.cloud.camera)
    np.testing.assert_array_equal(found.cloud.colors, expected.cloud.colors)
    np.testing.assert_allclose(found.cloud.points, expected.cloud.points, 1e-5, 1e-5)
    assert found.cloud.missing == expected.cloud.missing
    assert (found.size, found.present) == (expected.size, expected.present)


@DEVICES
@pytest.mark.parametrize('scales', [(2, 2), (None, 2), (2, None)])
def test_the_cloud_and_the_depths_are_the_hosts(on_host_and_device, memory, scales):
    host, device = on_host_and_device(memory, FusionConfig(flying_slope=0.0))
    frame = frame_of(np.random.default_rng(0), *scales)
    expected, found = host(frame), device(frame)
    assert len(expected.cloud) > 400
    assert_alike(found, expected)
    np.testing.assert_array_equal(device.last_images(), host.last_images())
    assert device.fusion_description.startswith('torch')


@DEVICES
@pytest.mark.parametrize('scale', [1, 4])
def test_images_of_the_networks_size_or_much_larger(on_host_and_device, rig, memory, scale):
    cameras = rig.scaled(scale * WIDTH, scale * HEIGHT)
    host, device = on_host_and_device(memory, FusionConfig(flying_slope=0.0), cameras)
    frame = frame_of(np.random.default_rng(1), scale, scale)
    assert_alike(device(frame), host(frame))


@DEVICES
def test_images_smaller_than_the_networks(on_host_and_device, rig, memory):
    cameras = rig.scaled(WIDTH // 2, HEIGHT // 2)
    host, device = on_host_and_device(memory, FusionConfig(flying_slope=0.0), cameras)
    rng = np.random.default_rng(2)
    images = tuple(rng.integers(0, 256, (HEIGHT // 2, WIDTH // 2, 3), np.uint8) for _ in 'ab')
    frame = SurroundFrame(5, images, (5, 5))
    assert_alike(device(frame), host(frame))


@DEVICES
def test_a_camera_that_is_not_trusted_loses_its_uncertain_points(on_host_and_device, memory):
    config = FusionConfig(min_confidence=0.4, flying_slope=0.0)
    known = {'confidence': True, 'manifest': {'has_confidence': True}}
    host, device = on_host_and_device(memory, config, **known)
    frame = frame_of(np.random.default_rng(3), 2, 2)
    trust = np.array([1, 0.8], np.float32)
    expected, found = host(frame, trust=trust), device(frame, trust=trust)
    np.testing.assert_allclose(found.confidence, expected.confidence, 1e-6)
    counts = np.bincount(found.cloud.camera, minlength=2)
    assert 0 < counts[1] < counts[0] < HEIGHT * WIDTH


@DEVICES
def test_depths_stay_where_they_are_until_they_are_asked_for(on_host_and_device, memory):
    _, device = on_host_and_device(memory)
    result = device(frame_of(np.random.default_rng(4), 2, None))
    assert result.maps.depth.device.type == memory
    assert 'depths' not in vars(result)
    before = result.depths.copy()
    assert np.isnan(before[1]).all() and np.isfinite(before[0]).all()
    device(frame_of(np.random.default_rng(5), 2, 2))
    np.testing.assert_array_equal(result.depths, before)


@DEVICES
def test_other_filters_count_from_the_next_set_on(on_host_and_device, memory):
    host, device = on_host_and_device(memory, FusionConfig(flying_slope=0.0))
    frame = frame_of(np.random.default_rng(6), 2, 2)
    more = len(device(frame).cloud)
    nearer = FusionConfig(flying_slope=0.0, max_range_m=4.8)
    for surround in (host, device):
        surround.use_filters(nearer)
    expected, found = host(frame), device(frame)
    assert 0 < len(found.cloud) < more and found.filters == nearer
    assert_alike(found, expected)


def test_the_host_needs_no_torch(write_model, tmp_path, rig):
    """With it in the way of every import: a robot without torch runs the cloud."""
    from selfdepth_ros.core.rig import save_rig

    save_rig(rig, tmp_path / 'rig.yaml')
    code = (
        'import sys; sys.modules["torch"] = None\n'
        'import numpy as np\n'
        'from selfdepth_ros.core.frames import SurroundFrame\n'
        'from selfdepth_ros.core.rig import load_rig\n'
        'from selfdepth_ros.inference import load_engine\n'
        'from selfdepth_ros.pipeline import SurroundDepth\n'
        f'rig = load_rig({str(tmp_path / "rig.yaml")!r})\n'
        f'surround = SurroundDepth(load_engine({str(write_model())!r}), rig)\n'
        f'image = np.zeros(({2 * HEIGHT}, {2 * WIDTH}, 3), np.uint8)\n'
        'print(len(surround(SurroundFrame(5, (image, image), (5, 5))).cloud))'
    )
    ran = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout.strip()) == (0, str(2 * HEIGHT * WIDTH)), ran.stderr
