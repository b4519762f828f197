# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A bag of two coloured clouds with the images of one blue camera."""

from pathlib import Path

import pytest
from coloured import Recording


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """The recording as it usually is."""
    return Recording().write(tmp_path / 'recording')
