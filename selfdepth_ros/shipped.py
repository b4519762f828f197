# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The model that comes with the package, and the street that the demonstration shows it."""

from importlib import resources
from pathlib import Path

from selfdepth_ros.core.rig import Rig, load_rig

DEMO_SEED = 4242
"""The demo's world; no training bag is made of it (a test holds that)."""


def shipped(name: str) -> Path:
    """Path of a file of the shipped model: model.onnx, model.yaml or rig.yaml."""
    return Path(str(resources.files('selfdepth_ros').joinpath('models', 'street', name)))


def demo_rig(width: int, height: int) -> Rig:
    """Return the rig of the street world at a size, with the masks learned beside the model.

    Without the file of the package: the exact rig, which has no masks.
    """
    if shipped('rig.yaml').is_file():
        return load_rig(shipped('rig.yaml')).scaled(width, height)
    from selfdepth_ros.synthetic.rig import street_rig

    return street_rig(width, height)
