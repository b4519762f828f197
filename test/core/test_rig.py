# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A rig: its file keeps every bit and refuses nonsense by name; masks, overlap, scaling."""

import math
from dataclasses import replace

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from selfdepth_ros.core.cameras import EquidistantCamera, PinholeCamera
from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.core.masks import decode_mask, encode_mask, scale_mask
from selfdepth_ros.core.rig import Rig, RigCamera, load_rig, save_rig
from selfdepth_ros.core.se3 import SE3

LENS = PinholeCamera(64, 48, 40.0, 40.0, 31.5, 23.5)


def looking(yaw_rad, name, camera=LENS, mask=None, radius_m=0.4):
    """A camera on a ring about the body, looking outwards (REP-103: x forward, y left)."""
    forward = np.array([math.cos(yaw_rad), math.sin(yaw_rad), 0.0])
    right = np.array([math.sin(yaw_rad), -math.cos(yaw_rad), 0.0])
    rotation = np.stack([right, [0.0, 0.0, -1.0], forward], axis=1)
    pose = SE3.from_rotation_translation(rotation, radius_m * forward + [0.0, 0.0, 1.5])
    return RigCamera(name, camera, pose, f'{name}_optical_frame', mask)


def ring(count):
    return Rig(tuple(looking(2 * math.pi * i / count, f'camera_{i}') for i in range(count)))


def odd_rig(seed):
    """Every lens, numbers with all their digits, poses anywhere, one mask."""
    rng = np.random.default_rng(seed)
    matrix = tuple(float(value) for value in rng.uniform([30, 30, 28, 20], [50, 50, 36, 28]))
    k = [tuple(float(value) for value in rng.normal(size=size) * 0.01) for size in (5, 8, 4)]
    cameras = (
        PinholeCamera(64, 48, *matrix, 'plumb_bob', k[0]),
        PinholeCamera(64, 48, *matrix, 'rational_polynomial', k[1]),
        EquidistantCamera(64, 48, *matrix, k[2]),
        PinholeCamera(64, 48, *matrix),
    )
    masks = (rng.random((48, 64)) > 0.5, None, np.ones((48, 64), dtype=bool), None)
    twists = rng.normal(size=(4, 6)) * [10, 10, 10, 2, 2, 2]
    entries = zip(cameras, masks, SE3.exp(twists).matrix, strict=True)
    return Rig(
        tuple(RigCamera(f'c{i}', c, SE3(p), f'f{i}', m) for i, (c, m, p) in enumerate(entries)),
        'robot',
    )


