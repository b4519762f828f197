# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Lays out the street block by block: ground, houses, gardens, parked vehicles, furniture.

Street coordinates: s along the centre line, d to the left. Every block has its own random stream,
so a longer street of the same seed begins with the same blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from selfdepth_ros.synthetic import furniture as fit
from selfdepth_ros.synthetic.buildings import building
from selfdepth_ros.synthetic.facades import BAY_M
from selfdepth_ros.synthetic.mesh import Array, MeshBuilder, frame_at
from selfdepth_ros.synthetic.textures import Rng
from selfdepth_ros.synthetic.trajectory import Centerline, Drive, SpeedProfile
from selfdepth_ros.synthetic.vehicles import random_vehicle

KERB_M = 0.13
MARGIN_M = 95.0
_YARD_M = 27.0


@dataclass(frozen=True)
class Section:
    """Cross-section of one world: half widths from the middle (m)."""

    lane: float
    parking: float
    parking_tile: str
    line_tile: str

    @property
    def kerb(self) -> float:
        """Distance of the kerb from the centre line."""
        return self.lane + self.parking


@dataclass
class Street:
    """What the layout fills: the static mesh and the places where streets cross."""

    line: Centerline
    section: Section
    mesh: MeshBuilder
    end_m: float
    crossings: list[tuple[float, bool, bool]] = field(default_factory=list)

    def frame(self, s: float, d: float, turn: float = 0.0, z: float = KERB_M) -> Array:
        """world_from_local of an object at (s, d), x along the street plus turn (rad)."""
        x, y = self.line.points(s, d)
        return frame_at(float(x), float(y), float(self.line.heading(s)) + turn, z)

    def place(self, s: float, d: float, turn: float = 0.0, z: float = KERB_M) -> _Placer:
        """A builder whose content lands at (s, d) when the with block ends."""
        return _Placer(self.mesh, self.frame(s, d, turn, z))


class _Placer:
    def __init__(self, mesh: MeshBuilder, frame: Array) -> None:
        self._mesh, self._frame, self._child = mesh, frame, mesh.child()

    def __enter__(self) -> MeshBuilder:
        return self._child

    def __exit__(self, *_: object) -> None:
        self._mesh.append(self._child, self._frame)


def make_section(seed: int) -> Section:
    """The seeded cross-section."""
    rng = np.random.default_rng([seed, 30])
    parking = float(rng.choice([2.1, 2.3, 2.5]))
    tile = str(rng.choice(['asphalt', 'cobbles', 'slabs']))
    return Section(float(rng.uniform(3.7, 4.3)), parking, tile, str(rng.choice(['dash', 'line'])))


def strip(street: Street, s0: float, s1: float, d0: float, d1: float, z: float, tile: str) -> None:
    """Ground between d0 and d1 (d0 < d1) from s0 to s1, textured in street coordinates."""
    s = np.linspace(s0, s1, max(int(np.ceil((s1 - s0) / 2.0)), 1) + 1)
    right, left = street.line.points(s, d0), street.line.points(s, d1)
    flat = np.full((len(s), 1), z)
    right, left = np.concatenate([right, flat], 1), np.concatenate([left, flat], 1)
    corners = np.stack([right[:-1], left[:-1], left[1:], right[1:]], 1)
    start = np.stack([np.full(len(s) - 1, d0), s[:-1]], -1)
    street.mesh.quads(corners, tile, (d1 - d0, s[1] - s[0]), start, lit=True)


def kerb(street: Street, s0: float, s1: float, d: float) -> None:
    """The kerb's face along the street."""
    s = np.linspace(s0, s1, max(int(np.ceil((s1 - s0) / 4.0)), 1) + 1)
    low = np.concatenate([street.line.points(s, d), np.zeros((len(s), 1))], 1)
    high = low + [0, 0, KERB_M]
    street.mesh.quads(np.stack([low[:-1], low[1:], high[1:], high[:-1]], 1), 'concrete',
                      start_m=np.stack([s[:-1], s[:-1] * 0], -1))  # fmt: skip


