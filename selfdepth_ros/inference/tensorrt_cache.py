# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From an ONNX file to a checked TensorRT engine for this GPU, through the cache."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

from selfdepth_ros.core.manifest import Manifest, file_sha256
from selfdepth_ros.inference import self_check
from selfdepth_ros.inference.cuda import DeviceError, this_gpu
from selfdepth_ros.inference.engine import DepthEngine, EngineError
from selfdepth_ros.inference.engine_cache import Built, CachedEngine, EngineCache, EngineKey
from selfdepth_ros.inference.interface import manifest_beside
from selfdepth_ros.inference.precision import RECIPE, Batch, Precision, to_fp16
from selfdepth_ros.inference.tensorrt_build import compile_engine, vendor
from selfdepth_ros.inference.tensorrt_engine import TensorRtEngine


@dataclass(frozen=True)
class BuildOptions:
    """What an engine is built for. None and 0 stand for what the model's manifest says."""

    precision: Precision | None = None
    """What the network computes in; fp16 is made of an fp32 model on the way."""
    batch: int = 0
    """Images of a run, the rig's cameras."""
    cache: Path | None = None
    """Folder of the engines."""
    cuda_graph: bool = True
    """Whether runs are replayed as a CUDA graph."""
    check: Batch | None = None
    """Images and focal lengths of the self-check, instead of made-up ones."""
    must_store: bool = False
    """Whether a cache that cannot be written is an error; else the engine is used all the same."""


class Prepared(NamedTuple):
    """An engine that is ready to run, its key, and its place in the cache."""

    engine: TensorRtEngine
    key: EngineKey
    cached: CachedEngine


def prepare(path: Path, options: BuildOptions) -> Prepared:
    """Take the engine of an .onnx file from the cache, or build, check and store it.

    Raises EngineError when this machine cannot, or when the engine does not say what the model
    says; then nothing is stored. One from the cache is compared again on images that are given.
    """
    key, manifest = key_of(path, options)
    cache, stored = EngineCache(options.cache), options.must_store

    def build() -> Built:
        return _build(path, manifest, key, cache.folder, options)

    cached = cache.get_or_build(manifest.name, key, build, stored)
    try:
        engine = TensorRtEngine(cached.plan, manifest, options.cuda_graph)
    except DeviceError:  # another engine would not fit either, after minutes
        raise
    except EngineError as cause:
        if cached.built:
            raise
        cache.discard(cached, str(cause))
        cached = cache.get_or_build(manifest.name, key, build, stored)
        engine = TensorRtEngine(cached.plan, manifest, options.cuda_graph)
    if options.check and not cached.built:
        agreement = _agreement(engine, _reference(path), key, options.check)
        cached = replace(cached, notes={**cached.notes, 'agreement': asdict(agreement)})
    return Prepared(engine, key, cached)


def build_only(path: Path, options: BuildOptions) -> CachedEngine:
    """Make sure that the engine of an .onnx file is in the cache. Raises EngineError."""
    return prepare(path, replace(options, must_store=True)).cached


def key_of(path: Path, options: BuildOptions) -> tuple[EngineKey, Manifest]:
    """What the engine of a file depends on, on this machine. Raises EngineError."""
    version, gpu = vendor().__version__, this_gpu()
    manifest = read_manifest(path)
    count = options.batch or len(manifest.cameras)
    if count < 1:
        raise EngineError(
            f'the batch is {count}; expected the number of cameras of the rig: give --images'
        )
    shapes = (('images', (count, manifest.height, manifest.width, 3)), ('focal', (count,)))
    key = EngineKey(
        onnx_sha256=file_sha256(path),
        tensorrt=version,
        gpu=gpu.name,
        compute_capability=gpu.compute_capability,
        multiprocessors=gpu.multiprocessors,
        precision=precision_word(manifest, options.precision),
        shapes=shapes,
    )
    return key, manifest


def precision_word(manifest: Manifest, asked: Precision | None) -> str:
    """The key's precision: the file's own, or that and the recipe of the variant made of it."""
    if asked in (None, manifest.precision):
        return manifest.precision
    if manifest.precision == 'fp32' and asked == 'fp16':
        return f'fp16-{RECIPE}'
    if manifest.precision == 'fp32':
        raise EngineError(
            f'an {asked} engine of {manifest.name!r} needs images to calibrate it: make the '
            'variant with `selfdepth quantize MODEL OUT --runtime tensorrt --images BAG`, and '
            'build the engine of OUT'
        )
    raise EngineError(
        f'the model {manifest.name!r} is {manifest.precision}, asked for was {asked}; give the '
        f'fp32 model that it was made of (SHA-256 {manifest.parent_sha256[:12]}...)'
    )


def read_manifest(path: Path) -> Manifest:
    """The manifest of an .onnx file: that beside it, else that inside it. Raises EngineError."""
    beside = manifest_beside(path)
    if beside is not None:
        return beside
    return _reference(path).manifest


def _build(
    path: Path, manifest: Manifest, key: EngineKey, folder: Path, options: BuildOptions
) -> Built:
    """Compile, and compare with ONNX Runtime on the same images."""
    reference = _reference(path)
    started = time.monotonic()
    model = path.read_bytes() if key.precision == manifest.precision else _fp16(path, manifest)
    timing = folder / f'{key.gpu}.{key.tensorrt}.timing'.replace(' ', '_').replace('/', '_')
    plan = compile_engine(model, dict(key.shapes), timing, manifest.name)
    seconds = time.monotonic() - started
    check = options.check or self_check.check_images(manifest, key.shapes[0][1][0])
    agreement = _agreement(TensorRtEngine(plan, manifest), reference, key, check)
    return Built(plan, {'seconds': round(seconds, 1), 'agreement': asdict(agreement)})


def _reference(path: Path) -> DepthEngine:
    """The model in ONNX Runtime, which is imported only now. Raises EngineError."""
    from selfdepth_ros.inference.onnx_engine import OnnxEngine

    return OnnxEngine.load(path)


def _agreement(
    engine: TensorRtEngine, reference: DepthEngine, key: EngineKey, check: Batch
) -> self_check.Agreement:
    """How far an engine is from its model on some images. Raises EngineError: too far."""
    agreement = self_check.compare(engine, reference, *check)
    self_check.require(
        agreement, self_check.COMPILED[key.precision[:4]],
        f'the engine of {engine.manifest.name!r}',
        'build it with --precision fp32, or use the backend onnx',
    )  # fmt: skip
    return agreement


def _fp16(path: Path, manifest: Manifest) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        narrow = Path(folder) / 'model.onnx'
        to_fp16(path, manifest, narrow)
        return narrow.read_bytes()
