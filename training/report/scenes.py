# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Frames as pictures inside the page: what each camera saw, its depth and error, and the cloud."""

import base64
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.bags.trajectory import Trajectory
from selfdepth_ros.core.frames import PointCloud, SurroundFrame
from selfdepth_ros.core.fusion import Fusion
from selfdepth_ros.core.rig import Rig, RigCamera
from selfdepth_ros.inference.engine import DepthPrediction
from selfdepth_ros.resizing import resized
from selfdepth_ros.viz import color_depth, draw_cloud_birdseye, draw_cloud_perspective
from selfdepth_ros.viz.canvas import splat
from selfdepth_ros.viz.panels import FAR_M, NEAR_M, color_confidence, color_error
from selfdepth_training.evaluate import ImageScores
from selfdepth_training.loaded import LoadedModel
from selfdepth_training.predict import network_images
from selfdepth_training.report.shown import ShownFrame
from selfdepth_training.truth import CameraTruth

_ROW_PX = 2400
"""Width of one row of tiles: twice what the page shows, for screens of high density."""
_QUALITY = 82
_SPARSE_PX = 4
_REACH_M = 30.0
_TICKS_M = (3, 5, 10, 20, 40, 80)

Picture = UInt8[np.ndarray, 'h w 3']


@dataclass(frozen=True)
class Tile:
    """One picture of a camera: what it shows, and a data URI."""

    kind: str
    source: str


@dataclass(frozen=True)
class View:
    """One camera of a scene."""

    camera: str
    scores: ImageScores | None
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class CloudPictures:
    """The cloud that the robot would make of a scene."""

    birdseye: str
    perspective: str
    points: int


@dataclass(frozen=True)
class Scene:
    """A frame of the drive, ready to be shown."""

    title: str
    seconds: float
    """Since the first frame that was evaluated."""
    abs_rel: float
    views: tuple[View, ...]
    """From the left of the back, over the front, to the right of the back."""
    cloud: CloudPictures | None
    """None for relative depths: a cloud is in metres."""


class Painter:
    """Makes scenes of the frames of one bag and one model."""

    def __init__(self, model: LoadedModel, rig: Rig, reader: BagReader) -> None:
        self._model, self._rig, self._trajectory = model, rig, Trajectory(reader)
        self._scaled = rig.scaled(model.width, model.height)
        self._fusion = Fusion(self._scaled, None, model.depth_kind, model.depth_limit)
        self._focal = np.array([c.camera.focal for c in self._scaled.cameras], np.float32)
        self._tile_px = _ROW_PX // max(6, len(rig.cameras))

    def scene(self, title: str, frame: ShownFrame, start_ns: int) -> Scene:
        """One frame: the cloud is the one that the robot would make of it."""
        scored = frame.scored
        images = network_images(scored.frame, self._model.width, self._model.height)
        prediction = self._model.infer(images, self._focal)
        order = np.argsort([-_azimuth(entry) for entry in self._rig.cameras])
        confidence = prediction.confidence
        views = tuple(
            self._view(frame, index, None if confidence is None else confidence[index])
            for index in order.tolist()
        )
        relative = self._model.scale == 'relative'
        cloud = None if relative else self._cloud(scored.frame, images, prediction)
        seconds = (scored.frame.stamp_ns - start_ns) / 1e9
        return Scene(title, seconds, frame.abs_rel, views, cloud)

    def _cloud(
        self,
        frame: SurroundFrame,
        images: UInt8[np.ndarray, 'n y x 3'],
        prediction: DepthPrediction,
    ) -> CloudPictures:
        moved = self._trajectory.between(frame.stamp_ns, frame.stamps_ns)
        cloud = self._fusion.fuse(
            prediction.depth, images, frame.present, frame.stamp_ns,
            prediction.confidence, moved.now_from_then,
        )  # fmt: skip
        return _cloud_pictures(cloud)

    def _view(
        self, frame: ShownFrame, index: int, confidence: Float[np.ndarray, 'h w'] | None
    ) -> View:
        scored, entry = frame.scored, self._rig.cameras[index]
        image, depth = scored.frame.images[index], scored.depths[index]
        scores = scored.scores[index]
        relative = self._model.scale == 'relative'
        if relative and depth is not None and scores is not None:
            depth = depth * scores.scale  # as evaluate brings it to the median of the truth
        tiles: list[Tile] = []
        if image is not None and depth is not None:
            small = resized(image, *self._tile_size(image))
            seen = cv2.resize(depth, self._tile_size(depth), interpolation=cv2.INTER_NEAREST)
            tiles += [
                Tile('image', _data_uri(small)),
                Tile('depth', _data_uri(color_depth(seen))),
            ]
            truth = scored.truths[index]
            if truth is not None and (scores is not None or not relative):
                tiles.append(Tile('error', _data_uri(_error_picture(small, depth, truth))))
            if confidence is not None:
                sure = color_confidence(confidence)
                tiles.append(Tile('confidence', _data_uri(resized(sure, *self._tile_size(sure)))))
        return View(entry.name, scores, tuple(tiles))

    def _tile_size(self, picture: np.ndarray) -> tuple[int, int]:
        return self._tile_px, round(picture.shape[0] * self._tile_px / picture.shape[1])