def lay_road(street: Street, s0: float, s1: float) -> None:
    """The carriageway with its middle line and the parking lanes."""
    c = street.section
    strip(street, s0, s1, -c.lane, -0.3125, 0.0, 'asphalt')
    strip(street, s0, s1, -0.3125, 0.3125, 0.0, c.line_tile)
    strip(street, s0, s1, 0.3125, c.lane, 0.0, 'asphalt')
    for d in (-c.kerb, c.lane):
        strip(street, s0, s1, d, d + c.parking, 0.0, c.parking_tile)


def lay_side(street: Street, rng: Rng, s0: float, s1: float, side: int) -> None:
    """One side of a block: pavement, gardens, houses, vehicles, furniture."""
    edge = street.section.kerb
    walk = float(rng.uniform(2.2, 3.6) if rng.random() < 0.6 else rng.uniform(4, 7.5))
    setback = float(rng.choice([0.0, 0.0, rng.uniform(1.5, 5), rng.uniform(5, 12)]))
    tile = str(rng.choice(['grass', 'slabs', 'cobbles']))
    kerb(street, s0, s1, side * edge)
    near, far = (edge, edge + walk), (edge + walk, edge + _YARD_M)
    for (a, b), name in ((near, 'slabs'), (far, tile)):
        strip(street, s0, s1, min(side * a, side * b), max(side * a, side * b), KERB_M, name)
    for s in (s0, s1):
        ends = street.line.points([s, s], [side * edge, side * (edge + _YARD_M)])
        low = np.concatenate([ends, np.zeros((2, 1))], 1)
        street.mesh.quads([[*low, *(low[::-1] + [0, 0, KERB_M])]], 'concrete')
    _houses(street, rng, s0 + 2.2, s1 - 2.2, side, edge + walk, setback)
    _parked(street, rng, s0 + 6.0, s1 - 6.0, side)
    _pavement(street, rng, s0 + 1.5, s1 - 1.5, side, walk)


