# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The check of an engine against the model, on real engines that are right and wrong."""

import numpy as np
import onnx
import pytest

from selfdepth_ros.inference import EngineError, load_engine
from selfdepth_ros.inference.self_check import (
    COMPILED,
    VARIANT,
    Agreement,
    check_images,
    compare,
    require,
)


@pytest.fixture
def model(write_model):
    """A model that carries its manifest inside, so that copies of it are models too."""
    return write_model(beside=False)


def changed(path, factor):
    """The engine of the model whose depth is `factor` times as large."""
    model = onnx.load(path)
    (ten,) = (t for t in model.graph.initializer if t.name == 'ten')
    ten.CopyFrom(onnx.numpy_helper.from_array(np.float32(factor / 10), 'ten'))
    copy = path.with_name(f'times_{factor}.onnx')
    onnx.save(model, copy)
    return load_engine(copy, threads=1)


def agreement(path, factor):
    reference = load_engine(path, threads=1)
    return compare(changed(path, factor), reference, *check_images(reference.manifest, 3))


def test_an_engine_agrees_with_itself(model):
    found = agreement(model, 1.0)
    assert found.mean == found.p99 == 0 and found.scale == 1
    require(found, COMPILED['fp32'], 'the engine', '')


@pytest.mark.parametrize('tolerance', [*COMPILED.values(), *VARIANT.values()])
@pytest.mark.parametrize('factor', [1.1, 0.9, 0.0, float('nan'), float('inf'), -1.0])
def test_a_wrong_engine_is_refused_in_every_precision(model, factor, tolerance):
    with pytest.raises(EngineError, match=r'the engine differs from .*use the backend onnx'):
        require(agreement(model, factor), tolerance, 'the engine', 'use the backend onnx')


def test_the_error_states_what_was_found(model):
    found = agreement(model, 1.1)
    assert found.mean == pytest.approx(0.1, abs=1e-5)
    assert found.scale == pytest.approx(1.1, abs=1e-5)
    with pytest.raises(EngineError, match=r'mean 10\.000%.*scale 1\.1000.*at most 1\.0%'):
        require(found, COMPILED['fp16'], 'it', '')


def test_pixels_far_off_are_not_hidden_by_the_mean():
    with pytest.raises(EngineError):
        require(Agreement(0.001, 0.5, 1.0), COMPILED['fp16'], 'it', '')


def test_the_images_are_the_same_every_time_and_not_flat(model):
    manifest = load_engine(model).manifest
    (images, focal), (again, _) = check_images(manifest, 4), check_images(manifest, 4)
    np.testing.assert_array_equal(images, again)
    assert images.shape == (4, manifest.height, manifest.width, 3) and images.dtype == np.uint8
    assert focal.dtype == np.float32 and (focal > 0).all()
    assert images.std() > 20
    assert all((images[0] != other).any() for other in images[1:])