def _azimuth(entry: RigCamera) -> float:
    """Where a camera looks in the body frame, radians to the left of ahead."""
    ahead = entry.body_from_camera.rotation[:2, 2]
    return float(np.arctan2(ahead[1], ahead[0]))


def _error_picture(image: Picture, depth: Float[np.ndarray, 'y x'], truth: CameraTruth) -> Picture:
    """The error at every pixel that has truth, on the faint image."""
    faint = image.mean(-1, keepdims=True) * 0.3 + 20
    picture = np.repeat(faint, 3, -1).astype(np.uint8)
    factor = picture.shape[1] / depth.shape[1]
    # LiDAR is sparse: its points are drawn larger than they are, so that they can be seen.
    size = int(np.ceil(factor)) if len(truth.u) > 0.3 * depth.size else _SPARSE_PX
    pixels = (np.stack([truth.u, truth.v], -1) + 0.5) * factor - 0.5
    colors = color_error(depth[truth.v, truth.u], truth.z_depth_m)
    splat(picture, pixels, truth.z_depth_m, np.full(len(truth.u), size), colors)
    return picture


def _cloud_pictures(cloud: PointCloud) -> CloudPictures:
    above = draw_cloud_birdseye(cloud, 900, _REACH_M)
    behind = draw_cloud_perspective(cloud, 1440, 900, reach_m=int(_REACH_M))
    return CloudPictures(_data_uri(above), _data_uri(behind), len(cloud))


def _data_uri(picture: Picture) -> str:
    """A picture inside the page, as WebP."""
    bgr = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode('.webp', bgr, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    return 'data:image/webp;base64,' + base64.b64encode(data.tobytes()).decode('ascii')


def depth_legend() -> tuple[str, list[tuple[float, str]]]:
    """CSS gradient of the colours of depth, and where in it (percent) which distance lies."""
    metres = np.geomspace(NEAR_M, FAR_M, 24)
    ticks = [
        (100 * float(np.log(m / NEAR_M) / np.log(FAR_M / NEAR_M)), f'{m} m') for m in _TICKS_M
    ]
    return _gradient(color_depth(metres)), ticks


def error_legend() -> str:
    """CSS gradient from a quarter too near to a quarter too far."""
    return _gradient(color_error(np.linspace(0.75, 1.25, 11), np.ones(11)))


def _gradient(colors: UInt8[np.ndarray, 'n 3']) -> str:
    return f'linear-gradient(90deg, {", ".join("rgb({},{},{})".format(*c) for c in colors)})'
