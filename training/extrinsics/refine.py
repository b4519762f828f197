# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Correct where a rig's cameras sit, from recordings with odometry.

Corners of each camera over time tell which way it looks relative to the robot's motion, and how
far they are; seen by the neighbour as well, they tell how two cameras sit to each other.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from tqdm import tqdm

from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import TrainConfig
from selfdepth_training.data.cache import FrameCache
from selfdepth_training.extrinsics.bundle import (
    FINE,
    PER_CAMERA,
    WIDE,
    Bundle,
    State,
    adjusted,
    correction,
    covariance,
    stepped,
)
from selfdepth_training.extrinsics.corners import followed_corners
from selfdepth_training.extrinsics.drive import REACH, Drive, ExtrinsicsError
from selfdepth_training.extrinsics.loss import photometric_losses
from selfdepth_training.extrinsics.neighbours import matched
from selfdepth_training.extrinsics.select import FLOOR_CM, FLOOR_DEG, Limits, needed, untold
from selfdepth_training.extrinsics.sightings import joined_sightings

FIRST_INVERSE_M = 0.05
LEAST_CORNERS = 500
# Neighbours are searched in so many pixels around where they should be, once roughly calibrated.
NEAR_PX = 4
BLOCK = 2 * REACH + 1
# Corners that lie farther than this from where a corrected rig has them were not moved as odometry
# says (right ones: .07 to .17 pixels; odometry with noise of 1 cm and 0.1 degrees: .5 and more),
# and a correction of so many sigmas is no correction.
MOST_PX, MOST_SIGMAS = 0.3, 4.0


class Losses(NamedTuple):
    """What a camera's images say of a rig: the less the better."""

    corner_px: Float[np.ndarray, ' c']
    """Median distance of its corners from where other images say they are."""
    photometric: Float[np.ndarray, ' c']


@dataclass(frozen=True)
class Refined:
    """What was found; turns and shifts are of the cameras about the body's axes."""

    body_from_camera: SE3
    """Corrected, batch (C,)."""
    turn_deg: Float[np.ndarray, 'c 3']
    shift_cm: Float[np.ndarray, 'c 3']
    turn_sigma_deg: Float[np.ndarray, 'c 3']
    shift_sigma_cm: Float[np.ndarray, 'c 3']
    applied: Bool[np.ndarray, 'c 2']
    """Whether the turn and the shift of a camera were significant; the others are 0."""
    before: Losses
    after: Losses
    untold: tuple[str, ...]
    """What these recordings do not tell."""
    corners: int
    matches: int

    @property
    def borne_out(self) -> bool:
        """Whether the photometric loss, which was not minimised, fell as well."""
        return float(self.after.photometric.mean()) < float(self.before.photometric.mean())


def refine(
    caches: list[FrameCache], rig: Rig, config: TrainConfig, limits: Limits | None = None,
    progress: bool = True,
) -> Refined:  # fmt: skip
    """Find how each camera of `rig` is turned and shifted.

    `rig` has the size of the caches' images and the self-occlusion masks; all caches are of it.
    Raises ExtrinsicsError for recordings that do not tell.
    """
    drive = Drive.of(caches)
    sigma = (limits or Limits()).sigma(len(rig))
    bar = tqdm(total=4, desc='calibrate', unit='step', disable=not progress)
    start = rig.body_from_cameras()
    bundle, state = _over_time(drive, rig, start, sigma)
    bar.update()
    corners = len(bundle.points.camera)
    own, matches = bundle.sightings, 0
    wide = int(np.ceil(2 * sigma[0] * max(c.focal for c in bundle.cameras))) + NEAR_PX
    for radius in (wide, NEAR_PX):
        normal = bundle.normal(bundle.slopes(state), FINE[-1])
        found = rig.with_poses(state.body_from_camera)
        seen = matched(drive, found, bundle, state, normal, radius)
        bundle = replace(bundle, sightings=joined_sightings([own, seen]))
        state = adjusted(bundle, start, state, sigma, WIDE + FINE)
        matches = len(seen.point)
        bar.update()
    return replace(
        _decided(bundle, start, state, sigma, rig, drive, config, bar),
        corners=corners, matches=matches,
    )  # fmt: skip


