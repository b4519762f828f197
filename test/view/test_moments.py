# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A recording is read from any stamp on, whatever clock it was logged by."""

from types import SimpleNamespace

import numpy as np
import pytest
from coloured import Recording
from drive import PERIOD_NS, Drive, make_rig, write_model
from drive import START_NS as DRIVE_NS

from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.cli.view import _made
from selfdepth_ros.clouds.config import CloudsConfig
from selfdepth_ros.clouds.making import CloudMaker
from selfdepth_ros.clouds.recorded import RecordedClouds
from selfdepth_ros.core.rig import save_rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_ros.inference import load_engine
from selfdepth_ros.view.moments import LatestImages, MadeMoments, RecordedMoments, thumbnail

COLORS = tuple((20 * index, 0, 200) for index in range(10))
LAGS_NS = (0, 3600 * 10**9, -(10**18))


def indices(moments) -> list[int]:
    """Which clouds they are, by the colour."""
    return [int(moment.colors[0, 0]) // 20 for moment in moments]


@pytest.mark.parametrize('lag_ns', LAGS_NS)
def test_clouds_from_a_stamp_on_are_those_of_the_whole(tmp_path, lag_ns) -> None:
    bag = Recording(lag_ns, COLORS).write(tmp_path / 'bag')
    clouds = RecordedClouds(bag)
    stamps = [cloud.stamp_ns for cloud in clouds]
    assert clouds.span_ns[0] == stamps[0]
    assert 0 <= clouds.span_ns[1] - stamps[-1] < 10**9
    for index, stamp in enumerate(stamps):
        assert [cloud.stamp_ns for cloud in clouds.since(stamp)] == stamps[index:]
        assert [cloud.stamp_ns for cloud in clouds.since(stamp + 1)] == stamps[index + 1 :]


@pytest.mark.parametrize('lag_ns', LAGS_NS)
def test_images_stand_beside_the_cloud_of_their_stamp(tmp_path, lag_ns) -> None:
    bag = Recording(lag_ns, COLORS).write(tmp_path / 'bag')
    moments = RecordedMoments(RecordedClouds(bag), BagReader(bag))
    first_ns, _ = moments.span_ns
    for index in (0, 1, 5, 9):
        later = list(moments.since(first_ns + index * 500_000_000))
        assert indices(later) == list(range(index, 10))
        assert [moment.images[0][0, 0, 0] for moment in later] == list(range(index, 10))
    assert list(moments.since(first_ns + 10**10)) == []


def test_reading_from_a_stamp_on_does_not_read_what_is_before(tmp_path) -> None:
    bag = Recording(0, COLORS).write(tmp_path / 'bag')
    clouds = RecordedClouds(bag)
    read = []
    original = clouds._storage.messages

    def messages(*args, **kwargs):
        for item in original(*args, **kwargs):
            read.append(item)
            yield item

    clouds._storage.messages = messages
    assert len(list(clouds.since(clouds.span_ns[0] + 8 * 500_000_000))) == 2
    assert len(read) <= 2 + 3  # two first stamps and the margin


def test_clouds_without_images_are_shown_as_well(bag) -> None:
    moments = RecordedMoments(RecordedClouds(bag), None)
    assert moments.rig is None
    assert [moment.images for moment in moments.since(0)] == [(), ()]


def test_a_network_makes_the_clouds_that_are_looked_at(tmp_path) -> None:
    drive = Drive(frames=5, grey=255)
    reader = BagReader(drive.write(tmp_path / 'drive'))
    engine = load_engine(write_model(tmp_path / 'model'))
    made = []

    class Counting(CloudMaker):
        def made(self, frame):
            made.append(frame.stamp_ns)
            return super().made(frame)

    rig = reader.rig()
    moments = MadeMoments(reader, Counting(reader, engine, rig, CloudsConfig()), rig)
    stamps = [moment.stamp_ns for moment in moments.since(DRIVE_NS + 3 * PERIOD_NS)]
    assert stamps == made == [DRIVE_NS + 3 * PERIOD_NS, DRIVE_NS + 4 * PERIOD_NS]
    moment = next(moments.since(moments.span_ns[0]))
    assert moment.stamp_ns == DRIVE_NS
    assert [image.shape for image in moment.images] == [(48, 64, 3)] * 2
    ahead = moment.points[moment.points[:, 0] > 0]
    np.testing.assert_allclose(ahead[:, 0], 6.5, atol=0.05)  # a wall at 6 m of a camera at 0.5


def test_cameras_stand_where_the_rig_file_that_made_the_points_has_them(tmp_path) -> None:
    bag, model = Drive(frames=1).write(tmp_path / 'drive'), write_model(tmp_path)
    lifted = SE3.exp(np.array([0, 0, 0.5, 0, 0, 0])) @ make_rig().body_from_cameras()
    save_rig(make_rig().with_poses(lifted), tmp_path / 'lifted.yaml')
    asked = SimpleNamespace(
        bag=bag, model=model, rig=tmp_path / 'lifted.yaml', mapping=None, threads=1
    )
    moments = _made(asked)
    np.testing.assert_allclose(moments.rig.body_from_cameras().matrix, lifted.matrix, atol=1e-9)


def test_a_live_image_stays_until_the_camera_has_another() -> None:
    latest = LatestImages(2)
    assert latest.with_new([None, None]) == (None, None)
    first, none = latest.with_new([np.zeros((48, 64, 3), np.uint8), None])
    assert none is None
    assert latest.with_new([None, None])[0] is first
    second = latest.with_new([np.ones((48, 64, 3), np.uint8), None])[0]
    assert second is not first and second[0, 0, 0] == 1


def test_images_are_shown_small() -> None:
    assert thumbnail(0, np.zeros((1208, 1920, 3), np.uint8)).shape == (201, 320, 3)
    assert thumbnail(0, np.zeros((10, 20, 3), np.uint8)).shape == (10, 20, 3)
