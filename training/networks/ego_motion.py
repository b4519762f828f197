# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One ego motion for the whole rig, from two surround frames."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.core.so3 import skew
from selfdepth_training.networks.depth import DEVIATION, MEAN
from selfdepth_training.networks.explainability import ExplainabilityDecoder
from selfdepth_training.networks.resnet import ResNetEncoder
from selfdepth_training.present import of_present

# A fresh network should say "hardly moved"; its answers (x, y, z, and turns about them) become
# metres and radians. What a metre is to things ten metres away, a tenth of a radian is to all of
# them: with .1 for both, 25 steps turned a robot by 7.5 degrees on average that turned by .1.
OUTPUT_SCALE = (0.1, 0.1, 0.1, 0.01, 0.01, 0.01)


class EgoMotionNetwork(nn.Module):
    """Each camera answers in its own frame; the answers meet in the body frame.

    The extrinsics carry each camera's twist to the body, where they are averaged with learned
    weights: pose averaging of Guizilini et al. 2022, so that one motion explains every camera.
    """

    def __init__(self, width: int = 16, explains: bool = False) -> None:
        super().__init__()
        channels = (width, width, 2 * width, 4 * width, 8 * width)
        self.encoder = ResNetEncoder(18, channels, inputs=6)
        self.squeeze = nn.Conv2d(self.encoder.channels[-1], 64, 1)
        self.head = nn.Conv2d(64, 8, 3, padding=1)
        nn.init.normal_(self.head.weight, std=1e-3)
        nn.init.zeros_(self.head.bias)
        self.explainability = ExplainabilityDecoder(channels) if explains else None

    def forward(
        self,
        earlier: Float[Tensor, 'n c 3 h w'],
        later: Float[Tensor, 'n c 3 h w'],
        body_from_camera: SE3,
        present: Bool[Tensor, 'n c'] | None = None,
    ) -> Float[Tensor, 'n 6']:
        """Twist (metres up to scale, radians) of the body from the earlier to the later frame.

        Images in 0..1; its exponential is earlier_from_later. `body_from_camera` has batch (C,).
        Only cameras that are `present` in both frames are looked at and have a say (None: all),
        unless there are none.
        """
        return self.explained(earlier, later, body_from_camera, present)[0]

    def explained(
        self,
        earlier: Float[Tensor, 'n c 3 h w'],
        later: Float[Tensor, 'n c 3 h w'],
        body_from_camera: SE3,
        present: Bool[Tensor, 'n c'] | None = None,
    ) -> tuple[Float[Tensor, 'n 6'], Float[Tensor, 'n c 2 y x'] | None]:
        """The twist, and of both frames what the other one explains (None without such a mask): of
        cameras that are not looked at, all."""
        pairs = torch.cat([earlier, later], 2).flatten(0, 1)
        pairs = functional.avg_pool2d((pairs - MEAN) / DEVIATION, 2)
        silent = None if present is None else ~present & present.any(1, keepdim=True)
        heard = None if silent is None else ~silent.flatten()
        features, *masks = of_present(self._looked_at, pairs, heard)
        with torch.autocast(features.device.type, enabled=False):
            answers = self.head(features.float()).mean((2, 3)).unflatten(0, earlier.shape[:2])
            scale = answers.new_tensor(OUTPUT_SCALE)
            body_twist = carried(scale * answers[..., :6], body_from_camera)
        says = answers[..., 6:]
        if silent is not None:
            says = says.masked_fill(silent[..., None], -torch.inf)
        translation_weight, rotation_weight = says.softmax(1).unbind(-1)
        twist = torch.cat(
            [
                (body_twist[..., :3] * translation_weight[..., None]).sum(1),
                (body_twist[..., 3:] * rotation_weight[..., None]).sum(1),
            ],
            -1,
        )
        if not masks:
            return twist, None
        explained = masks[0].unflatten(0, earlier.shape[:2])
        if silent is not None:
            explained = explained.masked_fill(silent[..., None, None, None], 1.0)
        return twist, explained

    def _looked_at(self, pairs: Float[Tensor, 'n 6 h w']) -> list[Float[Tensor, 'n _ _ _']]:
        """Features of pairs of images and, with such a mask, what each explains of the other."""
        encoded = self.encoder(pairs.contiguous(memory_format=torch.channels_last))
        features = torch.relu(self.squeeze(encoded[-1]))
        if self.explainability is None:
            return [features]
        return [features, self.explainability(encoded)]


def carried(camera_twist: Float[Tensor, 'n c 6'], body_from_camera: SE3) -> Float[Tensor, 'n c 6']:
    """Twists of cameras as twists of the body they sit on (the adjoint of the extrinsics)."""
    matrix = body_from_camera.matrix.to(camera_twist)
    rotation, offset = matrix[:, :3, :3], matrix[:, :3, 3]
    turned = torch.einsum('cij,ncj->nci', rotation, camera_twist[..., 3:])
    moved = torch.einsum('cij,ncj->nci', rotation, camera_twist[..., :3])
    lever = torch.einsum('cij,ncj->nci', skew(offset), turned)
    return torch.cat([moved + lever, turned], -1)
