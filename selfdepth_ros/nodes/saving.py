# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the service ~/save_cloud writes, and what."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from selfdepth_ros.core.errors import ConfigError, SelfdepthError
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.pcd import write_pcd
from selfdepth_ros.ply import write_ply

_WRITERS = {'ply': write_ply, 'pcd': write_pcd}


class SaveError(SelfdepthError):
    """A cloud that cannot be saved."""


@dataclass(frozen=True)
class SaveConfig:
    """What ~/save_cloud writes."""

    folder: str = ''
    """Folder of the files, nothing is written elsewhere; empty: ~/.ros/selfdepth_ros/clouds."""
    name: str = '{node}_{stamp}'
    """File name without its ending; {node} and {stamp} (s) stand for those of the cloud."""
    format: Literal['both', 'ply', 'pcd'] = 'both'
    """Which files are written."""

    def __post_init__(self) -> None:
        plain = self.name.replace('{node}', 'n').replace('{stamp}', 's')
        if not plain or plain.startswith('.') or set(plain) & set('/\\\0{}'):
            raise ConfigError(
                f'name: found {self.name!r}, expected a file name without a folder and without '
                'an ending, which does not begin with a dot; {node} and {stamp} are replaced.'
            )

    def place(self) -> Path:
        """The folder; where none is given, below ROS_HOME (~/.ros) as the logs are."""
        if self.folder:
            return Path(self.folder).expanduser()
        home = os.environ.get('ROS_HOME') or Path.home() / '.ros'
        return Path(home) / 'selfdepth_ros' / 'clouds'


def save(cloud: PointCloud, config: SaveConfig, node_name: str) -> list[Path]:
    """Write a cloud in the formats asked for, each file whole or not at all; return the files.

    `node_name` is fully qualified. Raises SaveError.
    """
    seconds, nanoseconds = divmod(cloud.stamp_ns, 10**9)
    name = config.name.replace('{node}', node_name.strip('/').replace('/', '_'))
    path = config.place() / name.replace('{stamp}', f'{seconds}.{nanoseconds:09d}')
    formats = _WRITERS if config.format == 'both' else (config.format,)
    try:
        return [_WRITERS[kind](path.with_name(f'{path.name}.{kind}'), cloud) for kind in formats]
    except OSError as cause:
        raise SaveError(
            f'{path} cannot be written ({cause}); expected a folder with room and permission: '
            'start the node with another save.folder'
        ) from cause
