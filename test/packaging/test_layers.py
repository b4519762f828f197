# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Imports go one way: each layer is imported whole in a process of its own, and looked at."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
VENDORS = {'rclpy', 'torch', 'cv2', 'onnxruntime', 'tensorrt', 'open3d', 'rosbags', 'numba'}
VENDORS |= {'viser'}
LIST_MODULES = """
import importlib, json, pkgutil, sys
def walk(name):
    module = importlib.import_module(name)
    for entry in pkgutil.iter_modules(getattr(module, '__path__', []), name + '.'):
        if not entry.name.endswith('.__main__'):
            walk(entry.name)
walk(sys.argv[1])
print(json.dumps(sorted(sys.modules)))
"""


class Layer(NamedTuple):
    """The vendors and the other layers that loading this one may load."""

    name: str
    vendors: set[str]
    layers: set[str]


BAGS = {'core', 'messages', 'bags'}
HOST = {'core', 'compiled', 'inference', 'place', 'resizing'}
"""What makes a cloud of images where there is no device."""
CLOUDS = {*BAGS, *HOST, 'pipeline', 'packing', 'pcd', 'ply'}
NODES = {*CLOUDS, 'doctor', 'synthetic', 'shipped'}
RULES = (
    Layer('core', set(), set()),
    Layer('messages', {'cv2'}, {'core'}),
    Layer('bags', {'cv2', 'rosbags'}, BAGS),
    Layer('datasets', {'cv2', 'rosbags'}, BAGS),
    Layer('doctor', {'cv2', 'rosbags'}, BAGS),
    Layer('synthetic', {'cv2', 'rosbags', 'open3d'}, BAGS),
    Layer('inference', {'cv2'}, {'core'}),
    Layer('compiled', {'numba'}, {'core'}),
    Layer('resizing', set(), set()),
    Layer('device', {'torch'}, {'core', 'inference', 'resizing'}),
    Layer('place', {'cv2'}, HOST),
    Layer('pipeline', {'cv2'}, HOST),
    Layer('packing', {'cv2'}, {*HOST, 'messages', 'pipeline'}),
    Layer('pcd', set(), {'core'}),
    Layer('ply', set(), {'core'}),
    Layer('shipped', set(), {'core'}),
    Layer('viz', {'cv2'}, {'core', 'resizing'}),
    Layer('clouds', {'cv2', 'rosbags'}, CLOUDS),
    Layer('view', {'cv2', 'rosbags', 'viser'}, {*CLOUDS, 'clouds', 'viz'}),
    Layer('nodes', {'rclpy', 'cv2', 'rosbags', 'open3d'}, NODES),
    Layer('demo', {'rclpy', 'cv2', 'rosbags', 'open3d'}, {*NODES, 'nodes', 'viz'}),
    Layer(
        'selfdepth_training',
        {'torch', 'cv2', 'rosbags'},
        {*BAGS, 'datasets', 'synthetic', 'inference', 'resizing', 'viz'},
    ),
)
LAYERS = (*(rule.name for rule in RULES), 'cli')
"""The command may load anything."""


def full_name(layer: str) -> str:
    return layer if layer == 'selfdepth_training' else f'selfdepth_ros.{layer}'


def trespasses(loaded: set[str], rule: Layer) -> set[str]:
    """Loaded vendors and layers that the rule does not allow."""
    tops = {name.partition('.')[0] for name in loaded}
    layers = {layer for layer in LAYERS if full_name(layer) in loaded}
    return (tops & VENDORS) - rule.vendors | layers - rule.layers - {rule.name}


def modules_loaded_by(name: str) -> set[str]:
    command = [sys.executable, '-c', LIST_MODULES, name]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))


@pytest.mark.parametrize('rule', RULES, ids=lambda rule: rule.name)
def test_a_layer_loads_only_what_is_below_it(rule: Layer) -> None:
    assert trespasses(modules_loaded_by(full_name(rule.name)), rule) == set()


def test_every_room_has_a_rule_and_a_place_on_the_map() -> None:
    rooms = {
        path.stem
        for path in (ROOT / 'selfdepth_ros').iterdir()
        if path.suffix == '.py' or (path / '__init__.py').is_file()
    } - {'__init__'}
    assert rooms | {'selfdepth_training'} == {*LAYERS}
    text = (ROOT / 'CONTRIBUTING.md').read_text('utf-8')
    rows = '\n'.join(line.split('|')[1] for line in text.splitlines() if line.startswith('| `'))
    assert sorted(re.findall(r'`(\w+)`', rows)) == sorted(LAYERS)


def test_nothing_but_the_command_line_imports_training() -> None:
    for source in (ROOT / 'selfdepth_ros').rglob('*.py'):
        if 'cli' not in source.relative_to(ROOT).parts:
            text = source.read_text('utf-8')
            assert 'import selfdepth_training' not in text, source
            assert 'from selfdepth_training' not in text, source


def test_these_tests_can_fail() -> None:
    strict = Layer('messages', set(), set())
    assert trespasses(modules_loaded_by('selfdepth_ros.messages'), strict) >= {'cv2', 'core'}
