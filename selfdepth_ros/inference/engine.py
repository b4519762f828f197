# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What every depth engine is: images in, metres out."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Float32, UInt8

from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.manifest import Manifest


class EngineError(SelfdepthError):
    """A model that cannot be loaded or run: what was found, what was expected, what to do."""


@dataclass(frozen=True)
class DepthPrediction:
    """What the network says about a batch of images."""

    depth: Float32[Any, 'n h w']
    """Metres, of the kind that the manifest names (z-depth or ray distance)."""
    confidence: Float32[Any, 'n h w'] | None = None
    """P(relative error < 25 %), where the model has learned it."""


@runtime_checkable
class DepthEngine(Protocol):
    """A network that is ready to run. Not for several threads at once."""

    @property
    def manifest(self) -> Manifest:
        """Size, depth kind, range and record of the model."""
        ...

    @property
    def device(self) -> str:
        """What runs the network, and where, in words."""
        ...

    def infer(self, images: UInt8[Any, 'n h w 3'], focal: Float[Any, ' n']) -> DepthPrediction:
        """Depth of RGB images of the manifest's size.

        `focal` is fx in pixels at that size. The result owns its memory. Raises EngineError.
        """
        ...


@runtime_checkable
class DeviceEngine(DepthEngine, Protocol):
    """An engine whose images and depths lie in the memory of a device, as torch tensors."""

    @property
    def memory(self) -> str:
        """Whose memory, as torch calls it: 'cuda'."""
        ...

    def on_stream(self) -> AbstractContextManager[Any]:
        """A context in which what torch is asked to do comes after what the engine does."""
        ...

    def infer_on_device(
        self, images: UInt8[Any, 'n h w 3'], focal: Float32[Any, ' n']
    ) -> DepthPrediction:
        """As `infer`, on tensors in `memory`, within `on_stream`; the result is not waited for.

        The result's tensors are its own.
        """
        ...


def check_batch(manifest: Manifest, images: Any, focal: Any) -> None:
    """Refuse a batch (arrays or tensors) that the model would misread, before it gets there."""
    expected = (manifest.height, manifest.width, 3)
    kind = str(images.dtype).removeprefix('torch.')
    if images.ndim != 4 or images.shape[1:] != expected or kind != 'uint8':
        raise EngineError(
            f'images are {kind} of shape {tuple(images.shape)}; the model {manifest.name!r} '
            f'takes uint8 (N, {manifest.height}, {manifest.width}, 3): resize them first'
        )
    if focal.shape != images.shape[:1]:
        raise EngineError(
            f'focal has shape {tuple(focal.shape)} for {len(images)} images; give one fx per '
            f'image, in pixels at {manifest.width}x{manifest.height}'
        )
