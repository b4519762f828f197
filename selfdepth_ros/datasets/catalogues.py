# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The datasets that can be imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from selfdepth_ros.datasets import ddad, kitti, nuscenes
from selfdepth_ros.datasets.scene import Catalogue


class Dataset(NamedTuple):
    """How one dataset is found, and what its licence asks."""

    open: Callable[[Path], Catalogue]
    """Raises DatasetError for a folder of another layout."""
    licence: str
    layout: str
    """What SRC is, in words."""


_ADAPTED = (
    'The bag is adapted from it: the same terms apply to the bag and to what is learned from it.'
)

DATASETS: Mapping[str, Dataset] = {
    'ddad': Dataset(ddad.open_ddad, f'{ddad.LICENCE} {_ADAPTED}', ddad.LAYOUT),
    'kitti': Dataset(kitti.open_kitti, f'{kitti.LICENCE} {_ADAPTED}', kitti.LAYOUT),
    'nuscenes': Dataset(nuscenes.open_nuscenes, f'{nuscenes.LICENCE} {_ADAPTED}', nuscenes.LAYOUT),
}
