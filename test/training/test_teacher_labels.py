# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Another network as the teacher: a real ONNX model whose depth is known."""

from pathlib import Path

import pytest
import torch
from small_model import write_model

from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.inference import EngineError
from selfdepth_training.checkpoint import load_checkpoint
from selfdepth_training.config import load_recipe
from selfdepth_training.data.samples import SampleSource, SureDepth
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.labels import LABELS
from selfdepth_training.train import train

CPU = torch.device('cpu')
SMALL = (
    'data.width=96', 'data.height=64', 'network.encoder=[16, 16, 16, 32, 32]',
    'network.decoder=[16, 16, 16, 16]', 'data.frames=4', 'precision=32-true', 'steps=2',
)  # fmt: skip


def teacher(folder: Path, size: tuple[int, int], kind: str, confidence=False, gain=1.0) -> Path:
    """Metres = focal * (1 + mean of RGB / 255) / 10, and the mean as confidence."""
    width, height = size
    manifest = Manifest(
        name='teacher', width=width, height=height, depth_kind=kind, min_depth_m=1.0,
        max_depth_m=100.0, cameras=('any',), has_confidence=confidence,
    )  # fmt: skip
    return write_model(folder, manifest, beside=False, confidence=confidence, gain=gain)


def labels_of(street, model: Path, frame: int, kind: str = 'z_depth') -> SureDepth:
    settings = 'data.width=160', 'data.height=96', 'data.labels=onnx', f'data.label_model={model}'
    config = load_recipe('supervised', settings)
    geometry = RigGeometry.of(street.rig, 80, 48, kind, CPU)
    labels = LABELS['onnx'](SampleSource([street.cache], config.data), [geometry], config)
    return labels.of(0, frame, CPU)


@pytest.mark.parametrize('kind', ['z_depth', 'ray_distance'])
@pytest.mark.parametrize('said', ['z_depth', 'ray_distance'])
def test_labels_are_what_the_teacher_says_of_the_kind_that_is_learned(
    street, tmp_path, said, kind
):
    depth, sure = labels_of(street, teacher(tmp_path, (160, 96), said), 8, kind)
    images = torch.from_numpy(street.cache.images[8]).float().mean(-1) / 255
    focal = torch.tensor([entry.camera.focal for entry in street.rig.cameras])
    full = focal[:, None, None].float() * (1 + images) / 10
    one_of_four = torch.stack([full[:, y::2, x::2] for y in (0, 1) for x in (0, 1)])
    tables = {k: RigGeometry.of(street.rig, 80, 48, k, CPU) for k in ('z_depth', 'ray_distance')}
    length = tables['z_depth'].rays.norm(dim=-1)
    factor = {('z_depth', 'ray_distance'): length, ('ray_distance', 'z_depth'): 1 / length}
    expected = one_of_four * factor.get((said, kind), 1.0)
    assert torch.equal(sure, tables[kind].visible)
    assert (expected / depth - 1).abs().amin(0)[sure].max() < 1e-3


def test_a_teacher_of_another_size_is_shown_images_of_its_size(street, tmp_path):
    """With their focal length: half as large, half the metres of this model."""
    model = teacher(tmp_path, (80, 48), 'z_depth')
    small = labels_of(street, model, 8).depth
    large = labels_of(street, teacher(tmp_path, (160, 96), 'z_depth'), 8).depth
    assert small.shape == large.shape
    assert (small / large).median().item() == pytest.approx(0.5, rel=0.02)


def test_what_the_teacher_doubts_is_not_passed_on(street, tmp_path):
    found = labels_of(street, teacher(tmp_path, (160, 96), 'z_depth', confidence=True), 8)
    focal = torch.tensor([entry.camera.focal for entry in street.rig.cameras])[:, None, None]
    bright = 10 * found.depth / focal - 1
    visible = RigGeometry.of(street.rig, 80, 48, 'z_depth', CPU).visible
    assert (bright[found.sure] >= 0.5 - 1e-4).all() and found.sure.any()
    assert (bright[visible & ~found.sure] < 0.5 + 1e-4).all()


@pytest.mark.parametrize('gain', [float('nan'), float('inf'), -1.0, 0.0])
def test_what_is_no_depth_is_not_passed_on(street, tmp_path, gain):
    found = labels_of(street, teacher(tmp_path, (160, 96), 'z_depth', gain=gain), 8)
    assert not found.sure.any()
    assert found.depth.isfinite().all()


def test_a_network_learns_from_a_teacher(street, tmp_path):
    model = teacher(tmp_path, (96, 64), 'z_depth')
    config = load_recipe('supervised', [*SMALL, 'data.labels=onnx', f'data.label_model={model}'])
    train([street.bag], tmp_path / 'run', config, cache_root=tmp_path)
    state = load_checkpoint(tmp_path / 'run')
    assert (state['step'], state['scale']) == (2, 'metric')


def test_no_teacher_is_one_clear_error(street, tmp_path):
    with pytest.raises(ConfigError, match=r'data\.label_model: found .*expected a model'):
        load_recipe('supervised', ['data.labels=onnx'])
    with pytest.raises(ConfigError, match=r'data\.label_model'):
        load_recipe('supervised', ['data.label_model=x'])
    with pytest.raises(EngineError, match='no model at'):
        labels_of(street, tmp_path / 'nothing.onnx', 8)
