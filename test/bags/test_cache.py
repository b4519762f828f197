# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The frame cache holds what the bag holds, is built once, and never stays half-built."""

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.core.rig import save_rig
from selfdepth_ros.core.se3 import interpolate_poses
from selfdepth_ros.resizing import resized
from selfdepth_training.data.cache import CacheError, FrameCache, build_cache
from selfdepth_training.data.folder import kept

WIDTH, HEIGHT = 16, 12
START, PERIOD = 1_700_000_000_000_000_000, 100_000_000


def build(bag, root, width=WIDTH, height=HEIGHT, **how):
    return build_cache(bag, root, width, height, progress=False, **how)


def left_over(root):
    return [item.name for item in root.iterdir() if 'partial' in item.name]


def test_frames_stamps_and_poses_are_those_of_the_bag(record, tmp_path):
    bag = record()
    cache = build(bag, tmp_path / 'cache')
    reader = BagReader(bag)
    frames = list(reader.surround_frames())
    assert cache.images.shape == (len(frames), 3, HEIGHT, WIDTH, 3)
    assert isinstance(cache.images, np.memmap)
    assert not cache.images.flags.writeable
    assert cache.present.all()
    for cached, frame in zip(cache.images, frames, strict=True):
        for image, source in zip(cached, frame.images, strict=True):
            np.testing.assert_array_equal(image, resized(source, WIDTH, HEIGHT))
    np.testing.assert_array_equal(cache.stamps_ns, [frame.stamps_ns for frame in frames])
    poses, valid = interpolate_poses(*reader.odometry(), cache.stamps_ns)
    assert valid.all()
    np.testing.assert_array_equal(cache.world_from_body, poses.matrix)
    assert cache.source == bag
    assert left_over(tmp_path / 'cache') == []


def test_the_rig_is_that_of_the_resized_images(record, tmp_path, rig):
    cache = build(record(), tmp_path / 'cache')
    assert cache.rig.names == rig.names
    for cached, camera in zip(cache.rig.cameras, rig.scaled(WIDTH, HEIGHT).cameras, strict=True):
        assert cached.camera == camera.camera
        np.testing.assert_allclose(
            cached.body_from_camera.matrix, camera.body_from_camera.matrix, atol=1e-11
        )


def test_resizing_agrees_with_the_scaled_camera(rig):
    """A bright spot is found where the scaled camera says its ray is."""
    camera = rig.cameras[2].camera
    image = np.zeros((camera.height, camera.width, 3), np.uint8)
    image[12:16, 20:24] = 255
    ray, _ = camera.rays(np.array([21.5, 13.5]))
    small = resized(image, 24, 18)[..., 0].astype(float)
    rows, columns = np.indices(small.shape)
    found = np.array([(small * columns).sum(), (small * rows).sum()]) / small.sum()
    pixel, seen = camera.scaled(24, 18).project(ray)
    assert seen
    np.testing.assert_allclose(pixel, found, atol=1e-6)


def test_a_missing_camera_is_absent_not_invented(record, tmp_path):
    def lost(name, frame, stamp):
        return 0 if (name, frame) == ('camera_left', 3) else stamp

    cache = build(record(stamp=lost), tmp_path / 'cache')
    assert cache.present.sum() == 3 * 8 - 1
    ((frame, camera),) = np.argwhere(~cache.present)
    assert (frame, camera) == (3, 1)
    assert not cache.images[3, 1].any()
    assert cache.stamps_ns[3, 1] == START + 3 * PERIOD


def test_without_odometry_there_are_no_poses(record, tmp_path):
    assert build(record(odometry=False), tmp_path / 'cache').world_from_body is None


def test_frames_that_odometry_does_not_reach_are_left_out(record, tmp_path, caplog):
    def later(_, frame, stamp):
        return stamp + 3 * PERIOD

    with caplog.at_level(logging.WARNING):
        cache = build(record(stamp=later), tmp_path / 'cache')
    assert len(cache) == 5
    assert 'dropped 3 x sets: odometry does not reach them' in caplog.text


def test_odometry_of_another_clock_is_an_error(record, tmp_path):
    bag = record(stamp=lambda name, frame, stamp: stamp - 86400 * 10**9)
    with pytest.raises(BagError, match='not one surround set lies between poses'):
        build(bag, tmp_path / 'cache')
    assert left_over(tmp_path / 'cache') == []


def test_it_is_built_once_per_size(record, tmp_path, caplog):
    bag = record()
    first = build(bag, tmp_path / 'cache')
    built = (first.folder / 'images.npy').stat().st_mtime_ns
    with caplog.at_level(logging.WARNING):
        again = build(bag, tmp_path / 'cache')
        other = build(bag, tmp_path / 'cache', 8, 8)
    assert (again.folder / 'images.npy').stat().st_mtime_ns == built
    assert other.folder != first.folder
    assert caplog.text == ''


