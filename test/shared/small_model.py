# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A real, small ONNX model whose depth is known: metres = focal * (1 + mean of RGB / 255) / 10."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper

if TYPE_CHECKING:
    from selfdepth_ros.core.manifest import Manifest


def luminance_graph(
    image_type: int = TensorProto.UINT8,
    size: tuple[int | str, int | str] = (24, 32),
    batch: int | str = 'n',
    depth_name: str = 'depth',
    confidence: bool = False,
    gain: float = 1.0,
    dies_of_light: bool = False,
) -> onnx.ModelProto:
    """Cast, mean over colours, scale by focal: written node by node; size is (height, width).

    `gain` multiplies the depths; `dies_of_light`: it runs on black images and fails on others.
    """
    constants = {
        'ten': np.float32(gain / 10),
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
    if dies_of_light:
        constants['unit'] = np.ones(1, np.float32)
        nodes[-1].output[0] = 'metres'
        nodes += [
            helper.make_node('ReduceMax', ['float'], ['lightest'], keepdims=0),
            helper.make_node('Cast', ['lightest'], ['place'], to=TensorProto.INT64),
            helper.make_node('Gather', ['unit', 'place'], ['alive']),  # there is place 0 only
            helper.make_node('Mul', ['metres', 'alive'], [depth_name]),
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


def write_model(
    folder: Path, manifest: Manifest, embed: bool = True, beside: bool = True, **graph: Any
) -> Path:
    """Write model.onnx at the manifest's size; the manifest inside it, beside it, both or nowhere.

    `graph`: what else `luminance_graph` takes.
    """
    # Not above: a conftest.py reads this file before the type-checking hook.
    from selfdepth_ros.core.manifest import file_sha256

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'model.onnx'
    model = luminance_graph(**{'size': (manifest.height, manifest.width)} | graph)
    if embed:
        helper.set_model_props(model, {'selfdepth_manifest': manifest.to_json()})
    onnx.save(model, path)
    if beside:
        replace(manifest, onnx_sha256=file_sha256(path)).save(path.with_suffix('.yaml'))
    return path