def _houses(
    street: Street, rng: Rng, s: float, end: float, side: int, edge: float, setback: float
):
    floors = int(rng.integers(1, 5))
    while end - s > 2 * BAY_M:
        if rng.random() < 0.17:
            length = min(float(rng.uniform(7, 16)), end - s)
            _open_lot(street, rng, s, length, side, edge)
            s += length
            continue
        bays = int(min(rng.integers(2, 8), (end - s) // BAY_M))
        width = bays * BAY_M
        bend = abs(float(np.diff(street.line.heading([s, s + width]))[0])) * width / 8
        back = setback + bend + float(rng.uniform(0, 1.6 if setback else 0.35))
        _house(street, rng, s + width / 2, side * (edge + back), side, bays, floors)
        if back > 1.4:
            _garden(street, rng, s + width / 2, width, side, edge, back)
        s += width + float(rng.choice([0.0, 0.0, 0.0, rng.uniform(1, 4)]))


def _house(
    street: Street, rng: Rng, s: float, d: float, side: int, bays: int, floors: int
) -> None:
    turn = 0.0 if side > 0 else np.pi
    base = street.frame(s, d, turn)
    base[:3, 3] -= base[:3, 0] * bays * BAY_M / 2
    child, depth = street.mesh.child(), float(rng.uniform(8, 14))
    building(child, rng, bays, depth, max(floors + int(rng.integers(-1, 2)), 0))
    street.mesh.append(child, base)
    if rng.random() < 0.45:
        back = base.copy()
        back[:3, 3] += base[:3, 1] * (depth + rng.uniform(5, 14))
        child = street.mesh.child()
        building(child, rng, bays, 9.0, floors + int(rng.integers(0, 3)))
        street.mesh.append(child, back)


def _garden(street, rng: Rng, s: float, width: float, side: int, edge: float, back: float) -> None:
    if rng.random() < 0.65:
        share = rng.uniform(0.3, 0.45)
        for sign in (-1, 1):
            with street.place(s + sign * width * (0.5 - share / 2), side * (edge + 0.4)) as mesh:
                fit.hedge(mesh, rng, width * share)
    for _ in range(int(rng.integers(0, 3))):
        spot = s + rng.uniform(-0.4, 0.4) * width
        if back > 3.5:
            with street.place(spot, side * (edge + back * 0.5), rng.uniform(0, 6)) as mesh:
                fit.tree(mesh, rng, rng.uniform(0.6, 1.0))
    if back > 5.5 and rng.random() < 0.6:
        with street.place(s, side * (edge + back * 0.55), np.pi / 2 * side) as mesh:
            random_vehicle(mesh, rng, 0.0)


def _open_lot(street, rng: Rng, s: float, length: float, side: int, edge: float) -> None:
    """A gap between houses: trees or parked vehicles before a house set far back."""
    depth = float(rng.uniform(9, 22))
    bays = max(int(length // BAY_M), 2)
    _house(street, rng, s + length / 2, side * (edge + depth), side, bays, int(rng.integers(0, 4)))
    if rng.random() < 0.5:
        for k in range(int(length // 3.2)):
            if rng.random() < 0.7:
                with street.place(
                    s + 1.6 + 3.2 * k, side * (edge + 3.5), np.pi / 2 * side
                ) as mesh:
                    random_vehicle(mesh, rng, 0.0)
        return
    with street.place(s + length / 2, side * (edge + 0.5)) as mesh:
        fit.hedge(mesh, rng, length * 0.8)
    for _ in range(int(rng.integers(1, 4))):
        at = s + rng.uniform(0.15, 0.85) * length, side * (edge + rng.uniform(2.5, depth - 3))
        with street.place(*at, rng.uniform(0, 6)) as mesh:
            fit.tree(mesh, rng, rng.uniform(0.8, 1.3))


def _parked(street: Street, rng: Rng, s: float, end: float, side: int) -> None:
    fill, d = (
        rng.choice([0.1, rng.uniform(0.4, 0.9)], p=[0.3, 0.7]),
        street.section.lane + street.section.parking / 2,
    )
    while s < end - 4:
        if rng.random() > fill:
            s += rng.uniform(3, 7)
            continue
        child = street.mesh.child()
        length = random_vehicle(child, rng)
        turn = (np.pi if rng.random() < 0.12 else 0) + (0 if side < 0 else np.pi)
        at = side * (d + rng.uniform(-0.12, 0.12))
        street.mesh.append(
            child, street.frame(s + length / 2, at, turn + rng.normal(0, 0.02), 0.0)
        )
        s += length + rng.uniform(0.6, 2.0)


def _pavement(street: Street, rng: Rng, s0: float, s1: float, side: int, walk: float) -> None:
    edge, face = street.section.kerb, -np.pi / 2 if side > 0 else np.pi / 2
    if rng.random() < 0.65:
        step, size = rng.uniform(7, 13), rng.uniform(0.8, 1.15)
        for s in np.arange(s0 + rng.uniform(1, 5), s1, step):
            with street.place(s, side * (edge + 0.6), rng.uniform(0, 6)) as mesh:
                fit.tree(mesh, rng, size * rng.uniform(0.85, 1.15))
    for s in np.arange(s0 + rng.uniform(0, 20), s1, rng.uniform(22, 32)):
        with street.place(s, side * (edge + 0.35), face - np.pi / 2) as mesh:
            fit.lamp(mesh, rng)
    kinds, chances = ('sign', 'person', 'box', 'column'), (0.3, 0.36, 0.28, 0.06)
    for _ in range(rng.poisson((s1 - s0) / 5.0)):
        kind = str(rng.choice(kinds, p=chances))
        near = {'sign': 0.35, 'column': 1.0}.get(kind)
        d = edge + (rng.uniform(0.5, walk - 0.4) if near is None else near)
        turn = rng.uniform(0, 6.28) if kind == 'person' else np.pi * rng.integers(2)
        with street.place(rng.uniform(s0, s1), side * d, turn) as mesh:
            fit.FURNITURE[kind](mesh, rng)


def lay_side_street(street: Street, rng: Rng, s0: float, s1: float, side: int) -> None:
    """A street that leaves to one side between s0 and s1, with houses along and at its end."""
    edge, middle = street.section.kerb, (s0 + s1) / 2
    reach = float(rng.uniform(34, 68))
    strip(street, s0, s1, *sorted((side * edge, side * (edge + reach + 8))), 0.0, 'asphalt')
    turn = np.pi / 2 * side
    bays = int((s1 - s0) // BAY_M) + 4
    _house(street, rng, middle, side * (edge + reach), side, bays, int(rng.integers(1, 5)))
    for sign, corner in ((-1, s0), (1, s1)):
        d = edge + rng.uniform(19, 24)
        while d < edge + reach - 9:
            n = int(rng.integers(2, 6))
            frame = street.frame(corner + sign * rng.uniform(1.8, 5), side * d, turn)
            if sign * side > 0:
                frame[:3, :2] *= -1
                frame[:3, 3] -= frame[:3, 0] * n * BAY_M
            child = street.mesh.child()
            building(child, rng, n, 9.0, int(rng.integers(0, 5)))
            street.mesh.append(child, frame)
            d += n * BAY_M + rng.uniform(0, 3)
        for k in range(4):
            if rng.random() < 0.6:
                at = corner - sign * 1.3, side * (edge + 7 + 6.5 * k)
                with street.place(*at, turn * sign, 0.0) as mesh:
                    random_vehicle(mesh, rng)


def lay_crossing(street: Street, rng: Rng, s0: float, s1: float) -> tuple[bool, bool]:
    """Side streets left and right of a gap (at least one) and, at times, zebra stripes."""
    left = bool(rng.random() < 0.7)
    right = bool(rng.random() < 0.7) or not left
    for side, there in ((1, left), (-1, right)):
        if there:
            lay_side_street(street, rng, s0, s1, side)
    street.crossings.append(((s0 + s1) / 2, left, right))
    if rng.random() < 0.6:
        lane = street.section.lane
        strip(street, s0 - 4.0, s0 - 1.0, -lane, lane, 0.004, 'zebra')
    return left, right


def close_end(street: Street, rng: Rng, s: float, turn: float) -> None:
    """Houses across the street where the world ends."""
    for d in (-27.0, 0.0, 27.0):
        frame = street.frame(s, d, turn)
        frame[:3, 3] -= frame[:3, 0] * 4.5 * BAY_M
        child = street.mesh.child()
        building(child, rng, 9, 10.0, int(rng.integers(1, 5)))
        street.mesh.append(child, frame)


def lay_street(street: Street, seed: int) -> None:
    """Fill the street from -MARGIN_M to end_m + MARGIN_M."""
    start, stop = -MARGIN_M, street.end_m + MARGIN_M
    s, block = start, 0
    begins = {1: start, -1: start}
    while s < stop:
        rng = np.random.default_rng([seed, 31, block])
        end, gap = s + float(rng.uniform(34, 86)), float(rng.uniform(9, 14))
        lay_road(street, s, end + gap)
        sides = lay_crossing(street, rng, end, end + gap)
        for side, there in zip((1, -1), sides, strict=True):
            own = np.random.default_rng([seed, 32, block, side + 1])
            if there:
                lay_side(street, own, begins[side], end, side)
                begins[side] = end + gap
        s, block = end + gap, block + 1
    last = np.random.default_rng([seed, 33])
    for side in (1, -1):
        if begins[side] < stop:
            lay_side(street, last, begins[side], stop + 30.0, side)
    close_end(street, last, start - 4, np.pi / 2)
    close_end(street, last, stop + 4, -np.pi / 2)
    _far_ground(street)


def _far_ground(street: Street) -> None:
    middle = street.line.points(street.end_m / 2)
    c = np.array([[-600, -600], [600, -600], [600, 600], [-600, 600.0]]) + middle
    street.mesh.quads([np.concatenate([c, np.full((4, 1), -0.12)], 1)], 'grass')


def plan_drive(seed: int, duration_s: float | int) -> tuple[Drive, Section, float]:
    """The ego's drive, the street's cross-section and how far (m) the street must reach."""
    speed = SpeedProfile(seed, duration_s)
    end_m = float(speed.distance(duration_s + 1.0))
    line = Centerline(seed, -MARGIN_M - 60, end_m + MARGIN_M + 120)
    section = make_section(seed)
    return Drive(seed, line, speed, -0.45 * section.lane), section, end_m
