# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Cameras 14 and 30 ms apart at 10 m/s: the cloud stands where the world is at its stamp."""

import numpy as np
import pytest
from sensor_msgs.msg import PointCloud2

from selfdepth_ros.messages import points_from_cloud_msg, stamp_ns

POINTS = '/surround_depth/points'


@pytest.fixture
def play(scene, staggered, listener):
    """A player of the scene's pictures; closed after the test."""
    players = []

    def start(**options):
        players.append(staggered.Player(listener.node, scene.pictures, **options))
        return players[-1]

    yield start
    for player in players:
        player.close()


def parameters(scene, staggered, **more):
    given = {'model': scene.model, 'image_topic': staggered.TOPIC, 'diagnostics_period_s': 0.1}
    return {**given, 'motion.odometry_topic': staggered.ODOMETRY, 'deadline_ms': 2000.0, **more}


def play_until(listener, player, until, what):
    """One set at a time, none before the last one's effect could be seen."""

    def stepped():
        player.step()
        for _ in range(5):
            listener.spin()
        return until()

    listener.wait(stepped, what)


def whole(clouds, scene):
    return [c for c in clouds if c.width == len(scene.expected().cloud)]


def test_points_are_moved_to_the_clouds_stamp(scene, staggered, surround, listener, play) -> None:
    surround(**parameters(scene, staggered))
    clouds, last = listener.listen(PointCloud2, POINTS), listener.diagnostics()
    player = play()
    play_until(
        listener,
        player,
        lambda: len(whole(clouds, scene)) >= 3 and last()[2].get('motion', '').startswith('moved'),
        'whole clouds with motion',
    )
    still, found = scene.expected().cloud.points, whole(clouds, scene)[-1]
    at_ns = stamp_ns(found.header)
    assert at_ns in player.stamps
    points = points_from_cloud_msg(found)
    np.testing.assert_allclose(points, staggered.moved(scene, at_ns), atol=2e-4)
    assert np.linalg.norm(points - still, axis=-1).max() > 0.2
    assert last()[2]['motion'] == f'moved by /{staggered.ODOMETRY}'
    play_until(listener, player, lambda: last()[:2] == (b'\x00', 'running'), 'a running node')


@pytest.mark.parametrize('given', ['[0.0]', '[0.0, 0.0, 80.0]'])
def test_stamps_that_are_late_by_a_known_time_are_put_right(
    scene, staggered, surround, listener, play, given
) -> None:
    """Images of exposures 30 ms apart belong together, and points are moved by the true times."""
    surround(**parameters(scene, staggered, stamp_offsets_ms=given, tolerance_ms=33.0))
    clouds, last = listener.listen(PointCloud2, POINTS), listener.diagnostics()
    player = play(late_ms={'c': 80})
    if given == '[0.0]':
        play_until(listener, player, lambda: len(clouds) >= 4, 'clouds')
        assert not whole(clouds, scene)
        return
    play_until(
        listener,
        player,
        lambda: len(whole(clouds, scene)) >= 3 and last()[2].get('motion', '').startswith('moved'),
        'whole clouds with motion',
    )
    found = whole(clouds, scene)[-1]
    at_ns = stamp_ns(found.header)
    assert at_ns in player.stamps
    right = staggered.moved(scene, at_ns)
    np.testing.assert_allclose(points_from_cloud_msg(found), right, atol=2e-4)


ABSENT = {
    'never': ({'with_odometry': False}, {}, 'nothing has come on /staggered/odom', b'\0'),
    'off': ({}, {'motion.source': 'none'}, 'off (motion.source: none)', b'\0'),
    'other': ({'child_frame': 'wheel'}, {}, "tells the motion of 'wheel', expected 'base", b'\1'),
}


@pytest.mark.parametrize('case', ABSENT)
def test_without_motion_the_cloud_is_as_seen_and_that_is_said(
    scene, staggered, surround, listener, play, case
) -> None:
    options, more, words, level = ABSENT[case]
    node = surround(**parameters(scene, staggered, **more))
    clouds, last = listener.listen(PointCloud2, POINTS), listener.diagnostics()
    player = play(**options)
    play_until(
        listener,
        player,
        lambda: whole(clouds, scene) and words in last()[2].get('motion', ''),
        'a whole cloud, and the reason in the diagnostics',
    )
    points = points_from_cloud_msg(whole(clouds, scene)[-1])
    np.testing.assert_array_equal(points, scene.expected().cloud.points)
    play_until(listener, player, lambda: last()[0] == level, 'the level')
    assert int(last()[2]['sets_not_moved']) > 0
    if level == b'\1':
        assert 'images are not moved to one time' in last()[1]
        assert words in last()[1]
    refused = [line for line in node.lines('WARN') if 'images are not moved by it' in line]
    assert len(refused) == (case == 'other')


def test_odometry_that_ends_is_not_used_for_ever(
    scene, staggered, surround, listener, play
) -> None:
    surround(**parameters(scene, staggered))
    clouds, last = listener.listen(PointCloud2, POINTS), listener.diagnostics()
    player = play()

    def motion() -> str:
        return last()[2].get('motion', '')

    play_until(listener, player, lambda: motion().startswith('moved'), 'motion')
    player.with_odometry = False
    play_until(listener, player, lambda: 'older than an image' in motion(), 'its end')
    assert last()[0] == b'\x01'
    assert 'images are not moved to one time: the newest pose is' in last()[1]
    told_ns = player.stamps[-1]
    play_until(
        listener,
        player,
        lambda: [c for c in whole(clouds, scene) if stamp_ns(c.header) > told_ns],
        'a whole cloud after that',
    )
    points = points_from_cloud_msg(whole(clouds, scene)[-1])
    np.testing.assert_array_equal(points, scene.expected().cloud.points)


def test_motion_of_a_bag_that_starts_again(scene, staggered, surround, listener, play) -> None:
    """Clouds are moved right or, until there are poses again, as seen; never by old poses."""
    surround(**parameters(scene, staggered))
    clouds, player = listener.listen(PointCloud2, POINTS), play()
    still = scene.expected().cloud.points

    def is_moved(cloud) -> bool:
        points = points_from_cloud_msg(cloud)
        right = staggered.moved(scene, stamp_ns(cloud.header))
        moved = np.allclose(points, right, atol=3e-4)
        assert moved or np.array_equal(points, still)
        return moved

    def enough() -> bool:
        return sum([is_moved(cloud) for cloud in whole(clouds, scene)]) >= 2

    play_until(listener, player, enough, 'moved clouds')
    for back_ms in (600, 600, 5000):
        player.stamp_ns -= back_ms * staggered.MS
        clouds.clear()
        play_until(listener, player, enough, f'moved clouds, {back_ms} ms before')
