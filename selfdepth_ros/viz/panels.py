# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images, their depth, and where the truth is known, the error, side by side per camera."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from selfdepth_ros.resizing import resized
from selfdepth_ros.viz.canvas import BACKGROUND, FAINT, blank, text_width, turbo, write

NEAR_M, FAR_M = 2.5, 80.0
_TICKS_M = (3, 5, 10, 20, 40, 80)
_WORST = 0.25  # relative error that is painted fully red
_NOTHING = (60, 64, 72)
_GAP = 4
_LEGEND = 44
_TITLE = 26


def color_depth(depth_m: Float[np.ndarray, '*shape']) -> Any:
    """Turbo colours of inverse depth, uint8 (*shape, 3) RGB: red near, blue far, grey unknown."""
    known = depth_m > 0  # NaN is not
    colors = turbo(_level(np.where(known, depth_m, FAR_M)))
    colors[~known] = _NOTHING
    return colors


def _level(depth_m: Any) -> Any:
    """Inverse depth from 0 (far) to 1 (near); the root gives the distance its share of colours."""
    with np.errstate(divide='ignore'):
        inverse = 1 / np.asarray(depth_m, float)
    return np.sqrt(np.clip((inverse - 1 / FAR_M) / (1 / NEAR_M - 1 / FAR_M), 0, 1))


def color_error(depth_m: Float[np.ndarray, '*shape'], truth_m: Float[np.ndarray, '*shape']) -> Any:
    """Blue where too near, red where too far, white where right; fully so at 25 % error.

    Grey where the truth has no finite depth.
    """
    known = np.isfinite(truth_m) & (truth_m > 0) & np.isfinite(depth_m)
    error = np.zeros(truth_m.shape)
    error[known] = np.clip((depth_m[known] / truth_m[known] - 1) / _WORST, -1, 1)
    strength = np.abs(error)[..., None]
    full = np.where(error[..., None] > 0, (214, 48, 39), (49, 84, 196))
    colors = ((1 - strength) * 245 + strength * full).astype(np.uint8)
    colors[~known] = _NOTHING
    return colors


def color_confidence(confidence: Float[np.ndarray, '*shape']) -> Any:
    """Grey from black (0) to white (1), uint8 (*shape, 3) RGB."""
    grey = (np.clip(np.nan_to_num(confidence), 0, 1) * 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def draw_depth_panels(
    images: Sequence[Any],
    depths: Sequence[Any],
    truths: Sequence[Any] | None = None,
    names: Sequence[str] | None = None,
) -> Any:
    """One column per camera: image, depth, and with `truths` true depth and relative error.

    `images` uint8 (h, w, 3) RGB or None, `depths` and `truths` float (h, w) metres, all of one
    kind. Every panel has the size of the first depth map. Returns an RGB picture.
    """
    height, width = depths[0].shape
    titles = ['image', 'depth', 'true depth', 'relative error'][: 2 if truths is None else 4]
    columns = len(depths)
    picture = blank(
        _GAP + columns * (width + _GAP), _TITLE + len(titles) * (height + _GAP) + _LEGEND
    )
    for column in range(columns):
        panels = [_image_panel(images[column], width, height), color_depth(depths[column])]
        if truths is not None:
            panels += [color_depth(truths[column]), color_error(depths[column], truths[column])]
        left = _GAP + column * (width + _GAP)
        if names is not None:
            write(picture, names[column], (left + 2, _TITLE - 8))
        for row, panel in enumerate(panels):
            top = _TITLE + row * (height + _GAP)
            picture[top : top + height, left : left + width] = panel
            if column == 0:
                write(picture, titles[row], (left + 6, top + 18))
    _legend(picture, picture.shape[0] - _LEGEND, with_error=truths is not None)
    return picture


def _image_panel(image: Any, width: int, height: int) -> Any:
    if image is None:
        return np.full((height, width, 3), BACKGROUND, np.uint8)
    return resized(image, width, height)


def _legend(picture: Any, top: int, with_error: bool) -> None:
    """Scale of depth, logarithmic in metres, and of the error."""
    width = min(420, picture.shape[1] // (2 if with_error else 1) - 3 * _GAP - 40)
    metres = np.exp(np.linspace(np.log(NEAR_M), np.log(FAR_M), width))
    picture[top + 6 : top + 20, _GAP : _GAP + width] = color_depth(metres)
    for tick in _TICKS_M:
        at = int(width * np.log(tick / NEAR_M) / np.log(FAR_M / NEAR_M))
        label = f'{tick} m'
        left = _GAP + min(at - text_width(label, 0.4) // 2, width - text_width(label, 0.4))
        write(picture, label, (max(left, _GAP), top + 36), 0.4, FAINT)
    if with_error:
        start = _GAP + width + 40
        ramp = np.linspace(1 - _WORST, 1 + _WORST, width)
        picture[top + 6 : top + 20, start : start + width] = color_error(ramp, np.ones(width))
        for share, label in ((0, f'-{_WORST:.0%}'), (0.5, 'right'), (1, f'+{_WORST:.0%}')):
            at = start + int(share * (width - text_width(label, 0.4)))
            write(picture, label, (at, top + 36), 0.4, FAINT)
