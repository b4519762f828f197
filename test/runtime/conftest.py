# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The small ONNX model on disk, and a rig for it.

The package is imported inside the fixtures: this file is read before the type-checking hook.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_model
from other_device import OTHER, other_device

WIDTH, HEIGHT = 32, 24
MANIFEST = {
    'name': 'luminance',
    'width': WIDTH,
    'height': HEIGHT,
    'depth_kind': 'z_depth',
    'min_depth_m': 0.1,
    'max_depth_m': 100.0,
    'cameras': ('a', 'b'),
}


WriteModel = Callable[..., Path]


@pytest.fixture(autouse=True)
def known_to_torch(request: pytest.FixtureRequest) -> Iterator[None]:
    """The device of a test that asks for OTHER, which refuses to be mixed with the host."""
    asked = getattr(request.node, 'callspec', None)
    if asked is None or OTHER.type not in map(str, asked.params.values()):
        yield
        return
    with other_device():
        yield


@pytest.fixture
def write_model(tmp_path: Path) -> WriteModel:
    """Write model.onnx, and its manifest embedded, beside it, both or nowhere."""

    from selfdepth_ros.core.manifest import Manifest

    def write(**options: Any) -> Path:
        manifest = Manifest(**MANIFEST | options.pop('manifest', {}))
        return small_model.write_model(tmp_path, manifest, **options)

    return write


@pytest.fixture
def rig():
    """Two cameras at twice the network's size, looking forward and back, the second higher."""
    from selfdepth_ros.core.cameras import PinholeCamera
    from selfdepth_ros.core.rig import Rig, RigCamera
    from selfdepth_ros.core.se3 import SE3

    forward = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    backward = np.diag([-1.0, -1, 1]) @ forward
    lens = PinholeCamera(2 * WIDTH, 2 * HEIGHT, 60.0, 60.0, WIDTH - 0.5, HEIGHT - 0.5)
    return Rig(
        tuple(
            RigCamera(
                name, lens, SE3.from_rotation_translation(turn, np.array([0, 0, z])), f'{name}_o'
            )
            for name, turn, z in (('a', forward, 1.0), ('b', backward, 2.0))
        )
    )
