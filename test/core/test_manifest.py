# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The manifest belongs to one file, survives its two forms, and refuses nonsense."""

import hashlib
import json
from dataclasses import replace

import pytest
import yaml

from selfdepth_ros.core.errors import ManifestError
from selfdepth_ros.core.manifest import Manifest

RECORD = {'command': 'train', 'seeds': [0, 1], 'minutes': 12.5, 'metrics': {'abs_rel': 1e-5}}
GOOD = Manifest(
    name='street', width=320, height=192, depth_kind='z_depth', min_depth_m=0.5, max_depth_m=80.0,
    cameras=('camera_front', 'camera_back'), has_confidence=True, limits='Daylight: "only".',
    training=RECORD,
)  # fmt: skip


def test_both_forms_give_back_what_went_in(tmp_path):
    GOOD.save(tmp_path / 'model.yaml')
    assert Manifest.load(tmp_path / 'model.yaml') == GOOD
    assert Manifest.from_json(GOOD.to_json()) == GOOD
    assert json.loads(GOOD.to_json())['training'] == RECORD


def test_depths_of_other_focal_lengths_are_in_proportion():
    assert GOOD.depth_limit.sky_m(70.0) == GOOD.depth_limit.sky_m(140.0) == 72.0
    assert replace(GOOD, focal_px=140.0).depth_limit.sky_m(70.0) == 36.0


def test_it_belongs_to_one_file(tmp_path):
    model = tmp_path / 'model.onnx'
    model.write_bytes(b'weights')
    own = replace(GOOD, onnx_sha256=hashlib.sha256(b'weights').hexdigest())
    own.check_file(model)
    model.write_bytes(b'other weights')
    with pytest.raises(ManifestError, match=r"model\.onnx: found SHA-256.*'street'"):
        own.check_file(model)
    with pytest.raises(ManifestError, match='none recorded'):
        GOOD.check_file(model)
    with pytest.raises(ManifestError, match='cannot be read'):
        own.check_file(tmp_path / 'missing.onnx')


@pytest.mark.parametrize(
    ('change', 'expected'),
    [
        ({'width': 0}, 'width: found 0'),
        ({'depth_kind': 'disparity'}, "depth_kind: found 'disparity'"),
        ({'max_depth_m': 0.1}, 'min_depth_m < max_depth_m'),
        ({'min_depth_m': 0}, '0 < min_depth_m'),
        ({'format_version': 2}, 'format_version: found 2, expected 1'),
        ({'focal_px': -1.0}, 'focal_px: found -1'),
        ({'cameras': 'front'}, 'cameras'),
        ({'wdith': 3}, "unknown key 'wdith', expected 'width'"),
    ],
)
def test_nonsense_is_refused_naming_file_and_key(tmp_path, change, expected):
    path = tmp_path / 'model.yaml'
    GOOD.save(path)
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | change))
    with pytest.raises(ManifestError) as caught:
        Manifest.load(path)
    assert 'model.yaml' in str(caught.value)
    assert expected in str(caught.value)


def test_text_that_is_no_manifest_is_refused(tmp_path):
    for text in ('{', '[]', '3'):
        with pytest.raises(ManifestError, match='embedded manifest'):
            Manifest.from_json(text)
    with pytest.raises(ManifestError, match='cannot be read as a model manifest'):
        Manifest.load(tmp_path / 'model.yaml')
