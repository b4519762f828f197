# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The model of the package: small, whole, apart from its training, and better than a guess."""

import numpy as np
import pytest

from selfdepth_ros.core.frames import SurroundFrame
from selfdepth_ros.core.fusion import Fusion, FusionConfig
from selfdepth_ros.core.manifest import Manifest
from selfdepth_ros.core.rig import load_rig
from selfdepth_ros.core.scan import Scanner
from selfdepth_ros.inference import load_engine
from selfdepth_ros.pipeline import SurroundDepth
from selfdepth_ros.shipped import DEMO_SEED, shipped
from selfdepth_ros.synthetic import StreetRenderer, StreetWorld, street_rig

LARGEST_BYTES = 8_000_000


@pytest.fixture(scope='module')
def manifest():
    return Manifest.load(shipped('model.yaml'))


@pytest.fixture(scope='module')
def demo_frames():
    """Three surround frames of the demo's street, with their truth."""
    renderer = StreetRenderer(StreetWorld(DEMO_SEED, 12.0), street_rig())
    return [renderer.render(int(second * 1e9)) for second in (1, 5, 9)]


def test_the_model_is_small_and_is_the_one_its_manifest_describes(manifest):
    assert shipped('model.onnx').stat().st_size <= LARGEST_BYTES
    manifest.check_file(shipped('model.onnx'))
    assert load_rig(shipped('rig.yaml')).names == manifest.cameras
    assert b'.py' not in shipped('model.onnx').read_bytes()  # no traces of where it was made


def test_the_manifest_tells_how_it_was_trained_and_what_it_does_not_know(manifest):
    record = manifest.training
    assert record['steps'] == record['planned_steps'] > 1000
    assert record['command'].startswith('selfdepth train ')
    assert record['metrics'] and record['minutes'] > 0
    assert 'street' in manifest.limits


def test_the_demo_street_is_none_of_the_training_streets(manifest):
    # A training bag is named after its street's seed: streets/101.
    seeds = [int(bag.rsplit('/', 1)[1]) for bag in manifest.training['bags']]
    assert seeds and DEMO_SEED not in seeds


@pytest.fixture(scope='module')
def pipeline():
    return SurroundDepth(load_engine(shipped('model.onnx')), load_rig(shipped('rig.yaml')))


@pytest.fixture(scope='module')
def results(pipeline, demo_frames):
    """What the model makes of the demo's frames."""
    stamps = [tuple(int(stamp) for stamp in frame.stamps_ns) for frame in demo_frames]
    return [
        pipeline(SurroundFrame(when[0], tuple(frame.images), when))
        for frame, when in zip(demo_frames, stamps, strict=True)
    ]


def test_depth_of_the_demo_street_beats_the_best_depth_by_row(demo_frames, results):
    truths = np.stack([frame.z_depths for frame in demo_frames])
    depths = np.stack([result.depths for result in results])
    known = (truths > 1) & (truths < 60)
    # As good as a constant per row and camera can be: it has seen these very frames.
    rows = np.nanmedian(np.where(known, truths, np.nan), axis=(0, 3), keepdims=True)
    ours = _abs_rel(depths, truths, known)
    assert ours < 0.5 * _abs_rel(np.broadcast_to(rows, truths.shape), truths, known)
    assert ours < 0.25


def test_the_scan_misses_nothing_near_and_invents_little(pipeline, demo_frames, results):
    """Within 8 m, as far as the example costmap marks: against the scan of the true depths."""
    scanner = Scanner(pipeline.rig)
    missed, invented, obstacles, free = 0, 0, 0, 0
    for frame, result in zip(demo_frames, results, strict=True):
        truth = np.asarray(frame.z_depths, np.float32)
        cloud = Fusion(pipeline.rig).fuse(truth, np.stack(frame.images))
        real = scanner.ranges(cloud.points, result.present, truth)
        found = scanner.ranges(result.cloud.points, result.present, result.depths)
        near, open_ = real < 6.4, real > 8
        missed += (near & (found > 8)).sum()
        invented += (open_ & (found < 6.4)).sum()
        obstacles += near.sum()
        free += open_.sum()
    assert obstacles > 300 and free > 300
    assert missed <= 0.02 * obstacles
    assert invented <= 0.1 * free


def test_the_compiled_cloud_of_the_street_is_the_references(pipeline, demo_frames, results):
    """What the network really says, sky and outlines and the robot's own body included."""
    manifest = pipeline.engine.manifest
    says = manifest.depth_kind, manifest.depth_limit
    reference = Fusion(pipeline.rig, FusionConfig(), *says)
    assert pipeline.fusion_description.startswith('compiled')
    for frame, result in zip(demo_frames, results, strict=True):
        expected = reference.fuse(result.depths, np.stack(frame.images))
        assert result.cloud.records.tobytes() == expected.records.tobytes()
        np.testing.assert_array_equal(result.cloud.pixels_given(), expected.pixels_given())
        assert 0 < len(expected) < result.depths.size


def _abs_rel(depths, truths, known):
    return float(np.mean(np.abs(depths[known] - truths[known]) / truths[known]))
