# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From an observation to figures and verdicts.

What makes a recording unusable is decided by the very functions that the bag reader and training
decide with, so that the verdict is theirs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfdepth_ros.bags.checks import build_rig, check_clocks, two_drives, what_lacks
from selfdepth_ros.bags.frames import FrameTree
from selfdepth_ros.bags.report import BagReport
from selfdepth_ros.core.coverage import coverage
from selfdepth_ros.core.errors import SelfdepthError
from selfdepth_ros.core.parallax import MeasuredMotion, ParallaxLimits, triplets, why_none
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3, interpolate_poses
from selfdepth_ros.doctor import motion
from selfdepth_ros.doctor.cameras import complaints, figures
from selfdepth_ros.doctor.checkup import CameraFigures, Checkup, MotionFigures, Verdict
from selfdepth_ros.doctor.observation import Observation
from selfdepth_ros.doctor.parameters import node_parameters
from selfdepth_ros.doctor.sets import Sets, sets_of

Track = tuple[NDArray[np.int64], NDArray[np.float64]]
_FEW_SETS = 200
_LEAST_COMPLETE = 0.1


@dataclass
class _Notes:
    """What was found on the way."""

    refusals: list[str] = field(default_factory=list)
    """Why the messages cannot be used at all."""
    untrainable: list[str] = field(default_factory=list)
    """What else keeps training from using them."""
    undeployable: list[str] = field(default_factory=list)
    """What else keeps the live node from using them."""
    warnings: list[str] = field(default_factory=list)


def examine(
    observation: Observation,
    source: str,
    limits: ParallaxLimits,
    topics: Collection[str],
    *,
    size_bytes: int,
    damaged: bool = False,
    oddities: Sequence[str] = (),
) -> Checkup:
    """Judge what was observed. `topics`: all that exist; `damaged`: of a bag that is, cameras
    without messages are left out, as the bag reader does it; `oddities`: further warnings."""
    notes = _Notes(warnings=[*oddities, *observation.topics.notes])
    usable = _usable(observation, topics, damaged, notes)
    rig, live_rig = _rigs(observation, usable, notes)
    _check_images(observation, usable, live_rig, source, notes)
    sets = sets_of(observation, usable)
    overlaps = _overlaps(rig)
    cameras = _cameras(observation, usable, rig, sets, overlaps)
    notes.warnings += complaints(cameras, list(observation.cameras.values()), rig)
    track = _track(observation, notes)
    moves = _motion(observation, track)
    usable_sets, lack = _with_parallax(sets, track, limits)
    return Checkup(
        source=source,
        seconds=_seconds(observation),
        bytes=size_bytes,
        cameras=cameras,
        sets=sets.figures(),
        motion=moves,
        lidar=observation.topics.lidar,
        usable_sets=usable_sets,
        overlaps=overlaps,
        blind_deg=float('nan') if rig is None else 360 - coverage(rig).covered_deg(),
        warnings=tuple(notes.warnings + _about(sets, moves, track, rig, usable_sets)),
        trainable=_trainable(
            notes.refusals + notes.untrainable, sets, rig, moves, usable_sets, lack
        ),
        deployable=_deployable(notes.refusals + notes.undeployable, sets, live_rig, observation),
    )


def _usable(
    observation: Observation, topics: Collection[str], damaged: bool, notes: _Notes
) -> list[str]:
    """Names of the cameras with images and CameraInfo."""
    counts = {}
    for camera in observation.cameras.values():
        counts[camera.topics.image], counts[camera.topics.info] = camera.images, camera.infos
    found = []
    for camera in observation.topics.cameras:
        lack = what_lacks(camera, counts, topics)
        if lack is None:
            found.append(camera.name)
        else:
            (notes.warnings if damaged else notes.refusals).append(lack)
    return found


