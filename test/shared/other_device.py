# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A device that is none, for machines without a GPU: its tensors refuse to be mixed with a CPU's.

A tensor there holds one of the CPU, which does the work, and says that it is elsewhere. As with
CUDA, one that is not can be copied, is an index, or is a number (without dimensions); everything
else is an error, and so are `numpy()` and lists of numbers from both. What a device does on its
own, kernels and streams, it does not show.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

# A type of device that torch knows by name, that needs no runtime of its own, and whose gradients
# the CPU's thread computes.
OTHER = torch.device('lazy', 0)

_aten = torch.ops.aten
_COPIES = (_aten._to_copy.default, _aten.copy_.default)
_LOOKUPS = (
    _aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default,
    _aten._index_put_impl_.default, _aten._unsafe_index.Tensor,
)  # fmt: skip
# These do not take even a number from another device.
_STRICT = (_aten.cat.default, _aten.stack.default)
_NEW = (torch.tensor, torch.as_tensor, torch.asarray)
_ITEM = (torch.Tensor.__getitem__, torch.Tensor.__setitem__)


class OtherTensor(torch.Tensor):
    """A tensor that says it is on OTHER; `held` is the CPU's."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> 'OtherTensor':
        found = torch.Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(),
            dtype=held.dtype, layout=held.layout, device=OTHER,
        )  # fmt: skip
        found.held = held
        return found

    def __repr__(self) -> str:
        return f'OtherTensor({self.held})'

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        return _run(func, args, kwargs or {})


@contextmanager
def other_device() -> Iterator[torch.device]:
    """Let torch know OTHER, for as long as the block lasts."""
    with pytest.MonkeyPatch.context() as patch:
        autocast, adamw = torch.autocast, torch.optim.AdamW
        patch.setattr(torch, 'autocast', _with_cpu_for_other(autocast))
        patch.setattr(torch.optim, 'AdamW', _not_fused(adamw))
        stream = SimpleNamespace(synchronize=lambda: None)
        patch.setattr(torch.cuda, 'current_stream', lambda device=None: stream)
        with _Functions(), _Operators():
            yield OTHER


class _Operators(TorchDispatchMode):
    """What makes tensors on OTHER, or moves them there."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        return _run(func, args, kwargs or {})


class _Functions(TorchFunctionMode):
    """What reaches no operator with its device."""

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        kwargs.pop('pin_memory', None)
        if func in _NEW and _is_other(kwargs.get('device')):
            kwargs.pop('device')
            return func(*args, **kwargs).to(OTHER)
        if not args or not isinstance(args[0], OtherTensor):
            return func(*args, **kwargs)
        if func is torch.Tensor.numpy:
            raise TypeError('numpy() of a tensor on another device: copy it to the host first')
        if func is torch.Tensor.tolist:
            return args[0].held.tolist()
        if func is torch.Tensor.new_tensor:
            return torch.tensor(*args[1:], **{'dtype': args[0].dtype, **kwargs}).to(OTHER)
        if func in _ITEM:
            return func(args[0], _with_tensors_for_lists(args[1]), *args[2:])
        return func(*args, **kwargs)


def _run(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Let the CPU do an operation, after a look at where its tensors are."""
    asked = kwargs.get('device')
    tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
    there = any(isinstance(each, OtherTensor) for each in tensors)
    if there and func not in _COPIES:
        _refuse_a_mixture(func, args, tensors)
    if _is_other(asked):
        kwargs = kwargs | {'device': 'cpu'}
    found = func(*tree_map(_held, args), **tree_map(_held, kwargs))
    if func is _aten.copy_.default:
        return args[0]
    if not (there if asked is None else _is_other(asked)):
        return found
    found = tree_map(lambda x: OtherTensor(x) if isinstance(x, torch.Tensor) else x, found)
    return found if asked else return_and_correct_aliasing(func, args, kwargs, found)


def _refuse_a_mixture(func: Any, args: Sequence[Any], tensors: list[torch.Tensor]) -> None:
    if func in _LOOKUPS and isinstance(args[0], OtherTensor):
        tensors = tree_leaves(args[2:3])
    here = [
        tuple(each.shape) for each in tensors
        if isinstance(each, torch.Tensor) and not isinstance(each, OtherTensor)
        and (each.ndim or func in _STRICT)
    ]  # fmt: skip
    if here:
        raise RuntimeError(f'{func}: of its tensors, those of shape {here} are on the CPU')


def _held(value: Any) -> Any:
    return value.held if isinstance(value, OtherTensor) else value


def _is_other(device: Any) -> bool:
    return device is not None and torch.device(device).type == OTHER.type


def _with_tensors_for_lists(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(map(_with_tensors_for_lists, index))
    return torch.tensor(index) if isinstance(index, list) else index


def _with_cpu_for_other(autocast: Callable[..., Any]) -> Callable[..., Any]:
    def begun(device: str, *args: Any, **kwargs: Any) -> Any:
        return autocast('cpu' if device == OTHER.type else device, *args, **kwargs)

    return begun


def _not_fused(optimizer: Callable[..., Any]) -> Callable[..., Any]:
    """The kernel of all weights at once asks for a device that it knows."""

    def made(weights: Any, **options: Any) -> Any:
        return optimizer(weights, **options | {'fused': False})

    return made
