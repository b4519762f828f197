# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The street's centre line and the ego's drive along it: smooth, seeded, exact at any time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any] | np.floating[Any]
_STEP_M = 0.25
_STEP_S = 0.01


def _hermite(grid0: float, step: float, values: Array, slopes: Array, at: Array) -> Array:
    """Cubic Hermite interpolation on a regular grid, so that speeds are continuous."""
    x = np.clip((at - grid0) / step, 0, len(values) - 1.001)
    i = x.astype(int)
    f = x - i
    a, b = values[i], values[i + 1]
    m, n = slopes[i] * step, slopes[i + 1] * step
    f2, f3 = f * f, f * f * f
    return (
        a * (2 * f3 - 3 * f2 + 1) + m * (f3 - 2 * f2 + f) + b * (3 * f2 - 2 * f3) + n * (f3 - f2)
    )


class Centerline:
    """A planar curve of gentle bends; coordinates (s along, d to the left) in metres."""

    def __init__(self, seed: int, start_m: float, end_m: float) -> None:
        """Bends follow from the seed alone; a longer street has the same beginning."""
        self.start_m = start_m
        rng = np.random.default_rng([seed, 11])
        s = np.arange(0.0, max(end_m, 0) + 1.0, _STEP_M)
        curvature = np.zeros_like(s)
        heading, at = 0.0, float(rng.uniform(10, 50))
        while at < end_m:
            length, angle = rng.uniform(28, 70), rng.uniform(-0.75, 0.75)
            angle = np.clip(heading + angle, -1.1, 1.1) - heading
            angle = np.clip(angle, -length / 75, length / 75)
            inside = (s > at) & (s < at + length)
            bump = 1 - np.cos(2 * np.pi * (s[inside] - at) / length)
            curvature[inside] = angle / length * bump
            heading += angle
            at += length + rng.uniform(10, 60)
        before = int(np.ceil(-start_m / _STEP_M))
        self._curvature = np.concatenate([np.zeros(before), curvature])
        self._s0 = -before * _STEP_M
        turn = (self._curvature[1:] + self._curvature[:-1]) / 2 * _STEP_M
        self._heading = np.concatenate([[0.0], np.cumsum(turn)])
        mid = (self._heading[1:] + self._heading[:-1]) / 2
        xy = np.concatenate(
            [np.zeros((1, 2)), np.cumsum(np.stack([np.cos(mid), np.sin(mid)], -1) * _STEP_M, 0)]
        )
        self._xy = xy - xy[before]

    def heading(self, s: Any) -> Array:
        """Tangent direction (rad, from the x axis) at s."""
        return _hermite(self._s0, _STEP_M, self._heading, self._curvature, np.asarray(s, float))

    def points(self, s: Any, d: Any = 0.0) -> Array:
        """World xy (..., 2) of street coordinates (s, d)."""
        s = np.asarray(s, float)
        slope = np.stack([np.cos(self._heading), np.sin(self._heading)], -1)
        x = _hermite(self._s0, _STEP_M, self._xy[:, 0], slope[:, 0], s)
        y = _hermite(self._s0, _STEP_M, self._xy[:, 1], slope[:, 1], s)
        a, d = self.heading(s), np.asarray(d, float)
        return np.stack([x - d * np.sin(a), y + d * np.cos(a)], -1)


class SpeedProfile:
    """Distance driven over time: 3 to 9 m/s, in half of the worlds one short stop."""

    def __init__(self, seed: int, duration_s: float | int) -> None:
        """Prepare the profile for -2 s to duration_s + 2 s."""
        rng = np.random.default_rng([seed, 12])
        self._t0 = -2.0
        t = np.arange(self._t0, duration_s + 2.0 + _STEP_S, _STEP_S)
        w, p = rng.uniform([0.25, 0.5], [0.45, 0.9]), rng.uniform(0, 6.28, 2)
        v = rng.uniform(5.4, 6.6) + 1.6 * np.sin(w[0] * t + p[0]) + 0.8 * np.sin(w[1] * t + p[1])
        self.stop_s = float(rng.uniform(5, 13)) if rng.random() < 0.5 else None
        if self.stop_s is not None:
            x = np.clip((np.abs(t - self.stop_s) - 0.9) / 2.5, 0, 1)
            v = v * (x * x * (3 - 2 * x))
        self._v = v
        steps = np.concatenate([[0.0], np.cumsum((v[1:] + v[:-1]) / 2 * _STEP_S)])
        self._s = steps - steps[round(-self._t0 / _STEP_S)]

    def distance(self, t: Any) -> Array:
        """Metres driven since t = 0."""
        return _hermite(self._t0, _STEP_S, self._s, self._v, np.asarray(t, float))

    def speed(self, t: Any) -> Array:
        """Speed in m/s."""
        t = np.asarray(t, float)
        return np.interp(t, self._t0 + _STEP_S * np.arange(len(self._v)), self._v)


class Drive:
    """The ego's exact pose at any time: lane keeping with a little sway, pitch and roll."""

    def __init__(self, seed: int, line: Centerline, speed: SpeedProfile, lane_d: float) -> None:
        """lane_d: lateral position of the lane's middle in street coordinates."""
        rng = np.random.default_rng([seed, 13])
        self.line, self.speed, self.lane_d = line, speed, lane_d
        self._sway = rng.uniform(0.1, 0.3, 2)
        self._wave = rng.uniform([0.05, 0.09], [0.09, 0.14])
        self._phase = rng.uniform(0, 6.28, 8)

    def _lateral(self, s: Array) -> tuple[Array, Array]:
        a, w, p = self._sway, self._wave, self._phase
        d = self.lane_d + sum(a[k] * np.sin(w[k] * s + p[k]) for k in range(2))
        return d, sum(a[k] * w[k] * np.cos(w[k] * s + p[k]) for k in range(2))

    def world_from_body(self, t: Any) -> Array:
        """Poses (..., 4, 4) of base_link (on the ground below the vehicle) at times t (s)."""
        t = np.asarray(t, float)
        s = self.speed.distance(t)
        d, slope = self._lateral(s)
        xy, p = self.line.points(s, d), self._phase
        yaw = self.line.heading(s) + np.arctan(slope)
        gain = np.minimum(self.speed.speed(t) / 6, 1.0)
        pitch = 0.004 * np.sin(0.31 * s + p[2]) + 0.002 * gain * np.sin(7.1 * t + p[3])
        roll = 0.004 * np.sin(0.23 * s + p[4]) + 0.002 * gain * np.sin(5.3 * t + p[5])
        heave = 0.012 * np.sin(0.27 * s + p[6]) + 0.004 * gain * np.sin(8.3 * t + p[7])
        return _poses(xy, heave, yaw, pitch, roll)


def _poses(xy: Array, z: Array, yaw: Array, pitch: Array, roll: Array) -> Array:
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    zero, one = np.zeros_like(yaw), np.ones_like(yaw)
    rows = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr, xy[..., 0]],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr, xy[..., 1]],
        [-sp, cp * sr, cp * cr, z],
        [zero, zero, zero, one],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)