def _rigs(
    observation: Observation, usable: list[str], notes: _Notes
) -> tuple[Rig | None, Rig | None]:
    """The rig of the usable cameras by frames that stay still, as training wants it, and as the
    live node takes it: frames that move where they were last. None: the notes say why."""
    infos = {c.topics.info: c.info for c in observation.cameras.values() if c.info}
    topics = tuple(observation.cameras[name].topics for name in usable)

    def build(frames: FrameTree, why_not: list[str]) -> Rig | None:
        try:
            return build_rig(topics, observation.topics.body_frame, frames, infos)
        except SelfdepthError as error:
            if usable:
                why_not.append(str(error))
            return None

    if rig := build(observation.frames_still, notes.untrainable):
        if mounted := observation.mounted:
            where = f'{", ".join(mounted)} are placed by {observation.topics.tf}'
            notes.warnings.append(f'{where}: train on recordings in which they do not move')
        return rig, rig
    return None, build(observation.frames_now, notes.undeployable)


def _check_images(
    observation: Observation, usable: list[str], rig: Rig | None, source: str, notes: _Notes
) -> None:
    """Compare sizes with CameraInfo, and clocks with each other."""
    seen = [observation.cameras[name] for name in usable]
    for camera in seen if rig else ():
        try:
            camera.picture.check(camera.topics.image, rig[camera.topics.name].camera)
        except SelfdepthError as error:
            notes.refusals.append(str(error))
    report = BagReport(Path(source))
    lags = {
        c.topics.image: (np.array(c.received_ns) - np.array(c.stamps_ns)).tolist() for c in seen
    }
    try:
        if seen:
            offsets_ns = {c.topics.image: c.topics.stamp_offset_ns for c in seen}
            check_clocks(lags, offsets_ns, report)
    except SelfdepthError as error:
        notes.refusals.append(str(error))
    notes.warnings += report.notes


def _overlaps(rig: Rig | None) -> tuple[tuple[str, str, float], ...]:
    """Pairs of cameras with the larger of their two shares."""
    shares: dict[tuple[int, int], float] = {}
    for pair in rig.overlap_pairs() if rig else ():
        key = min(pair[:2]), max(pair[:2])
        shares[key] = max(shares.get(key, 0.0), pair.fraction)
    return tuple((rig.names[a], rig.names[b], share) for (a, b), share in shares.items())


def _cameras(
    observation: Observation,
    usable: list[str],
    rig: Rig | None,
    sets: Sets,
    overlaps: tuple[tuple[str, str, float], ...],
) -> tuple[CameraFigures, ...]:
    present = (
        dict(zip(usable, sets.present.mean(axis=0).tolist(), strict=True))
        if len(sets.present)
        else {}
    )
    best = {
        name: max((share for *pair, share in overlaps if name in pair), default=0.0)
        for name in observation.cameras
    }
    return tuple(
        figures(camera, rig, present.get(name, 0.0), best[name])
        for name, camera in observation.cameras.items()
    )


def _track(observation: Observation, notes: _Notes) -> Track | None:
    """The body's poses by odometry, as the bag reader takes them; None without two."""
    seen = observation.odometry
    if seen.unusable:
        notes.warnings.append(f'{seen.topic}: {seen.unusable} messages without stamp or pose')
    if again := two_drives(seen.topic, seen.poses):
        notes.warnings.append(again)
        return None
    if len(seen.poses) < 2:
        return None
    body = observation.topics.body_frame
    try:
        same = seen.child in {'', body}
        tree = observation.frames
        child_from_body = SE3.identity() if same else tree.target_from_source(seen.child, body)
    except SelfdepthError as error:
        notes.refusals.append(str(error))
        return None
    return seen.track(child_from_body)


def _motion(observation: Observation, track: Track | None) -> MotionFigures | None:
    if track is not None:
        return motion.of_poses(*track, observation.odometry.topic)
    in_tf = observation.body_in_tf
    if len(in_tf.poses) >= 2:
        source = f'/tf ({in_tf.parent} to {in_tf.child})'
        return motion.of_poses(*in_tf.track(SE3.identity()), source)
    return motion.of_views(camera.views for camera in observation.cameras.values())


def _with_parallax(
    sets: Sets, track: Track | None, limits: ParallaxLimits
) -> tuple[int | None, str]:
    """Sets that training can use, where odometry tells: it reaches them, and neighbours in time
    show parallax. And why there is none."""
    if track is None:
        return None, ''
    if not len(sets.present):
        return 0, 'there are no sets'
    poses, valid = interpolate_poses(*track, sets.stamps_ns.reshape(-1))
    reached = valid.reshape(sets.stamps_ns.shape).all(axis=1)
    position = poses.translation.reshape(*sets.stamps_ns.shape, 3).mean(axis=1)[reached]
    present, stamps_ns = sets.present[reached], sets.stamps_ns[reached].min(axis=1)
    motion = MeasuredMotion(position, limits.least_m, limits.most_m)
    found = triplets(present.any(axis=1), present, stamps_ns, motion, limits)
    if not reached.any():
        return 0, 'odometry reaches no set: look at its stamps'
    return len(found), '' if found else why_none(stamps_ns, position, limits)


