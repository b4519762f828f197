# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What each stage from images to a message costs, against a copy of as many bytes.

    .venv/bin/python benchmarks/runtime.py [--size 640x384] [--cameras 6] [--json FILE]

Every pixel is a valid point, so that nothing is saved by filters. Below our stages stand those
that one would otherwise use, in the same run, but after ours: the node's process has no Open3D,
which leaves caches and heap in another state. Within a group repetitions are interleaved, copies
among them; medians are shown. A ratio of 1 is the time of np.copyto, warm, between two buffers of
random bytes as large as what the stage hands on. `beside` is the most that was allocated at one
time beyond what the stage hands on (tracemalloc). On a busy machine: chrt -r 20 before it.
"""

import argparse
import json
import os
import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import open3d as o3d
from sensor_msgs.msg import CompressedImage

from selfdepth_ros.compiled import Backend, fastest_steps
from selfdepth_ros.core.cameras import PinholeCamera
from selfdepth_ros.core.depth import DepthLimit
from selfdepth_ros.core.frames import POINT, PointCloud, SurroundFrame
from selfdepth_ros.core.fusion import Fusion
from selfdepth_ros.core.memory import keep_memory
from selfdepth_ros.core.obstacles import ObstaclesConfig, obstacles
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.core.scan import Scanner
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.inference import DepthEngine, load_engine
from selfdepth_ros.messages import decode_at_least, decode_image, pack_points
from selfdepth_ros.messages.clouds import FLOAT32, PackedPoints, PointFieldSpec
from selfdepth_ros.nodes.to_ros import cloud_message, header
from selfdepth_ros.pipeline import SurroundDepth
from selfdepth_ros.shipped import shipped

RNG = np.random.default_rng(0)
OPTICAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
LIMIT_M = 100.0


class Stage(NamedTuple):
    """Something to be measured, and how much it hands on."""

    name: str
    run: Callable[[], Any]
    bytes: int


class Row(NamedTuple):
    """What a stage took: medians, and the copy of as many bytes in the same run."""

    name: str
    ms: float
    copy_ms: float
    bytes: int
    beside_bytes: int

    @property
    def ratio(self) -> float:
        """Times the copy."""
        return self.ms / self.copy_ms


class Scene(NamedTuple):
    """A rig that sees curved walls between 4 and 10 m everywhere, in random colours."""

    rig: Rig
    depths: Any  # (c, h, w) float32, metres along z
    images: Any  # (c, h, w, 3) uint8


def make_scene(cameras: int, width: int, height: int) -> Scene:
    """Pinhole cameras evenly around the body."""
    lens = PinholeCamera(width, height, 0.6 * width, 0.6 * width, width / 2, height / 2)
    entries = []
    for index in range(cameras):
        turn = SE3.exp(np.array([0, 0, 0, 0, 0, 2 * np.pi * index / cameras])).rotation
        pose = SE3.from_rotation_translation(turn @ OPTICAL, np.array([0.1, 0.2, 1.5]))
        entries.append(RigCamera(f'camera_{index}', lens, pose, f'camera_{index}', None))
    v, u = np.mgrid[:height, :width]
    inverse = 0.1 + 0.05 * u / width + 0.1 * v / height
    depths = np.tile((1 / inverse).astype(np.float32), (cameras, 1, 1))
    images = RNG.integers(0, 256, (*depths.shape, 3), dtype=np.uint8)
    return Scene(Rig(tuple(entries)), depths, images)


# -- our stages --


def our_stages(scene: Scene, model: Path | None) -> list[Stage]:
    """From JPEG to a message."""
    rig, depths, images = scene
    cloud_bytes = depths.size * POINT.itemsize
    files = jpegs([cv2.GaussianBlur(image, (0, 0), 4) for image in images])
    stages = [Stage('decode JPEG', lambda: [decode_image(m) for m in files], images.nbytes)]
    if model is not None:
        stages += _network_stages(scene, load_engine(model))
    backend = fastest_steps()
    fast = Fusion(rig, depth_limit=DepthLimit(LIMIT_M), steps=backend.steps)
    reference = Fusion(rig, depth_limit=DepthLimit(LIMIT_M))
    cloud = fast.fuse(depths, images)
    assert len(cloud) == depths.size, 'a pixel is no point'

    def packed(fusion: Fusion) -> Any:
        return pack_points(fusion.fuse(depths, images))

    def message(fusion: Fusion) -> Any:
        made = fusion.fuse(depths, images)
        return cloud_message(pack_points(made), made.stamp_ns, made.frame_id)

    return [
        *stages,
        Stage(f'fuse: {backend.description}', lambda: fast.fuse(depths, images), cloud_bytes),
        Stage('fuse: NumPy', lambda: reference.fuse(depths, images), cloud_bytes),
        Stage('pack', lambda: pack_points(cloud), cloud_bytes),
        Stage('fuse and pack', lambda: packed(fast), cloud_bytes),
        Stage('fuse and pack: NumPy', lambda: packed(reference), cloud_bytes),
        Stage('fuse to message', lambda: message(fast), cloud_bytes),
        *_output_stages(scene, cloud, backend),
    ]


def _output_stages(scene: Scene, cloud: PointCloud, backend: Backend) -> list[Stage]:
    """What is made of a cloud, each as if alone."""
    packed, width = pack_points(cloud), scene.depths.shape[-1]
    scanner, present = Scanner(scene.rig, steps=backend.scan_steps()), [True] * len(scene.rig)
    band, thin, beams_bytes = ObstaclesConfig(), backend.thinner(), scanner.config.beams * 4
    standing = obstacles(cloud, band, width).records
    return [
        Stage('message', lambda: cloud_message(packed, 0, 'base_link'), packed.data.nbytes),
        Stage('obstacles', lambda: obstacles(cloud, band, width, thin=thin), standing.nbytes),
        Stage('scan', lambda: scanner.ranges(cloud.points, present, scene.depths), beams_bytes),
    ]


def _network_stages(scene: Scene, engine: DepthEngine) -> list[Stage]:
    """Images of twice the network's size are averaged down, and seen by the network."""
    large = scene.images.repeat(2, axis=1).repeat(2, axis=2)
    pipeline = SurroundDepth(engine, scene.rig.scaled(*large.shape[2:0:-1]))
    count = len(scene.rig)
    frame = SurroundFrame(0, tuple(large), (0,) * count)
    of_720p = SurroundDepth(engine, scene.rig.scaled(1280, 720))
    messages, pictures = pictures_of_720p(count)
    raw = SurroundFrame(0, tuple(pictures), (0,) * count)

    def decoded() -> Any:
        return [decode_at_least(message, of_720p.size) for message in messages]

    halves = sum(picture.pixels.nbytes for picture in decoded())
    focal = np.array([item.camera.focal for item in scene.rig.cameras], np.float32)
    return [
        Stage('resize', lambda: pipeline.preprocess(frame), scene.images.nbytes),
        Stage('resize 1280x720', lambda: of_720p.preprocess(raw), scene.images.nbytes),
        Stage('decode JPEG 1280x720', decoded, halves),
        Stage('network', lambda: engine.infer(scene.images, focal), scene.depths.nbytes),
    ]


