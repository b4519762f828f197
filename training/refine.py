# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A motion, refined by a few damped Gauss-Newton steps on features, which gradients pass.

After Tang and Tan, "BA-Net: dense bundle adjustment networks", ICLR 2019. Theirs refines a depth
of 128 learned maps beside the motion; here each camera's depth has one factor. The motion to begin
with is odometry's, whose distances are kept, or what a network says.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfdepth_ros.core.cameras import Camera
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.losses.motion import distances
from selfdepth_training.losses.surround import AFTER, BEFORE, NOW, Views
from selfdepth_training.scene import Refinement, Scene
from selfdepth_training.warp import sample, seen_by

# Pyramid level of the features: a pixel here is four of the image's.
LEVEL = 2
# Damping of the first step, as a share of the diagonal, and what a good and a bad step make of it.
DAMPING, EASED, HARDENED = 1e-2, 0.2, 10.0
# How much the depth as the network says it counts, of what the pixels say about it.
DEPTH_PRIOR = 0.1
# What is gained by chance on images that have nothing in common stays below this share.
LEAST_GAIN = 0.03
# A motion is not better because fewer pixels are there to be judged.
STILL_SEEN = 0.8
# A motion that has become longer or shorter than by this factor is not given odometry's length.
LONGEST_STRETCH = 2.0


class Normal(NamedTuple):
    """Gauss-Newton's normal equations of m motions, each with p = 6 + c unknowns."""

    cost: Float[Tensor, ' m']
    seen: Float[Tensor, ' m']
    """Pixels that were compared."""
    curvature: Float[Tensor, 'm p p']
    slope: Float[Tensor, 'm p']


class Guess(NamedTuple):
    """A left factor of the body's poses, and the log of a factor of each camera's depth."""

    pose: Float[Tensor, 'm 4 4']
    log_factor: Float[Tensor, 'm c']


