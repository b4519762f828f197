# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Worlds that several tests look at, built once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from selfdepth_ros.synthetic import StreetRenderer, StreetWorld, street_rig

SIZE = 160, 96


def make_renderer(seed: int, duration_s: float = 8.0, **options) -> StreetRenderer:
    return StreetRenderer(StreetWorld(seed, duration_s), street_rig(*SIZE), **options)


@pytest.fixture(scope='session', name='make_renderer')
def make_renderer_fixture() -> Callable[..., StreetRenderer]:
    return make_renderer


@pytest.fixture(scope='session')
def renderer() -> StreetRenderer:
    return make_renderer(5)


@pytest.fixture(scope='session')
def other_renderer() -> StreetRenderer:
    return make_renderer(1)
