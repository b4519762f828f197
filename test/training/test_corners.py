# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Corners of a texture that is shifted by a known number of pixels."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from selfdepth_training.corners import Following, corners_of, followed, on_body, there_and_back

HEIGHT, WIDTH = 96, 160
EASY = Following(count=80, window_px=13, levels=2, return_px=0.3)


def shifted(pixels: int) -> np.ndarray:
    """Part of a wide texture, whose content lies `pixels` further left."""
    noise = np.random.default_rng(3).normal(0, 1, (HEIGHT, 2 * WIDTH))
    wide = cv2.GaussianBlur(noise, (0, 0), 2.0)
    wide = np.clip(128 + 250 * wide, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(wide[:, 40 + pixels : 40 + pixels + WIDTH])


def test_corners_are_found_where_they_went():
    corners = corners_of(shifted(0), None, how=EASY)
    there, good = followed(shifted(0), shifted(4), corners, None, EASY)
    inside = corners[:, 0] > 12
    assert len(corners) == EASY.count and good[inside].mean() > 0.9
    assert np.abs(there - corners + [4, 0])[good & inside].max() < 0.05


def test_what_went_far_needs_a_guess():
    plain = Following(count=80, window_px=9, levels=0, return_px=0.3)
    corners = corners_of(shifted(0), None, how=plain)
    right = corners - [30, 0]
    inside = right[:, 0] > 8
    guess, before = right + [1.5, -1], right.copy()
    for start, found in ((None, False), (guess, True)):
        there, good = followed(shifted(0), shifted(30), corners, None, plain, start)
        near = good & (np.abs(there - right).max(1) < 0.2)
        assert (near[inside].mean() > 0.9) == found
        assert found or near.mean() < 0.05
    assert np.array_equal(guess, before + [1.5, -1])


def test_what_leaves_the_image_or_goes_behind_the_robot_is_lost():
    kept = replace(EASY, count=300, spacing_px=3, return_px=3.0)
    corners = corners_of(shifted(0), None, how=kept)
    body = np.zeros((HEIGHT, WIDTH), bool)
    body[60:, :80] = True
    beyond, back = there_and_back(shifted(0), shifted(3), corners, kept)
    there, good = followed(shifted(0), shifted(3), corners, body, kept)
    left, hidden = (beyond < 0).any(1), on_body(body, beyond)
    assert np.array_equal(there, beyond)
    assert (back & left).any() and (back & hidden & ~left).any()
    assert np.array_equal(good, back & ~left & ~hidden)


def test_new_corners_lie_apart_from_known_ones_and_off_the_robot():
    body = np.zeros((HEIGHT, WIDTH), bool)
    body[:, :60] = True
    every = corners_of(shifted(0), None, how=EASY)
    assert on_body(body, every).any()
    known = every[:10]
    new = corners_of(shifted(0), body, known, EASY)
    assert 0 < len(new) <= EASY.count - len(known)
    assert not on_body(body, new).any()
    apart = np.linalg.norm(new[:, None] - known, axis=-1)
    assert apart.min() >= EASY.spacing_px


@pytest.mark.parametrize('follow', [followed, there_and_back])
def test_nothing_is_found_of_nothing(follow):
    nothing = corners_of(np.full((HEIGHT, WIDTH), 90, np.uint8), None)
    assert nothing.shape == (0, 2)
    more = (None, EASY) if follow is followed else (EASY,)
    there, good = follow(shifted(0), shifted(1), nothing, *more)
    assert there.shape == (0, 2) and good.shape == (0,)
