# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Hints that count where they reproject better: what they rescue, and what they leave alone.

A depth map is optimised directly: what a network would say is the parameter. The scene is a fence
before which a camera moves sideways, rendered where it stands.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.rig_camera import RigCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.better import reprojects_better
from selfdepth_training.config import LossConfig, NetworkConfig, load_recipe
from selfdepth_training.data.samples import RigSample, SureDepth
from selfdepth_training.learner import SurroundLearner
from selfdepth_training.losses.surround import NOW
from selfdepth_training.networks import DepthNetwork
from selfdepth_training.scene import Motion, Scene
from selfdepth_training.terms import TERMS, hint_loss, hint_weight

WIDTH, HEIGHT, FOCAL_PX = 96, 64, 96.0
FENCE_M, STEP_M, PICKET_M = 6.0, 0.5, 0.375
# Pickets are 6 pixels apart and move by 8: at 24 m, where one would move by 2, it is taken for the
# next one.
WRONG_M = 24.0
CENTRE = (slice(6, -6), slice(10, -10))


def image(camera_x_m: float) -> np.ndarray:
    """Pickets of one colour, apart from a little weather on each, 96 x 64."""
    u, v = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    x = camera_x_m + (u - WIDTH / 2 + 0.5) / FOCAL_PX * FENCE_M
    y = (v - HEIGHT / 2 + 0.5) / FOCAL_PX * FENCE_M
    pickets = 0.5 + 0.4 * np.cos(2 * np.pi * x / PICKET_M)
    weather = 0.06 * np.sin(2.3 * x + 1.7 * y) + 0.04 * np.sin(4.1 * y - 3.7 * x)
    grey = (255 * (pickets + weather).clip(0, 1)).round().astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2)


def scene(mode: str, at_m: tuple[float, float, float] = (-STEP_M, 0, STEP_M)) -> Scene:
    """The fence, with a depth that is to be optimised (`inverse` still empty)."""
    settings = ['data.width=96', 'data.height=64', 'network.scales=1', 'loss.spatial=0']
    config = load_recipe('hints-soft', [*settings, f'loss.hint_where={mode}'])
    lens = PinholeCamera(WIDTH, HEIGHT, FOCAL_PX, FOCAL_PX, WIDTH / 2 - 0.5, HEIGHT / 2 - 0.5)
    entry = RigCamera('camera', lens, SE3.identity(), 'camera_optical_frame')
    learner = SurroundLearner(config, [Rig((entry,))], learn_motion=False)
    poses = torch.eye(4, dtype=torch.float64).repeat(3, 1, 1, 1)
    poses[:, 0, 0, 3] = torch.tensor(at_m, dtype=torch.float64)
    images = torch.from_numpy(np.stack([image(x) for x in at_m]))[:, None]
    sample = RigSample(
        0, (0, 1, 2), images, torch.ones(3, 1, dtype=torch.bool), torch.zeros(3, 1).double(), poses
    )
    return Scene(
        sample, images[NOW].permute(0, 3, 1, 2).float() / 255, torch.tensor([FOCAL_PX]), [], [],
        Motion(SE3(poses), learned=False), NOW, 0.5, 0, config.loss, learner.depth,
        lambda level: learner.reprojection(0, level, torch.device('cpu')),
    )  # fmt: skip


def logits_of(scene: Scene, depth_m: torch.Tensor) -> torch.Tensor:
    """What the head has to say for these depths."""
    head = scene.network.head
    share = (1 / depth_m - head.far) / (head.near - head.far)
    return torch.logit(share)[:, None]


def saying(scene: Scene, logits: torch.Tensor) -> Scene:
    inverse = scene.network.to_inverse_depth(logits, scene.focal)
    return replace(scene, logits=[logits], inverse=[inverse], _views={}, _depths={})