def pictures_of_720p(count: int) -> tuple[list[CompressedImage], list[Any]]:
    """JPEGs of smooth images, and what is in them."""
    coarse = RNG.integers(0, 256, (count, 36, 64, 3), dtype=np.uint8)
    messages = jpegs([cv2.resize(image, (1280, 720)) for image in coarse])
    return messages, [decode_image(message) for message in messages]


def jpegs(images: Sequence[Any]) -> list[CompressedImage]:
    """As messages."""
    files = [cv2.imencode('.jpg', image)[1].tobytes() for image in images]
    return [CompressedImage(format='rgb8; jpeg compressed bgr8', data=data) for data in files]


# -- what one would otherwise use --


def other_stages(scene: Scene) -> list[Stage]:
    """Without filters, motion or missing cameras: less than our stages do."""
    size = scene.depths.size
    stages = [
        Stage('a NumPy loop to message', lambda: _numpy_loop(scene), size * POINT.itemsize),
        *_resizing_stages(scene),
        Stage('Open3D, from RGB-D images', lambda: _open3d(scene, True), 48 * size),
        Stage('Open3D, from depth images', lambda: _open3d(scene, False), 24 * size),
    ]
    try:
        from sensor_msgs_py import point_cloud2  # from a ROS installation
    except ImportError:
        print('sensor_msgs_py is not installed: create_cloud is not measured')
        return stages
    kind = np.dtype([(name, '<f4') for name in ('x', 'y', 'z', 'rgb')])
    points = RNG.random((size, 4), np.float32).view(kind)[:, 0]
    fields = cloud_message(_packed(points), 0, 'f').fields
    return [
        *stages,
        Stage(
            'pack: sensor_msgs_py create_cloud',
            lambda: point_cloud2.create_cloud(header(0, 'base_link'), fields, points),
            points.nbytes,
        ),
    ]


def _resizing_stages(scene: Scene) -> list[Stage]:
    """By cv2, which divides every call among its threads."""
    messages, pictures = pictures_of_720p(len(scene.rig))

    def shrink() -> Any:
        size = scene.images.shape[2:0:-1]
        return [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in pictures]

    def whole() -> Any:
        return [decode_image(message) for message in messages]

    return [
        Stage('cv2.resize 1280x720', shrink, scene.images.nbytes),
        Stage('JPEG 1280x720, whole', whole, pictures[0].nbytes * len(pictures)),
    ]


