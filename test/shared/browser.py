# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium that draws WebGL without a graphics card, led over its DevTools protocol.

It resolves no name: a page that needs anything but this machine lacks it. A pixel of the picture
is two by two of the page, for the drawing takes seconds.
"""

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import cv2
import numpy as np
from websockets.sync.client import connect

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser'))), None)
PATIENCE_S = float(os.environ.get('SELFDEPTH_PATIENCE_S', 120))
_FLAGS = (
    '--headless=new', '--no-sandbox', '--hide-scrollbars', '--window-size=1280,800',
    '--force-device-scale-factor=0.5',
    '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', '--remote-debugging-port=0',
    '--disable-dev-shm-usage', '--no-first-run', '--disable-background-networking',
)  # fmt: skip


class BrowserError(Exception):
    """The browser answers with an error: between two pages, for example."""


class Browser:
    """One page; use it in a `with` statement."""

    def __init__(self, folder: Path) -> None:
        self._log = (folder / 'chromium.log').open('w')
        profile = folder / 'profile'
        self._process = subprocess.Popen(
            [CHROMIUM, *_FLAGS, f'--user-data-dir={profile}', 'about:blank'],
            stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.asked: list[str] = []
        """Addresses that the page asked for."""
        self._count = 0
        port = self._wait(lambda: self._port(profile / 'DevToolsActivePort'), 'a port')
        page = self._wait(lambda: self._page(port), 'a page')
        self._socket = connect(page, max_size=None, ping_interval=None)
        for domain in ('Network', 'Page'):
            self.call(f'{domain}.enable')

    def __enter__(self) -> 'Browser':
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        self._log.close()

    def call(self, method: str, **parameters):
        """Call the browser and return its answer; what the page asks for meanwhile is noted."""
        self._count += 1
        message = {'id': self._count, 'method': method, 'params': parameters}
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(PATIENCE_S))
            if answer.get('method') == 'Network.requestWillBeSent':
                self.asked.append(answer['params']['request']['url'])
            if answer.get('method') == 'Network.webSocketCreated':
                self.asked.append(answer['params']['url'])
            if answer.get('id') == self._count:
                if 'error' in answer:
                    raise BrowserError(answer['error'])
                return answer['result']

    def open(self, url: str) -> None:
        """Go to a page."""
        self.call('Page.navigate', url=url)

    def screenshot(self) -> np.ndarray:
        """What is seen now, (400, 640, 3) RGB."""
        data = base64.b64decode(self.call('Page.captureScreenshot', format='png')['data'])
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]

    def evaluate(self, script: str):
        """Value of a script in the page."""
        result = self.call('Runtime.evaluate', expression=script, returnByValue=True)
        return result['result'].get('value')

    def wait(self, until, what: str) -> np.ndarray:
        """Look at the page until a picture of it satisfies; return that."""

        def seen():
            try:
                picture = self.screenshot()
            except BrowserError:
                return None
            return picture if until(picture) else None

        return self._wait(seen, what)

    def _wait(self, ask, what: str):
        give_up_s = time.monotonic() + PATIENCE_S
        while (found := ask()) is None:
            assert time.monotonic() < give_up_s, f'{what}: not within {PATIENCE_S:.0f} s'
            assert self._process.poll() is None, 'the browser has ended'
            time.sleep(0.2)
        return found

    @staticmethod
    def _port(file: Path) -> str | None:
        lines = file.read_text().splitlines() if file.exists() else []
        return lines[0] if lines else None

    @staticmethod
    def _page(port: str) -> str | None:
        with urllib.request.urlopen(f'http://127.0.0.1:{port}/json/list') as answer:
            pages = [page for page in json.load(answer) if page['type'] == 'page']
        return pages[0]['webSocketDebuggerUrl'] if pages else None
