# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The model's files are damaged, deleted or replaced while the node runs with them.

Every cloud that comes meanwhile is compared, to the bit, with what the pictures become
(Stage.judge).
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from std_srvs.srv import Trigger

NODE = '/surround_depth'
SIX = ('a', 'b', 'c', 'd', 'e', 'f')
OK, WARN = b'\0', b'\1'


def truncate(folder: Path) -> None:
    """In place, as a copy that ran out of room."""
    path = folder / 'model.onnx'
    with path.open('r+b') as file:
        file.truncate(path.stat().st_size // 2)


def change_a_weight(folder: Path) -> None:
    """In place; the graph still loads."""
    path, gain = folder / 'model.onnx', np.float32(1 / 10).tobytes()
    content = path.read_bytes()
    assert content.count(gain) == 1
    path.write_bytes(content.replace(gain, np.float32(1 / 20).tobytes()))


DAMAGES = {
    'truncated': (truncate, 'cannot be loaded'),
    'one weight': (change_a_weight, 'are not of one export'),
    'deleted': (lambda folder: (folder / 'model.onnx').unlink(), 'no model at'),
    'no manifest': (lambda folder: (folder / 'model.yaml').unlink(), 'model.yaml'),
    'half a manifest': (lambda folder: (folder / 'model.yaml').write_text('name: [a'), 'model.y'),
}


@pytest.fixture
def folder(scene, tmp_path) -> Path:
    """A copy of the scene's model that may be damaged."""
    for name in ('model.onnx', 'model.yaml'):
        shutil.copy(scene.folder / name, tmp_path / name)
    return tmp_path


def test_files_that_are_damaged_change_nothing_until_good_ones_are_loaded(
    scene, surround, listener, stage, folder
) -> None:
    node = surround(**{**stage.parameters, 'model': folder})
    last = listener.diagnostics()

    def reload() -> Trigger.Response:
        return listener.call(Trigger, f'{NODE}/reload_model', Trigger.Request())

    stage.play_until(stage.comes(*SIX), 'a whole cloud')
    for name, (damage, words) in DAMAGES.items():
        damage(folder)
        stage.play_until(stage.comes(*SIX), f'clouds of the loaded model ({name})')
        answer = reload()
        assert not answer.success, name
        assert words in answer.message, name
        stage.play_until(lambda words=words: words in last(1)[1], f'{name}, on /diagnostics')
        assert last(1)[0] == WARN
        assert 'stays in use' in last(1)[1]
        stage.play_until(stage.comes(*SIX), f'clouds of the old model ({name})')
        for file in ('model.onnx', 'model.yaml'):
            shutil.copy(scene.folder / file, folder / file)
        assert reload().success
        stage.play_until(lambda: last(1)[:2] == (OK, 'loaded'), 'a good model again')
    assert 'Traceback' not in node.log


def test_a_model_that_is_replaced_in_its_place_is_taken_when_asked_for(
    scene, surround, listener, stage, folder
) -> None:
    surround(**{**stage.parameters, 'model': folder})
    stage.play_until(stage.comes(*SIX), 'a whole cloud')
    sys.modules['nodes_scene'].write_model(folder, gain=2.0)
    stage.play_until(stage.comes(*SIX), 'clouds of the old model')
    answer = listener.call(Trigger, f'{NODE}/reload_model', Trigger.Request())
    assert answer.success, answer.message
    stage.use_model(folder / 'model.onnx')
    stage.play_until(stage.comes(*SIX), 'clouds of the new model')
