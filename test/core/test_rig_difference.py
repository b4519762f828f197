# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two calibrations of one robot: what agrees is not mentioned, what does not is named."""

import math
from dataclasses import replace

import numpy as np
import pytest

from selfdepth_ros.core.cameras import EquidistantCamera, PinholeCamera
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.rig_difference import RigTolerance, rig_differences
from selfdepth_ros.core.se3 import SE3

PINHOLE = PinholeCamera(64, 48, 40.0, 41.0, 31.0, 24.0)
DISTORTED = PinholeCamera(64, 48, 40.0, 41.0, 31.0, 24.0, 'plumb_bob', (-0.2, 0.03, 0.0, 0.0, 0.0))
FISHEYE = EquidistantCamera(64, 48, 20.0, 20.0, 31.0, 24.0, (0.01, 0.0, 0.0, 0.0))


def rig_of(*lenses, body_frame='base_link'):
    poses = SE3.exp(np.random.default_rng(0).normal(size=(len(lenses), 6)))
    return Rig(
        tuple(
            RigCamera(f'c{index}', lens, poses[index], f'c{index}_optical_frame')
            for index, lens in enumerate(lenses)
        ),
        body_frame,
    )


def one_changed(change, lens=PINHOLE):
    """A rig, and the same with its second camera changed."""
    rig = rig_of(FISHEYE, lens)
    return rig, replace(rig, cameras=(rig.cameras[0], change(rig.cameras[1])))


def with_lens(**changes):
    return lambda entry: replace(entry, camera=replace(entry.camera, **changes))


def moved(twist):
    def change(entry):
        return replace(
            entry, body_from_camera=entry.body_from_camera @ SE3.exp(np.array(twist, float))
        )

    return change


@pytest.mark.parametrize('size', [(64, 48), (32, 24), (1920, 1440), (640, 300)])
def test_a_rig_agrees_with_itself_at_any_size(size):
    rig = rig_of(PINHOLE, DISTORTED, FISHEYE)
    assert rig_differences(rig, rig.scaled(*size)) == []


CHANGES = {
    'c1: fx is 40.00 px at 64x48 in the rig file, 41.00 in CameraInfo and TF: they differ by +2.5%'
    ' of it.': with_lens(fx=41.0),
    'c1: cy is 24.00 px at 64x48 in the rig file, 26.40 in CameraInfo and TF: they differ by +5.0%'
    ' of the height.': with_lens(cy=26.4),
    'c1: the position is ': moved([0.0, 0.1, 0.0, 0, 0, 0]),
    'c1: the orientations in the rig file and CameraInfo and TF differ by 1.00 deg.': moved(
        [0, 0, 0, math.radians(1), 0, 0]
    ),
}


@pytest.mark.parametrize('sentence', CHANGES)
def test_one_thing_that_differs_is_one_sentence(sentence):
    (told,) = rig_differences(*one_changed(CHANGES[sentence]))
    assert told.startswith(sentence)
    if 'position' in told:
        assert told.endswith('0.100 m apart.')


@pytest.mark.parametrize('sentence', CHANGES)
def test_what_is_within_the_tolerance_is_not_told(sentence):
    limits = RigTolerance(focal=0.03, pixel=0.06, rotation_deg=1.1, position_m=0.11)
    assert rig_differences(*one_changed(CHANGES[sentence]), limits) == []


def test_another_distortion_is_told_in_pixels():
    change = with_lens(distortion=(0.0, 0.03, 0.0, 0.0, 0.0))
    (told,) = rig_differences(*one_changed(change, DISTORTED))
    assert told.startswith('c1: the distortions of the rig file and CameraInfo and TF disagree')
    assert 'pixels move by up to' in told


def test_another_lens_model_is_named():
    rig, other = one_changed(lambda entry: replace(entry, camera=DISTORTED))
    told = rig_differences(rig, other)
    assert told[0].startswith(
        'c1: the lens is pinhole in the rig file, pinhole plumb_bob in CameraInfo and TF'
    )


def test_a_cropped_image_is_no_scaled_one():
    rig, other = one_changed(
        lambda entry: replace(entry, camera=entry.camera.cropped(0, 8, 64, 32))
    )
    told = rig_differences(rig, other)
    assert told[0].startswith('c1: the image is 64x48 in the rig file, 64x32 in CameraInfo and TF')
    assert any('c1: fy' in sentence for sentence in told)


def test_a_camera_missing_on_either_side_is_named():
    rig = rig_of(PINHOLE, PINHOLE, FISHEYE)
    told = rig_differences(rig.subset(('c0', 'c1')), rig.subset(('c1', 'c2')), names=('A', 'B'))
    assert told == ['c0: is in A, not in B.', 'c2: is in B, not in A.']


def test_poses_in_different_frames_are_not_compared():
    rig, other = one_changed(moved([1, 0, 0, 0, 0, 0]))
    told = rig_differences(rig, replace(other, body_frame='chassis'))
    assert len(told) == 1
    assert told[0].startswith('body_frame: is base_link in the rig file, chassis in')
