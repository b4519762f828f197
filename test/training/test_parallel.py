# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two processes learn from two samples what one process learns from both."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from selfdepth_training.parallel import SharedBatchNorm2d, share_norms, share_of

SCRIPT = Path(__file__).with_name('parallel_steps.py')
CASES = 'hints', 'hints by image', 'images', 'learned motion'


@pytest.fixture(scope='module')
def both(street, tmp_path_factory) -> dict[int, Any]:
    """The same steps by one process and by two."""
    folder, found = tmp_path_factory.mktemp('parallel'), {}
    for count in (1, 2):
        out = folder / f'{count}.pt'
        launcher = ['-m', 'torch.distributed.run', '--standalone', f'--nproc-per-node={count}']
        subprocess.run(
            [sys.executable, *launcher, str(SCRIPT), str(street.bag), str(folder), str(out)],
            env=os.environ
            | {'OMP_NUM_THREADS': '1', 'TORCH_COMPILE_DISABLE': '1', 'CUDA_VISIBLE_DEVICES': ''},
            check=True, timeout=280,
        )  # fmt: skip
        found[count] = torch.load(out, weights_only=True)
    return found


@pytest.mark.slow
@pytest.mark.parametrize('case', CASES)
def test_losses_gradients_and_statistics_are_those_of_one_process(both, case):
    """Measured, as shares of their length: gradients within 5e-4, statistics within 7e-5.

    Were each process to normalize its own images, gradients would be off by up to .07 and
    statistics by .004; were pixels with hints to count alike by process, gradients by .009.
    """
    alone, together = both[1][case], both[2][case]
    assert len(alone) == 3 and len({step['loss'] for step in alone}) == 3
    for one, two in zip(alone, together, strict=True):
        assert two['loss'] == pytest.approx(one['loss'], rel=1e-5)
        assert two['gradients'].keys() == one['gradients'].keys()
        assert apart(one['gradients'], two['gradients']) < 1e-3
        assert apart(one['buffers'], two['buffers']) < 1e-4


def apart(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    """Length of the difference of all values, as a share of their length."""
    first, second = (torch.cat([v.flatten().double() for v in each.values()]) for each in (a, b))
    return float((first - second).norm() / first.norm())


def test_alone_nothing_is_shared():
    layer = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU())
    images = torch.rand(4, 3, 5, 6, generator=torch.manual_seed(0))
    expected = layer(images)
    again = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU())
    share_norms(again)
    assert isinstance(again[0], SharedBatchNorm2d)
    assert torch.equal(again(images), expected)
    assert layer.state_dict().keys() == again.state_dict().keys()
    assert share_of(torch.tensor(7)) == 1
