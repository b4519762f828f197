# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the backend asks of TensorRT exists in the real Python bindings of 10.x and of 11.x.

The bindings import without a GPU once libraries of the right names are there. So names are checked
on the real thing, and what is Python in them (logger, monitor, flags) runs; engines do not.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
USERS = [
    ROOT / 'selfdepth_ros' / 'inference' / name
    for name in ('tensorrt_build.py', 'tensorrt_engine.py')
]
WHEELS = {
    '10.3': ('tensorrt-cu12-bindings==10.3.0', 10),  # JetPack 6
    '10.13': ('tensorrt-cu13-bindings==10.13.3.9', 10),  # JetPack 7
    '11': ('tensorrt-cu13-bindings==11.4.0.106', 11),
}
EXPORTED = (
    'createInferBuilder_INTERNAL',
    'createInferRuntime_INTERNAL',
    'createInferRefitter_INTERNAL',
    'createNvOnnxParser_INTERNAL',
    'createNvOnnxParserRefitter_INTERNAL',
    'getBuilderPluginRegistry',
    'getPluginRegistry',
    'getNvOnnxParserVersion',
    'initLibNvInferPlugins',
)
CLASS_OF = {
    'builder': 'Builder',
    'network': 'INetworkDefinition',
    'parser': 'OnnxParser',
    'config': 'IBuilderConfig',
    'profile': 'IOptimizationProfile',
    '_runtime': 'Runtime',
    '_engine': 'ICudaEngine',
    'engine': 'ICudaEngine',
    '_context': 'IExecutionContext',
    'severity': 'ILogger.Severity',
    # What a call returns
    'get_error': 'ParserError',
    'get_timing_cache': 'ITimingCache',
}
"""Name of a variable, attribute or method in the backend -> class of its value."""
LOOK = """
import json, os, sys
sys.setdlopenflags(os.RTLD_LAZY)
import tensorrt_bindings as trt
sys.modules['tensorrt'] = trt
asked, missing = json.loads(sys.argv[1]), []
for path in asked:
    value = trt
    for name in path.split('.'):
        value = getattr(value, name, None)
    if value is None:
        missing.append(path)
from selfdepth_ros.inference import tensorrt_build as build
assert build.vendor() is trt
logger, monitor = build.make_logger(trt), build.make_monitor(trt)
logger.log(trt.ILogger.Severity.ERROR, 'the reason')
monitor.phase_start('outer', None, 3)
monitor.phase_start('inner', 'outer', 2)
goes_on = monitor.step_complete('outer', 0) and monitor.step_complete('inner', 1)
monitor.phase_finish('inner'); monitor.phase_finish('outer')
print(json.dumps({'missing': missing, 'version': trt.__version__, 'error': logger.last_error,
    'goes_on': goes_on, 'flags': build.network_flags(trt),
    'is_logger': isinstance(logger, trt.ILogger),
    'is_monitor': isinstance(monitor, trt.IProgressMonitor),
    'typed': int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)}))
"""


def dotted(node: ast.expr) -> list[str] | None:
    """`a.b().c` as ['a', 'b', 'c']; None for anything else."""
    names: list[str] = []
    while True:
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Name):
            return [node.id, *names[::-1]]
        else:
            return None


def asked_of_tensorrt(source: str) -> set[str]:
    """Every `Class.member` of TensorRT that a source uses."""
    asked = set()
    for node in ast.walk(ast.parse(source)):
        chain = dotted(node) if isinstance(node, ast.Attribute) else None
        if not chain:
            continue
        if chain[0] == 'trt':
            asked.add('.'.join(chain[1:]))
        elif chain[-2] in CLASS_OF:
            asked.add(f'{CLASS_OF[chain[-2]]}.{chain[-1]}')
    return asked


@pytest.fixture(scope='module')
def asked() -> list[str]:
    return sorted(set().union(*(asked_of_tensorrt(p.read_text('utf-8')) for p in USERS)))


