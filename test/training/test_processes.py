# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How many processes and GPUs a training takes, and in which precision, on pretended machines."""

from types import SimpleNamespace

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.accelerators import cuda as accelerators

from selfdepth_training.beginning import TrainingError
from selfdepth_training.config import TrainConfig
from selfdepth_training.processes import fabric_of, precision_of


def asked_for(monkeypatch: pytest.MonkeyPatch, gpus: int, here: int = 0, all_: int = 0) -> Fabric:
    """What a training asks for where there are `gpus`, in one of torchrun's `here` processes of a
    machine (of `all_`, on all machines); 0: not started by torchrun. Nothing is launched."""
    for name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'LOCAL_WORLD_SIZE', 'TORCHELASTIC_RUN_ID'):
        monkeypatch.delenv(name, raising=False)
    if here:
        given = {'LOCAL_WORLD_SIZE': here, 'WORLD_SIZE': all_ or here, 'RANK': 0, 'LOCAL_RANK': 0}
        for name, value in {**given, 'TORCHELASTIC_RUN_ID': 'none'}.items():
            monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: gpus)
    monkeypatch.setattr(accelerators, 'num_cuda_devices', lambda: gpus)
    return fabric_of(TrainConfig(precision='32-true'))


@pytest.mark.parametrize('gpus', [0, 1, 4])
def test_without_torchrun_there_is_one_process(monkeypatch, gpus):
    """Of itself Fabric takes all GPUs, and starts the command again for each further one."""
    fabric = asked_for(monkeypatch, gpus)
    assert fabric.world_size == 1
    assert fabric.strategy.launcher is None
    assert str(fabric.strategy.root_device) == ('cuda:0' if gpus else 'cpu')


@pytest.mark.parametrize(
    ('gpus', 'here', 'all_'), [(0, 2, 2), (4, 4, 4), (4, 2, 2), (2, 2, 6), (1, 1, 2), (0, 1, 2)]
)
def test_with_torchrun_there_are_as_many_as_it_started(monkeypatch, gpus, here, all_):
    fabric = asked_for(monkeypatch, gpus, here, all_)
    assert fabric.world_size == all_
    strategy, cluster = fabric.strategy, fabric._connector.cluster_environment
    assert len(strategy.parallel_devices) == here
    assert {device.type for device in strategy.parallel_devices} == {'cuda' if gpus else 'cpu'}
    # What launch() asks first.
    cluster.validate_settings(num_devices=strategy.num_processes, num_nodes=strategy.num_nodes)


def test_one_process_of_torchrun_is_alone(monkeypatch):
    assert asked_for(monkeypatch, 4, 1).strategy.launcher is None


@pytest.mark.parametrize(('gpus', 'words'), [(1, '1 GPU for 2'), (2, '2 GPUs for 3')])
def test_more_processes_than_gpus_are_refused(monkeypatch, gpus, words):
    with pytest.raises(TrainingError, match=rf'Found {words} .*--nproc-per-node={gpus}'):
        asked_for(monkeypatch, gpus, gpus + 1)


@pytest.mark.parametrize(
    ('capability', 'precision'),
    [((7, 0), '32-true'), ((7, 5), '32-true'), ((8, 6), 'bf16-mixed'), ((9, 0), 'bf16-mixed')],
)
def test_bfloat16_is_taken_only_where_the_gpu_has_it(monkeypatch, capability, precision):
    """Turing and before can hold such numbers, and so torch says by default that they are
    supported."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'current_device', lambda: 0)
    found = SimpleNamespace(major=capability[0], minor=capability[1])
    monkeypatch.setattr(torch.cuda, 'get_device_properties', lambda device: found)
    monkeypatch.setattr(torch.cuda, '_check_bf16_tensor_supported', lambda device: True)
    assert precision_of('auto') == precision
    assert precision_of('bf16-mixed') == 'bf16-mixed'
