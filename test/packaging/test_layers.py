# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Imports go one way: each layer is imported whole in a process of its own, and looked at."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
VENDORS = {'rclpy', 'torch', 'cv2', 'onnxruntime', 'tensorrt', 'open3d', 'rosbags', 'numba'}
VENDORS |= {'viser'}
LAYERS = (
    'core',
    'messages',
    'bags',
    'datasets',
    'doctor',
    'synthetic',
    'inference',
    'compiled',
    'resizing',
    'device',
    'place',
    'pipeline',
    'clouds',
    'view',
    'nodes',
    'cli',
    'selfdepth_training',
)
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


BELOW_PIPELINE = ('place', 'resizing')
RULES = (
    Layer('core', set(), set()),
    Layer('messages', {'cv2'}, {'core'}),
    Layer('bags', {'cv2', 'rosbags'}, {'core', 'messages'}),
    Layer('datasets', {'cv2', 'rosbags'}, {'core', 'messages', 'bags'}),
    Layer('doctor', {'cv2', 'rosbags'}, {'core', 'messages', 'bags'}),
    Layer('synthetic', {'cv2', 'rosbags', 'open3d'}, {'core', 'messages', 'bags'}),
    Layer('inference', {'cv2'}, {'core'}),
    Layer('compiled', {'numba'}, {'core'}),
    Layer('resizing', set(), set()),
    Layer('device', {'torch'}, {'core', 'inference', 'resizing'}),
    Layer('place', {'cv2'}, {'core', 'compiled', 'inference', 'resizing'}),
    Layer('pipeline', {'cv2'}, {'core', 'compiled', 'inference', 'place', 'resizing'}),
    Layer(
        'clouds',
        {'cv2', 'rosbags'},
        {'core', 'messages', 'bags', 'compiled', 'inference', 'pipeline', *BELOW_PIPELINE},
    ),
    Layer(
        'view',
        {'cv2', 'rosbags', 'viser'},
        {
            'core',
            'messages',
            'bags',
            'compiled',
            'inference',
            'pipeline',
            'clouds',
            *BELOW_PIPELINE,
        },
    ),
    Layer(
        'nodes',
        {'rclpy', 'cv2', 'rosbags', 'open3d'},
        {
            'core',
            'messages',
            'bags',
            'doctor',
            'synthetic',
            'compiled',
            'inference',
            'pipeline',
            *BELOW_PIPELINE,
        },
    ),
    Layer(
        'selfdepth_training',
        {'torch', 'cv2', 'rosbags'},
        {'core', 'messages', 'bags', 'datasets', 'synthetic', 'inference', 'resizing'},
    ),
)


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


def test_nothing_but_the_command_line_imports_training() -> None:
    for source in (ROOT / 'selfdepth_ros').rglob('*.py'):
        if 'cli' not in source.relative_to(ROOT).parts:
            text = source.read_text('utf-8')
            assert 'import selfdepth_training' not in text, source
            assert 'from selfdepth_training' not in text, source


def test_these_tests_can_fail() -> None:
    strict = Layer('messages', set(), set())
    assert trespasses(modules_loaded_by('selfdepth_ros.messages'), strict) >= {'cv2', 'core'}