def bindings(requirement: str, folder: Path) -> Path:
    """Download and unpack the wheel of the bindings; skip where that cannot be."""
    done = folder / 'tensorrt_bindings'
    if not done.is_dir():
        options = ['-q', '--no-deps', '--only-binary', ':all:', '--disable-pip-version-check']
        options += ['--retries', '1', '--timeout', '10']
        command = [sys.executable, '-m', 'pip', 'download', *options, '-d', str(folder)]
        try:
            result = subprocess.run(
                [*command, requirement], capture_output=True, text=True, timeout=250
            )
        except subprocess.TimeoutExpired as error:  # a network that swallows packets
            pytest.skip(f'the bindings of TensorRT cannot be downloaded: {error}')
        wheels = sorted(folder.glob('*.whl'))
        if result.returncode or not wheels:
            last = (result.stderr.strip().splitlines() or ['no wheel'])[-1]
            pytest.skip(f'the bindings of TensorRT cannot be downloaded: {last}')
        part = folder / 'part'
        with zipfile.ZipFile(wheels[0]) as wheel:
            wheel.extractall(part)
        (part / 'tensorrt_bindings').rename(done)
    return folder


def empty_libraries(folder: Path, major: int) -> Path:
    """Libraries of the names that the bindings are linked to, whose functions return null."""
    compiler = shutil.which('cc') or shutil.which('gcc')
    if compiler is None:
        pytest.skip('no C compiler for the libraries that the bindings are linked to')
    source = folder / 'empty.c'
    source.write_text(''.join(f'void *{name}(void) {{ return 0; }}\n' for name in EXPORTED))
    for library in ('nvinfer', 'nvinfer_plugin', 'nvonnxparser'):
        name = f'lib{library}.so.{major}'
        link = [compiler, '-shared', '-fPIC', f'-Wl,-soname,{name}', '-o', str(folder / name)]
        subprocess.run([*link, str(source)], check=True)
    return folder


@pytest.fixture(scope='module', params=WHEELS)
def look(request, asked, tmp_path_factory) -> dict:
    """What the bindings of a version answer."""
    requirement, major = WHEELS[request.param]
    folder = request.config.cache.mkdir(f'tensorrt_{request.param}_{sys.version_info[1]}')
    unpacked = bindings(requirement, folder)
    libraries = empty_libraries(tmp_path_factory.mktemp('libraries'), major)
    paths = os.pathsep.join([str(unpacked), str(ROOT)])
    result = subprocess.run(
        [sys.executable, '-c', LOOK, json.dumps([*asked, 'Builder.no_such_method'])],
        env={**os.environ, 'LD_LIBRARY_PATH': str(libraries), 'PYTHONPATH': paths},
        capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return {'major': major, **json.loads(result.stdout.splitlines()[-1])}


def test_all_that_the_backend_uses_is_there(look):
    assert look['missing'] == ['Builder.no_such_method']
    assert int(look['version'].partition('.')[0]) == look['major']


def test_logger_monitor_and_flags_are_what_the_bindings_want(look):
    assert look['is_logger'] and look['is_monitor'] and look['goes_on']
    assert look['error'] == 'the reason'
    assert look['flags'] == 1 << look['typed']


def test_the_list_is_read_from_the_backend(asked):
    assert {
        'NetworkDefinitionCreationFlag',
        'Builder.build_serialized_network',
        'OnnxParser.parse',
        'ParserError.desc',
        'IBuilderConfig.progress_monitor',
        'IBuilderConfig.set_timing_cache',
        'ITimingCache.serialize',
        'IOptimizationProfile.set_shape',
        'Runtime.deserialize_cuda_engine',
        'ICudaEngine.get_tensor_profile_shape',
        'IExecutionContext.execute_async_v3',
        'IExecutionContext.set_tensor_address',
        'TensorIOMode.INPUT',
        'DataType.UINT8',
    } <= set(asked)
