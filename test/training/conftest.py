# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One short drive through a street world, written once as a bag, with everything that is true."""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import torch._dynamo

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.synthetic import write_bag
from selfdepth_training.data.cache import FrameCache, build_cache

SEED, FRAMES, WIDTH, HEIGHT = 7, 40, 160, 96


@pytest.fixture(autouse=True, scope='session')
def eager() -> Iterator[None]:
    """Compiling the loss takes longer than any of these tests; one test asks for it.

    For the session, because fixtures of wider scope than a test train as well.
    """
    with torch._dynamo.config.patch(disable=True):
        yield


@dataclass(frozen=True)
class Street:
    """A drive with odometry: its bag, its frame cache, and the truth of every image."""

    bag: Path
    cache: FrameCache
    z_depths: np.ndarray
    """(frames, cameras, h, w) metres; sky +inf, the robot's own body NaN."""

    @property
    def body(self) -> np.ndarray:
        """True (cameras, h, w) where a camera sees the robot."""
        return np.isnan(self.z_depths[0])

    @property
    def rig(self) -> Rig:
        """The rig with its true masks."""
        cameras = [
            replace(entry, self_occlusion=mask)
            for entry, mask in zip(self.cache.rig.cameras, self.body, strict=True)
        ]
        return replace(self.cache.rig, cameras=tuple(cameras))

    def depth(self, frame: int) -> torch.Tensor:
        """True z-depths (c, h, w) without holes: sky very far, the body near."""
        depth = np.nan_to_num(self.z_depths[frame], nan=0.5, posinf=5000.0)
        return torch.from_numpy(depth.clip(max=5000.0))


@pytest.fixture(scope='session')
def street(tmp_path_factory: pytest.TempPathFactory) -> Street:
    """Four seconds of a street: raw images, depth truth, LiDAR, exact odometry."""
    folder = tmp_path_factory.mktemp('street')
    bag = write_bag(
        folder / 'bag', SEED, FRAMES, WIDTH, HEIGHT, compressed=False, depth_truth=True,
        progress=False,
    )  # fmt: skip
    cache = build_cache(bag, folder / 'cache', WIDTH, HEIGHT, progress=False)
    truths = {(c, stamp): depth for c, stamp, depth in BagReader(bag).depth_truth()}
    z_depths = [[truths[c, int(s)] for c, s in enumerate(row)] for row in cache.stamps_ns]
    return Street(bag, cache, np.array(z_depths, np.float32))


@pytest.fixture(scope='module')
def one_thread() -> Iterator[None]:
    """Sums are taken in one order then, in the module that asks for it and in processes that it
    starts."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='session')
def helpers() -> ModuleType:
    """The module beside this one."""
    spec = importlib.util.spec_from_file_location(
        'training_helpers', Path(__file__).with_name('helpers.py')
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def record(street: Street, tmp_path: Path, helpers: ModuleType) -> Callable[..., Path]:
    """Write a part of the drive as another bag."""

    def write(name: str = 'part', **how: Any) -> Path:
        return helpers.record(street.bag, tmp_path / name, **how)

    return write
