# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The `selfdepth` command as processes: what it loads, prints and returns."""

import importlib.util
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from selfdepth_ros.cli.main import COMMANDS

HEAVY = ('torch', 'cv2', 'rclpy', 'onnxruntime', 'open3d', 'selfdepth_training', 'lightning')
COMMAND = [sys.executable, '-m', 'selfdepth_ros.cli']


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-c', textwrap.dedent(code), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def run_with_command(folder: Path, body: str) -> subprocess.CompletedProcess[str]:
    """`selfdepth sample`, where the command `sample` has the given body."""
    source = f"""
def add_parser(subparsers):
    return subparsers.add_parser('sample')

def run(args):
{textwrap.indent(textwrap.dedent(body), '    ')}
"""
    (folder / 'sample_command.py').write_text(source, 'utf-8')
    code = """
        import sys
        from selfdepth_ros.cli import main
        sys.path.insert(0, sys.argv[1])
        main.COMMANDS['sample'] = main.Command('sample_command', 'a sample', 'train')
        sys.exit(main.main(['sample']))
    """
    return run_python(code, str(folder))


def test_help_lists_every_command_and_loads_nothing_heavy() -> None:
    code = """
        import sys
        from selfdepth_ros.cli.main import main
        try:
            main(['--help'])
        except SystemExit as end:
            print('status', end.code)
        print('loaded', *sorted({name.partition('.')[0] for name in sys.modules}))
    """
    result = run_python(code)
    assert result.returncode == 0, result.stderr
    assert 'status 0' in result.stdout
    *shown, loaded = result.stdout.splitlines()
    for name, command in COMMANDS.items():
        assert any(name in line and command.summary in line for line in shown), name
    assert not set(HEAVY) & set(loaded.split())


@pytest.mark.parametrize('name', COMMANDS)
def test_every_command_exists_and_explains_itself(name: str) -> None:
    assert importlib.util.find_spec(COMMANDS[name].module) is not None
    result = subprocess.run([*COMMAND, name, '--help'], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert f'usage: selfdepth {name}' in result.stdout


def test_an_unknown_command_is_named_with_the_known_ones() -> None:
    result = subprocess.run([*COMMAND, 'tran'], capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert 'tran' in result.stderr
    assert 'train' in result.stderr


def test_our_errors_are_one_line_and_exit_2(tmp_path: Path) -> None:
    body = """
        from selfdepth_ros.core.errors import SelfdepthError
        raise SelfdepthError('found 3,\\n  expected 4')
    """
    result = run_with_command(tmp_path, body)
    assert result.returncode == 2
    assert result.stderr == 'selfdepth: error: found 3, expected 4\n'


def test_foreign_errors_keep_their_traceback(tmp_path: Path) -> None:
    result = run_with_command(tmp_path, "raise ValueError('a bug')")
    assert result.returncode == 1
    assert 'Traceback' in result.stderr


def test_a_missing_third_party_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / 'sample_command.py').unlink(missing_ok=True)
    code = """
        import sys
        from selfdepth_ros.cli import main
        sys.path.insert(0, sys.argv[1])
        main.COMMANDS['sample'] = main.Command('needy_command', 'a sample', 'train')
        sys.exit(main.main(['sample']))
    """
    (tmp_path / 'needy_command.py').write_text('import no_such_library.deep\n', 'utf-8')
    result = run_python(code, str(tmp_path))
    assert result.returncode == 2
    assert result.stderr.count('\n') == 1
    assert 'no_such_library' in result.stderr
    assert '.[train]' in result.stderr


def test_interruption_returns_130(tmp_path: Path) -> None:
    body = f'import os; os.kill(os.getpid(), {int(signal.SIGINT)}); import time; time.sleep(30)'
    result = run_with_command(tmp_path, body)
    assert result.returncode == 130
    assert 'Traceback' not in result.stderr


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / 'sample_command.py').write_text(
        "def add_parser(s): s.add_parser('sample')\n"
        'def run(args):\n    while True: print("x" * 4096)\n',
        'utf-8',
    )
    code = (
        'import sys; from selfdepth_ros.cli import main; sys.path.insert(0, sys.argv[1]); '
        "main.COMMANDS['sample'] = main.Command('sample_command', 's', ''); "
        "sys.exit(main.main(['sample']))"
    )
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, '-c', code, str(tmp_path)], stdout=write_end, stderr=subprocess.PIPE
    )
    os.close(write_end)
    assert os.read(read_end, 10) == b'x' * 10
    os.close(read_end)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 141
    assert errors == b''


def test_the_version_is_the_package_version() -> None:
    from selfdepth_ros import __version__

    result = subprocess.run([*COMMAND, '--version'], capture_output=True, text=True, timeout=60)
    assert result.stdout == f'selfdepth {__version__}\n'
