# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Moving things: oncoming, leading, following and crossing vehicles, and people who walk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfdepth_ros.synthetic.furniture import person
from selfdepth_ros.synthetic.layout import KERB_M, MARGIN_M, Street
from selfdepth_ros.synthetic.mesh import Array, MeshBuilder, Surfaces
from selfdepth_ros.synthetic.trajectory import Drive
from selfdepth_ros.synthetic.vehicles import random_vehicle

# time (s) -> street coordinates (s, d) and the turn against the street's heading (rad)
Path = Callable[[float], tuple[float, float, float]]


@dataclass(frozen=True)
class Mover:
    """A rigid thing and its way; local frame: x forward, z up, origin on the ground."""

    surfaces: Surfaces
    path: Path
    lift_m: float = 0.0


def world_from_movers(
    movers: list[Mover], street: Street, times_s: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """Poses (k, m, 4, 4) of m movers at k times (s), and which are inside the street."""
    way = [mover.path(float(t)) for t in times_s for mover in movers]
    s, d, turn = np.array(way, float).reshape(-1, 3).T
    inside = (s > -MARGIN_M) & (s < street.end_m + MARGIN_M) & (np.abs(d) < 60)
    xy = street.line.points(s, d)
    yaw = street.line.heading(s) + turn
    poses = np.tile(np.eye(4), (len(s), 1, 1))
    poses[:, 0, 0], poses[:, 0, 1] = np.cos(yaw), -np.sin(yaw)
    poses[:, 1, 0], poses[:, 1, 1] = np.sin(yaw), np.cos(yaw)
    poses[:, :2, 3] = xy
    poses[:, 2, 3] = np.tile([mover.lift_m for mover in movers], len(times_s))
    shape = (len(times_s), len(movers))
    return poses.reshape(*shape, 4, 4), inside.reshape(shape)


def _vehicle(mesh: MeshBuilder, rng: np.random.Generator) -> Surfaces:
    child = mesh.child()
    random_vehicle(child, rng, trucks=0.1)
    return child.build()


def _oncoming(meet_s: float, meet_t: float, speed: float, d: float) -> Path:
    return lambda t: (meet_s - speed * (t - meet_t), d, np.pi)


def _with_ego(drive: Drive, gap: float, sway: float, phase: float) -> Path:
    return lambda t: (
        float(drive.speed.distance(t)) + gap + sway * np.sin(0.35 * t + phase), drive.lane_d, 0.0
    )  # fmt: skip


def _crossing(s: float, t0: float, speed: float, side: int) -> Path:
    return lambda t: (s, side * (2.0 - speed * (t - t0)), -np.pi / 2 * side)


def _walker(s0: float, speed: float, d: float) -> Path:
    return lambda t: (s0 + speed * t, d, 0.0 if speed > 0 else np.pi)


def make_movers(seed: int, street: Street, drive: Drive, duration_s: float | int) -> list[Mover]:
    """The seeded traffic of a drive."""
    rng = np.random.default_rng([seed, 41])
    mesh, lane, out = street.mesh, street.section.lane, []
    speed, t = float(rng.uniform(4.5, 9)), float(rng.uniform(-4, 0))
    leader = rng.random() < 0.55
    sway = 0.0 if rng.random() < 0.5 else 1.5
    phase = float(rng.uniform(0, 6))
    if leader:
        gap = float(rng.uniform(10, 22))
        out.append(Mover(_vehicle(mesh, rng), _with_ego(drive, gap, sway, phase)))
    if rng.random() < 0.4:
        gap = -float(rng.uniform(9, 18))
        out.append(Mover(_vehicle(mesh, rng), _with_ego(drive, gap, sway, phase)))
    out += _crossing_traffic(street, drive, leader, np.random.default_rng([seed, 42]))
    while t < duration_s + 8:
        path = _oncoming(_distance(drive, t), t, speed, lane / 2 + float(rng.uniform(0, 0.2)))
        out.append(Mover(_vehicle(mesh, rng), path))
        t += float(rng.uniform(2.5, 9))
    walkers = np.random.default_rng([seed, 43])
    for s in np.arange(-30, street.end_m + 60, 24.0):
        child, side = mesh.child(), int(walkers.choice([-1, 1]))
        person(child, walkers)
        d = side * (street.section.kerb + walkers.uniform(1.15, 1.7))
        pace = walkers.uniform(0.9, 1.6) * walkers.choice([-1, 1])
        path = _walker(s + walkers.uniform(0, 20), float(pace), float(d))
        out.append(Mover(child.build(), path, KERB_M))
    return out


def _distance(drive: Drive, t: float) -> float:
    return float(drive.speed.distance(t)) + (6.0 * (t + 1.9) if t < -1.9 else 0.0)


def _crossing_traffic(street: Street, drive: Drive, leader: bool, rng) -> list[Mover]:
    """Vehicles through crossings while the ego is 18 to 30 m before (none behind a leader)."""
    out: list[Mover] = []
    for s, left, right in street.crossings:
        if leader or not (left and right) or rng.random() > 0.6 or s > street.end_m:
            continue
        times = np.arange(0, 600, 0.1)
        near = np.nonzero(drive.speed.distance(times) > s - rng.uniform(18, 30))[0]
        side = int(rng.choice([-1, 1]))
        if len(near) and s > 20:
            path = _crossing(s + 1.7 * side, float(times[near[0]]), float(rng.uniform(5, 8)), side)
            out.append(Mover(_vehicle(street.mesh, rng), path))
    return out
