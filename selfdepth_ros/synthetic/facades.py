# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""House walls: a ground floor and upper floors with windows, in bays of 3 m and floors of 3 m."""

from __future__ import annotations

import cv2
import numpy as np

from selfdepth_ros.synthetic.textures import Image, Rng, bricks, noise, plaster, to_uint8

TEXELS = 512
SPAN_M = 15.0
GROUND_M = 3.75
BAY_M = 3.0


def _wall(rng: Rng, h: int, w: int) -> Image:
    colours = ((188, 172, 146), (196, 188, 172), (172, 128, 100), (150, 160, 166), (204, 182, 128),
               (160, 112, 92), (178, 190, 172), (206, 200, 196))  # fmt: skip
    colour = np.array(colours[rng.integers(len(colours))]) * rng.uniform(0.8, 1.08)
    if rng.random() < 0.45:
        rows = int(h / TEXELS * 96)
        return bricks(rng, h, w, rows, 48, colour * rng.uniform(0.72, 0.9), 0.11, 1.12)
    return plaster(rng, h, w, colour)


def _glass(rng: Rng, h: int, w: int) -> Image:
    """Dark panes with a reflected gradient, curtains or blinds."""
    ramp = np.linspace(rng.uniform(0.9, 1.5), rng.uniform(0.5, 0.9), h)[:, None]
    pane = np.ones((h, w), np.float32) * ramp * rng.uniform(38, 78)
    out = pane[..., None] * np.float32((0.9, 1.0, 1.08))
    kind = rng.integers(4)
    cloth = rng.uniform(120, 190) * np.float32((1, 0.97, 0.9))
    if kind == 0:
        side = int(w * rng.uniform(0.15, 0.35))
        folds = (1 + 0.25 * np.sin(np.arange(w) * 1.4))[None, :, None] * cloth
        out[:, :side] = folds[:, :side]
        out[:, w - side :] = folds[:, w - side :]
    elif kind == 1:
        drop = int(h * rng.uniform(0.2, 0.7))
        out[:drop] = cloth * (1 + 0.18 * (np.arange(drop) % 4 < 2))[:, None, None]
    return out * (1 + 0.05 * noise(rng, 128, 128, 16)[:h, :w])[..., None]


def _window(
    rng: Rng, out: Image, x: int, y: int, w: int, h: int, frame: Image, style: int
) -> None:
    """Draw one window with surround, frame, bars and sill into out."""
    surround = np.asarray(frame) * (0.75 if style % 2 else 1.0)
    cv2.rectangle(out, (x - 4, y - 5), (x + w + 3, y + h + 3), surround.tolist(), -1)
    cv2.rectangle(out, (x - 1, y - 1), (x + w, y + h), (46.0, 44.0, 42.0), 1)
    out[y : y + h, x : x + w] = _glass(rng, h, w)
    light = (np.asarray(frame) * 1.05).tolist()
    cv2.rectangle(out, (x, y), (x + w - 1, y + h - 1), light, 2)
    for k in range(1, 1 + style % 3):
        at = x + w * k // (1 + style % 3)
        cv2.line(out, (at, y), (at, y + h - 1), light, 2)
    if style > 2:
        cv2.line(out, (x, y + h // 3), (x + w - 1, y + h // 3), light, 2)
    cv2.rectangle(
        out, (x - 6, y + h + 3), (x + w + 5, y + h + 6), (np.asarray(frame) * 0.9).tolist(), -1
    )
    cv2.line(out, (x - 6, y + h + 8), (x + w + 5, y + h + 8), (60.0, 58.0, 54.0), 2)


def upper_floors(rng: Rng) -> np.ndarray:
    """Five floors of five bays, uint8 (512, 512, 3) for 15 m x 15 m."""
    out = np.ascontiguousarray(_wall(rng, TEXELS, TEXELS).astype(np.float32))
    per_m = TEXELS / SPAN_M
    width, height = int(rng.uniform(0.95, 1.9) * per_m), int(rng.uniform(1.35, 1.95) * per_m)
    frame, style = rng.uniform(95, 235) * rng.uniform(0.93, 1.0, 3), int(rng.integers(6))
    ledge = rng.random() < 0.5
    for floor in range(5):
        for bay in range(5):
            x = round((bay + 0.5) * TEXELS / 5 - width / 2)
            y = round((floor + 0.62) * TEXELS / 5 - height / 2)
            _window(rng, out, x, y - 6, width, height, frame, style)
        if ledge:
            y = round((floor + 0.02) * TEXELS / 5)
            out[y : y + 4] = frame * 0.95
            out[y + 4 : y + 6] *= 0.55
    return to_uint8(out)


def ground_floor(rng: Rng) -> np.ndarray:
    """Five bays with doors, shop windows and signs, uint8 (128, 512, 3) for 15 x 3.75 m."""
    h, w = 128, TEXELS
    out = np.ascontiguousarray(_wall(rng, h, w).astype(np.float32))
    out[h - 18 :] = out[h - 18 :] * 0.45 + 0.25 * out.mean()
    frame = rng.uniform(90, 225) * rng.uniform(0.93, 1.0, 3)
    shop, bay_w = rng.random() < 0.5, w // 5
    for bay in range(5):
        x0, kind = bay * bay_w + 2, rng.random()
        if kind < 0.28:
            left, top = x0 + bay_w // 2 - 19, 44
            door = np.asarray(rng.uniform(40, 150, 3), np.float32)
            cv2.rectangle(out, (left - 4, top - 5), (left + 41, h), frame.tolist(), -1)
            cv2.rectangle(out, (left, top), (left + 37, h), door.tolist(), -1)
            for k in range(2):
                panel = (left + 5 + 16 * k, top + 8), (left + 15 + 16 * k, top + 38)
                cv2.rectangle(out, *panel, (door * 0.6).tolist(), -1)
            cv2.circle(out, (left + 33, 92), 2, (205.0, 195.0, 150.0), -1)
        elif shop:
            _window(rng, out, x0 + 5, 40, bay_w - 14, 64, frame, int(rng.integers(3)))
            sign = np.asarray(rng.uniform(40, 215, 3), np.float32)
            cv2.rectangle(out, (x0 + 3, 12), (x0 + bay_w - 8, 31), sign.tolist(), -1)
            ink = (255 - sign).tolist()
            for k in range(int(rng.integers(4, 9))):
                at = x0 + 10 + 9 * k
                cv2.line(out, (at, 16), (at + int(rng.integers(0, 6)), 27), ink, 2)
        else:
            _window(rng, out, x0 + bay_w // 2 - 20, 44, 40, 50, frame, int(rng.integers(6)))
    return to_uint8(out)
