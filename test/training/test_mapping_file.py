# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A mapping file counts wherever a recording is opened: at once, again later, and when resumed."""

import json
import re

import pytest
import torch

from selfdepth_ros.bags.discovery import load_mapping
from selfdepth_ros.cli.main import main
from selfdepth_ros.shipped import shipped
from selfdepth_training.checkpoint import load_checkpoint
from selfdepth_training.config import load_recipe
from selfdepth_training.data.cache import FrameCache, build_cache
from selfdepth_training.data.depth_topic import TopicDepth
from selfdepth_training.data.lidar import LidarDepth
from selfdepth_training.judge import Judge

SMALL = (
    'network.encoder=[8, 8, 16, 16, 16]', 'network.decoder=[8, 8, 8, 8]', 'data.width=64',
    'data.height=64', 'data.frames=2', 'precision=32-true',
)  # fmt: skip
SETTINGS = [f'--set={text}' for text in SMALL]
CAMERAS = {'front_right': '/camera_front_right', 'front': '/camera_front'}
"""Neither the names nor the order that a bag has which is read by its topics' names."""


def mapping(path, lidar=True, cameras=CAMERAS):
    topics = {
        name: {'image': f'{at}/image_raw', 'info': f'{at}/camera_info'}
        for name, at in cameras.items()
    }
    tree = {'odometry': '/odom', 'lidar': '/lidar/points' if lidar else None, 'cameras': topics}
    path.write_text(json.dumps(tree))
    return path


def test_what_lies_beside_a_cache_is_read_by_its_mapping(street, tmp_path):
    file = mapping(tmp_path / 'topics.yaml')
    plain, mapped = (
        build_cache(street.bag, tmp_path / 'cache', 80, 48, mapping=each, progress=False)
        for each in (None, file)
    )
    assert mapped.folder != plain.folder
    assert (plain.topics, mapped.topics) == (None, load_mapping(file))
    assert FrameCache.open(mapped.folder).topics == mapped.topics
    assert mapped.rig.names == tuple(CAMERAS)
    same = [plain.rig.names.index(at.strip('/')) for at in CAMERAS.values()]
    expected, found = (LidarDepth(each, progress=False).of(8) for each in (plain, mapped))
    assert found.sure.any()
    assert torch.equal(found.depth, expected.depth[same])
    expected = TopicDepth(plain, '/{camera}/depth_truth', progress=False).of(8)
    found = TopicDepth(mapped, '/camera_{camera}/depth_truth', progress=False).of(8)
    assert found.sure.any()
    assert torch.equal(found.depth, expected.depth[same])


@pytest.mark.parametrize('lidar', [True, False])
def test_the_judge_compares_with_the_lidar_of_the_mapping_only(street, tmp_path, lidar):
    file = mapping(tmp_path / 'topics.yaml', lidar)
    cache = build_cache(street.bag, tmp_path / 'cache', 96, 64, mapping=file, progress=False)
    config = load_recipe('fsm', ['data.width=96', 'data.height=64', 'data.held_out=0.2'])
    verdict = Judge([cache], [cache.rig], config).verdict(
        [lambda frame: [torch.full((64, 96), 9.0).numpy()] * 2]
    )
    assert (verdict.abs_rel is not None) == lidar


@pytest.fixture(scope='module')
def unusable(street, helpers, tmp_path_factory):
    """A drive that no command takes by its topics' names: one camera has no CameraInfo."""
    out = tmp_path_factory.mktemp('unusable') / 'drive'
    return helpers.record(street.bag, out, uncalibrated=('camera_back',))


@pytest.fixture
def arguments(unusable, tmp_path):
    """Of a training of one step, in `tmp_path`/run."""
    given = ['--out', str(tmp_path / 'run'), '--cache', str(tmp_path / 'cache'), '--steps', '1']
    return ['train', str(unusable), *given, *SETTINGS]


