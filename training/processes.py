# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How many processes a training has, on which devices, and in which precision."""

import os
from typing import Any

import torch
from lightning_fabric import Fabric

from selfdepth_training.beginning import TrainingError
from selfdepth_training.config import TrainConfig


def fabric_of(config: TrainConfig) -> Fabric:
    """One process; or as many as torchrun has started here and on other machines, a GPU each.

    Raises TrainingError when there are fewer GPUs than processes.
    """
    # By itself Fabric takes all GPUs, starting this command again for each, and asks torchrun for
    # just as many processes; on a CPU it takes each of them for the only one.
    here = int(os.environ.get('LOCAL_WORLD_SIZE', 1))
    machines = int(os.environ.get('WORLD_SIZE', here)) // here
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else here
    if here > gpus:
        raise TrainingError(
            f'Found {gpus} GPU{"s" if gpus > 1 else ""} for {here} processes of torchrun, '
            f'expected one each. Give --nproc-per-node={gpus}.'
        )
    precision = precision_of(config.precision)
    return Fabric(accelerator='auto', devices=here, num_nodes=machines, precision=precision)


def precision_of(name: str) -> Any:
    """What `precision` means on this machine; 'auto': bfloat16 where the processor has it."""
    if name != 'auto':
        return name
    if torch.cuda.is_available():
        # Before Ampere CUDA has it in emulation only, which is slower than 32 bits.
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return 'bf16-mixed' if native else '32-true'
    native = getattr(torch.cpu, '_is_avx512_bf16_supported', lambda: False)()
    return 'bf16-mixed' if native else '32-true'
