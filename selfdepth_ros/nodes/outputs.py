# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the node publishes: cloud, obstacles, scan, depth and its CameraInfo per camera.

Each output is a publisher and the function that makes its message; the function is called when
somebody listens, and not otherwise.
"""

import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2

from selfdepth_ros.compiled import fastest_steps
from selfdepth_ros.core.depth import DepthLimit, z_depth_where_there_is_one
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.fusion_config import FusionConfig
from selfdepth_ros.core.obstacles import obstacles
from selfdepth_ros.core.rectified import RectifiedDepth
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.scan import Scanner
from selfdepth_ros.messages import pack_xyz, scan_fields
from selfdepth_ros.nodes.entities import all_or_none
from selfdepth_ros.nodes.parameters import SurroundDepthConfig
from selfdepth_ros.nodes.qos import overridden_qos
from selfdepth_ros.nodes.to_ros import (
    camera_info_message,
    cloud_message,
    image_message,
    scan_message,
)
from selfdepth_ros.packing import pack_result, thinned
from selfdepth_ros.pipeline import SurroundResult


class Computed(NamedTuple):
    """What became of a set; `rig` is the one at the size of the depth maps.

    `kind` is what these hold (messages hold z-depth, REP 118), at most `limit`; `doubted` are
    cameras (indices) that look elsewhere than `rig` says, or have a problem: they claim no free
    space.
    """

    result: SurroundResult
    rig: Rig
    kind: str
    limit: DepthLimit
    stamps_ns: Sequence[int | None]
    config: SurroundDepthConfig
    doubted: Collection[int] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the depth maps in pixels."""
        return self.result.size


_Maker = Callable[[Computed], Any]


class Outputs:
    """The node's publishers, reliable by default; QoS can be overridden by parameters."""

    def __init__(
        self, node: LifecycleNode, cameras: Sequence[str], config: SurroundDepthConfig
    ) -> None:
        self._node = node
        self.config = config
        """May be replaced at any time; each set is published as it was at its beginning."""
        self._scanner: tuple[Any, Scanner] | None = None
        self._rectified: tuple[Rig, list[RectifiedDepth]] | None = None
        backend = fastest_steps()
        self._scan_steps, self._thin = backend.scan_steps(), backend.thinner()
        makers: list[tuple[type, str, _Maker]] = [
            (PointCloud2, '~/points', self._points),
            (PointCloud2, '~/obstacles', self._obstacles),
            (LaserScan, '~/scan', self._scan),
        ]
        for index, name in enumerate(cameras if config.publish_depth else ()):
            makers.append((Image, f'~/{name}/depth', functools.partial(self._depth, index)))
            # Beside the image, where image_transport looks for it.
            info = functools.partial(self._camera_info, index)
            makers.append((CameraInfo, f'~/{name}/camera_info', info))
        publishers = all_or_none(
            (self._publisher(kind, topic) for kind, topic, _ in makers),
            node.destroy_lifecycle_publisher,
        )
        self._outputs = [(own, make) for own, (*_, make) in zip(publishers, makers, strict=True)]

    def _publisher(self, kind: type, topic: str) -> Any:
        qos = QoSProfile(depth=2, reliability=QoSReliabilityPolicy.RELIABLE)
        options = QoSOverridingOptions.with_default_policies()
        with overridden_qos(self._node, topic):
            return self._node.create_lifecycle_publisher(
                kind, topic, qos, qos_overriding_options=options
            )

    @property
    def wanted(self) -> bool:
        """Whether anybody listens to anything."""
        return any(publisher.get_subscription_count() for publisher, _ in self._outputs)

    def pack(self, computed: Computed) -> list[tuple[Any, Any]]:
        """Return publishers and messages: what is listened to, of cameras that are present."""
        made = (
            (publisher, make(computed))
            for publisher, make in self._outputs
            if publisher.get_subscription_count()
        )
        return [(publisher, message) for publisher, message in made if message is not None]

    def cloud(self, computed: Computed) -> PointCloud:
        """The points that ~/points has of a result."""
        return thinned(computed.result, computed.config.points, self._thin)

    def close(self) -> None:
        """Take the publishers away."""
        for publisher, _ in self._outputs:
            self._node.destroy_lifecycle_publisher(publisher)

    def _points(self, computed: Computed) -> PointCloud2:
        config, cloud = computed.config.points, self.cloud(computed)
        packed = pack_result(computed.result, cloud, computed.stamps_ns, config)
        return cloud_message(packed, cloud.stamp_ns, cloud.frame_id)

    def _obstacles(self, computed: Computed) -> PointCloud2:
        config, (_, width) = computed.config, computed.size
        whole, ground_m = computed.result.cloud, config.ground_height_m
        cloud = obstacles(whole, config.obstacles, width, ground_m, self._thin)
        return cloud_message(pack_xyz(cloud.points), cloud.stamp_ns, cloud.frame_id)

    def _scan(self, computed: Computed) -> LaserScan:
        result, cloud = computed.result, computed.result.cloud
        looking = [
            here and index not in computed.doubted for index, here in enumerate(result.present)
        ]
        scanner = self._scanner_for(computed)
        # From a device it comes when it is asked for.
        confidence = result.confidence if result.filters.min_confidence > 0 else None
        ranges = scanner.ranges(cloud.points, looking, result.depths, confidence)
        return scan_message(scan_fields(ranges, scanner.config), cloud.stamp_ns, cloud.frame_id)

    def _scanner_for(self, computed: Computed) -> Scanner:
        """The scanner of a rig and of the settings it was made with, kept while they stay."""
        config, filters = computed.config, computed.result.filters
        of_scans = FusionConfig(
            min_range_m=filters.min_range_m,
            max_range_m=filters.max_range_m,
            min_confidence=filters.min_confidence,
        )
        settings = (config.scan, config.ground_height_m, of_scans, computed.kind, computed.limit)
        kept = self._scanner
        if kept and kept[1].rig is computed.rig and kept[0] == settings:
            return kept[1]
        scanner = Scanner(computed.rig, *settings, self._scan_steps)
        self._scanner = settings, scanner
        return scanner

    def _depth(self, index: int, computed: Computed) -> Image | None:
        """Z-depth of one camera, NaN where rays point across or back; None when it is missing."""
        item, stamp_ns = computed.rig.cameras[index], computed.stamps_ns[index]
        if stamp_ns is None:
            return None
        depth = computed.result.depths[index]
        if computed.kind == 'ray_distance':
            depth = z_depth_where_there_is_one(depth, *item.camera.pixel_rays())
        if computed.config.rectify_depth:
            depth = self._rectified_of(computed.rig)[index](depth)
        return image_message(depth, '32FC1', stamp_ns, item.frame_id)

    def _camera_info(self, index: int, computed: Computed) -> CameraInfo | None:
        """The lens that the depth image of one camera belongs to, at its size; None: missing."""
        item, stamp_ns = computed.rig.cameras[index], computed.stamps_ns[index]
        if stamp_ns is None:
            return None
        if computed.config.rectify_depth:
            item = replace(item, camera=self._rectified_of(computed.rig)[index].camera)
        return camera_info_message(item, stamp_ns)

    def _rectified_of(self, rig: Rig) -> list[RectifiedDepth]:
        """The tables of a rig's cameras, kept while it stays."""
        if self._rectified is None or self._rectified[0] is not rig:
            self._rectified = rig, [RectifiedDepth(item.camera) for item in rig.cameras]
        return self._rectified[1]
