# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What of a rig file counts for a bag, which has a calibration of its own."""

import logging
from pathlib import Path

from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.rig import Rig, load_rig
from selfdepth_ros.core.rig_difference import RigTolerance, rig_differences

log = logging.getLogger(__name__)

RIG_HELP = "rig file: its lenses, poses and masks of the robot count instead of the bag's"
# What `calibrate` corrects counts, the last digits of a file do not.
_SAME = RigTolerance(focal=1e-4, pixel=1e-4, rotation_deg=0.01, position_m=0.001)


def with_rig_file(rig: Rig, path: Path | None) -> Rig:
    """Return the bag's rig as a rig file has its cameras, as the node with `rig:=<path>`.

    Warns where the bag has other poses or lenses. Raises CalibrationError for a file without one
    of the cameras, or in another body frame.
    """
    if path is None:
        return rig
    known = load_rig(path)
    try:
        found = rig.calibrated_as(known)
    except CalibrationError as cause:
        raise CalibrationError(f'{path}: {cause}') from cause
    _tell_differences(rig, known, f'{path}: its poses and lenses count; those of the bag differ')
    return found


def rig_of_clouds(rig: Rig, path: Path | None, model: Path) -> Rig:
    """Return the bag's rig `with_rig_file`, masked as that beside the model where it has no masks.

    `model` is model.onnx or its folder, `path` what --rig names. Where --rig names none and the
    model's rig has other poses or lenses than the bag's, warns that these are not used. Prints a
    note when nobody knows the robot's own body.
    """
    found = with_rig_file(rig, path)
    if _masked(found):
        return found
    beside = (model if model.is_dir() else model.parent) / 'rig.yaml'
    known = load_rig(beside) if beside.is_file() else None
    what = f'no {beside}'
    if known is not None and set(rig.names) <= set(known.names):
        what = f'{beside} has no masks'
        found = found.with_masks_of(known)
        if path is None:
            _tell_differences(
                rig, known,
                f'{beside}: only its masks are used (--rig makes it the calibration); poses and '
                'lenses stay those of the bag, which differ',
            )  # fmt: skip
    elif known is not None:
        what = f'{beside} is of {", ".join(known.names)}'
    if not _masked(found):
        print(f"note: {what}: pixels of the robot's own body become points{_advice(path)}")
    return found


def rig_told(rig: Rig, path: Path | None) -> str:
    """Whose calibration counts, and what is known of the robot's own body, in words."""
    known = _masked(rig)
    return (
        f'calibration of {path or "the bag"}, masks of the robot itself: '
        f'{known} of {len(rig.cameras)} cameras{"" if known else _advice(path)}'
    )


def _masked(rig: Rig) -> int:
    """How many cameras have a mask of the robot."""
    return sum(entry.self_occlusion is not None for entry in rig.cameras)


def _advice(path: Path | None) -> str:
    """Where masks come from, for who has none: `path` is what --rig names."""
    measured = 'a training has measured them in its rig.yaml'
    if path is None:
        return f' (--rig gives them: {measured})'
    return f' ({path} has none: {measured})'


def _tell_differences(rig: Rig, known: Rig, what: str) -> None:
    told = rig_differences(known.subset(rig.names), rig, _SAME, ('the file', 'the bag'))
    if told:
        log.warning('%s. %s%s', what, told[0], f' (and {len(told) - 1} more)' if told[1:] else '')