def _numpy_loop(scene: Scene) -> Any:
    """One camera after the other, as it is written by hand; float32 throughout."""
    points, colors = [], []
    for item, depth, image in zip(scene.rig.cameras, scene.depths, scene.images, strict=True):
        lens = item.camera
        v, u = np.indices(depth.shape, np.float32)
        valid = (depth > 0.5) & (depth < 60)
        z = depth[valid]
        x, y = (u[valid] - lens.cx) / lens.fx * z, (v[valid] - lens.cy) / lens.fy * z
        pose = item.body_from_camera
        turn, shift = pose.rotation.astype(np.float32), pose.translation.astype(np.float32)
        points.append(np.stack([x, y, z], axis=1) @ turn.T + shift)
        colors.append(image[valid])
    rgb = np.concatenate(colors).astype(np.uint32)
    packed = np.empty((len(rgb), 4), np.float32)
    packed[:, :3] = np.concatenate(points)
    packed[:, 3] = (rgb[:, 0] << 16 | rgb[:, 1] << 8 | rgb[:, 2]).view(np.float32)
    return cloud_message(_packed(packed), 0, 'base_link')


def _packed(points: Any) -> PackedPoints:
    names = ('x', 'y', 'z', 'rgb')
    fields = tuple(PointFieldSpec(name, 4 * at, FLOAT32) for at, name in enumerate(names))
    return PackedPoints(points.reshape(-1).view(np.uint8), fields, 16, len(points))


def _open3d(scene: Scene, coloured: bool) -> Any:
    """To Open3D's own cloud (float64); its message would still have to be made."""
    whole = o3d.geometry.PointCloud()
    for item, depth, image in zip(scene.rig.cameras, scene.depths, scene.images, strict=True):
        lens = item.camera
        pinhole = o3d.camera.PinholeCameraIntrinsic(
            lens.width, lens.height, lens.fx, lens.fy, lens.cx, lens.cy
        )
        camera_from_body = item.body_from_camera.inverse().matrix
        z = o3d.geometry.Image(depth)
        if coloured:
            rgbd = o3d.geometry.RGBDImage.create_from_color_and_depth(
                o3d.geometry.Image(image), z, 1.0, 60.0, convert_rgb_to_intensity=False
            )
            make = o3d.geometry.PointCloud.create_from_rgbd_image
            whole += make(rgbd, pinhole, camera_from_body)
        else:
            make = o3d.geometry.PointCloud.create_from_depth_image
            whole += make(z, pinhole, camera_from_body, 1.0, 60.0)
    return whole


# -- measuring --


def measure(stages: Sequence[Stage], repeat: int) -> list[Row]:
    """Medians of interleaved repetitions, after two to warm up."""
    sizes = sorted({stage.bytes for stage in stages})
    copies = {size: Stage(f'copy of {size / 1e6:.1f} MB', _copy(size), size) for size in sizes}
    every = [*copies.values(), *stages]
    spent: dict[str, list[float]] = {stage.name: [] for stage in every}
    for _ in range(repeat + 2):
        for stage in every:
            begin = time.perf_counter()
            kept = stage.run()
            spent[stage.name].append(time.perf_counter() - begin)
            del kept  # the memory is free for the next, as it is in the node
    ms = {name: 1e3 * statistics.median(times[2:]) for name, times in spent.items()}
    return [
        Row(own.name, ms[own.name], ms[copies[own.bytes].name], own.bytes, beside(own))
        for own in every
    ]


def _copy(size: int) -> Callable[[], None]:
    source, target = RNG.integers(0, 256, size, np.uint8), np.zeros(size, np.uint8)
    return lambda: np.copyto(target, source)


def beside(stage: Stage) -> int:
    """Bytes allocated at one time beyond what is left in the end, once warm."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = stage.run()
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return max(peak - max(after, before), 0)


def table(rows: Sequence[Row]) -> str:
    """The rows as text."""
    lines = [f'{"stage":<36}{"ms":>9}{"MB":>8}{"x copy":>9}{"beside, MB":>12}']
    for row in rows:
        lines.append(
            f'{row.name:<36}{row.ms:9.2f}{row.bytes / 1e6:8.1f}{row.ratio:9.2f}'
            f'{row.beside_bytes / 1e6:12.2f}'
        )
    return '\n'.join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--size', default='640x384', help='width x height of the depth maps')
    parser.add_argument('--cameras', type=int, default=6)
    parser.add_argument('--repeat', type=int, default=30)
    parser.add_argument('--json', type=Path, help='write the figures there as well')
    options = parser.parse_args()
    width, height = map(int, options.size.split('x'))
    keep_memory()  # as the node does
    scene = make_scene(options.cameras, width, height)
    model = shipped('model.onnx')
    fits = load_engine(model).manifest
    ours = our_stages(scene, model if (fits.width, fits.height) == (width, height) else None)
    rows = measure(ours, options.repeat)
    rows += measure(other_stages(scene), options.repeat)
    print(table(rows))
    print(f'load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores')
    if options.json:
        options.json.write_text(json.dumps([row._asdict() | {'ratio': row.ratio} for row in rows]))


if __name__ == '__main__':
    main()