def everywhere(depth_m: float) -> torch.Tensor:
    return torch.full((1, HEIGHT // 2, WIDTH // 2), depth_m)


def told(scene: Scene, depth_m: torch.Tensor) -> Scene:
    """With this hint everywhere."""
    hint = SureDepth(depth_m, torch.ones_like(depth_m, dtype=torch.bool))
    return replace(scene, sample=replace(scene.sample, hint=hint))


def descended(scene: Scene, start_m: float, terms: tuple[str, ...]) -> torch.Tensor:
    """Depth that a descent on these terms ends at."""
    logits = logits_of(scene, everywhere(start_m)).requires_grad_()
    optimizer = torch.optim.Adam([logits], 0.1)
    for _ in range(60):
        optimizer.zero_grad()
        said = saying(scene, logits)
        torch.stack([TERMS[name](said) for name in terms]).sum().backward()
        optimizer.step()
    return saying(scene, logits.detach()).depth(0, 1)[0]


def off(depth_m: torch.Tensor) -> float:
    return float((depth_m[CENTRE] / FENCE_M - 1).abs().median())


def test_a_hint_rescues_from_the_wrong_picket():
    """The images alone end where the next picket fits; a hint of 3 % noise leads out of there."""
    fence = scene('better')
    assert off(descended(fence, FENCE_M * 1.05, ('temporal',))) < 0.02, 'near it, images suffice'
    alone = descended(fence, WRONG_M, ('temporal',))
    assert 0.8 < alone[CENTRE].median() / WRONG_M < 1.2
    noise = torch.randn(1, HEIGHT // 2, WIDTH // 2, generator=torch.Generator().manual_seed(0))
    hinted = told(fence, FENCE_M * torch.exp(0.03 * noise))
    assert off(descended(hinted, WRONG_M, ('temporal', 'hint'))) < 0.05


def test_it_never_pulls_where_what_is_said_reprojects_better():
    """Left, the truth is said and a wrong picket told; right, the other way round."""
    fence = scene('better')
    truth, wrong = everywhere(FENCE_M), everywhere(WRONG_M)
    left = torch.zeros_like(truth, dtype=torch.bool)
    left[..., : WIDTH // 4] = True
    logits = logits_of(fence, torch.where(left, truth, wrong)).requires_grad_()
    said = told(saying(fence, logits), torch.where(left, wrong, truth))
    TERMS['hint'](said).backward()
    pulled = (logits.grad[0, 0] != 0)[6:-6]
    middle = WIDTH // 4
    assert not pulled[:, 8 : middle - 3].any()
    assert pulled[:, middle + 3 : -8].float().mean() > 0.9


def test_everywhere_it_pulls_everywhere():
    """Or the test above would pass with hints that never count."""
    fence = told(scene('everywhere'), everywhere(WRONG_M))
    logits = logits_of(fence, everywhere(FENCE_M)).requires_grad_()
    TERMS['hint'](saying(fence, logits)).backward()
    assert (logits.grad != 0).all()


def test_a_hint_that_says_what_is_said_does_not_count():
    fence = told(scene('better'), everywhere(9.0))
    said = saying(fence, logits_of(fence, everywhere(9.0)))
    same = replace(said, sample=replace(said.sample, hint=SureDepth(
        said.depth(0, 1), torch.ones(1, HEIGHT // 2, WIDTH // 2, dtype=torch.bool)
    )))  # fmt: skip
    assert not reprojects_better(same, same.sample.hint).any()


def test_of_a_robot_at_rest_no_hint_counts():
    """What does not move in the image is explained best by not moving it."""
    rest = told(scene('better', (0.0, 0.0, 0.0)), everywhere(FENCE_M))
    said = saying(rest, logits_of(rest, everywhere(WRONG_M)))
    assert not reprojects_better(said, rest.sample.hint).any()
    assert TERMS['hint'](said) == 0


def test_what_is_not_sure_is_no_hint_however_well_it_reprojects():
    fence = told(scene('better'), everywhere(FENCE_M))
    sure = torch.rand(1, HEIGHT // 2, WIDTH // 2, generator=torch.Generator().manual_seed(1)) < 0.5
    spoiled = torch.where(sure, fence.sample.hint.depth, torch.tensor(float('nan')))
    fence = replace(fence, sample=replace(fence.sample, hint=SureDepth(spoiled, sure)))
    logits = logits_of(fence, everywhere(WRONG_M)).requires_grad_()
    TERMS['hint'](saying(fence, logits)).backward()
    assert logits.grad.isfinite().all()
    assert not logits.grad[0, 0][~sure[0]].any() and logits.grad[0, 0][sure[0]].any()


def test_metres_between_count_as_the_paper_has_it():
    fence = scene('everywhere')
    hint = SureDepth(everywhere(9.0), torch.ones(1, HEIGHT // 2, WIDTH // 2, dtype=torch.bool))
    logits = logits_of(fence, everywhere(FENCE_M))
    loss = hint_loss(fence.loss, fence.network, logits, fence.focal, hint, 0.5)
    assert loss.item() == pytest.approx(np.log(1 + 3.0), rel=1e-4)


def test_pixels_at_outlines_of_hints_count_more():
    """Two walls side by side, and a row that nothing is sure of."""
    depth = torch.full((1, 12, 16), 5.0)
    depth[..., 8:] = 10.0
    sure = torch.ones_like(depth, dtype=torch.bool)
    sure[:, 3], depth[:, 3] = False, torch.nan
    hint = SureDepth(depth, sure)
    weight = hint_weight(LossConfig(hint_outlines=2.0), hint)
    assert weight[0, 0].tolist() == [1] * 6 + [3] * 4 + [1] * 6
    assert not weight[:, 3].any()
    assert torch.equal(hint_weight(LossConfig(), hint), sure.float())
    slope = torch.linspace(5, 8, 16).expand(1, 12, 16)  # 4 % a pixel: a surface
    assert (hint_weight(LossConfig(hint_outlines=2.0), SureDepth(slope, sure)) <= 1).all()


def test_the_error_of_a_histogram_is_weighted_so():
    network = DepthNetwork(NetworkConfig(), 50.0)
    depth = torch.full((1, 12, 16), 5.0)
    depth[..., 8:] = 10.0
    chance = torch.rand(depth.shape, generator=torch.Generator().manual_seed(1))
    hint = SureDepth(depth, chance < 0.7)
    logits = torch.randn(1, 32, 12, 16, generator=torch.Generator().manual_seed(2))
    focal = torch.tensor([50.0])
    each = network.hint_error(logits, focal, depth)
    for outlines in (0.0, 2.0):
        config = LossConfig(hint_outlines=outlines, hint_fades=False)
        weight = hint_weight(config, hint)
        found = hint_loss(config, network, logits, focal, hint, 0.5)
        assert found.item() == pytest.approx((weight * each).sum().item() / weight.sum().item())


@pytest.mark.parametrize('level', [0, 1, 2])
def test_looking_where_a_hint_is_better_leaves_the_images_their_gradient(level):
    """At each size of the images: the scene keeps what the comparison asked for first."""
    found = []
    for mode in ('everywhere', 'better'):
        fence = replace(told(scene(mode), everywhere(FENCE_M)), level=level)
        logits = logits_of(fence, everywhere(1.2 * FENCE_M)).requires_grad_()
        said = saying(fence, logits)
        TERMS['hint'](said)
        TERMS['temporal'](said).backward()
        found.append(logits.grad)
    assert found[0].abs().sum() > 0
    torch.testing.assert_close(*found)
