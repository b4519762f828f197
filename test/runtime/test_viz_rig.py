# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The picture of a rig has its wedges and its blind sectors where they are."""

import numpy as np
import pytest

from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.rig import Rig, RigCamera, load_rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.shipped import shipped
from selfdepth_ros.viz.rig import draw_rig

LENS = PinholeCamera(64, 48, 30.0, 30.0, 31.5, 23.5)
AHEAD = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
LEFT = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]) @ AHEAD
CENTRE, RING = 499.5, 389
BLIND = (255, 40, 50)


def rig_of(**turns):
    return Rig(
        tuple(
            RigCamera(
                name, LENS, SE3.from_rotation_translation(turn, np.array([0.0, 0, 1])), f'{name}_o'
            )
            for name, turn in turns.items()
        )
    )


def at(picture, azimuth_deg, radius_px):
    """Colour of a place: ahead is up, left is left."""
    angle = np.radians(azimuth_deg)
    row, column = CENTRE - radius_px * np.cos(angle), CENTRE - radius_px * np.sin(angle)
    return picture[round(row), round(column)].astype(int)


@pytest.fixture(scope='module')
def picture():
    return draw_rig(rig_of(ahead=AHEAD, left=LEFT))


@pytest.mark.parametrize('azimuth_deg', [-170, -100, 170, -60])
def test_where_no_camera_looks_the_ring_is_red_and_the_disc_empty(picture, azimuth_deg):
    assert tuple(at(picture, azimuth_deg, RING)) == BLIND
    assert at(picture, azimuth_deg, 200).max() < 60


@pytest.mark.parametrize('azimuth_deg', [-40, 0, 20, 70, 110])
def test_where_one_camera_looks_the_disc_has_its_colour(picture, azimuth_deg):
    assert tuple(at(picture, azimuth_deg, RING)) != BLIND
    assert at(picture, azimuth_deg, 310).max() > 60


def test_two_cameras_have_two_colours_and_their_overlap_a_third(picture):
    ahead, both, left = (at(picture, azimuth, 310) for azimuth in (15, 45, 75))
    assert ahead[0] > ahead[2] + 50  # orange
    assert left[2] > left[0] + 50  # blue
    assert np.abs(both - ahead).max() > 30
    assert np.abs(both - left).max() > 30
    assert at(picture, 45, RING).sum() > at(picture, 15, RING).sum()


def test_the_shipped_rig_has_no_blind_sector_in_its_picture():
    picture = draw_rig(load_rig(shipped('model.onnx').parent / 'rig.yaml'))
    assert not (picture[:, :1000] == BLIND).all(axis=-1).any()


def test_twelve_cameras_fit():
    rig = rig_of(**{f'camera_{index}': AHEAD for index in range(12)})
    assert draw_rig(rig).shape == (1000, 1380, 3)
