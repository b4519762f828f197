# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a calibration found, as text."""

from collections.abc import Iterator

from selfdepth_ros.cli.rig_table import aligned
from selfdepth_training.extrinsics import Refined

_COLUMNS = (
    'camera', 'roll', 'pitch', 'yaw (deg)', 'x', 'y', 'z (cm)', 'corners (px)', 'photometric',
)  # fmt: skip


def describe_refined(found: Refined, names: tuple[str, ...]) -> str:
    """Return the table, what it means, and what is not known, several lines of plain ASCII."""
    return '\n'.join(_lines(found, names))


def _lines(found: Refined, names: tuple[str, ...]) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [_COLUMNS]
    for index, name in enumerate(names):
        turn = _values(
            found.turn_deg[index], found.turn_sigma_deg[index], found.applied[index, 0], 2
        )
        shift = _values(
            found.shift_cm[index], found.shift_sigma_cm[index], found.applied[index, 1], 1
        )
        before, after = found.before, found.after
        rows.append((
            name, *turn, *shift,
            f'{before.corner_px[index]:.2f} -> {after.corner_px[index]:.2f}',
            f'{before.photometric[index]:.4f} -> {after.photometric[index]:.4f}',
        ))  # fmt: skip
    yield from aligned(rows, left=(0,))
    yield (
        f'corrections about the axes of the body, +- one sigma, from {found.corners} corners, '
        f'{found.matches} of them found in a neighbour'
    )
    if not found.applied.all():
        yield '(-) not significant and not applied'
    for line in found.untold:
        yield f'not told by these recordings: {line}; taken as right'


def _values(values: object, sigmas: object, applied: bool, digits: int) -> list[str]:
    return [
        f'{value:+.{digits}f} +- {sigma:.{digits}f}' if applied else f'(-) +- {sigma:.{digits}f}'
        for value, sigma in zip(values, sigmas, strict=True)
    ]