def _seconds(observation: Observation) -> float:
    received = [received_ns for received_ns, _, stamp in observation.arrivals if stamp]
    return (max(received) - min(received)) * 1e-9 if received else 0.0


def _about(
    sets: Sets,
    moves: MotionFigures | None,
    track: Track | None,
    rig: Rig | None,
    usable: int | None,
) -> list[str]:
    """What is no obstacle, but worth a word."""
    told = []
    if len(sets.present) and (partial := 1 - sets.present.all(axis=1).mean()) > 0.05:
        told.append(f'{partial:.0%} of the surround sets lack a camera')
    if track is None:
        if moves and moves.source.startswith('/tf'):
            told.append(f'training does not read poses from {moves.source}: record odometry')
        told.append('no odometry: training estimates the motion from the images')
    if moves and 0.5 < moves.still <= motion.STILL:
        told.append(f'the robot stands for {moves.still:.0%} of the time')
    if rig and not rig.overlap_pairs():
        told.append('no two cameras overlap: they cannot be checked against each other')
    learned_from = len(sets.present) if usable is None else usable
    if 0 < learned_from < _FEW_SETS:
        told.append(f'{learned_from} sets are few: drive for some minutes')
    return told


def _trainable(
    refusals: list[str],
    sets: Sets,
    rig: Rig | None,
    moves: MotionFigures | None,
    usable_sets: int | None,
    lack: str,
) -> Verdict:
    """Whether training takes it; `lack`: why no set is usable."""
    why_not = list(refusals)
    if not len(sets.present) and not why_not:
        why_not.append('not one image can be used')
    if usable_sets == 0:
        why_not.append(f'no set has parallax to others before and after it: {lack}')
    if usable_sets is None:
        why_not += _without_odometry(sets, rig, moves)
    if why_not:
        return Verdict(False, tuple(why_not))
    if usable_sets is None:
        return Verdict(True, (f'{len(sets.present)} sets, metres from the overlaps',))
    return Verdict(
        True, (f'{usable_sets} of {len(sets.present)} sets have parallax before and after them',)
    )


def _without_odometry(sets: Sets, rig: Rig | None, moves: MotionFigures | None) -> list[str]:
    """Motion can be estimated from images that change, and where cameras overlap."""
    why_not = []
    if rig is not None:
        try:
            rig.require_overlap()
        except SelfdepthError as error:
            why_not.append(
                f'without odometry the overlaps must give the metres: {error} Or train with '
                '--recipe monocular, for depths that are right up to one factor'
            )
    if 0 < len(sets.present) < 3:
        why_not.append(f'{len(sets.present)} sets are too few to learn from: drive on')
    elif moves and moves.still > motion.STILL:
        why_not.append('the images do not change: drive')
    return why_not


def _deployable(
    refusals: list[str], sets: Sets, rig: Rig | None, observation: Observation
) -> Verdict:
    """Whether the live node makes clouds of it, and what it must be told then."""
    why_not = list(refusals)
    complete = float(sets.present.all(axis=1).mean()) if len(sets.present) else 0.0
    if not why_not and complete < _LEAST_COMPLETE:
        spread_ms = sets.tolerance_ns / 1e6
        why_not.append(
            f'{complete:.0%} of the sets are complete: expected cameras that fire within '
            f'{spread_ms:.0f} ms of each other; trigger them together'
        )
    if why_not or rig is None:
        return Verdict(False, tuple(why_not))
    because = [f'{len(rig)} cameras, {complete:.0%} of the sets are complete']
    if observation.mounted:
        because.append(f'with rig:=topics, since cameras are placed by {observation.topics.tf}')
    cameras = [observation.cameras[name].topics for name in rig.names]
    because += node_parameters(cameras, observation.topics)
    return Verdict(True, tuple(because))