def _over_time(
    drive: Drive, rig: Rig, start: SE3, sigma: Float[np.ndarray, ' u']
) -> tuple[Bundle, State]:
    """What each camera's own images tell."""
    points, sightings = followed_corners(drive, rig, drive.anchors)
    if len(sightings.point) < LEAST_CORNERS:
        raise ExtrinsicsError(
            f'Found {len(sightings.point)} corners again in other images, expected '
            f'{LEAST_CORNERS} or more. Record where there is texture and light.'
        )
    cameras = tuple(entry.camera for entry in rig.cameras)
    bundle = Bundle(cameras, drive.world_from_body, points, sightings)
    state = State(start, np.full(len(points.camera), FIRST_INVERSE_M))
    for _ in range(2 * len(WIDE)):
        state = stepped(state, bundle.normal(bundle.slopes(state), WIDE[0]), 0 * sigma)
    return bundle, adjusted(bundle, start, state, sigma, WIDE + FINE)


def _decided(
    bundle: Bundle, start: SE3, state: State, sigma: Float[np.ndarray, ' u'], rig: Rig,
    drive: Drive, config: TrainConfig, bar: tqdm,
) -> Refined:  # fmt: skip
    """Apply what is significant, and judge it."""
    full = covariance(bundle, state, sigma, BLOCK)
    normal = bundle.normal(bundle.slopes(state), FINE[-1])
    plain = np.linalg.inv(normal.matrix + np.diag(sigma**-2.0))
    # Corners of one image share their errors: so many times the sigma that they say.
    inflation = max(1.0, float(np.mean(np.diag(full) / np.diag(plain))))
    found = correction(start, state.body_from_camera)
    chosen = needed(normal.matrix / inflation, found.ravel(), sigma)
    free = sigma * chosen.repeat(3, 1).ravel()
    state = adjusted(bundle, start, State(start, state.inverse_m), free, WIDE + FINE)
    found = correction(start, state.body_from_camera)
    spread = np.sqrt(np.diag(covariance(bundle, state, free, BLOCK) if free.any() else full))
    spread = np.where(free > 0, spread, np.sqrt(np.diag(full))).reshape(-1, PER_CAMERA)
    still = State(start, state.inverse_m)
    for _ in FINE:
        still = stepped(still, bundle.normal(bundle.slopes(still), WIDE[-1]), 0 * sigma)
    losses = [
        Losses(_corner_px(bundle, each), photometric_losses(drive, its, config))
        for each, its in ((still, rig), (state, rig.with_poses(state.body_from_camera)))
    ]
    bar.update()
    bar.close()
    _require_sense(found.ravel(), sigma, float(np.nanmedian(losses[1].corner_px)))
    return Refined(
        state.body_from_camera, np.degrees(found[:, :3]), 100 * found[:, 3:],
        np.hypot(np.degrees(spread[:, :3]), FLOOR_DEG), np.hypot(100 * spread[:, 3:], FLOOR_CM),
        chosen, *losses, tuple(untold(full, sigma, rig.names)), 0, 0,
    )  # fmt: skip


def _require_sense(
    found: Float[np.ndarray, ' u'], sigma: Float[np.ndarray, ' u'], corner_px: float
) -> None:
    """Refuse what only an odometry that is not true explains."""
    away = float(np.abs(found / sigma).max())
    if corner_px > MOST_PX or away > MOST_SIGMAS:
        raise ExtrinsicsError(
            f'Found corners {corner_px:.2f} pixels from where the corrected rig has them, and '
            f'corrections of up to {away:.1f} times what was assumed, expected at most {MOST_PX} '
            f'pixels and {MOST_SIGMAS:g} times: odometry, stamps or intrinsics are not true '
            'enough. Use a smoother odometry, or correct them first.'
        )


def _corner_px(bundle: Bundle, state: State) -> Float[np.ndarray, ' c']:
    slopes = bundle.slopes(state)
    away = np.linalg.norm(slopes.residual, axis=1)
    camera = bundle.sightings.camera
    found = [away[(camera == index) & slopes.valid] for index in range(len(bundle.cameras))]
    return np.array([np.median(each) if len(each) else np.nan for each in found])
