# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What two views of one camera tell, without any odometry: how it moved, and what stands where.

Nothing in them tells metres: the unit is chosen.
"""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float
from tqdm import tqdm

from selfdepth_ros.core.cameras import Camera
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.corners import OdometryError, corners_of, followed, grey
from selfdepth_training.data.cache import FrameCache

UNIT = 15.0
"""What the median of the first corners' depths is called: near its metres on a street."""
# Motion across the line of sight, in pixels, from which a depth is told, and how far two views may
# be apart about it. What is farther apart, or behind a camera, moves by itself.
PARALLAX_PX, APART_PX = 1.5, 1.5
# Two views begin a drive when their corners moved so far (median), and so many of them, and so
# large a share, agree; they are at most so many frames apart.
BEGIN_PX, BEGIN_CORNERS, BEGIN_SHARE, BEGIN_FRAMES = 2.0, 60, 0.4, 30
# Rays flatter than this to the image plane are left out of the first two views.
LEAST_Z = 0.1
# Of the robust estimate of the first motion.
SURE, AGREE_PX = 0.9999, 0.5


class Begin(NamedTuple):
    """The first motion of a drive, as one camera saw it."""

    camera: int
    frame: int
    frames: int
    """From `frame` to the second view."""
    second_from_first: SE3
    """Of the camera."""


class Triangulated(NamedTuple):
    """Points where two rays each pass each other closest, in the second camera's frame."""

    points: Float[np.ndarray, 'n 3']
    parallax_px: Float[np.ndarray, ' n']
    stands: Bool[np.ndarray, ' n']
    """The rays meet, before both cameras, at an angle that tells how far away."""


def triangulated(
    first_rays: Float[np.ndarray, 'n 3'],
    second_rays: Float[np.ndarray, 'n 3'],
    second_from_first: SE3,
    focal: float,
) -> Triangulated:
    """Meet unit rays of two views; `focal` in pixels makes angles pixels."""
    first = second_from_first.rotate(first_rays)
    start = np.broadcast_to(second_from_first.translation, first.shape)
    cosine = (first * second_rays).sum(1)
    square = np.maximum(1 - cosine**2, 1e-12)
    along_first, along_second = (first * start).sum(1), (second_rays * start).sum(1)
    first_away = (cosine * along_second - along_first) / square
    second_away = (along_second - cosine * along_first) / square
    points = second_away[:, None] * second_rays
    apart = np.linalg.norm(first_away[:, None] * first + start - points, axis=1)
    parallax_px = focal * np.sqrt(square)
    ahead = (first_away > 0) & (second_away > 0)
    meets = focal * apart < APART_PX * np.maximum(second_away, 1e-9)
    return Triangulated(points, parallax_px, ahead & meets & (parallax_px > PARALLAX_PX))


def first_motion(cache: FrameCache, rig: Rig, progress: bool = True) -> Begin:
    """The first frame from which some camera sees the robot move, with what it sees.

    A robot that stands is looked at for BEGIN_FRAMES from each frame on.
    """
    what = f'first motion {cache.source.name}'
    with tqdm(range(len(cache) - 2), what, unit='frame', disable=not progress) as frames:
        for frame in frames:
            for camera in np.flatnonzero(cache.present[frame]).tolist():
                begin = _two_views(cache, camera, frame, rig.cameras[camera])
                if begin is not None:
                    return begin
    raise OdometryError(
        f'Found no two images in {cache.source}, at most {BEGIN_FRAMES} frames apart, in which '
        f'{BEGIN_CORNERS} corners or more moved by {BEGIN_PX:g} pixels and agree how the '
        'robot moved, expected a drive. Record /odom, or more of a drive.'
    )


def body_rate(begin: Begin, cache: FrameCache, rig: Rig) -> Float[np.ndarray, '6']:
    """Twist of the body by second that the first two views show."""
    body_from_camera = rig.cameras[begin.camera].body_from_camera
    moved = body_from_camera @ begin.second_from_first.inverse() @ body_from_camera.inverse()
    first, second = cache.stamps_ns[[begin.frame, begin.frame + begin.frames], begin.camera]
    return moved.log() / ((second - first) * 1e-9)


def _two_views(cache: FrameCache, index: int, frame: int, entry: RigCamera) -> Begin | None:
    corners = corners_of(grey(cache, frame, index), entry.self_occlusion)
    there, good = corners, np.ones(len(corners), bool)
    for second in range(frame + 1, min(frame + BEGIN_FRAMES, len(cache) - 1) + 1):
        there, again = followed_through(cache, index, second - 1, 1, entry, there)
        good &= again
        if good.sum() < BEGIN_CORNERS:
            return None
        if np.median(np.linalg.norm(there - corners, axis=1)[good]) < BEGIN_PX:
            continue
        motion = motion_between(corners[good], there[good], entry.camera)
        if motion is not None:
            return Begin(index, frame, second - frame, motion)
    return None


def motion_between(
    first: Float[np.ndarray, 'n 2'], second: Float[np.ndarray, 'n 2'], camera: Camera
) -> SE3 | None:
    """Second from first camera, so long that the corners are UNIT away in the median."""
    (first_rays, valid), (second_rays, also) = camera.rays(first), camera.rays(second)
    ahead = valid & also & (first_rays[:, 2] > LEAST_Z) & (second_rays[:, 2] > LEAST_Z)
    if ahead.sum() < BEGIN_CORNERS:
        return None
    first_rays, second_rays = first_rays[ahead], second_rays[ahead]
    flat = [rays[:, :2] / rays[:, 2:] for rays in (first_rays, second_rays)]
    essential, _ = cv2.findEssentialMat(
        *flat, np.eye(3), cv2.RANSAC, SURE, AGREE_PX / camera.focal
    )
    if essential is None or essential.shape != (3, 3):
        return None
    _, rotation, translation, _ = cv2.recoverPose(essential, *flat, np.eye(3))
    motion = SE3.from_rotation_translation(rotation, translation.ravel())
    found = triangulated(first_rays, second_rays, motion, camera.focal)
    enough = max(BEGIN_CORNERS, BEGIN_SHARE * len(first_rays))
    if found.stands.sum() < enough or np.median(found.parallax_px) < BEGIN_PX:
        return None
    unit = UNIT / np.median(found.points[found.stands, 2])
    return SE3.from_rotation_translation(rotation, unit * translation.ravel())


def followed_through(
    cache: FrameCache,
    index: int,
    frame: int,
    frames: int,
    entry: RigCamera,
    corners: Float[np.ndarray, 'n 2'],
) -> tuple[Float[np.ndarray, 'n 2'], Bool[np.ndarray, ' n']]:
    """Where corners of one frame are `frames` later, and whether they were never lost."""
    good = np.ones(len(corners), bool)
    for now in range(frame, frame + frames):
        if not cache.present[now + 1, index]:
            return corners, np.zeros(len(corners), bool)
        pictures = grey(cache, now, index), grey(cache, now + 1, index)
        corners, again = followed(*pictures, corners, entry.self_occlusion)
        good &= again
    return corners, good