@dataclass(frozen=True)
class Alignment:
    """Surround frames at m other times that are to be laid over the one of now."""

    geometry: RigGeometry
    target: Float[Tensor, 'c k y x']
    sources: Float[Tensor, 'm c k y x']
    seen: Bool[Tensor, 'm c']
    """Whether there are both images."""
    centres: Float[Tensor, 'c 3']
    arms: Float[Tensor, 'c y x 3']
    """World points of now, seen from the centres of their cameras."""
    world_from_source: Float[Tensor, 'm c 4 4']

    @classmethod
    def of(cls, views: Views, depth: Float[Tensor, 'c y x'], geometry: RigGeometry) -> 'Alignment':
        """Lay features of before and after over those of now, by the depth of now."""
        poses = views.world_from_camera.matrix.to(depth)
        now, others = SE3(poses[NOW]), [BEFORE, AFTER]
        return cls(
            geometry, views.images[NOW], views.images[others],
            views.present[NOW] & views.present[others],
            now.translation, now.rotate(depth[..., None] * geometry.rays), poses[others],
        )  # fmt: skip

    def start(self) -> Guess:
        """The motion as it is given."""
        count, cameras = self.seen.shape
        pose = torch.eye(4).to(self.arms).expand(count, 4, 4)
        return Guess(pose, self.arms.new_zeros(count, cameras))

    def normal(
        self, guess: Guess, softness: Float[Tensor, ' m'], prior: Float[Tensor, ' m']
    ) -> Normal:
        """Mean Geman-McClure error of the features over the pixels that are seen.

        Squared errors of `softness` count half; `prior` keeps the factors of the depths near one.
        """
        arms = guess.log_factor.exp()[..., None, None, None] * self.arms
        points = self.centres[:, None, None] + arms
        world_from_source = SE3(guess.pose[:, None] @ self.world_from_source)
        source_from_world = world_from_source.inverse()
        error, valid, steps, lens = self._looked_up(source_from_world.apply(points))
        square = error.square().mean(2)
        soft = softness[:, None, None, None]
        count = valid.sum((1, 2, 3)).clamp(min=1)
        cost = (torch.where(valid, square / (1 + square / soft), 0.0)).sum((1, 2, 3)) / count
        weight = torch.where(valid, (1 + square / soft) ** -2, 0.0) / count[:, None, None, None]
        # Of pixels by the point (in the world), the pose and the depth's factor.
        by_point = lens @ source_from_world.rotation[:, :, None, None]
        by_turn = torch.linalg.cross(by_point, points[..., None, :].expand_as(by_point))
        by_factor = by_point @ arms[..., None]
        moves = torch.cat([-by_point, by_turn, by_factor], -1)
        tensor = torch.einsum('mckyxi,mckyxj,mcyx->mcyxij', steps, steps, weight) / error.shape[2]
        pull = torch.einsum('mckyxi,mckyx,mcyx->mcyxi', steps, error, weight) / error.shape[2]
        curvature = torch.einsum('mcyxia,mcyxij,mcyxjb->mcab', moves, tensor, moves)
        slope = torch.einsum('mcyxia,mcyxi->mca', moves, pull)
        own = curvature[..., 6, 6] + prior[:, None]
        mixed = curvature[..., :6, 6]
        return Normal(
            cost + prior * guess.log_factor.square().sum(1),
            valid.sum((1, 2, 3)).to(cost),
            torch.cat(
                [
                    torch.cat([curvature[..., :6, :6].sum(1), mixed.mT], 2),
                    torch.cat([mixed, own.diag_embed()], 2),
                ],
                1,
            ),
            torch.cat(
                [slope[..., :6].sum(1), slope[..., 6] + prior[:, None] * guess.log_factor], 1
            ),
        )

    def _looked_up(self, points: Float[Tensor, 'm c y x 3']) -> tuple[Tensor, ...]:
        """Errors (m, c, k, y, x) at points in the sources' frames, where there are any, the
        features' steps by pixels (.., 2) and the pixels' by points (m, c, y, x, 2, 3)."""
        geometry = self.geometry
        grids = [
            seen_by(camera, points[:, c], geometry.visible[c])
            for c, camera in enumerate(geometry.cameras)
        ]
        coordinates = torch.stack([grid.coordinates for grid in grids], 1)
        valid = torch.stack([grid.valid for grid in grids], 1)
        valid = valid & geometry.visible & self.seen[..., None, None]
        lens = [lens_steps(camera, points[:, c]) for c, camera in enumerate(geometry.cameras)]
        planes = torch.cat([self.sources, slopes(self.sources)], 2).flatten(0, 1)
        found = sample(planes, coordinates.flatten(0, 1)).unflatten(0, valid.shape[:2])
        value, along_x, along_y = found.chunk(3, 2)
        return (
            value - self.target, valid, torch.stack([along_x, along_y], -1), torch.stack(lens, 1),
        )  # fmt: skip


def slopes(maps: Float[Tensor, 'm c k y x']) -> Float[Tensor, 'm c 2*k y x']:
    """Central differences along x, then along y, per pixel; half as steep at the border."""
    wide = torch.cat([maps[..., :1], maps, maps[..., -1:]], -1)
    tall = torch.cat([maps[..., :1, :], maps, maps[..., -1:, :]], -2)
    along_x = (wide[..., 2:] - wide[..., :-2]) / 2
    return torch.cat([along_x, (tall[..., 2:, :] - tall[..., :-2, :]) / 2], 2)


def lens_steps(camera: Camera, points: Float[Tensor, 'm y x 3']) -> Float[Tensor, 'm y x 2 3']:
    """Derivatives of pixels by points in the camera's frame, of whatever lens."""
    axes = torch.eye(3).to(points)[:, None, None, None].expand(3, *points.shape)
    _, steps = torch.func.jvp(
        lambda moved: camera.project(moved)[0], (points.expand_as(axes).contiguous(),), (axes,)
    )
    return steps.permute(1, 2, 3, 4, 0)


