# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the sweep puts under the ground stands on it."""

import pytest
import torch

from selfdepth_training.data.samples import SureDepth
from selfdepth_training.geometry import RigGeometry
from selfdepth_training.ground import standing_on_ground

FAR_M = 100.0
FRONT, ROWS, COLUMNS = 0, slice(28, 36), slice(34, 46)


@pytest.fixture(scope='module')
def geometry(street) -> RigGeometry:
    return RigGeometry.of(street.rig, 80, 48, 'z_depth', torch.device('cpu'))


@pytest.fixture
def seen(street, geometry) -> SureDepth:
    """The true depths of a frame, everywhere but on the robot."""
    depth = street.depth(10)[:, ::2, ::2].clamp(max=FAR_M)
    return SureDepth(depth, geometry.visible.clone())


def test_true_depths_stay_as_they_are(seen, geometry):
    found = standing_on_ground(seen, geometry)
    assert torch.equal(found.sure, seen.sure)
    assert torch.equal(found.depth[found.sure], seen.depth[seen.sure])


def test_traffic_that_keeps_its_distance_is_where_it_touches_the_road(seen, geometry):
    depth = seen.depth.clone()
    depth[FRONT, ROWS, COLUMNS] = FAR_M
    found = standing_on_ground(SureDepth(depth, seen.sure), geometry)
    contact = depth[FRONT, ROWS.stop, COLUMNS]
    assert contact.max() < 30
    assert torch.equal(found.depth[FRONT, ROWS, COLUMNS], contact.expand(8, -1))
    assert found.sure[FRONT, ROWS, COLUMNS].all()


def test_what_touches_nothing_is_not_believed(seen, geometry):
    depth, sure = seen.depth.clone(), seen.sure.clone()
    depth[FRONT, ROWS, COLUMNS] = FAR_M
    sure[FRONT, ROWS.stop :, COLUMNS] = False
    found = standing_on_ground(SureDepth(depth, sure), geometry)
    assert not found.sure[FRONT, ROWS, COLUMNS].any()


def test_nothing_seen_is_nothing_changed(seen, geometry):
    nothing = torch.zeros_like(seen.sure)
    found = standing_on_ground(SureDepth(seen.depth, nothing), geometry)
    assert not found.sure.any()
