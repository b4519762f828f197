# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A rig as text: its cameras, their overlaps, and who sees which azimuth."""

import itertools
import math
from collections.abc import Iterator, Sequence

from selfdepth_ros.core.camera_view import camera_view
from selfdepth_ros.core.coverage import Coverage, coverage
from selfdepth_ros.core.rig import Rig

_COLUMNS = (
    'camera', 'size', 'lens', 'hfov', 'vfov', 'yaw', 'pitch', 'roll', 'x', 'y', 'z', 'own body',
)  # fmt: skip
# Pairs with less than this share of their view, and no azimuth in common, are not listed.
_LEAST_SHARE = 0.02


def describe_rig(rig: Rig, elevation_deg: float = 0.0, distance_m: float = math.inf) -> str:
    """Return the whole description, several lines of plain ASCII.

    Coverage is asked for at `elevation_deg` and `distance_m`, see `coverage`.
    """
    seen = coverage(rig, elevation_deg, distance_m)
    where = 'far away' if math.isinf(distance_m) else f'{distance_m:g} m away'
    lines = [
        *_cameras(rig),
        '',
        *_overlaps(rig, seen),
        '',
        f'coverage at {elevation_deg:g} deg elevation, {where} (azimuth: 0 ahead, +90 left)',
        *_sectors(rig, seen),
    ]
    return '\n'.join(lines)


def _cameras(rig: Rig) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [_COLUMNS]
    for entry in rig.cameras:
        view = camera_view(entry)
        angles = (round(value, 1) + 0.0 for value in (view.yaw_deg, view.pitch_deg, view.roll_deg))
        rows.append(
            (
                entry.name,
                f'{entry.camera.width}x{entry.camera.height}',
                view.lens,
                f'{view.horizontal_deg:.1f}',
                f'{view.vertical_deg:.1f}',
                *(f'{value:+.1f}' for value in angles),
                *(f'{round(value, 3) + 0.0:.3f}' for value in view.position_m),
                'none known' if entry.self_occlusion is None else f'{100 * view.own_body:.1f} %',
            )
        )
    yield from aligned(rows, left=(0, 2))
    yield (
        f'degrees (yaw to the left, pitch down, roll to the right: rpy of a URDF) and metres in '
        f'{rig.body_frame}'
    )


def _overlaps(rig: Rig, seen: Coverage) -> Iterator[str]:
    """Pairs of cameras: what each shows of the other's view, and the azimuths both see."""
    shares = {(pair.first, pair.second): pair.fraction for pair in rig.overlap_pairs(0.0)}
    rows: list[tuple[str, ...]] = []
    for first, second in itertools.combinations(range(len(rig)), 2):
        there, back = shares[first, second], shares[second, first]
        shared = seen.shared(first, second)
        if max(there, back) >= _LEAST_SHARE or shared:
            azimuths = ', '.join(f'{part} ({part.width_deg:.1f} wide)' for part in shared)
            names = rig.names[first], rig.names[second]
            rows.append((*names, f'{there:.1%}', f'{back:.1%}', azimuths or 'no azimuth'))
    if not rows:
        yield 'overlaps: none'
        return
    yield 'overlaps (share of each image that the other camera sees too, 3 to 30 m away; azimuths)'
    yield from aligned(rows, left=(0, 1, 4))


def _sectors(rig: Rig, seen: Coverage) -> Iterator[str]:
    rows = [
        (
            str(sector.interval),
            f'{sector.interval.width_deg:.1f} wide',
            str(len(sector.cameras)),
            ', '.join(rig.names[index] for index in sector.cameras) or 'BLIND',
        )
        for sector in seen.sectors()
    ]
    yield from aligned(rows, left=(0, 3))
    blind = ', '.join(f'{part} ({part.width_deg:.1f} wide)' for part in seen.blind())
    yield f'blind sectors: {blind or "none"}'
    yield (
        f'covered: {seen.covered_deg():.1f} of 360 deg, by two or more cameras '
        f'{seen.covered_deg(2):.1f} deg'
    )


def aligned(rows: Sequence[Sequence[str]], left: Sequence[int]) -> Iterator[str]:
    """Pad columns to one width; those of `left` stand at the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.ljust(width) if index in left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield '  '.join(cells).rstrip()
