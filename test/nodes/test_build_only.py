# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A model that is built for later starts; see test/runtime/test_engine_life.py too."""

from dataclasses import replace

import pytest

from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.inference import EngineError, tensorrt_cache
from selfdepth_ros.inference.engine_cache import EngineKey
from selfdepth_ros.nodes.model import build_model, cameras_named, load_model, rig_of_file
from selfdepth_ros.nodes.parameters import SurroundDepthConfig
from selfdepth_ros.shipped import shipped

KEY = EngineKey('ab' * 32, '10.9', 'Orin', '8.7', 16, 'fp32', ())


def test_what_tensorrt_would_compile_must_be_kept(tmp_path, monkeypatch) -> None:
    """Without TensorRT: it is not asked for anything where the cache cannot be written."""
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    manifest = Manifest.load(shipped('model.yaml'))
    monkeypatch.setattr(tensorrt_cache, 'key_of', lambda path, options: (KEY, manifest))
    with pytest.raises(EngineError, match='engines.* cannot be written'):
        build_model(SurroundDepthConfig(build_only=True, backend='tensorrt'))


def test_an_engine_is_for_the_cameras_of_the_robot_not_of_the_model(scene, monkeypatch) -> None:
    """A run of six images for a rig of four would take half as long again. Without TensorRT."""
    asked = []

    def prepare(path, options):
        asked.append(options.batch)
        raise EngineError('no TensorRT')

    monkeypatch.setattr(tensorrt_cache, 'prepare', prepare)
    four = scene.folder / 'rig_of_four.yaml'
    config = SurroundDepthConfig(model=str(scene.model), backend='tensorrt', rig='topics')
    configs = (
        replace(config, rig=str(four)),
        replace(config, cameras=('a', 'b')),
        config,
    )
    for own in configs:
        with pytest.raises(EngineError, match='no TensorRT'):
            build_model(own)
        with pytest.raises(EngineError, match='no TensorRT'):
            load_model(own, cameras_named(own, rig_of_file(own)))
    assert asked == [4, 4, 2, 2, 0, 0]
