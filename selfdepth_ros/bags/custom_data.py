# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Texts that a writer left in a bag's metadata.yaml, beside the messages."""

from __future__ import annotations

from pathlib import Path

import yaml


def custom_data(path: str | Path) -> dict[str, str]:
    """Return the custom data of a finished bag by key; nothing for what is none."""
    try:
        tree = yaml.safe_load((Path(path) / 'metadata.yaml').read_text(encoding='utf-8'))
        found = tree['rosbag2_bagfile_information'].get('custom_data') or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError, AttributeError):
        return {}
    return {str(key): str(value) for key, value in found.items()}
