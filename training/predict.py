# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A trained network as a function from a surround frame to z-depth at each camera's own size."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from selfdepth_ros.core.config import config_from_dict
from selfdepth_ros.core.depth import DepthLimit, z_depth_from_ray_distance
from selfdepth_ros.core.errors import ConfigError
from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.inference.engine import DepthPrediction
from selfdepth_ros.resizing import resized
from selfdepth_training.checkpoint import CheckpointError, load_checkpoint
from selfdepth_training.config import TrainConfig
from selfdepth_training.evaluate import Predictor
from selfdepth_training.flip import mirrored_share
from selfdepth_training.networks import DepthNetwork
from selfdepth_training.networks.composed import deployed
from selfdepth_training.scale import Scale

# Images uint8 (n, h, w, 3) RGB and focal lengths (n,) in pixels in.
Infer = Callable[[UInt8[np.ndarray, 'n h w 3'], Float[np.ndarray, ' n']], DepthPrediction]
Listener = Callable[[list[Float[np.ndarray, 'h w']]], None]
"""What is told the confidences of a frame, by camera, at the cameras' own sizes."""


@dataclass(frozen=True)
class TrainedNetwork:
    """A depth network read from a checkpoint, ready to run, and what the checkpoint knows."""

    network: DepthNetwork
    config: TrainConfig
    state: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> 'TrainedNetwork':
        """Read a training's folder or checkpoint; CheckpointError says what is wrong with it."""
        state = load_checkpoint(path)
        prefix = 'depth.'
        try:
            config = config_from_dict(TrainConfig, state['config'])
            network = DepthNetwork(config.network, 1.0)
            own = {k: v for k, v in state['learner'].items() if k.startswith(prefix)}
            network.load_state_dict({k.removeprefix(prefix): v for k, v in own.items()})
        except (KeyError, RuntimeError, ConfigError) as error:
            raise CheckpointError(
                f'Found a checkpoint of another version in {path} ({error}), expected one that '
                'this version wrote. Train again, or use the version that wrote it.'
            ) from error
        network = deployed(network.eval())
        return cls(network.to(memory_format=torch.channels_last), config, state)

    @property
    def depth_limit(self) -> DepthLimit:
        """The largest depth it can say."""
        return DepthLimit(self.network.bounds_m[1], float(self.network.reference_focal))

    @property
    def scale(self) -> Scale:
        """'relative' where nothing told metres in training."""
        scale: Scale = self.state.get('scale', 'metric')
        return scale

    @torch.no_grad()
    def infer(
        self, images: UInt8[np.ndarray, 'n h w 3'], focal: Float[np.ndarray, ' n']
    ) -> DepthPrediction:
        """The depth in metres, of the checkpoint's kind, and its confidence where it is known."""
        batch = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        depth, confidence = self.network(batch, torch.from_numpy(focal).float())
        return DepthPrediction(depth.numpy(), None if confidence is None else confidence.numpy())


def surround_predictor(
    infer: Infer, rig: Rig, width: int, height: int, kind: str, flip: bool = False,
    hear: Listener = lambda _: None,
) -> Predictor:  # fmt: skip
    """Wrap `infer` for the cameras of `rig`: resize in, z-depth at each camera's own size out.

    `flip` asks twice, the second time with mirrored images, and averages (`flip_averaged`).
    `hear` is told the confidences of each frame, before its depths are returned, where the
    network knows them.
    """
    infer = flip_averaged(infer) if flip else infer
    scaled = rig.scaled(width, height)
    focal = np.array([entry.camera.focal for entry in scaled.cameras], np.float32)
    rays = [entry.camera.pixel_rays()[0] for entry in scaled.cameras]
    sizes = [(entry.camera.width, entry.camera.height) for entry in rig.cameras]

    def predict(frame: SurroundFrame) -> list[np.ndarray | None]:
        found = infer(network_images(frame, width, height), focal)
        if found.confidence is not None:
            hear([cv2.resize(*each) for each in zip(found.confidence, sizes, strict=True)])
        depths = found.depth
        if kind == 'ray_distance':
            depths = [z_depth_from_ray_distance(d, r) for d, r in zip(depths, rays, strict=True)]
        return [
            None if image is None else _resized(depth, *size)
            for image, depth, size in zip(frame.images, depths, sizes, strict=True)
        ]

    return predict


def network_images(frame: SurroundFrame, width: int, height: int) -> UInt8[np.ndarray, 'c h w 3']:
    """The images of a frame at the network's size, black where a camera is missing."""
    batch = np.zeros((len(frame.images), height, width, 3), np.uint8)
    for index, image in enumerate(frame.images):
        if image is not None:
            batch[index] = resized(image, width, height)
    return batch


def flip_averaged(infer: Infer) -> Infer:
    """Average inverse depth and confidence with those of the mirrored images, mirrored back.

    How much each counts by column is `mirrored_share`'s.
    """

    def both(
        images: UInt8[np.ndarray, 'n h w 3'], focal: Float[np.ndarray, ' n']
    ) -> DepthPrediction:
        straight = infer(images, focal)
        mirrored = infer(np.ascontiguousarray(images[:, :, ::-1]), focal)
        share = mirrored_share(images.shape[2])
        depth = 1 / ((1 - share) / straight.depth + share / mirrored.depth[:, :, ::-1])
        if straight.confidence is None or mirrored.confidence is None:
            return DepthPrediction(depth)
        back = mirrored.confidence[:, :, ::-1]
        return DepthPrediction(depth, (1 - share) * straight.confidence + share * back)

    return both


def _resized(depth: Float[np.ndarray, 'h w'], width: int, height: int) -> Float[np.ndarray, 'y x']:
    """Depth at another size, interpolated as inverse depth, which is linear on planes."""
    if depth.shape == (height, width):
        return depth
    return 1 / cv2.resize(1 / depth, (width, height), interpolation=cv2.INTER_LINEAR)
