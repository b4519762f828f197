# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Functions of tensors compiled by torch, where that works; else they run as they are."""

import logging
import shutil
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import torch

log = logging.getLogger(__name__)

# Kinds of input (sizes, with or without a gradient) that a function is compiled for before torch
# gives up and runs it uncompiled: four sizes of image, in time and across, with and without.
KINDS_COMPILED = 64
_SLOWER = 'and runs uncompiled, several times slower. For full speed install'


@cache
def fast(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function`, compiled where that works (a loss: 8x faster on a CPU).

    It wants a C++ compiler and Python's headers, on a GPU Triton. Whether all is there shows when
    it is called: what cannot be compiled then runs as it is, after one warning that says why.
    """
    if not any(shutil.which(compiler) for compiler in ('g++', 'clang++')):
        log.warning('The loss found no C++ compiler %s g++ and python3-dev.', _SLOWER)
        return function
    _allow_kinds(KINDS_COMPILED)
    compiled = torch.compile(function, dynamic=False)

    @wraps(function)
    def run(*args: Any) -> Any:
        if _compiles():
            try:
                return compiled(*args)
            except RuntimeError as cause:
                if not _is_of_compiling(cause):
                    raise
                _give_up(cause)
        return function(*args)

    return run


_failures: list[str] = []


def _compiles() -> bool:
    """Nothing has failed yet: what lacks for one function lacks for all."""
    return not _failures


def _is_of_compiling(cause: RuntimeError) -> bool:
    """And not memory that lacks, or another error of the function itself."""
    from torch._dynamo.exc import TorchDynamoException

    return isinstance(cause, TorchDynamoException)


def _give_up(cause: RuntimeError) -> None:
    """Remember and tell why nothing is compiled from here on."""
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    _failures.append(next((line for line in lines if 'error: ' in line), lines[0]))
    needs = 'Triton and python3-dev' if torch.cuda.is_available() else 'g++ and python3-dev'
    log.warning('The loss cannot be compiled (%s) %s %s.', _failures[0], _SLOWER, needs)


def _allow_kinds(count: int) -> None:
    """Raise torch's own limit, 8, which the terms of one training exceed."""
    from torch._dynamo import config

    # It had the second name before torch 2.6.
    name = 'recompile_limit' if hasattr(config, 'recompile_limit') else 'cache_size_limit'
    setattr(config, name, max(getattr(config, name), count))
