# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Cameras that die, come late or send what is no picture of theirs.

Every cloud that comes meanwhile is compared, to the bit, with what the pictures of its cameras
become (Stage.judge).
"""

import signal

import numpy as np
from sensor_msgs.msg import Image, PointCloud2

from selfdepth_ros.nodes.to_ros import image_message

ERROR, WARN, OK = b'\2', b'\1', b'\0'
SIX = ('a', 'b', 'c', 'd', 'e', 'f')


def told(status: tuple[bytes, str, dict[str, str]], words: str) -> bool:
    """Whether it is a warning with these words."""
    return status[0] == WARN and words in status[1]


def test_one_to_five_cameras_die_and_return(surround, listener, stage) -> None:
    node = surround(**stage.parameters)
    last = listener.diagnostics()
    stage.play_until(stage.comes(*SIX), 'a whole cloud')
    for count in range(1, 6):
        stage.kill(SIX[-count])
        alive, dead = SIX[:-count], SIX[-count:]
        stage.play_until(stage.comes(*alive), f'a cloud of {alive}')
        stage.play_until(
            lambda dead=dead: (
                last()[2].get('cameras_missing', '').split() == [*dead] and last()[0] == WARN
            ),
            f'{dead} on /diagnostics',
        )
        assert any(words in last()[1] for words in (f'without {", ".join(dead)}', 'no images on'))
    stage.play_until(lambda: last(7)[0] == ERROR, 'the camera that died first as an error')
    assert last(7)[1] == 'no images on stage/f/image_raw'
    stage.revive(*SIX[1:])
    stage.play_until(stage.comes(*SIX), 'a whole cloud again')
    stage.play_until(lambda: last()[:2] == (OK, 'running'), 'nothing to complain of')
    assert not node.lines('ERROR')


def test_a_driver_that_is_stopped_or_killed_and_started_again(
    scene, surround, listener, cameras, tmp_path
) -> None:
    """SIGSTOP, SIGCONT, SIGKILL: nobody says goodbye to DDS."""

    def driver(number: int):
        script, namespace = cameras.command[0], ('-r', '__ns:=/driver')
        return type(cameras)(tmp_path / f'driver{number}', script, ros_arguments=namespace)

    node = surround(
        model=scene.model, image_topic='/driver/{camera}/image_raw', diagnostics_period_s=0.1
    )
    last, clouds = listener.diagnostics(), listener.listen(PointCloud2, '/surround_depth/points')
    whole = len(scene.expected().cloud)

    def works() -> bool:
        return last()[:2] == (OK, 'running') and any(cloud.width == whole for cloud in clouds)

    for number, signals in enumerate([(signal.SIGSTOP, signal.SIGCONT), (signal.SIGKILL,)]):
        running = driver(number)
        try:
            listener.wait(works, 'whole clouds, and a node that says so')
            running.process.send_signal(signals[0])
            listener.wait(
                lambda: (
                    'no images on' in last()[1]
                    and [last(part)[0] for part in (2, 3, 4)] == [ERROR] * 3
                ),
                'the silence of all three on /diagnostics',
            )
            clouds.clear()
            if len(signals) > 1:
                running.process.send_signal(signals[1])
                listener.wait(works, 'whole clouds after SIGCONT')
        finally:
            running.process.kill()
            running.status()
        clouds.clear()
    running = driver(2)
    listener.wait(works, 'whole clouds of the new driver')
    assert running.stop() == 0
    assert not node.lines('ERROR')


def test_a_camera_that_is_200_ms_late_for_ever_costs_itself_only(
    surround, listener, stage
) -> None:
    node = surround(**{**stage.parameters, 'deadline_ms': 50.0})
    last = listener.diagnostics()
    stage.late['c'] = 2
    others = [name for name in SIX if name != 'c']
    stage.play_until(stage.comes(*others), 'a cloud of the others')
    stage.play_until(
        lambda: told(last(), 'clouds without c') and told(last(4), 'too late (images_late'),
        'c on /diagnostics',
    )
    stage.play_until(lambda: int(last()[2]['images_late']) > 0, 'late images counted')
    waits = int(last()[2]['sets_partial'])
    stage.play_until(
        lambda: int(last()[2]['sets_partial']) > waits + 10, 'clouds as before, ten times'
    )
    stage.late.clear()
    stage.play_until(stage.comes(*SIX), 'a whole cloud once it is in time')
    stage.play_until(lambda: last()[:2] == (OK, 'running'), 'nothing to complain of')
    assert not node.lines('ERROR')


def other(picture: np.ndarray, **changes) -> Image:
    """A message of a picture that says something else."""
    message = image_message(picture, 'rgb8', 0, '')
    for name, value in changes.items():
        setattr(message, name, value)
    return message


UNUSABLE = {
    'size': (lambda p: p[:-8], '64x40, its calibration is for 64x48'),
    'encoding': (lambda p: other(p, encoding='64FC2'), "encoding '64FC2' is not known"),
    'short': (lambda p: other(p, height=1 << 20), 'bytes of data, found'),
    'absurd': (lambda p: other(p, height=(1 << 32) - 1, width=1 << 31), 'empty or absurd'),
    'empty': (lambda p: Image(encoding='rgb8'), 'empty or absurd'),
}


def test_images_that_cannot_be_used_cost_their_camera_only(
    scene, surround, listener, stage
) -> None:
    node = surround(**stage.parameters)
    last = listener.diagnostics()
    others = [name for name in SIX if name != 'b']
    picture = stage.picture('b')
    for make, words in UNUSABLE.values():
        stage.pictures['b'] = make(picture)
        stage.play_until(stage.comes(*others), f'clouds without the camera ({words})')
        stage.play_until(
            lambda words=words: told(last(), words) and told(last(3), words), f'a warning: {words}'
        )
        stage.pictures.clear()
        stage.play_until(stage.comes(*SIX), f'whole clouds after {words}')
        stage.play_until(lambda: last()[:2] == (OK, 'running'), 'nothing to complain of')
    assert 'Traceback' not in node.log
    said = ' '.join(node.lines('ERROR'))
    assert UNUSABLE['size'][1] in said


def test_a_change_of_encoding_changes_nothing_in_the_cloud(surround, listener, stage) -> None:
    surround(**stage.parameters)
    picture = stage.picture('a')
    same = {'bgr8': picture[..., ::-1], 'rgba8': np.dstack([picture, picture[..., 0]])}
    for encoding, pixels in same.items():
        stage.play_until(stage.comes(*SIX), 'a whole cloud')
        stage.pictures['a'] = image_message(pixels, encoding, 0, '')
        stage.play_until(stage.comes(*SIX), f'the same whole cloud of {encoding}')
