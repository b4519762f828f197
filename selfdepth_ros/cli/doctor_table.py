# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A check-up as text: a line for each camera, then the rig, then the verdicts."""

import math
from collections.abc import Iterator

from selfdepth_ros.cli.rig_table import aligned
from selfdepth_ros.doctor.checkup import CameraFigures, Checkup, MotionFigures

_COLUMNS = (
    'camera', 'size', 'lens', 'images', 'Hz', 'lost', 'delay', 'varies', 'in sets', 'overlap',
    'bright', 'sharp', 'bit/px', 'topic',
)  # fmt: skip


def describe(checkup: Checkup) -> str:
    """Return the whole report, several lines of plain ASCII."""
    rows = [_COLUMNS, *(_row(camera) for camera in checkup.cameras)]
    megabytes = checkup.bytes / 1e6
    lines = [
        f'{checkup.source}: {checkup.seconds:.1f} s, {megabytes:.1f} MB'
        + (f', {megabytes / checkup.seconds:.1f} MB/s' if checkup.seconds else ''),
        *aligned(rows, left=(0, 2, 13)),
        *_sets(checkup),
        f'motion: {_motion(checkup.motion)}',
        *([f'LiDAR: {checkup.lidar}{_unrecorded(checkup)}'] if checkup.lidar else []),
        *_rig(checkup),
        *(f'warning: {text}' for text in checkup.warnings),
        *([f'record with: {checkup.record}'] if checkup.record else []),
        f'trainable: {checkup.trainable}',
        f'deployable: {checkup.deployable}',
    ]
    return '\n'.join(lines)


def _row(camera: CameraFigures) -> tuple[str, ...]:
    lens = camera.lens or 'not known'
    return (
        camera.name,
        f'{camera.width}x{camera.height}',
        f'{lens}, {"rectified" if camera.rectified else "raw"}',
        str(camera.images),
        f'{camera.rate_hz:.1f}',
        str(camera.lost),
        f'{camera.delay_ms:.0f} ms',
        f'{camera.delay_spread_ms:.0f} ms',
        f'{camera.in_sets:.0%}',
        f'{camera.overlap:.0%}',
        f'{camera.brightness:.0f}',
        f'{camera.sharpness:.1f}',
        f'{camera.bits_per_pixel:.1f}',
        camera.topic,
    )


def _sets(checkup: Checkup) -> Iterator[str]:
    sets = checkup.sets
    yield (
        f'sets: {sets.count}, {sets.complete} of them complete, '
        f'{sets.spread_median_ms:.1f} ms from first to last image '
        f'(95 %: {sets.spread_p95_ms:.1f}; allowed: {sets.tolerance_ms:.1f})'
    )


def _motion(moves: MotionFigures | None) -> str:
    if moves is None:
        return 'not known'
    still = f'stands {moves.still:.0%} of the time'
    if math.isnan(moves.distance_m):
        return f'{still}, by the change of its images'
    return (
        f'{moves.distance_m:.1f} m, {moves.speed_mean_m_s:.2f} m/s in the mean and '
        f'{moves.speed_max_m_s:.2f} at most, turns by {moves.turning_max_deg_s:.0f} deg/s at '
        f'most, {still} ({moves.source})'
    )


def _unrecorded(checkup: Checkup) -> str:
    """How to record the LiDAR, too, where a call is told."""
    if not checkup.record:
        return ''
    launched = 'record.launch.py' in checkup.record
    more = f'lidar:={checkup.lidar} at its end' if launched else f'|{checkup.lidar} before its )$'
    return f', not recorded by the call below; with {more} it is'


def _rig(checkup: Checkup) -> Iterator[str]:
    if math.isnan(checkup.blind_deg):
        yield 'rig: not known'
        return
    pairs = ', '.join(f'{a} and {b} {share:.0%}' for a, b, share in checkup.overlaps)
    yield f'overlaps: {pairs or "none"}; {checkup.blind_deg:.1f} deg of azimuth are blind'
