# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depths of corners where no cameras overlap: triangulated from the motion that they then measure.

Nothing in such a recording tells metres. The first two views that differ enough give the direction
of the motion (Nister, "An efficient solution to the five-point relative pose problem", PAMI 2004)
and, in a unit that is chosen, some corners their depths; these measure the next motion, and that
gives others theirs.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.corners import Tracks, corners_of, grey
from selfdepth_training.data.cache import FrameCache
from selfdepth_training.geometry import depth_kind
from selfdepth_training.two_views import (
    APART_PX,
    PARALLAX_PX,
    Begin,
    body_rate,
    first_motion,
    followed_through,
    triangulated,
)


class Landmarks:
    """Corners of a rig on its way through a recording, with their depths where they are known.

    Raises OdometryError when the robot hardly moves in it.
    """

    def __init__(self, cache: FrameCache, rig: Rig, progress: bool = True) -> None:
        self.cache, self.kind = cache, depth_kind(rig)
        self.world_from_body = SE3.identity()
        self._seen = [_Seen.none(entry) for entry in rig.cameras]
        self._next: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        begin = first_motion(cache, rig, progress)
        self.first_frame = begin.frame
        self.first_rate = body_rate(begin, cache, rig)
        self._look(begin.frame)
        self._seen[begin.camera].triangulate_ahead(cache, begin)

    def tracks(self, now: int, rate: Float[np.ndarray, '6']) -> list[Tracks]:
        """See `odometry.CornerDepths`."""
        found = []
        self._next = {}
        for index in np.flatnonzero(
            self.cache.present[now] & self.cache.present[now + 1]
        ).tolist():
            seen = self._seen[index]
            there, good = followed_through(self.cache, index, now, 1, seen.entry, seen.pixels)
            self._next[index] = there, good
            depth = seen.depths(self.world_from_body, self.kind)
            found.append(Tracks(index, seen.pixels[good], there[good], depth[good]))
        return found

    def moved(self, now: int, twist: Float[np.ndarray, '6']) -> None:
        """See `odometry.CornerDepths`."""
        self.world_from_body = self.world_from_body @ SE3.exp(twist)
        for index, seen in enumerate(self._seen):
            if index in self._next:
                seen.follow(*self._next[index])
                seen.triangulate(self.world_from_body)
            else:
                self._seen[index] = _Seen.none(seen.entry)
        self._look(now + 1)

    def _look(self, frame: int) -> None:
        """Look for new corners."""
        for index in np.flatnonzero(self.cache.present[frame]).tolist():
            self._seen[index].look(grey(self.cache, frame, index), self.world_from_body)


@dataclass
class _Seen:
    """Corners that one camera follows."""

    entry: RigCamera
    pixels: Float[np.ndarray, 'n 2']
    first_rays: Float[np.ndarray, 'n 3']
    """In the camera as it was when it saw them first."""
    world_from_first: Float[np.ndarray, 'n 4 4']
    points: Float[np.ndarray, 'n 3']
    """In the world; NaN where they are not known."""

    @classmethod
    def none(cls, entry: RigCamera) -> '_Seen':
        empty = np.zeros((0, 3))
        return cls(entry, empty[:, :2], empty, np.zeros((0, 4, 4)), empty)

    def look(self, image: np.ndarray, world_from_body: SE3) -> None:
        new = corners_of(image, self.entry.self_occlusion, self.pixels)
        rays, valid = self.entry.camera.rays(new)
        new, rays = new[valid], rays[valid]
        pose = (world_from_body @ self.entry.body_from_camera).matrix
        self.pixels = np.concatenate([self.pixels, new])
        self.first_rays = np.concatenate([self.first_rays, rays])
        self.world_from_first = np.concatenate(
            [self.world_from_first, np.repeat(pose[None], len(new), 0)]
        )
        self.points = np.concatenate([self.points, np.full((len(new), 3), np.nan)])

    def follow(self, there: Float[np.ndarray, 'n 2'], good: Bool[np.ndarray, ' n']) -> None:
        self.pixels, self.first_rays = there[good], self.first_rays[good]
        self.world_from_first, self.points = self.world_from_first[good], self.points[good]

    def depths(self, world_from_body: SE3, kind: str) -> Float[np.ndarray, ' n']:
        camera_from_world = (world_from_body @ self.entry.body_from_camera).inverse()
        local = camera_from_world.apply(self.points)
        depth = local[:, 2] if kind == 'z_depth' else np.linalg.norm(local, axis=1)
        return np.where(depth > 0, depth, np.nan)

    def triangulate(self, world_from_body: SE3) -> None:
        """Points from where each corner was seen first and where it is now."""
        camera = self.entry.camera
        pose = world_from_body @ self.entry.body_from_camera
        now_from_first = pose.inverse() @ SE3(self.world_from_first)
        rays, valid = camera.rays(self.pixels)
        found = triangulated(self.first_rays, rays, now_from_first, camera.focal)
        told = valid & found.stands
        points = np.where(told[:, None], pose.apply(found.points), self.points)
        known = np.isfinite(points[:, 0])
        local = pose.inverse().apply(np.where(known[:, None], points, 1.0))
        expected, _ = camera.project(local)
        off = np.linalg.norm(expected - self.pixels, axis=1) > APART_PX
        mover = (found.parallax_px > PARALLAX_PX) & ~found.stands | known & off
        # A mover starts anew: it may stand later, as all do at a red light.
        self.points = np.where(mover[:, None], np.nan, points)
        self.first_rays = np.where(mover[:, None], rays, self.first_rays)
        self.world_from_first = np.where(mover[:, None, None], pose.matrix, self.world_from_first)

    def triangulate_ahead(self, cache: FrameCache, begin: Begin) -> None:
        """The first points, from the two views that begin the drive."""
        there, good = followed_through(
            cache, begin.camera, begin.frame, begin.frames, self.entry, self.pixels
        )
        rays, valid = self.entry.camera.rays(there)
        found = triangulated(
            self.first_rays, rays, begin.second_from_first, self.entry.camera.focal
        )
        local = begin.second_from_first.inverse().apply(found.points)
        points = SE3(self.world_from_first).apply(local)
        self.points = np.where((found.stands & good & valid)[:, None], points, np.nan)
