# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth rig`: a file or a bag as a table and a picture, one compared with the other."""

from dataclasses import replace

import cv2
import pytest

from selfdepth_ros.cli.main import main
from selfdepth_ros.core.rig import load_rig, save_rig


@pytest.fixture
def rig_file(rig, tmp_path):
    path = tmp_path / 'rig.yaml'
    save_rig(rig, path)
    return str(path)


def told(capsys, *arguments):
    """What a command that must succeed prints."""
    status = main(['rig', *map(str, arguments)])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    return printed.out


def test_a_file_is_shown_camera_by_camera(capsys, rig_file):
    out = told(capsys, rig_file)
    for name, size, lens in (
        ('camera_front', '32x24', 'pinhole'),
        ('camera_left', '40x24', 'pinhole plumb_bob'),
        ('camera_right', '48x36', 'fisheye equidistant'),
    ):
        assert any(name in line and size in line and lens in line for line in out.splitlines())
    assert 'overlaps: none' not in out
    assert 'BLIND' in out
    assert 'blind sectors: ' in out
    assert 'of 360 deg' in out


def test_the_rig_of_a_bag_is_shown_saved_and_drawn(capsys, record, tmp_path, rig):
    bag, saved, drawn = record(frames=2), tmp_path / 'out' / 'rig.yaml', tmp_path / 'rig.png'
    out = told(capsys, '--from-bag', bag, '--save', saved, '--picture', drawn)
    assert set(load_rig(saved).names) == set(rig.names)
    assert cv2.imread(str(drawn)).shape[0] == 1000
    assert out.splitlines()[-2:] == [str(saved), str(drawn)]
    again = told(capsys, saved)
    assert out.startswith(again)


def test_a_file_and_the_bag_it_is_from_agree(capsys, record, rig_file):
    out = told(capsys, rig_file, '--compare-with-bag', record(frames=2))
    assert out == (
        '3 cameras agree within 0.01 of the focal length, 0.01 of the image, 0.5 deg and 0.02 m.\n'
    )


def test_what_disagrees_is_told_and_is_no_failure(capsys, record, rig, rig_file):
    lens = replace(rig.cameras[0].camera, fx=33.0)
    changed = replace(rig, cameras=(replace(rig.cameras[0], camera=lens), *rig.cameras[1:]))
    save_rig(changed, rig_file)
    bag = record(frames=2)
    (sentence,) = told(capsys, rig_file, '--compare-with-bag', bag).splitlines()
    assert sentence.startswith('camera_front: fx is 33.00 px at 32x24 in the rig file, 30.00 in')
    relaxed = told(capsys, rig_file, '--compare-with-bag', bag, '--max-focal', 0.2)
    assert 'agree within 0.2 of the focal length' in relaxed


def test_the_mapping_names_the_cameras(capsys, record, tmp_path):
    mapping = tmp_path / 'mapping.yaml'
    mapping.write_text(
        'cameras:\n  f: {image: /camera_front/image_raw, info: /camera_front/camera_info}\n'
    )
    out = told(capsys, '--from-bag', record(frames=2), '--mapping', mapping)
    assert out.splitlines()[1].startswith('f  ')
    assert 'overlaps: none' in out


ERRORS = {
    'neither of RIG.yaml and --from-bag': [],
    'both of RIG.yaml and --from-bag': ['{rig}', '--from-bag', '{none}'],
    '--mapping without a bag': ['{rig}', '--mapping', '{none}'],
    '--save without --from-bag': ['{rig}', '--save', '{none}'],
    'expected a rig file': ['--from-bag', '{none}', '--compare-with-bag', '{none}'],
    'expected a new one': ['--from-bag', '{none}', '--save', '{rig}'],
    'ends in .png': ['{rig}', '--picture', 'rig.jpg'],
    'none: cannot be read as a camera rig': ['{none}'],
    'expected more than -90': ['{rig}', '--elevation', '90'],
    'at a distance above 0': ['{rig}', '--distance', '-1'],
    '--max-focal: found nan': ['{rig}', '--compare-with-bag', '{none}', '--max-focal', 'nan'],
    'cannot be written': ['{rig}', '--picture', '{rig}/rig.png'],
}


@pytest.mark.parametrize('expected', ERRORS)
def test_bad_input_is_one_line_and_exit_2(capsys, rig_file, tmp_path, expected):
    places = {'rig': rig_file, 'none': tmp_path / 'none'}
    assert main(['rig', *(word.format(**places) for word in ERRORS[expected])]) == 2
    error = capsys.readouterr().err
    assert error.startswith('selfdepth: error: ')
    assert error.count('\n') == 1
    assert expected in error


@pytest.mark.parametrize('option', ['--from-bag', '--compare-with-bag'])
def test_a_bag_that_is_none_is_one_line_too(capsys, rig_file, tmp_path, option):
    rig = [rig_file] if option == '--compare-with-bag' else []
    assert main(['rig', *rig, option, str(tmp_path / 'no_bag')]) == 2
    assert capsys.readouterr().err.count('\n') == 1


def test_the_table_needs_neither_cv2_nor_rosbags(rig_file):
    import subprocess
    import sys

    code = (
        'import sys; from selfdepth_ros.cli.main import main; main(sys.argv[1:]); '
        "print(*({'cv2', 'rosbags', 'torch'} & set(sys.modules)), 'loaded')"
    )
    result = subprocess.run(
        [sys.executable, '-c', code, 'rig', rig_file], capture_output=True, text=True, timeout=120
    )
    assert result.stdout.splitlines()[-1] == 'loaded', result.stderr
