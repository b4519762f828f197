# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Real samples of public datasets, for tests that skip where they are absent."""

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = Path(os.environ.get('SELFDEPTH_SAMPLES', ROOT.parent / 'shared' / 'data'))


@dataclass(frozen=True)
class Sample:
    """Where a sample is, and what is known of it."""

    dataset: str
    folder: Path
    cameras: int
    licence: str

    @property
    def absent(self):
        return not self.folder.exists()


NUSCENES = Sample('nuscenes', SAMPLES / 'nuscenes_sample', 6, 'CC BY-NC-SA 4.0')
DDAD = Sample('ddad', SAMPLES / 'ddad_sample' / 'scene_01', 3, 'CC BY-NC-SA 4.0')
KITTI = Sample('kitti', SAMPLES / 'kitti_clip', 1, 'CC BY-NC-SA 3.0')
