# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The node `save_cloud`: writes the next cloud of a topic as PLY, then ends.

ros2 run selfdepth_ros save_cloud --ros-args -r cloud:=/surround/points -p out:=cloud.ply
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import PointCloud2

from selfdepth_ros.messages import cloud_from_msg
from selfdepth_ros.nodes import execution
from selfdepth_ros.nodes.parameters import declare, read
from selfdepth_ros.nodes.saving import SaveError
from selfdepth_ros.ply import write_ply

NAME = 'save_cloud'


@dataclass(frozen=True)
class SaveCloudConfig:
    """Parameters of the node `save_cloud`."""

    out: str = 'cloud.ply'
    """File to write; it appears whole or not at all."""


class SaveCloudNode(Node):
    """See the module."""

    def __init__(self) -> None:
        super().__init__(NAME)
        declare(self, SaveCloudConfig)
        self._received: Any = None

    def start(self) -> None:
        """Listen for the cloud."""
        self._out = Path(read(self, SaveCloudConfig).out)
        self.create_subscription(PointCloud2, 'cloud', self._take, qos_profile_sensor_data)
        self.get_logger().info(f'waiting for a cloud on {self.resolve_topic_name("cloud")}')

    def finished(self) -> bool:
        """Write the cloud if it is there.

        Raises MessageError for one that cannot be read, SaveError where it cannot be written.
        """
        if self._received is None:
            return False
        cloud = cloud_from_msg(self._received)
        try:
            write_ply(self._out, cloud)
        except OSError as cause:
            raise SaveError(
                f'{self._out} cannot be written ({cause}); expected a place with room and '
                'permission: give another one with out:=<file>'
            ) from cause
        self.get_logger().info(f'{self._out}: {len(cloud)} points in {cloud.frame_id}')
        return True

    def _take(self, msg: Any) -> None:
        self._received = msg


def main(args: Sequence[str] | None = None) -> int:
    """Entry point of the process."""
    return execution.run(
        NAME, SaveCloudNode, SaveCloudNode.start, args, finished=SaveCloudNode.finished
    )


if __name__ == '__main__':
    raise SystemExit(main())
