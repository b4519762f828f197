# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`selfdepth view` as a process, and what a real browser draws of it."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from browser import CHROMIUM, PATIENCE_S, Browser
from coloured import SCENE, Recording, share

from selfdepth_ros.cli.main import main
from selfdepth_ros.view.scene import CloudScene

COMMAND = (sys.executable, '-m', 'selfdepth_ros.cli', 'view', '--no-open')
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason='chromium is not installed')


@contextmanager
def serving(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A viewer, and its address."""
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    ) as process:  # fmt: skip
        try:
            lines = []
            for line in process.stdout:
                lines.append(line)
                if url := re.search(r'http://\S+', line):
                    break
            else:
                pytest.fail(''.join(lines))
            yield process, url[0]
        finally:
            process.kill()


def ended(process: subprocess.Popen[str], number: int = signal.SIGINT) -> str:
    """End it in order; returns what it printed."""
    process.send_signal(number)
    rest, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, rest
    return rest


@needs_browser
@pytest.mark.timeout(600)
def test_a_browser_shows_the_cloud_the_camera_and_its_image_and_plays(bag, tmp_path) -> None:
    with serving(bag) as (process, url), Browser(tmp_path) as browser:
        browser.open(url)
        first = browser.wait(lambda p: share(p, 0) > 0.02 and share(p, 2) > 2e-4, 'red points')
        cv2.imwrite(str(tmp_path / 'first.png'), first[..., ::-1])
        assert share(first, 1) < 0.01  # the robot's axis
        # Around the wall is the background, which is dark.
        assert np.median(first[SCENE].max(-1)) < 60
        text = browser.evaluate('document.body.innerText')
        assert 'stamp 1700000000.000000000' in text
        assert '12,800 points' in text
        # Cameras, play: the last one.
        browser.evaluate('[...document.querySelectorAll("input[type=checkbox]")].at(-1).click()')
        second = browser.wait(lambda p: share(p, 1) > 0.02, 'green points')
        cv2.imwrite(str(tmp_path / 'second.png'), second[..., ::-1])
        assert share(second, 0) < 0.01
        assert 'stamp 1700000000.500000000' in browser.evaluate('document.body.innerText')
        elsewhere = [at for at in browser.asked if not at.startswith(('data:', 'blob:'))]
        assert elsewhere
        assert all(re.match(r'(http|ws)://127\.0\.0\.1:', address) for address in elsewhere)
        assert 'Traceback' not in ended(process)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_order(bag, number) -> None:
    with serving(bag) as (process, _):
        assert ended(process, number) == ''


def test_two_viewers_have_a_port_each(bag) -> None:
    with serving(bag) as (_, one), serving(bag) as (_, other):
        assert one != other


def test_only_this_machine_is_served(bag) -> None:
    with serving(bag) as (process, url):
        assert url.startswith('http://127.0.0.1:')
        port = int(url.rstrip('/').rpartition(':')[2])
        hexed = f':{port:04X} '
        listening = [
            line.split()[1] for line in Path('/proc/net/tcp').read_text().splitlines()
            if hexed in line and line.split()[3] == '0A'
        ]  # fmt: skip
        assert [address.partition(':')[0] for address in listening] == ['0100007F']
        ended(process)


def test_nobody_can_ask_for_a_public_address() -> None:
    scene = CloudScene('127.0.0.1', 18080, 'base_link', None)
    try:
        assert scene._server.request_share_url() is None
        assert scene._server.get_host() == '127.0.0.1'
    finally:
        scene.close()


def test_clouds_beside_images_that_cannot_be_used_are_shown_alone(tmp_path) -> None:
    """As where depth or debug images were recorded with the clouds."""
    bag = Recording(calibrated=False).write(tmp_path / 'bag')
    with serving(bag) as (process, _):
        ended(process)


def complaint(capsys, *arguments: str | Path) -> str:
    assert main(['view', '--no-open', *map(str, arguments)]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    return error


def test_what_cannot_be_shown_is_one_line(capsys, bag, tmp_path) -> None:
    assert 'neither BAG nor --live' in complaint(capsys)
    assert 'both BAG and --live' in complaint(capsys, bag, '--live')
    assert 'does not exist' in complaint(capsys, tmp_path / 'nothing')
    assert '--port' in complaint(capsys, bag, '--port', '99999')
    assert 'no clouds on /else' in complaint(capsys, bag, '--topic', '/else')
    assert '--model' in complaint(capsys, bag, bag, '--model', 'models/street')
    for name, value in (('--rig', 'rig.yaml'), ('--threads', '2')):
        assert f'{name}, which nothing here uses' in complaint(capsys, bag, name, value)
    assert '--mapping, which' in complaint(capsys, '--live', '--mapping', 'topics.yaml')


def test_without_its_extra_it_names_it() -> None:
    code = (
        'import sys; sys.modules["viser"] = None\n'
        'from selfdepth_ros.cli.main import main; sys.exit(main(["view", "bag"]))'
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.count('\n') == 1
    assert "'viser'" in result.stderr
    assert ".[view]'" in result.stderr
