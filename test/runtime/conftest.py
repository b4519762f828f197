# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Real, small ONNX models whose depth is known: metres = focal * (1 + mean of RGB / 255) / 10.

The package is imported inside the fixtures: this file is read before the type-checking hook.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

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


def luminance_graph(
    image_type: int = TensorProto.UINT8,
    size: tuple[int | str, int | str] = (HEIGHT, WIDTH),
    batch: int | str = 'n',
    depth_name: str = 'depth',
    confidence: bool = False,
) -> onnx.ModelProto:
    """Cast, mean over colours, scale by focal: written node by node."""
    constants = {
        'ten': np.float32(1 / 10),
        'scale': np.float32(1 / 255),
        'one': np.float32(1),
        'colour': np.array([3], np.int64),
        'column': np.array([-1, 1, 1], np.int64),
    }
    nodes = [
        helper.make_node('Cast', ['images'], ['float'], to=TensorProto.FLOAT),
        helper.make_node('ReduceMean', ['float', 'colour'], ['mean'], keepdims=0),
        helper.make_node('Mul', ['mean', 'scale'], ['bright']),
        helper.make_node('Add', ['bright', 'one'], ['more']),
        helper.make_node('Reshape', ['focal', 'column'], ['focals']),
        helper.make_node('Mul', ['more', 'focals'], ['large']),
        helper.make_node('Mul', ['large', 'ten'], [depth_name]),
    ]
    outputs = [helper.make_tensor_value_info(depth_name, TensorProto.FLOAT, [batch, *size])]
    if confidence:
        nodes.append(helper.make_node('Identity', ['bright'], ['confidence']))
        outputs.append(
            helper.make_tensor_value_info('confidence', TensorProto.FLOAT, [batch, *size])
        )
    graph = helper.make_graph(
        nodes,
        'luminance',
        [
            helper.make_tensor_value_info('images', image_type, [batch, *size, 3]),
            helper.make_tensor_value_info('focal', TensorProto.FLOAT, [batch]),
        ],
        outputs,
        [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)


WriteModel = Callable[..., Path]


@pytest.fixture
def write_model(tmp_path: Path) -> WriteModel:
    """Write model.onnx, and its manifest embedded, beside it, both or nowhere."""

    from selfdepth_ros.core.manifest import Manifest, file_sha256

    def write(embed: bool = True, beside: bool = True, **options) -> Path:
        manifest = Manifest(**MANIFEST | options.pop('manifest', {}))
        model = luminance_graph(**options)
        if embed:
            helper.set_model_props(model, {'selfdepth_manifest': manifest.to_json()})
        path = tmp_path / 'model.onnx'
        onnx.save(model, path)
        if beside:
            replace(manifest, onnx_sha256=file_sha256(path)).save(tmp_path / 'model.yaml')
        return path

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
