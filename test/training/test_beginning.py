# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a training says of the rigs that it begins with."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from selfdepth_ros.core.se3 import SE3
from selfdepth_training.beginning import warn_of_rigs

BAGS = [Path('monday'), Path('tuesday')]


def with_first_camera_turned(rig, turn):
    """The rig whose first camera is turned in its own frame."""
    first, *others = rig.cameras
    turned = first.body_from_camera @ SE3.from_rotation_translation(turn, np.zeros(3))
    return replace(rig, cameras=(replace(first, body_from_camera=turned), *others))


def test_a_recording_with_another_rig_is_named(street, caplog):
    warn_of_rigs([street.rig, street.rig], BAGS)
    assert not caplog.text
    angle = np.radians(3)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    warn_of_rigs([street.rig, with_first_camera_turned(street.rig, turn)], BAGS)
    assert 'found another rig in tuesday (camera_front: ' in caplog.text
    assert 'kept in rig_1.yaml; rig.yaml is that of monday' in caplog.text


def test_a_camera_that_is_upside_down_is_named(street, caplog):
    turned = with_first_camera_turned(street.rig, np.diag([-1.0, -1.0, 1.0]))
    warn_of_rigs([street.rig, turned], BAGS)
    assert 'camera_front is mounted upside down (tuesday)' in caplog.text
    assert caplog.text.count('upside down') == 1