def aligned(alignment: Alignment, steps: int) -> Refinement:
    """Levenberg-Marquardt: steps that do not lower the cost are taken back, and tried shorter.

    What is not clearly better in the end is left as it was given.
    """
    guess = alignment.start()
    endless = guess.log_factor.new_full((len(guess.pose),), 1e6)
    none = torch.zeros_like(endless)
    # Without softness the cost is the mean squared error: twice of that counts half.
    softness = 2 * alignment.normal(guess, endless, none).cost + 1e-9
    now = alignment.normal(guess, softness, none)
    own = now.curvature.diagonal(dim1=1, dim2=2)[:, 6:]
    prior = DEPTH_PRIOR * own.mean(1)
    more = torch.cat([own.new_zeros(len(own), 6), prior[:, None].expand_as(own)], 1)
    first = now = now._replace(curvature=now.curvature + more.diag_embed())
    damping = torch.full_like(endless, DAMPING)
    for _ in range(steps):
        there = moved(guess, damped_step(now, damping))
        then = alignment.normal(there, softness, prior)
        better = (then.cost < now.cost) & (then.seen > STILL_SEEN * now.seen)
        guess = Guess(*(_either(better, *pair) for pair in zip(there, guess, strict=True)))
        now = Normal(*(_either(better, *pair) for pair in zip(then, now, strict=True)))
        damping = torch.where(better, EASED * damping, HARDENED * damping)
    gained = now.cost < (1 - LEAST_GAIN) * first.cost
    kept = (_either(gained, *pair) for pair in zip(guess, alignment.start(), strict=True))
    return Refinement(*kept, gained)


def damped_step(normal: Normal, damping: Float[Tensor, ' m']) -> Float[Tensor, 'm p']:
    """Where the cost, as a parabola, is least, but not too far away."""
    curvature, slope = normal.curvature.double(), normal.slope.double()
    diagonal = curvature.diagonal(dim1=1, dim2=2)
    more = damping[:, None] * diagonal + 1e-6 * diagonal.mean(1, keepdim=True) + 1e-12
    solved = torch.linalg.solve(curvature + more.diag_embed(), -slope)
    return solved.to(normal.slope)


def moved(guess: Guess, step: Float[Tensor, 'm p']) -> Guess:
    """The guess after a step: a twist, and changes of the factors' logarithms."""
    return Guess(SE3.exp(step[:, :6]).matrix @ guess.pose, guess.log_factor + step[:, 6:])


def _either(
    which: Bool[Tensor, ' m'], one: Float[Tensor, 'm ...'], other: Float[Tensor, 'm ...']
) -> Float[Tensor, 'm ...']:
    return torch.where(which.reshape(-1, *(1,) * (one.ndim - 1)), one, other)


def refined(scene: Scene, steps: int) -> Scene:
    """The scene with its motion refined; what the network or odometry said is kept beside.

    Images know no metres: where odometry said it, motion and depths found keep its distances.
    """
    with torch.autocast(scene.images.device.type, enabled=False):
        depth = scene.depth(0, LEVEL)
        views = scene.views(LEVEL)
        assert scene.features is not None
        views = views._replace(images=scene.features.at(LEVEL))
        alignment = Alignment.of(
            views, depth if scene.motion_teaches else depth.detach(), scene.tables(LEVEL).geometry
        )
        found = aligned(alignment, steps)
        said = scene.motion.world_from_body.matrix.to(depth)
        poses = torch.stack([found.pose[0] @ said[BEFORE], said[NOW], found.pose[1] @ said[AFTER]])
        if not scene.motion.learned:
            poses, found = as_far(poses, found, said)
    motion = scene.motion._replace(world_from_body=SE3(poses), said=SE3(said), refinement=found)
    return replace(scene, motion=motion, _views={})


def as_far(
    poses: Float[Tensor, '3 c 4 4'], found: Refinement, said: Float[Tensor, '3 c 4 4']
) -> tuple[Float[Tensor, '3 c 4 4'], Refinement]:
    """What was refined, stretched until the body moves as far from frame to frame as was said.

    In a world where the body is at the origin in the middle frame.
    """
    stretch = (distances(said) / distances(poses)).to(poses)
    stretch = stretch.clamp(1 / LONGEST_STRETCH, LONGEST_STRETCH)
    factor = torch.cat([stretch[:1], torch.ones_like(stretch[:1]), stretch[1:]])[:, None, None]
    last = torch.cat([factor * poses[..., :3, 3], poses[..., 3:, 3]], -1)
    log_factor = found.log_factor + stretch.log()[:, None]
    return torch.cat([poses[..., :3], last[..., None]], -1), found._replace(log_factor=log_factor)
