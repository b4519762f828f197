# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a bag's cameras are: transforms that are none, and frames that two cameras share."""

from types import SimpleNamespace

import pytest

from selfdepth_ros.bags.checks import build_rig
from selfdepth_ros.bags.discovery import CameraTopics
from selfdepth_ros.bags.errors import BagError
from selfdepth_ros.bags.frames import FrameTree, Mounts
from selfdepth_ros.bags.reader import BagReader
from selfdepth_ros.core.errors import CalibrationError
from selfdepth_ros.messages import camera_info_fields


def test_an_invalid_transform_is_told_only_where_it_is_needed():
    def stamped(parent, child, w):
        turn, shift = (
            SimpleNamespace(x=0.0, y=0.0, z=0.0, w=w),
            SimpleNamespace(x=1.0, y=0.0, z=0.0),
        )
        return SimpleNamespace(
            header=SimpleNamespace(frame_id=parent), child_frame_id=child,
            transform=SimpleNamespace(translation=shift, rotation=turn),
        )  # fmt: skip

    tree = FrameTree()
    transforms = [stamped('base_link', 'arm', 0.0), stamped('base_link', '/mast', 1.0)]
    tree.add(SimpleNamespace(transforms=[*transforms, stamped('arm', 'camera', 1.0)]))
    assert tree.target_from_source('base_link', 'mast').translation[0] == 1.0
    for chains in (
        tree,
        tree.with_mounts(Mounts(), 'base_link', ['camera']),
        tree.with_moving([]),
    ):
        with pytest.raises(
            BagError, match=r"tf_static has one from 'arm' to 'base_link'.*\[0.0, 0"
        ):
            chains.target_from_source('base_link', 'camera')
    tree.add(SimpleNamespace(transforms=[stamped('base_link', 'arm', 1.0)]))
    assert tree.target_from_source('base_link', 'camera').translation[0] == 2.0


def test_a_right_camera_in_the_frame_of_the_left_one_has_no_place(record):
    rig = BagReader(record()).rig()
    front, left = rig.cameras[:2]
    infos = {}
    for item in (front, left):
        fields = camera_info_fields(item.camera)._asdict()
        infos[item.name] = SimpleNamespace(header=SimpleNamespace(frame_id='front'), **fields)
    tree = FrameTree()
    topics = tuple(CameraTopics(name, f'/{name}', name) for name in infos)
    tree._parents['front'] = 'base_link', front.body_from_camera
    assert len(build_rig(topics, 'base_link', tree, infos)) == 2
    fx = infos[left.name].p[0]
    infos[left.name].p = (*infos[left.name].p[:3], -0.12 * fx, *infos[left.name].p[4:])
    with pytest.raises(CalibrationError, match='camera_left: P .* 0.120 m beside its frame'):
        build_rig(topics, 'base_link', tree, infos)
