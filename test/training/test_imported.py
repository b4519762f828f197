# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A scene in the layout of DDAD, six cameras in motion: imported, learned from, and reported."""

import logging

import numpy as np
import pytest
from ddad_tree import write_ddad
from street_drive import StreetDrive

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.main import main
from selfdepth_ros.core.se3 import interpolate_poses
from selfdepth_training.checkpoint import load_checkpoint

SETTINGS = (
    'network.encoder=[8, 8, 16, 32, 64]',
    'network.decoder=[8, 8, 8, 8]',
    'data.width=96',
    'data.height=64',
    'data.frames=4',
    'precision=32-true',
)
STEPS = 4

# The street is written, imported and learned from before the first test ends.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope='module')
def imported(street, tmp_path_factory):
    """The bag of `selfdepth import ddad`, of files whose clock is tenfold as DDAD's is."""
    folder = tmp_path_factory.mktemp('ddad')
    write_ddad(folder / 'ddad', StreetDrive(street.bag), stamp=lambda ns: 10 * ns)
    assert main(['import', 'ddad', str(folder / 'ddad'), str(folder / 'bag'), '--quiet']) == 0
    return folder / 'bag'


@pytest.fixture(scope='module')
def trained(imported, tmp_path_factory):
    out = tmp_path_factory.mktemp('trained') / 'run'
    settings = [f'--set={text}' for text in SETTINGS]
    assert main(['train', str(imported), '--steps', str(STEPS), '--out', str(out), *settings]) == 0
    return out


def test_the_recording_is_the_street(imported, street):
    reader, own = BagReader(imported), BagReader(street.bag)
    assert reader.cameras == own.cameras
    assert reader.report.clean
    _, sweep = next(reader.lidar())
    alike = [points for _, points in own.lidar() if len(points) == len(sweep)]
    assert any(np.allclose(sweep, points, atol=1e-3) for points in alike)
    stamps, poses = reader.odometry()
    moved = np.linalg.norm(poses[-1, :3, 3] - poses[0, :3, 3])
    true, reached = interpolate_poses(*own.odometry(), stamps[[0, -1]])
    assert reached.all()
    assert moved == pytest.approx(np.linalg.norm(np.diff(true.translation, axis=0)), abs=0.05)


def test_the_doctor_calls_it_trainable(imported, capsys):
    assert main(['doctor', str(imported)]) == 0
    assert 'trainable: yes' in capsys.readouterr().out


def test_a_training_runs_to_its_end(trained, imported):
    state = load_checkpoint(trained / 'checkpoint.pt')
    assert state['step'] == state['steps'] == STEPS
    assert (trained / 'rig.yaml').is_file()


def test_its_report_opens(trained, imported, tmp_path, caplog):
    page = tmp_path / 'report.html'
    rig = ['--rig', str(trained / 'rig.yaml')]
    options = ['--protocol', 'ddad', '--worst', '1', *rig, '--out', str(page)]
    with caplog.at_level(logging.WARNING):
        assert main(['report', str(trained), str(imported), *options]) == 0
    text = page.read_text('utf-8')
    for camera in BagReader(imported).cameras:
        assert camera in text
    assert 'ddad/1' in text
    assert text.count('data:image/webp') > 6 * 3