def test_it_is_built_again_when_the_bag_has_changed(record, tmp_path, caplog):
    bag = record()
    folder = build(bag, tmp_path / 'cache').folder
    for file in bag.iterdir():
        os.utime(file, (1, 1))
    with caplog.at_level(logging.WARNING):
        cache = build(bag, tmp_path / 'cache')
    assert 'has changed since' in caplog.text
    assert cache.folder == folder
    assert left_over(tmp_path / 'cache') == []


@pytest.mark.parametrize('ruin', ['images.npy', 'stamps_ns.npy', 'about.json', 'rig.yaml'])
@pytest.mark.parametrize('how', ['missing', 'shorter', 'other'])
def test_it_is_built_again_when_a_file_is_damaged(record, tmp_path, caplog, ruin, how):
    bag = record(frames=2)
    folder = build(bag, tmp_path / 'cache').folder
    file = folder / ruin
    if how == 'missing':
        file.unlink()
    else:
        data = file.read_bytes()
        file.write_bytes(data[: len(data) // 2] if how == 'shorter' else b'{{' + data[2:])
    with pytest.raises(CacheError, match='remove it to have it built again'):
        FrameCache.open(folder)
    with caplog.at_level(logging.WARNING):
        cache = build(bag, tmp_path / 'cache')
    assert 'it is built again' in caplog.text
    assert len(FrameCache.open(cache.folder)) == 2


@pytest.mark.parametrize(
    'name', ['stamps_ns.npy', 'present.npy', 'world_from_body.npy', 'rig.yaml']
)
def test_a_single_damaged_bit_of_what_is_small_is_seen(record, tmp_path, caplog, name):
    """The last one of a stamp, a pose, a calibration: nothing else would show."""
    bag = record(frames=2)
    whole = build(bag, tmp_path / 'cache')
    file = whole.folder / name
    data = bytearray(file.read_bytes())
    data[-2 if name == 'rig.yaml' else -1] ^= 1
    file.write_bytes(data)
    with pytest.raises(CacheError, match='not as it was written'):
        FrameCache.open(whole.folder)
    with caplog.at_level(logging.WARNING):
        cache = build(bag, tmp_path / 'cache')
    assert 'it is built again' in caplog.text
    np.testing.assert_array_equal(cache.stamps_ns, whole.stamps_ns)
    np.testing.assert_array_equal(cache.world_from_body, whole.world_from_body)


def with_bit(whole: bytes, bit: int) -> bytes:
    """The bytes with one bit turned."""
    damaged = bytearray(whole)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def same_data(one: FrameCache, other: FrameCache) -> bool:
    arrays = ('images', 'stamps_ns', 'present', 'world_from_body')
    return one.source == other.source and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays
    )


@pytest.mark.parametrize('name', ['images.npy', 'about.json'])
def test_whichever_bit_is_damaged_a_cache_is_refused_or_the_same(record, tmp_path, name):
    """Of the header of the images, and every third one of about.json, which is longer."""
    cache = build(record(frames=2), tmp_path / 'cache', 6, 4)
    file = cache.folder / name
    whole = file.read_bytes()
    refused = 0
    bits = range(8 * 128) if name == 'images.npy' else range(0, 8 * len(whole), 3)
    for bit in bits:
        file.write_bytes(with_bit(whole, bit))
        try:
            assert same_data(FrameCache.open(cache.folder), cache), f'bit {bit}'
        except CacheError:
            refused += 1
    assert refused > 1000


@pytest.mark.parametrize('text', ['[]', 'null', '1', '{}', '"about"'])
def test_about_that_is_no_mapping_or_empty_is_built_again(record, tmp_path, caplog, text):
    bag = record(frames=2)
    folder = build(bag, tmp_path / 'cache').folder
    (folder / 'about.json').write_text(text)
    with caplog.at_level(logging.WARNING):
        assert len(build(bag, tmp_path / 'cache')) == 2
    assert 'it is built again' in caplog.text


def write_about(folder, about):
    """Write what a cache says of itself, its digest anew."""
    about.pop('digest')
    about['digest'] = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    (folder / 'about.json').write_text(json.dumps(about))


def test_about_without_an_identity_is_built_again(record, tmp_path, caplog):
    cache = build(record(frames=2), tmp_path / 'cache')
    about = json.loads((cache.folder / 'about.json').read_text())
    del about['identity']
    write_about(cache.folder, about)
    with caplog.at_level(logging.WARNING):
        build(cache.source, tmp_path / 'cache')
    assert "('identity'): remove it" in caplog.text


def test_what_lies_beside_a_bag_does_not_build_its_cache_again(record, tmp_path, caplog):
    bag = record(frames=2)
    before = build(bag, tmp_path / 'cache').folder.stat().st_ino
    (bag / 'notes.txt').write_text('rain')
    assert build(bag, tmp_path / 'cache').folder.stat().st_ino == before
    assert not caplog.text
    (bag / 'metadata.yaml').touch()
    with caplog.at_level(logging.WARNING):
        build(bag, tmp_path / 'cache')
    assert 'it is built again' in caplog.text


@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_whichever_third_bit_is_damaged_what_is_kept_beside_is_made_again(tmp_path, save):
    path, values = tmp_path / 'kept.npz', np.arange(12.0).reshape(2, 6)

    def read(path):
        with np.load(path) as stored:
            return stored['values']

    def write(path):
        save(path, values=values)

    write(path)
    whole = path.read_bytes()
    for bit in range(0, 8 * len(whole), 3):  # of a byte after the other another one
        path.write_bytes(with_bit(whole, bit))
        np.testing.assert_array_equal(kept(path, read, write), values)


def test_a_cache_of_before_nested_cameras_had_short_names_is_built_again(
    recording, tmp_path, caplog
):
    nested = tuple((name, f'/sensors/{name}') for name in recording.LOOKS)
    bag = recording.Recording(frames=2, rename=nested).write(tmp_path / 'drive')
    cache = build(bag, tmp_path / 'cache')
    named = [replace(camera, name=f'sensors_{camera.name}') for camera in cache.rig.cameras]
    save_rig(replace(cache.rig, cameras=tuple(named)), cache.folder / 'rig.yaml')
    about = json.loads((cache.folder / 'about.json').read_text()) | {'format': 1}
    about['checksums']['rig.yaml'] = hashlib.sha256(
        (cache.folder / 'rig.yaml').read_bytes()
    ).hexdigest()
    write_about(cache.folder, about)
    with caplog.at_level(logging.WARNING):
        assert build(bag, tmp_path / 'cache').rig.names == cache.rig.names
    assert 'format 1, expected 2' in caplog.text


BUILD = """
import sys
from selfdepth_training.data.cache import build_cache
print(len(build_cache(sys.argv[1], sys.argv[2], 320, 192, progress=False)))
"""


def run_build(*arguments, **how):
    command = [sys.executable, '-c', how.pop('before', '') + BUILD, *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how
    )


def test_a_killed_build_leaves_nothing_that_could_be_taken_for_a_cache(record, tmp_path):
    root = tmp_path / 'cache'
    bag = record(frames=120)
    process = run_build(bag, root)
    while not list(root.glob('.*partial*/images.npy')):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not [item for item in root.iterdir() if not item.name.startswith('.')]
    assert len(build(bag, root, 320, 192)) == 120
    assert left_over(root) == []


def test_several_processes_build_it_once(record, tmp_path):
    root = tmp_path / 'cache'
    bag = record(frames=30)
    together = [run_build(bag, root) for _ in range(3)]
    results = [process.communicate() for process in together]
    assert [out for out, _ in results] == ['30\n'] * 3
    assert not any('built again' in err for _, err in results)
    assert len([item for item in root.iterdir() if item.is_dir()]) == 1


def test_a_disk_that_is_full_is_one_clear_error(record, tmp_path):
    """The system refuses files above a size, as it refuses them on a full disk."""
    limit = 'import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))\n'
    root = tmp_path / 'cache'
    _, error = run_build(record(frames=20), root, before=limit).communicate()
    assert 'CacheError: the frame cache cannot be written' in error
    assert 'choose another cache folder' in error
    assert [item for item in root.iterdir() if item.is_dir()] == []


def test_what_cannot_fit_is_refused_before_it_is_begun(record, tmp_path):
    with pytest.raises(CacheError, match=r'needs \d+ MB, .* MB free'):
        build(record(frames=2), tmp_path / 'cache', 2_000_000, 1_000_000)
    assert left_over(tmp_path / 'cache') == []


def test_about_tells_where_it_comes_from(record, tmp_path):
    bag = record(frames=2)
    about = json.loads((build(bag, tmp_path / 'cache').folder / 'about.json').read_text())
    assert about['source'] == str(bag)
    assert about['frames'] == 2


def test_enlarging_is_allowed(record, tmp_path):
    cache = build(record(frames=2), tmp_path / 'cache', 64, 48)
    source = next(BagReader(cache.source).surround_frames()).images[0]
    expected = cv2.resize(source, (64, 48), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(cache.images[0, 0], expected)
