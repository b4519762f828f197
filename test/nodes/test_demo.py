# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The demonstration as a user runs it, with a small model; and what it says about known clouds."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from selfdepth_ros.core.fusion import Fusion, FusionConfig
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.demo.scores import GhostCount, depth_error, pixels_in_cloud
from selfdepth_ros.shipped import DEMO_SEED, shipped

ROOT = Path(__file__).parents[2]
SMALL = ('--size', '64x48', '--frames', '2', '--seconds', '1')


def demo(out: Path, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, '-m', 'selfdepth_ros.cli', 'demo', '--out', str(out), *options]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=own_temporary(out.parent)
    )


def own_temporary(folder: Path) -> dict[str, str]:
    """Environment in which the demo's temporary files, which its nodes mention, lie in `folder`:
    so another demo on this machine is not taken for this one's."""
    return {**os.environ, 'TMPDIR': str(folder)}


def processes_that_mention(text: str) -> list[str]:
    found = []
    for path in Path('/proc').glob('[0-9]*/cmdline'):
        try:
            line = path.read_bytes().replace(b'\0', b' ').decode(errors='replace')
        except OSError:  # it has just ended
            continue
        if 'selfdepth_ros.nodes' in line and text in line:
            found.append(line)
    return found


@pytest.mark.slow
def test_the_demo_runs_measures_and_draws(scene, tmp_path) -> None:
    out = tmp_path / 'demo'
    result = demo(out, '--model', str(scene.model), *SMALL)
    assert result.returncode == 0, result.stderr
    assert re.search(r'stamp to publish +[0-9.]+ ms median', result.stdout)
    assert re.search(r'first cloud +[0-9.]+ s after the start', result.stdout)
    assert re.search(r'outside the network +[0-9.]+ ms median', result.stdout)
    summary = json.loads((out / 'summary.json').read_text())
    assert summary['first_cloud_s'] > 0
    assert summary['rate_hz'] > 0
    assert summary['clouds_compared'] > 0
    assert summary['depth_images_compared'] > 0
    assert summary['points_traced'] > 0.9  # two frames: the robot turns round at each
    assert summary['abs_rel'] > 0
    assert 0 <= summary['sky_in_cloud'] <= 1
    assert (out / 'cloud.ply').read_bytes().startswith(b'ply\nformat binary_little_endian 1.0\n')
    for name in ('cloud.png', 'depth_panels.png'):
        assert cv2.imread(str(out / name)).std() > 10
    assert not processes_that_mention(f'{tmp_path}/selfdepth_demo_')


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (('--model', '/nowhere/model.onnx'), 'no model at /nowhere/model.onnx'),
        (('--seed', '-1', '--model', '{model}'), 'seed'),
        (('--size', '8x8', '--model', '{model}'), 'width'),
        (('--out', '{model}/demo', '--model', '{model}'), 'cannot be written'),
    ],
    ids=['model', 'seed', 'size', 'out'],
)
def test_a_demo_that_cannot_run_says_why_and_leaves_nothing_behind(
    scene, tmp_path, options, words
) -> None:
    given = [option.format(model=scene.model) for option in options]
    result = demo(tmp_path / 'demo', *given)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert words in result.stderr
    assert not processes_that_mention(f'{tmp_path}/selfdepth_demo_')


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_stops_its_processes(scene, tmp_path, number) -> None:
    command = [sys.executable, '-m', 'selfdepth_ros.cli', 'demo', '--out', str(tmp_path)]
    process = subprocess.Popen(
        [*command, '--model', str(scene.model)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=own_temporary(tmp_path),
    )
    assert process.stdout.readline().startswith('rendering')
    process.send_signal(number)
    process.communicate()
    assert process.returncode == 130
    assert not processes_that_mention(f'{tmp_path}/selfdepth_demo_')


def test_the_demo_drives_where_the_shipped_model_has_never_been() -> None:
    record = Manifest.load(shipped('model.yaml')).training
    bags = [Path(bag).name for bag in record['bags']]  # named after the seeds of their worlds
    worlds = {int(number) for bag in bags for number in re.findall(r'\d+', bag)}
    assert worlds
    assert DEMO_SEED not in worlds


def test_a_point_is_traced_to_its_pixel(scene) -> None:
    rig = scene.rig.scaled(32, 24)
    fusion = Fusion(rig, FusionConfig(flying_slope=0.0, margin_px=0, sky_reach_px=0))
    depths = np.random.default_rng(1).uniform(1, 80, (3, 24, 32)).astype(np.float32)
    images = np.zeros((3, 24, 32, 3), np.uint8)
    kept = [fusion.keep(i, depths, images).copy() for i in range(3)]
    move = SE3.exp(np.random.default_rng(2).normal(size=(3, 6)) * 0.1)
    found = pixels_in_cloud(fusion.fuse(depths, images, now_from_then=move), rig, move)
    for mask, expected in zip(found, kept, strict=True):
        assert expected.sum() > 300
        np.testing.assert_array_equal(mask, expected)


def test_ghosts_are_counted_of_sky_and_robot() -> None:
    truth = np.array([[np.inf, np.inf, 5.0, np.nan]])
    count = GhostCount()
    count.add(np.array([[True, False, True, True]]), truth)
    count.add(np.zeros((1, 4), bool), truth)
    assert (count.sky_share, count.robot_share) == (0.25, 0.5)


def test_errors_are_metric_and_of_the_near_and_known_only() -> None:
    truth = np.array([[10.0, 20.0, 0.5, 61.0, np.inf, np.nan]])
    error = depth_error([(truth * 1.1, truth), (truth * 1.3, truth)])
    assert error.pixels == 4
    assert error.abs_rel == pytest.approx(0.2)
    assert error.delta1 == pytest.approx(0.5)
    assert depth_error([(truth[:, 2:], truth[:, 2:])]) is None
