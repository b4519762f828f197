# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""An ONNX graph as a list of calls of torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from selfdepth_ros.inference.graph import onnx_module
from selfdepth_ros.inference.torch_operators import OPERATORS, Function, require


class _Step(NamedTuple):
    """A node: what is called, with which tensors, what comes out, and what nobody needs then."""

    function: Function
    inputs: tuple[str, ...]
    output: str
    done_with: tuple[str, ...]


class TorchGraph:
    """Runs a graph on tensors that lie where its weights do."""

    def __init__(self, graph: Any, device: Any) -> None:
        """`graph`: of a model that `graph.read_model` has read. Raises EngineError for what the
        torch backend does not do."""
        to_array = onnx_module().numpy_helper.to_array
        constants = {tensor.name: to_array(tensor) for tensor in graph.initializer}
        self._outputs = [output.name for output in graph.output]
        self._steps = _steps(graph, constants, self._outputs)
        self._weights = {name: _weight(value, device) for name, value in constants.items()}

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Output -> tensor, of input -> tensor."""
        known = {**self._weights, **inputs, '': None}
        for step in self._steps:
            known[step.output] = step.function(*[known[name] for name in step.inputs])
            for name in step.done_with:
                del known[name]
        return {name: known[name] for name in self._outputs}


def _steps(graph: Any, constants: dict[str, Any], outputs: list[str]) -> list[_Step]:
    attribute = onnx_module().helper.get_attribute_value
    steps: list[_Step] = []
    needed = {*outputs, *constants, ''}
    for node in reversed(graph.node):  # what is met first here is used last
        kind = node.op_type if node.domain in ('', 'ai.onnx') else f'{node.domain}.{node.op_type}'
        require(kind in OPERATORS and len(node.output) == 1, f'the operator {kind}')
        attributes = {item.name: attribute(item) for item in node.attribute}
        function = OPERATORS[kind](attributes, [constants.get(name) for name in node.input])
        done_with = tuple(sorted(set(node.input) - needed))
        needed.update(node.input)
        steps.append(_Step(function, tuple(node.input), node.output[0], done_with))
    return steps[::-1]


def _weight(value: Any, device: Any) -> Any:
    """A tensor; filters lie as the images do, with their channels last."""
    import torch

    tensor = torch.tensor(value, device=device)
    filters = tensor.ndim == 4 and tensor.is_floating_point()
    return tensor.to(memory_format=torch.channels_last) if filters else tensor
