# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Figures of single cameras, and what is odd about them."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int64

from selfdepth_ros.core.camera_view import field_of_view_deg, lens_kind
from selfdepth_ros.core.cameras.base import Lens
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.doctor.checkup import CameraFigures
from selfdepth_ros.doctor.observation import CameraSeen

_SLOW, _LOST = 0.8, 0.02
"""Share of the fastest camera's rate, and of the images, from which it is worth a word."""
_OFF_CENTRE = 0.25
_BITS = 0.4
"""Below so many bits a pixel JPEG smears what depth is learned from."""
_DARK, _BRIGHT, _BLURRED = 20.0, 235.0, 0.3


def figures(seen: CameraSeen, rig: Rig | None, in_sets: float, overlap: float) -> CameraFigures:
    """Return the figures of a camera; `rig` None, or without it: the lens is not known."""
    name = seen.topics.name
    stamps = np.array(seen.stamps_ns, np.int64)
    delay_ms = (np.array(seen.received_ns, np.int64) - stamps) / 1e6
    low, median, high = np.percentile(delay_ms, [5, 50, 95]) if stamps.size else [math.nan] * 3
    width, height = seen.views[0].size if seen.views else (0, 0)
    looks = [view.look for view in seen.views] or [(math.nan, math.nan)]
    brightness, sharpness = np.median(looks, axis=0).tolist()
    pixels = seen.images * width * height
    return CameraFigures(
        name=name,
        topic=seen.topics.image,
        images=seen.images,
        rate_hz=_rate_hz(stamps),
        lost=_lost(stamps),
        out_of_order=int((np.diff(stamps) <= 0).sum()),
        delay_ms=float(median),
        delay_spread_ms=float(high - low),
        width=width,
        height=height,
        lens=lens_kind(rig[name].camera) if rig and name in rig.names else '',
        rectified=seen.topics.rectified,
        bits_per_pixel=8 * seen.image_bytes / pixels if pixels else math.nan,
        brightness=brightness,
        sharpness=sharpness,
        in_sets=in_sets,
        overlap=overlap,
    )


def complaints(
    cameras: Sequence[CameraFigures], seen: Sequence[CameraSeen], rig: Rig | None
) -> Iterator[str]:
    """Say what is odd about cameras, in sentences that name them."""
    fastest = max((camera.rate_hz for camera in cameras), default=0.0)
    known = [camera.sharpness for camera in cameras if not math.isnan(camera.sharpness)]
    usual = float(np.median(known)) if known else 0.0
    for camera, raw in zip(cameras, seen, strict=True):
        told = [*_of_time(camera, fastest), *_of_pictures(camera, usual)]
        if raw.unreadable:
            told.append(f'an image cannot be decoded: {raw.unreadable}')
        if raw.unstamped:
            told.append(f'{raw.unstamped} of {camera.images} images have the stamp 0')
        if rig and camera.name in rig.names:
            told += _of_lens(rig[camera.name].camera)
            if rig[camera.name].is_upside_down:
                told.append(
                    'mounted upside down, which no network expects: turn its images, and its '
                    'CameraInfo and frame with them, by 180 degrees'
                )
        yield from (f'{camera.name}: {text}' for text in told)


def _of_time(camera: CameraFigures, fastest_hz: float) -> Iterator[str]:
    if camera.rate_hz < _SLOW * fastest_hz:
        yield f'{camera.rate_hz:.1f} Hz, the fastest camera has {fastest_hz:.1f} Hz'
    if camera.lost > _LOST * camera.images:
        yield f'{camera.lost} images are lost beside {camera.images}'
    if camera.out_of_order:
        yield f'{camera.out_of_order} stamps are not later than the one before'
    if camera.rate_hz * camera.delay_spread_ms > 2000:
        yield f'comes in bursts: delays vary by {camera.delay_spread_ms:.0f} ms'


def _of_pictures(camera: CameraFigures, usual_sharpness: float) -> Iterator[str]:
    if camera.brightness < _DARK:
        yield f'dark: {camera.brightness:.0f} of 255 in the median; covered, or underexposed?'
    if camera.brightness > _BRIGHT:
        yield f'overexposed: {camera.brightness:.0f} of 255 in the median'
    if camera.sharpness < _BLURRED * usual_sharpness:
        share = camera.sharpness / usual_sharpness
        yield f'blurred or dirty: as sharp as {share:.0%} of the usual camera of this rig'
    if camera.bits_per_pixel < _BITS:
        yield f'strongly compressed: {camera.bits_per_pixel:.2f} bits a pixel'


def _of_lens(camera: object) -> Iterator[str]:
    """A K that was made for another size of the image puts its centre elsewhere."""
    if not isinstance(camera, Lens):
        return
    across, down = camera.cx / (camera.width - 1), camera.cy / (camera.height - 1)
    if max(abs(across - 0.5), abs(down - 0.5)) > _OFF_CENTRE:
        yield (
            f'the principal point of its calibration is at {across:.0%} of the width and '
            f'{down:.0%} of the height: K of another image size?'
        )
    horizontal_deg, _ = field_of_view_deg(camera)
    if not 15 < horizontal_deg < 220:
        yield f'its K gives {horizontal_deg:.0f} degrees across: of another image size?'


def _rate_hz(stamps: Int64[np.ndarray, ' n']) -> float:
    span_ns = int(stamps.max() - stamps.min()) if stamps.size else 0
    return (len(stamps) - 1) / (span_ns * 1e-9) if span_ns else 0.0


def _lost(stamps: Int64[np.ndarray, ' n']) -> int:
    """Images that are missing, by the gaps that are multiples of the usual period."""
    steps: Float[np.ndarray, ' m'] = np.diff(np.unique(stamps)).astype(float)
    if not steps.size:
        return 0
    return int(np.maximum(np.rint(steps / np.median(steps)) - 1, 0).sum())
