# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Masks of the robot itself, of a rig file, for the rig of a bag."""

import logging
from pathlib import Path

from selfdepth_ros.core.rig import Rig, load_rig
from selfdepth_ros.core.rig_difference import RigTolerance, rig_differences

log = logging.getLogger(__name__)

RIG_HELP = 'rig file whose self-occlusion masks are used; poses and lenses stay those of the bag'
# What `calibrate` corrects counts, the last digits of a file do not.
_SAME = RigTolerance(focal=1e-4, pixel=1e-4, rotation_deg=0.01, position_m=0.001)


def with_masks(rig: Rig, path: Path | None) -> Rig:
    """Return the bag's rig with the self-occlusion masks of a rig file of the same cameras.

    Warns where the file has other poses or lenses: these are not used. Raises CalibrationError
    for a file without one of the cameras.
    """
    return rig if path is None else masked(rig, load_rig(path), path)


def masked(rig: Rig, known: Rig, path: Path) -> Rig:
    """`with_masks` of a file that is read already."""
    found = rig.with_masks_of(known)
    if told := rig_differences(known.subset(rig.names), rig, _SAME, ('the file', 'the bag')):
        log.warning(
            '%s: only its masks are used; poses and lenses stay those of the bag, which differ. '
            '%s%s',
            path, told[0], f' (and {len(told) - 1} more)' if told[1:] else '',
        )  # fmt: skip
    return found


def masks_told(rig: Rig) -> str:
    """What is known of the robot's own body, in words."""
    known = sum(entry.self_occlusion is not None for entry in rig.cameras)
    advice = '' if known else ' (--rig gives them: a training has measured them in its rig.yaml)'
    return f'masks of the robot itself: {known} of {len(rig.cameras)} cameras{advice}'
