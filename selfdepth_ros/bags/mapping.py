# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a mapping file says, as plain values for what opens the same recording again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from selfdepth_ros.bags.discovery import BagTopics, CameraTopics, load_mapping

GivenTopics = str | Path | BagTopics | None
"""A mapping file, or its content; None: topics are found by their names."""


def topics_of(mapping: GivenTopics) -> BagTopics | None:
    """Return the content of a mapping file, where it is not read yet; BagError if it is none."""
    return load_mapping(mapping) if isinstance(mapping, str | Path) else mapping


def topics_to_dict(topics: BagTopics | None) -> dict[str, Any] | None:
    """Return plain values, for JSON and checkpoints."""
    return None if topics is None else asdict(topics)


def topics_from_dict(plain: Mapping[str, Any] | None) -> BagTopics | None:
    """Return the topics of plain values."""
    if plain is None:
        return None
    # JSON has no tuples.
    values = {key: tuple(v) if isinstance(v, list) else v for key, v in plain.items()}
    cameras = tuple(CameraTopics(**camera) for camera in plain['cameras'])
    return BagTopics(**{**values, 'cameras': cameras})
