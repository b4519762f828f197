# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Some steps of a training, by one process or by as many as torchrun has started.

parallel_steps.py BAG CACHE OUT
"""

import os
import sys
from pathlib import Path
from typing import Any

import torch

from selfdepth_training import train as training
from selfdepth_training.config import load_recipe
from selfdepth_training.data.cache import build_cache
from selfdepth_training.data.samples import SampleSource
from selfdepth_training.processes import fabric_of

SAMPLES, STEPS, SIZE = 2, 3, (96, 64)
COMMON = (
    'network.encoder=[8, 8, 16, 16, 16]', 'network.decoder=[8, 8, 8, 8]', 'network.pose_width=8',
    f'data.width={SIZE[0]}', f'data.height={SIZE[1]}', 'data.frames=4', 'precision=32-true',
    # Drawn by each process for itself.
    'data.flip=false', 'data.jitter=0', 'loss.spatial_times=now', 'loss.spatial_from=0',
    # Steps of Adam are as long for gradients of almost nothing, whose sign is chance.
    'optimizer.learning_rate=1e-6', 'optimizer.head_rate=1e-6',
)  # fmt: skip
CASES = {
    'hints': ('fsm', ()),
    'images': ('fsm', ('network.head=sigmoid', 'loss.images_from=0')),
    'hints by image': ('fsm', ('network.head=sigmoid', 'loss.hint_error=silog')),
    'learned motion': ('sfm', ('data.max_offset=2',)),
}


def steps_of(bag: Path, cache_root: Path, case: str) -> list[dict[str, Any]]:
    """Mean loss over the processes, and the gradients, of each step."""
    recipe, settings = CASES[case]
    share = SAMPLES // int(os.environ.get('WORLD_SIZE', 1))
    config = load_recipe(recipe, [*COMMON, *settings, f'data.rigs_per_step={share}'])
    fabric = fabric_of(config)
    fabric.launch()
    cache = build_cache(bag, cache_root, *SIZE, progress=False)
    source = SampleSource([cache], config.data)
    aligned = training.alignments(source, [cache.rig], config)
    feed = training._feed(fabric, [cache.rig], source, config, aligned)
    learner, optimizers = training._start(
        fabric, config, [cache.rig], source.learn_motion, aligned
    )
    learner.train()
    found = []
    for step in range(STEPS):
        losses = learner(feed.batch(step, 0.6), 0.6, [0, step, fabric.global_rank])
        fabric.backward(losses.total)
        loss = fabric.all_reduce(losses.total.detach(), reduce_op='mean')
        gradients = {
            name: p.grad.clone() for name, p in learner.module.named_parameters()
            if p.grad is not None
        }  # fmt: skip
        buffers = {k: v.clone() for k, v in learner.module.depth.named_buffers()}
        found.append({'loss': float(loss), 'gradients': gradients, 'buffers': buffers})
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    return found


if __name__ == '__main__':
    torch.set_num_threads(1)
    results = {case: steps_of(Path(sys.argv[1]), Path(sys.argv[2]), case) for case in CASES}
    if os.environ.get('RANK', '0') == '0':
        torch.save(results, sys.argv[3])
