# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoint to `model.onnx` + `model.yaml`: what a camera gives in, metres out."""

import copy
import logging
import math
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from jaxtyping import Float, UInt8
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.files import write_file
from selfdepth_ros.core.manifest import Manifest, file_sha256
from selfdepth_training.networks import DepthNetwork
from selfdepth_training.predict import TrainedNetwork

MANIFEST_KEY = 'selfdepth_manifest'
OPSET = 18
# Difference from torch, relative to the depth, that 99 % of an export's pixels must stay below,
# and so must the mean tenfold. Single pixels may jump: between two depths that are equally
# likely, the last digit decides.
TOLERANCE = {'fp32': 1e-3, 'fp16': 2e-2}
# Weights that stay float32 whatever the storage: an 8- or 16-bit logit is a step in depth.
HEAD = 'head'
FLOAT16_MAX = 65504.0


class ExportError(SelfdepthError):
    """An export that does not say what the network says."""


class CameraToMetres(nn.Module):
    """The deployed interface: uint8 images as cameras give them, depth in metres and, where the
    network knows it, its confidence."""

    def __init__(self, network: DepthNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, images: UInt8[Tensor, 'n h w 3'], focal: Float[Tensor, ' n']
    ) -> tuple[Float[Tensor, 'n h w'], ...]:
        """Cast first: uint8 is legal at the boundary of a TensorRT network only."""
        depth, confidence = self.network(images.float().permute(0, 3, 1, 2) / 255, focal)
        return (depth,) if confidence is None else (depth, confidence)


def export(
    trained: TrainedNetwork, out: Path, manifest: Manifest, weights: str = 'fp32'
) -> tuple[Path, float]:
    """Write `out/model.onnx` and `out/model.yaml`; return the path and the difference from torch
    that 99 % of the depths (relative) and of the confidences stay below, on random and structured
    images.

    `weights='fp16'` stores the convolutions' weights in 16 bits (they are cast back to float32
    when the model is loaded); the inverse-depth head stays float32. Raises ExportError, and
    writes nothing, when the graph does not agree with torch.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'model.onnx'
        _to_onnx(trained.network, path, manifest)
        model = onnx.load(path)
        strip_origins(model)
        if weights == 'fp16':
            store_weights_as_float16(model)
        helper.set_model_props(model, {MANIFEST_KEY: manifest.to_json()})
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)
        difference = _difference(trained, path, manifest)
        # Written so that NaN fails too.
        if not difference <= TOLERANCE[weights]:
            raise ExportError(
                f'Found depths that differ from torch by {difference:.2%} (99 % of the pixels, or '
                f'ten times the mean), expected at most {TOLERANCE[weights]:.2%}. Nothing was '
                'written; export with --weights fp32, and if that fails too, report it with the '
                'checkpoint.'
            )
        return _place(path, out, manifest), difference


def in_metres(trained: TrainedNetwork, metres_per_unit: float | None) -> TrainedNetwork:
    """Return the network in metres: itself, or one of relative scale times a measured factor.

    A robot that takes unknown units for metres runs into things, so a relative network without a
    factor is refused; so is a metric one with one. Raises ExportError.
    """
    relative = trained.scale == 'relative'
    if relative != (metres_per_unit is not None):
        found = 'relative depths and no --scale' if relative else 'metric depths and a --scale'
        raise ExportError(
            f'Found {found}, expected a factor for relative depths only. The robot takes what an '
            'exported network says for metres; `selfdepth evaluate` on a bag with LiDAR tells the '
            'factor of a training of relative scale (column scale).'
        )
    if metres_per_unit is None:
        return trained
    if not 0 < metres_per_unit < math.inf:
        raise ExportError(f'Found --scale {metres_per_unit}, expected a positive number.')
    network = copy.deepcopy(trained.network)
    # The depth it says grows as focal / reference_focal does.
    network.reference_focal /= metres_per_unit
    return replace(trained, network=network)


def _place(path: Path, out: Path, manifest: Manifest) -> Path:
    """Copy the model to its place, whole or not at all, and write its manifest beside it."""
    final = out / 'model.onnx'
    try:
        write_file(final, path.read_bytes())
    except OSError as error:
        raise ExportError(
            f'Found that {final} cannot be written ({error}), expected a folder with room. Choose '
            'another one.'
        ) from error
    replace(manifest, onnx_sha256=file_sha256(final)).save(out / 'model.yaml')
    return final


def _to_onnx(network: DepthNetwork, path: Path, manifest: Manifest) -> None:
    images = torch.zeros(2, manifest.height, manifest.width, 3, dtype=torch.uint8)
    batch = torch.export.Dim('n', min=1, max=1024)
    outputs = ['depth', *(['confidence'] if network.has_confidence else [])]
    with warnings.catch_warnings():
        # The exporter speaks of torchvision and of its own deprecations; neither concerns a user.
        warnings.simplefilter('ignore')
        previous = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            torch.onnx.export(
                CameraToMetres(network).eval(), (images, torch.full((2,), 200.0)), str(path),
                input_names=['images', 'focal'], output_names=outputs, opset_version=OPSET,
                dynamo=True, external_data=False, verbose=False, optimize=True,
                dynamic_shapes=({0: batch}, {0: batch}),
            )  # fmt: skip
        finally:
            logging.disable(previous)


def strip_origins(model: onnx.ModelProto) -> None:
    """Forget the exporter's notes: stack traces that name the folders of the training machine."""
    graph = model.graph
    for item in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output,
                 *graph.initializer):  # fmt: skip
        del item.metadata_props[:]
        item.doc_string = ''
    model.doc_string = ''


def store_weights_as_float16(model: onnx.ModelProto) -> None:
    """Keep large float32 weights as float16 followed by a Cast.

    All but the head's, and those with numbers that float16 does not have.
    """
    graph = model.graph
    kept, casts = [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        large = values.dtype == np.float32 and values.size >= 256
        if not large or f'.{HEAD}.' in tensor.name or np.abs(values).max() > FLOAT16_MAX:
            kept.append(tensor)
            continue
        stored = f'{tensor.name}_fp16'
        kept.append(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(
            helper.make_node('Cast', [stored], [tensor.name], f'widen_{tensor.name}',
                             to=TensorProto.FLOAT)
        )  # fmt: skip
    del graph.initializer[:]
    graph.initializer.extend(kept)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _difference(trained: TrainedNetwork, path: Path, manifest: Manifest) -> float:
    """Difference between ONNX Runtime and torch over a few batches, as `TOLERANCE` counts it.

    NaN when either of them says NaN.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    rng = np.random.default_rng(0)
    worst = []
    for batch in (1, 2, 6):
        shape = batch, manifest.height, manifest.width, 3
        noise = rng.integers(0, 256, shape, dtype=np.uint8)
        ramp = np.broadcast_to(np.linspace(0, 255, shape[1])[None, :, None, None], shape)
        for images in (noise, np.ascontiguousarray(ramp.astype(np.uint8))):
            focal = rng.uniform(100, 400, batch).astype(np.float32)
            ours: Any = session.run(None, {'images': images, 'focal': focal})
            said = trained.infer(images, focal)
            apart = [np.abs(ours[0] - said.depth) / said.depth]
            if said.confidence is not None:
                apart.append(np.abs(ours[1] - said.confidence))
            worst += [max(np.percentile(each, 99), 10 * np.mean(each)) for each in apart]
    return float(np.max(worst))
