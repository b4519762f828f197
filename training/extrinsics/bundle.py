# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bundle adjustment of a rig on a body whose motion is known.

Unknown are a turn and a shift of each camera and an inverse distance of each point along the ray
of the image in which it was a corner; the latter are eliminated (Triggs et al., "Bundle adjustment
- a modern synthesis", 1999, section 6.1). The projection's derivative is taken numerically, so
that any lens will do.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from selfdepth_ros.core import so3
from selfdepth_ros.core.cameras import Camera
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.extrinsics.sightings import Points, Sightings

PER_CAMERA = 6
"""Unknowns of a camera: its turn (radians) and its shift (metres), both about the body's axes."""
SIGMA_PX = 0.3
# Robust scales tried one after the other, in sigmas.
WIDE, FINE = (40.0, 20.0, 10.0, 6.0), (6.0, 4.0, 3.0, 3.0, 3.0)
# Of an inverse distance that nothing tells, 1/m; keeps the elimination finite.
LOOSE = 1.0
NEAREST_M = 0.3
# Sigmas are so many times what parts of a drive disagree by: what all parts share does not show.
# Measured on four streets with planted errors; some unknown was off by three times the plain one.
SHARED = 2.0


class State(NamedTuple):
    """What is looked for."""

    body_from_camera: SE3
    """Batch (C,)."""
    inverse_m: Float[np.ndarray, ' p']
    """Inverse distance of each point from the camera in which it was a corner."""


class Slopes(NamedTuple):
    """Residuals (found less seen, pixels) and their derivatives."""

    residual: Float[np.ndarray, 'o 2']
    valid: Bool[np.ndarray, ' o']
    by_camera: Float[np.ndarray, 'o 2 u']
    by_point: Float[np.ndarray, 'o 2']


class Normal(NamedTuple):
    """Normal equations of the cameras, the points eliminated, and what brings those back."""

    matrix: Float[np.ndarray, 'u u']
    slope: Float[np.ndarray, ' u']
    mixed: Float[np.ndarray, 'p u']
    own: Float[np.ndarray, ' p']
    own_slope: Float[np.ndarray, ' p']
    by_frame: Float[np.ndarray, 'k u']
    """The slope, by the key frames of the points."""


@dataclass(frozen=True)
class Bundle:
    """Points and sightings of a rig whose body was at `world_from_body` (key frames, cameras)."""

    cameras: tuple[Camera, ...]
    world_from_body: Float[np.ndarray, 'k c 4 4']
    points: Points
    sightings: Sightings

    @cached_property
    def _rays(self) -> Float[np.ndarray, 'p 3']:
        rays = np.zeros((len(self.points.camera), 3))
        for index, camera in enumerate(self.cameras):
            here = self.points.camera == index
            rays[here] = camera.rays(self.points.pixel[here])[0]
        return rays

    @cached_property
    def _moved(self) -> SE3:
        """Body at the sighting from body at the point's own image, batch (O,)."""
        seen, own = self.sightings, self.sightings.point
        before = self.world_from_body[self.points.frame[own], self.points.camera[own]]
        return SE3(self.world_from_body[seen.frame, seen.camera]).inverse() @ SE3(before)

    def slopes(self, state: State) -> Slopes:
        """Linearise at a state."""
        seen, own = self.sightings, self.sightings.point
        first, second = self.points.camera[own], seen.camera
        inverse_m = state.inverse_m[own][:, None]
        poses, moved = state.body_from_camera, self._moved
        turned = poses[first].rotate(self._rays[own])
        lever = poses[first].translation
        body = moved.rotate(turned + inverse_m * lever) + inverse_m * moved.translation
        arm = body - inverse_m * poses[second].translation
        into = np.swapaxes(poses[second].rotation, 1, 2)
        found = (into @ arm[..., None])[..., 0]
        pixels, valid, bend = self._projected(found, second)
        by_body = bend @ into
        by_point = moved.rotate(lever) + moved.translation - poses[second].translation
        by_first = np.concatenate(
            [-by_body @ moved.rotation @ so3.skew(turned),
             by_body @ moved.rotation * inverse_m[..., None]], axis=2,
        )  # fmt: skip
        by_second = np.concatenate(
            [by_body @ so3.skew(arm), -by_body * inverse_m[..., None]], axis=2
        )
        by_camera = np.zeros((len(own), 2, len(self.cameras), PER_CAMERA))
        every = np.arange(len(own))
        by_camera[every, :, first] += by_first
        by_camera[every, :, second] += by_second
        return Slopes(
            pixels - seen.pixel, valid, by_camera.reshape(len(own), 2, -1),
            (by_body @ by_point[..., None])[..., 0],
        )  # fmt: skip

    def _projected(
        self, points: Float[np.ndarray, 'o 3'], camera: np.ndarray
    ) -> tuple[Float[np.ndarray, 'o 2'], Bool[np.ndarray, ' o'], Float[np.ndarray, 'o 2 3']]:
        pixels, valid = np.zeros((len(points), 2)), np.zeros(len(points), bool)
        bend = np.zeros((len(points), 2, 3))
        for index, lens in enumerate(self.cameras):
            here = camera == index
            mine = points[here]
            pixels[here], valid[here] = lens.project(mine)
            step = 1e-6 * np.linalg.norm(mine, axis=1)
            for axis in range(3):
                shift = step[:, None] * np.eye(3)[axis]
                apart = lens.project(mine + shift)[0] - lens.project(mine - shift)[0]
                bend[here, :, axis] = apart / (2 * step[:, None])
        return pixels, valid, bend

    def weights(self, slopes: Slopes, scale: float) -> Float[np.ndarray, ' o']:
        """Geman and McClure's robust weights, at `scale` sigmas."""
        squared = (slopes.residual**2).sum(1) / (scale * SIGMA_PX) ** 2
        return slopes.valid / (SIGMA_PX**2 * (1 + squared) ** 2)

    def normal(self, slopes: Slopes, scale: float) -> Normal:
        """Normal equations, the points eliminated."""
        own, count = self.sightings.point, len(self.points.camera)
        weight = self.weights(slopes, scale)[:, None]
        by_camera = slopes.by_camera
        weighted = weight[..., None] * by_camera
        mixed = _summed((slopes.by_point[..., None] * weighted).sum(1), own, count)
        square = _summed((weight * slopes.by_point**2).sum(1), own, count) + LOOSE**-2
        own_slope = _summed((weight * slopes.by_point * slopes.residual).sum(1), own, count)
        pulls = _summed((weighted * slopes.residual[..., None]).sum(1), own, count)
        pulls -= mixed * (own_slope / square)[:, None]
        unknowns = by_camera.shape[2]
        flat = weighted.reshape(-1, unknowns).T @ by_camera.reshape(-1, unknowns)
        matrix = flat - (mixed / square[:, None]).T @ mixed
        by_frame = _summed(pulls, self.points.frame, len(self.world_from_body))
        return Normal(matrix, pulls.sum(0), mixed, square, own_slope, by_frame)


def stepped(state: State, normal: Normal, change: Float[np.ndarray, ' u']) -> State:
    """The state after the cameras have changed so, the points following."""
    inverse_m = state.inverse_m - (normal.own_slope + normal.mixed @ change) / normal.own
    each = change.reshape(-1, PER_CAMERA)
    poses = state.body_from_camera
    turned = SE3.from_rotation_translation(
        so3.exp(each[:, :3]) @ poses.rotation, poses.translation + each[:, 3:]
    )
    return State(turned, inverse_m.clip(1e-5, 1 / NEAREST_M))


def correction(start: SE3, found: SE3) -> Float[np.ndarray, 'c 6']:
    """Turn (rotation vector) and shift of each camera from `start`, about the body's axes."""
    turn = so3.log(found.rotation @ np.swapaxes(start.rotation, 1, 2))
    return np.concatenate([turn, found.translation - start.translation], axis=1)


def adjusted(
    bundle: Bundle, start: SE3, state: State, sigma: Float[np.ndarray, ' u'],
    scales: tuple[float, ...],
) -> State:  # fmt: skip
    """Gauss-Newton, a step for each scale; `sigma` is how far from `start` a camera may be."""
    free = sigma > 0
    for scale in scales:
        normal = bundle.normal(bundle.slopes(state), scale)
        prior = sigma[free] ** -2.0
        matrix = normal.matrix[np.ix_(free, free)] + np.diag(prior)
        away = correction(start, state.body_from_camera).ravel()[free]
        change = np.zeros(len(sigma))
        change[free] = -np.linalg.solve(matrix, normal.slope[free] + prior * away)
        state = stepped(state, normal, change)
    return state


def covariance(
    bundle: Bundle, state: State, sigma: Float[np.ndarray, ' u'], block: int
) -> Float[np.ndarray, 'u u']:
    """Covariance of the corrections that the recording and the prior `sigma` leave.

    From how much `block` key frames at a time disagree, SHARED times, not from the residuals
    alone: corners of one image share their errors (White, "Maximum likelihood estimation of
    misspecified models", 1982). The larger of both counts. Sigmas of 0 are what is not looked for.
    """
    free = sigma > 0
    normal = bundle.normal(bundle.slopes(state), FINE[-1])
    prior = np.diag(sigma[free] ** -2.0)
    inverse = np.linalg.inv(normal.matrix[np.ix_(free, free)] + prior)
    pulls = np.add.reduceat(
        normal.by_frame[:, free], np.arange(0, len(normal.by_frame), block), axis=0
    )
    pulls = pulls - pulls.mean(0)
    spread = pulls.T @ pulls * len(pulls) / max(1, len(pulls) - 1)
    found = inverse @ (SHARED**2 * spread + prior) @ inverse
    larger = np.sqrt(np.maximum(1.0, np.diag(inverse) / np.diag(found)))
    full = np.zeros((len(sigma), len(sigma)))
    full[np.ix_(free, free)] = found * larger * larger[:, None]
    return full


def _summed(values: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """Sums of values (o, ...) by group."""
    flat = values.reshape(len(values), -1)
    sums = [np.bincount(group, column, count) for column in flat.T]
    return np.stack(sums, axis=1).reshape(count, *values.shape[1:])