@given(st.integers(0, 2**32 - 1))
def test_the_file_gives_back_every_bit(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp('rig')
    rig = odd_rig(seed)
    save_rig(rig, folder / 'rig.yaml')
    loaded = load_rig(folder / 'rig.yaml')
    assert (loaded.body_frame, loaded.names) == (rig.body_frame, rig.names)
    for before, after in zip(rig.cameras, loaded.cameras, strict=True):
        assert (before.camera, before.frame_id) == (after.camera, after.frame_id)
        same = before.body_from_camera.matrix == after.body_from_camera.matrix
        assert same.all()
        np.testing.assert_array_equal(before.self_occlusion, after.self_occlusion)
    save_rig(loaded, folder / 'again.yaml')
    assert (folder / 'again.yaml').read_bytes() == (folder / 'rig.yaml').read_bytes()


@given(st.integers(0, 2**32 - 1))
def test_a_rig_holds_the_pose_it_was_given_to_a_picometre_per_metre(seed):
    pose = SE3.exp(np.random.default_rng(seed).normal(size=6))
    held = RigCamera('c', LENS, pose, 'f').body_from_camera
    np.testing.assert_allclose(held.matrix, pose.matrix, rtol=0, atol=1e-11)


def test_the_file_can_be_read_by_a_person(tmp_path):
    save_rig(Rig((looking(0.0, 'camera_front'),)), tmp_path / 'rig.yaml')
    text = (tmp_path / 'rig.yaml').read_text()
    assert '  size: [64, 48]\n' in text
    assert '    fx: 40.0\n' in text
    assert '    translation: [0.4, 0.0, 1.5]\n' in text
    assert '    quaternion_xyzw: [-0.5, 0.5, -0.5, 0.5]\n' in text


@pytest.fixture
def entry_file(tmp_path):
    """Write a rig file with one thing changed; return its path."""
    good = ring(2)
    path = tmp_path / 'rig.yaml'
    save_rig(
        Rig((replace(good.cameras[0], self_occlusion=np.eye(48, 64) > 0), good.cameras[1])), path
    )

    def write(change):
        data = yaml.safe_load(path.read_text())
        change(data['cameras'][0], data)
        path.write_text(yaml.safe_dump(data))
        return path

    return write


CHANGES = {
    'intrinsics.fx: found [nan]': lambda c, r: c['intrinsics'].update(fx=math.nan),
    'intrinsics.cy': lambda c, r: c['intrinsics'].update(cy='24'),
    'fx: found 0.0': lambda c, r: c['intrinsics'].update(fx=0),
    "unknown key 'f_x', expected 'fx'": lambda c, r: c['intrinsics'].update(f_x=1),
    'found no cx': lambda c, r: c['intrinsics'].pop('cx'),
    "unknown key 'frame', expected 'frame_id'": lambda c, r: c.update(frame='x'),
    'found no body_from_camera': lambda c, r: c.pop('body_from_camera'),
    'size: found [64]': lambda c, r: c.update(size=[64]),
    'size: found [64.5, 48]': lambda c, r: c.update(size=[64.5, 48]),
    'distortion_model': lambda c, r: c['distortion'].update(model='fishbowl'),
    'distortion: found 3': lambda c, r: c['distortion'].update(
        model='plumb_bob', coefficients=[0.1] * 3
    ),
    'distortion.coefficients': lambda c, r: c['distortion'].update(coefficients=None),
    'quaternion_xyzw: found length 2': lambda c, r: c['body_from_camera'].update(
        quaternion_xyzw=[0, 0, 0, 2]
    ),
    'translation': lambda c, r: c['body_from_camera'].update(translation=[1, 2]),
    'self_occlusion: found text': lambda c, r: c.update(self_occlusion='%%%'),
    'self_occlusion: found a mask of 384 bytes': lambda c, r: c.update(size=[32, 48]),
    'frame_id': lambda c, r: c.update(frame_id=''),
}


@pytest.mark.parametrize('expected', CHANGES)
def test_nonsense_is_refused_naming_file_camera_and_field(entry_file, expected):
    path = entry_file(CHANGES[expected])
    with pytest.raises(CalibrationError) as caught:
        load_rig(path)
    message = str(caught.value)
    assert message.startswith(f'{path}: camera camera_0: ')
    assert expected in message


@pytest.mark.parametrize(
    ('expected', 'change'),
    [
        ('cameras: found none', lambda c, r: r.update(cameras=[])),
        ('camera_1 more than once', lambda c, r: c.update(name='camera_1')),
        ('cameras: found None', lambda c, r: r.update(cameras=None)),
        ('cameras[0]: found 3', lambda c, r: r.update(cameras=[3])),
        ("format: found 'rig 2'", lambda c, r: r.update(format='rig 2')),
        ("unknown key 'camera', expected 'cameras'", lambda c, r: r.update(camera=1)),
        ('body_frame', lambda c, r: r.update(body_frame=None)),
    ],
)
def test_a_rig_that_is_none_is_refused_naming_the_file(entry_file, expected, change):
    path = entry_file(change)
    with pytest.raises(CalibrationError) as caught:
        load_rig(path)
    assert str(caught.value).startswith(f'{path}: ')
    assert expected in str(caught.value)


@pytest.mark.parametrize('text', [None, 'a: [1', 'just text', 'a: 1\na: 2'])
def test_a_file_that_is_no_rig_is_refused_by_name(tmp_path, text):
    path = tmp_path / 'rig.yaml'
    if text is not None:
        path.write_text(text)
    with pytest.raises(CalibrationError, match='rig.yaml'):
        load_rig(path)


@pytest.mark.parametrize(
    'matrix', [2 * np.eye(4), np.diag([1.0, 1, -1, 1]), np.full((4, 4), np.nan), np.eye(4)[None]]
)
def test_a_pose_that_is_no_rigid_transform_is_refused(matrix):
    with pytest.raises(CalibrationError, match='body_from_camera'):
        RigCamera('c', LENS, SE3(matrix), 'f')


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(CalibrationError, match='48x64'):
        replace(looking(0.0, 'c'), self_occlusion=np.zeros((64, 48), dtype=bool))


masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40))


