# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The scene that a browser shows, served from this machine; the only place for viser."""

import contextlib
import io
from collections import deque
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import numpy as np
import viser

from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.view.errors import ViewError
from selfdepth_ros.view.moments import Moment
from selfdepth_ros.viz import color_depth

_POINT_M = 0.05
_FRUSTUM_M = 0.4
_EYE_M, _LOOK_AT_M = (-9.0, 0.0, 6.0), (4.0, 0.0, 0.0)
"""Behind and above the robot, looking ahead."""
_POINTS = '/{frame}/points'


class CloudScene:
    """One cloud, the robot's frame and the rig's cameras; what comes later takes their place.

    The page is one file that asks for nothing but this server. What waits for a slow browser is
    the newest cloud only, so memory does not grow. Raises ViewError where nothing can be served.
    """

    def __init__(self, host: str, port: int, body_frame: str, rig: Rig | None) -> None:
        self._server = _serve(host, port)
        self._rig = rig
        scene = self._server.scene
        scene.set_up_direction('+z')
        scene.world_axes.visible = False
        self._server.initial_camera.position = _EYE_M
        self._server.initial_camera.look_at = _LOOK_AT_M
        scene.add_frame(f'/{body_frame}', axes_length=1.0, axes_radius=0.02)
        scene.add_grid(
            f'/{body_frame}/metres', 100.0, 100.0, cell_size=1.0, section_size=10.0,
            cell_color=(52, 56, 64), section_color=(84, 90, 100), fade_distance=60.0,
            position=(0.0, 0.0, -0.02),
        )  # fmt: skip
        self._cloud = scene.add_point_cloud(
            _POINTS.format(frame=body_frame), np.zeros((0, 3), np.float32),
            np.zeros((0, 3), np.uint8), point_size=_POINT_M, point_shading='flat',
        )  # fmt: skip
        entries = rig.cameras if rig else ()
        self._cameras = [_add_camera(scene, body_frame, entry) for entry in entries]
        self._shown: list[Any] = [None] * len(self._cameras)
        self._add_controls()

    @property
    def url(self) -> str:
        """What to open in a browser on this machine."""
        host, port = self._server.get_host(), self._server.get_port()
        return f'http://{"127.0.0.1" if host == "0.0.0.0" else host}:{port}/'

    def show(self, moment: Moment) -> None:
        """Put a moment in the place of the one before; returns at once."""
        points = np.asarray(moment.points, np.float32)
        colors = moment.colors
        if colors is None:
            colors = color_depth(np.linalg.norm(points, axis=-1))
        with self._server.atomic():
            self._cloud.points, self._cloud.colors = points, colors
            for index, image in enumerate(moment.images[: len(self._cameras)]):
                if image is not self._shown[index]:  # encoding the same again would take a core
                    self._cameras[index].image = self._shown[index] = image
            self._told.content = _told(moment)

    def add_timeline(self, seconds: float, changed: Callable[['Timeline'], None]) -> 'Timeline':
        """Add what moves through a recording; `changed` is called when somebody uses it."""
        return Timeline(self._server.gui, seconds, changed)

    def close(self) -> None:
        """Serve no more."""
        with _quiet():
            self._server.stop()

    def _add_controls(self) -> None:
        gui = self._server.gui
        gui.configure_theme(dark_mode=True, show_logo=False, show_share_button=False)
        gui.set_panel_label('selfdepth')
        self._told = gui.add_markdown('no cloud yet')
        size = gui.add_slider('point size (m)', 0.01, 0.2, 0.01, _POINT_M)
        size.on_update(lambda _: setattr(self._cloud, 'point_size', size.value))
        if self._cameras:
            shown = gui.add_checkbox('cameras', True)
            shown.on_update(lambda _: self._show_cameras(shown.value))

    def _show_cameras(self, visible: bool) -> None:
        for camera in self._cameras:
            camera.visible = visible


class Timeline:
    """A slider over a recording, and whether it plays."""

    def __init__(self, gui: Any, seconds: float, changed: Callable[['Timeline'], None]) -> None:
        self._slider = gui.add_slider('time (s)', 0.0, max(0.01, round(seconds, 2)), 0.01, 0.0)
        self._plays = gui.add_checkbox('play', False)
        # Written by the server's threads: the newest counts, and is taken whole or not at all.
        self._wanted_s: deque[float] = deque(maxlen=1)

        def moved(event: Any) -> None:
            if event.client is not None:  # not our own doing
                self._wanted_s.append(float(self._slider.value))
                changed(self)

        self._slider.on_update(moved)
        self._plays.on_update(lambda _: changed(self))

    def take_wanted_s(self) -> float | None:
        """Where somebody has moved the slider to since the last time; None: nowhere."""
        try:
            return self._wanted_s.pop()
        except IndexError:
            return None

    @property
    def plays(self) -> bool:
        """Whether it goes on by itself."""
        return bool(self._plays.value)

    def stop(self) -> None:
        """Play no more."""
        self._plays.value = False

    def move_to(self, seconds: float) -> None:
        """Show where the recording is."""
        self._slider.value = min(round(max(seconds, 0.0), 2), self._slider.max)


def _quiet() -> contextlib.redirect_stdout[io.StringIO]:
    """It says in a table what we say in a line."""
    return contextlib.redirect_stdout(io.StringIO())


def _serve(host: str, port: int) -> viser.ViserServer:
    try:
        with _quiet():
            server = viser.ViserServer(host, port, label='selfdepth', verbose=False)
    except (OSError, OverflowError) as cause:
        raise ViewError(
            f'found no port to serve on at {host}, from {port} on ({cause}), expected a free one: '
            'give another --port, or an address of this machine as --host'
        ) from cause
    # Whoever is connected could ask for a public address, the button hidden or not.
    server.request_share_url = _no_public_address
    return server


def _no_public_address(verbose: bool = True) -> None:
    """In the place of what opens a tunnel to the viewer from anywhere."""


def _add_camera(scene: Any, body_frame: str, entry: RigCamera) -> Any:
    """A frustum as that of a pinhole of this focal length."""
    lens, pose = entry.camera, entry.body_from_camera
    return scene.add_camera_frustum(
        f'/{body_frame}/{entry.name}',
        fov=2 * np.arctan(lens.height / (2 * lens.focal)),
        aspect=lens.width / lens.height,
        scale=_FRUSTUM_M,
        color=(240, 200, 80),
        format='jpeg',
        jpeg_quality=80,
        wxyz=np.roll(pose.quaternion(), 1),
        position=pose.translation,
    )


def _told(moment: Moment) -> str:
    seconds, rest_ns = divmod(moment.stamp_ns, 10**9)
    day = datetime.fromtimestamp(seconds, timezone.utc)
    return (
        f'**{day:%Y-%m-%d %H:%M:%S}.{rest_ns // 10**6:03d} UTC**\n\n'
        f'stamp {seconds}.{rest_ns:09d}\n\n{len(moment.points):,} points'
    )
