# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Does a compiled engine say what the model says? Asked of any two engines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.inference.engine import DepthEngine, EngineError


@dataclass(frozen=True)
class Agreement:
    """How far the depths of two engines are apart, relative to the reference's."""

    mean: float
    """Over all pixels; NaN when one of the engines says NaN or infinity."""
    p99: float
    """What 99 % of the pixels stay below."""
    scale: float
    """Median ratio of the depths: a gain that all pixels share."""

    def __str__(self) -> str:
        return f'mean {self.mean:.3%}, 99 % below {self.p99:.3%}, scale {self.scale:.4f}'


@dataclass(frozen=True)
class Tolerance:
    """What an engine may differ by and still be used."""

    mean: float
    p99: float


COMPILED: Mapping[str, Tolerance] = {
    'fp32': Tolerance(0.003, 0.02),  # TF32 has ten bits, as float16
    'fp16': Tolerance(0.01, 0.05),
    'int8': Tolerance(0.02, 0.10),
}
"""Of an engine from the ONNX file that it was compiled from, by the file's precision."""
VARIANT: Mapping[str, Tolerance] = {
    'fp16': Tolerance(0.005, 0.02),
    'int8': Tolerance(0.04, 0.20),
}
"""Of a variant from the fp32 model that it was made of. The shipped model: .01 and .09 % in fp16,
.3 and 3.4 % in int8, where outlines move by a pixel."""


def check_images(
    manifest: Manifest, count: int
) -> tuple[UInt8[Any, 'n h w 3'], Float32[Any, ' n']]:
    """Images for a check, the same on every machine: ramps, blocks of all sizes, some noise."""
    rng = np.random.default_rng(0)
    height, width = manifest.height, manifest.width
    images = np.empty((count, height, width, 3))
    images[:] = np.linspace(60, 180, height)[None, :, None, None]
    for size in (64, 24, 8):
        rows, columns = -(-height // size), -(-width // size)
        blocks = rng.integers(-40, 41, (count, rows, columns, 3))
        images += blocks.repeat(size, 1).repeat(size, 2)[:, :height, :width]
    images += rng.integers(-6, 7, images.shape)
    focal = np.linspace(0.5, 1.0, count) * width
    return images.clip(0, 255).astype(np.uint8), focal.astype(np.float32)


def compare(
    engine: DepthEngine,
    reference: DepthEngine,
    images: UInt8[Any, 'n h w 3'],
    focal: Float32[Any, ' n'],
) -> Agreement:
    """Run both engines on the same images."""
    ours = engine.infer(images, focal).depth.astype(np.float64)
    theirs = reference.infer(images, focal).depth.astype(np.float64)
    if ours.shape != theirs.shape or not np.isfinite(ours).all() or not (theirs > 0).all():
        return Agreement(np.nan, np.nan, np.nan)
    apart = np.abs(ours - theirs) / theirs
    return Agreement(
        float(apart.mean()), float(np.percentile(apart, 99)), float(np.median(ours / theirs))
    )


def require_depths(engine: DepthEngine, count: int) -> None:
    """Run `count` made-up images; refuse an engine that has no metres for them.

    For an engine that is loaded while another one is at work. Raises EngineError.
    """
    manifest = engine.manifest
    depth = engine.infer(*check_images(manifest, count)).depth
    expected = (count, manifest.height, manifest.width)
    sound = np.isfinite(depth) & (depth > 0)
    if depth.shape != expected or not sound.all():
        raise EngineError(
            f'the model {manifest.name!r} gives depths of shape {depth.shape}, {sound.mean():.1%} '
            f'of them finite and above 0 m; expected {expected} and all of them: it was not '
            'trained to an end, or is damaged; export another one'
        )


def require(agreement: Agreement, tolerance: Tolerance, what: str, advice: str) -> None:
    """Refuse an engine that says something else than its reference. Raises EngineError."""
    # Written so that NaN fails too.
    if not (agreement.mean <= tolerance.mean and agreement.p99 <= tolerance.p99):
        raise EngineError(
            f'{what} differs from the model in ONNX Runtime: {agreement}; expected a mean of at '
            f'most {tolerance.mean:.1%} and 99 % below {tolerance.p99:.0%}. It is not used: '
            f'{advice}'
        )