@given(masks)
def test_masks_survive_their_text(mask):
    rows, columns = mask.shape
    np.testing.assert_array_equal(decode_mask(encode_mask(mask), columns, rows), mask)


@given(masks, st.integers(1, 60), st.integers(1, 60))
def test_no_occluded_pixel_is_lost_by_scaling(mask, width, height):
    """A target pixel is occluded exactly if a source pixel overlaps it."""
    rows, columns = mask.shape
    scaled = scale_mask(mask, width, height)
    assert scaled.shape == (height, width)
    covers = [np.zeros((size, source)) for size, source in ((height, rows), (width, columns))]
    for cover, (size, source) in zip(covers, ((height, rows), (width, columns)), strict=True):
        for target in range(size):
            for place in range(source):
                overlap = min((target + 1) * source, (place + 1) * size) - max(
                    target * source, place * size
                )
                cover[target, place] = overlap > 0
    np.testing.assert_array_equal(scaled, covers[0] @ mask @ covers[1].T > 0)


def test_scaling_a_rig_scales_cameras_and_masks():
    mask = np.zeros((48, 64), dtype=bool)
    mask[47, 63] = True
    rig = Rig((looking(0.0, 'a', mask=mask), looking(1.0, 'b'))).scaled(32, 16)
    assert (rig['a'].camera.width, rig['a'].camera.height) == (32, 16)
    assert np.argwhere(rig['a'].self_occlusion).tolist() == [[15, 31]]
    assert rig['b'].self_occlusion is None
    assert rig['b'].camera.fx == 20.0


def test_neighbours_of_a_ring_overlap_and_nobody_else():
    pairs = ring(6).require_overlap()
    assert {(p.first, p.second) for p in pairs} == {
        (i, (i + step) % 6) for i in range(6) for step in (1, -1)
    }
    fractions = [pair.fraction for pair in pairs]
    assert max(fractions) - min(fractions) < 0.02


def test_the_overlap_of_parallel_cameras_is_what_geometry_says():
    """Side by side 0.5 m: at z the second sees all but f * 0.5 / z pixels of the first."""
    pair = [looking(0.0, name) for name in 'ab']
    shift = SE3.from_rotation_translation(np.eye(3), np.array([0.0, -0.5, 0.0]))
    pair[1] = replace(pair[1], body_from_camera=shift @ pair[1].body_from_camera)
    overlaps = Rig(tuple(pair)).overlap_pairs()
    assert len(overlaps) == 2
    for overlap in overlaps:
        assert 0.88 < overlap.fraction < 0.97  # 64 px less 40 * 0.5 / (3, 10, 30), about 0.95


def test_the_robot_s_own_body_is_no_overlap():
    hidden = looking(0.0, 'a', mask=np.ones((48, 64), dtype=bool))
    pairs = Rig((hidden, looking(0.2, 'b'))).overlap_pairs()
    assert [(pair.first, pair.second) for pair in pairs] == [(1, 0)]


def test_a_rig_without_overlap_says_what_to_do():
    assert ring(2).overlap_pairs() == ()
    with pytest.raises(CalibrationError, match='camera_0, camera_1.*extrinsics'):
        ring(2).require_overlap()


def test_a_calibration_of_cameras_of_other_names_names_both():
    rig, long = ring(2), Rig(tuple(replace(c, name=f's_{c.name}') for c in ring(2).cameras))
    with pytest.raises(
        CalibrationError,
        match='rig file of s_camera_0, s_camera_1, .*: camera_0, camera_1. .* mapping file',
    ):
        rig.calibrated_as(long)


def test_cameras_are_found_by_name():
    rig = ring(3)
    assert rig['camera_2'] is rig.cameras[2]
    assert rig.index('camera_1') == 1
    assert rig.subset(('camera_2', 'camera_0')).names == ('camera_2', 'camera_0')
    np.testing.assert_array_equal(
        rig.body_from_cameras().matrix[1], rig['camera_1'].body_from_camera.matrix
    )
    with pytest.raises(CalibrationError, match='camera_0, camera_1, camera_2'):
        rig['camera_9']
