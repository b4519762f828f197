# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A model that is built for later starts; see test/runtime/test_engine_life.py too."""

import pytest

from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.inference import EngineError, tensorrt_cache
from selfdepth_ros.inference.engine_cache import EngineKey
from selfdepth_ros.nodes.model import build_model
from selfdepth_ros.nodes.parameters import SurroundDepthConfig
from selfdepth_ros.shipped import shipped

KEY = EngineKey('ab' * 32, '10.9', 'Orin', '8.7', 'fp32', ())


def test_what_tensorrt_would_compile_must_be_kept(tmp_path, monkeypatch) -> None:
    """Without TensorRT: it is not asked for anything where the cache cannot be written."""
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    manifest = Manifest.load(shipped('model.yaml'))
    monkeypatch.setattr(tensorrt_cache, 'key_of', lambda path, options: (KEY, manifest))
    with pytest.raises(EngineError, match='engines.* cannot be written'):
        build_model(SurroundDepthConfig(build_only=True, backend='tensorrt'))