def test_a_training_goes_on_with_the_topics_it_began_with(arguments, tmp_path, capsys):
    assert main(arguments) == 2
    assert 'leave the camera out with a mapping file' in capsys.readouterr().err
    file = mapping(tmp_path / 'topics.yaml')
    assert main([*arguments, '--mapping', str(file)]) == 0
    state = load_checkpoint(tmp_path / 'run')
    assert state['cameras'] == list(CAMERAS)
    file.write_text('# as before\n' + file.read_text())
    assert main([*arguments, '--resume', '--mapping', str(file)]) == 0
    mapping(file, cameras={**CAMERAS, 'front_left': '/camera_front_left'})
    capsys.readouterr()
    assert main([*arguments, '--resume', '--mapping', str(file)]) == 2
    error = capsys.readouterr().err
    assert re.search(r'other topics in \S+topics.yaml, expected those .* Leave --mapping', error)
    file.unlink()
    assert main([*arguments, '--resume']) == 0
    assert load_checkpoint(tmp_path / 'run')['cameras'] == list(CAMERAS)


def test_a_training_that_began_without_a_mapping_takes_none(street, arguments, tmp_path, capsys):
    plain = [str(street.bag) if word == arguments[1] else word for word in arguments]
    assert main(plain) == 0
    file = mapping(tmp_path / 'topics.yaml')
    assert main([*plain, '--resume', '--mapping', str(file)]) == 2
    assert 'expected none of a mapping file' in capsys.readouterr().err


def test_a_search_goes_on_with_the_same_mapping_only(street, record, tmp_path, capsys):
    bag, file = record(frames=16, uncalibrated=('camera_back',)), tmp_path / 'topics.yaml'
    recipes = ['--try=fsm', '--try=fsm,loss.hint=0.5']
    search = ['tune', str(bag), f'--out={tmp_path / "out"}', '--steps=1', *recipes, *SETTINGS]
    mapped = [*search, '--mapping', str(mapping(file))]
    assert main(mapped) == 0
    assert load_checkpoint(tmp_path / 'out' / 'best')['cameras'] == list(CAMERAS)
    assert main(mapped) == 0
    mapping(file, lidar=False)
    for other in (mapped, search):
        capsys.readouterr()
        assert main(other) == 2
        assert 'Found another search' in capsys.readouterr().err


def test_an_evaluation_is_of_the_cameras_of_the_mapping(street, tmp_path):
    model, scores = shipped('model.onnx'), tmp_path / 'scores.json'
    told = ['--json', str(scores), '--every', '20', '--baseline', str(street.bag)]
    file = mapping(tmp_path / 'topics.yaml')
    assert main(['evaluate', str(model), str(street.bag), *told, '--mapping', str(file)]) == 0
    found = json.loads(scores.read_text())
    for what in ('model', 'row_baseline'):
        assert set(found[what]['cameras']) == {*CAMERAS, 'mean'}


@pytest.mark.parametrize(
    'command',
    [
        'train BAG --out OUT',
        'tune BAG --out OUT --steps 1',
        'calibrate BAG --save OUT',
        'evaluate MODEL BAG',
        'report MODEL BAG --out OUT',
        'quantize MODEL OUT --images BAG',
    ],
)
def test_every_command_that_reads_a_bag_takes_a_mapping(street, tmp_path, capsys, command):
    words = {'BAG': street.bag, 'OUT': tmp_path / 'out', 'MODEL': shipped('model.onnx')}
    file = mapping(tmp_path / 'topics.yaml', cameras={'mast': '/mast'})
    given = [str(words.get(word, word)) for word in command.split()]
    assert main([*given, '--mapping', str(file)]) == 2
    assert '/mast/image_raw' in capsys.readouterr().err


def test_an_export_is_calibrated_on_the_cameras_of_the_mapping(
    street, arguments, tmp_path, capsys
):
    good, other = mapping(tmp_path / 'good'), mapping(tmp_path / 'other', cameras={'mast': '/x'})
    assert main([*arguments, '--mapping', str(good)]) == 0
    export = ['export', str(tmp_path / 'run'), str(tmp_path / 'model')]
    assert main([*export, '--calibrate', str(street.bag), '--mapping', str(other)]) == 2
    assert '/x/image_raw' in capsys.readouterr().err
    assert main([*export, '--mapping', str(good)]) == 2
    assert 'expected --calibrate BAG beside it' in capsys.readouterr().err
