# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""`model.yaml` beside `model.onnx`: what the network takes and gives, and how it was trained."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from selfdepth_ros.core import strict_yaml
from selfdepth_ros.core.config import config_from_dict, knob, to_dict
from selfdepth_ros.core.depth import DepthLimit
from selfdepth_ros.core.errors import ConfigError, ManifestError
from selfdepth_ros.core.files import write_file

FORMAT_VERSION = 1
_HEADING = """\
What the network in the .onnx file beside this one takes, gives and was trained on.
Written by the exporter; the runtime refuses a file whose SHA-256 differs."""


@dataclass(frozen=True)
class Manifest:
    """Everything the runtime must know of a model that its ONNX file cannot say.

    Raises ManifestError for a format this version does not read or an empty depth range.
    """

    name: str
    """What the model is called."""
    width: int = knob(unit='px', low=1)
    """Width of the images the network takes."""
    height: int = knob(unit='px', low=1)
    """Height of the images the network takes."""
    depth_kind: Literal['z_depth', 'ray_distance']  # type: ignore[misc]  # knob has no default
    """What the output measures: depth along the optical axis, or distance along the ray."""
    min_depth_m: float = knob(unit='m', low=0.0)
    """The smallest depth the network can say, for a camera of `focal_px`."""
    max_depth_m: float = knob(unit='m', low=0.0)
    """The largest depth the network can say, for a camera of `focal_px`; there it may mean sky."""
    cameras: tuple[str, ...]  # type: ignore[misc]
    """Names of the cameras it was trained on, in order."""
    focal_px: float = knob(0.0, unit='px', low=0.0)
    """Focal length, at the network's size, that the two depths are for: those of other cameras
    are in proportion to theirs. 0: the two are for all cameras."""
    has_confidence: bool = False
    """Whether there is a second output: probability of less than 25 % error."""
    description: str = ''
    """What the model is good for, in a sentence."""
    limits: str = ''
    """What it was never shown and should not be trusted with."""
    onnx_sha256: str = ''
    """SHA-256 of the ONNX file, in hexadecimal."""
    precision: Literal['fp32', 'fp16', 'int8'] = 'fp32'
    """What the network computes in; its inverse-depth head stays at fp32."""
    parent_sha256: str = ''
    """SHA-256 of the fp32 ONNX file that this variant was made of; empty for that file itself."""
    training: dict[str, Any] = field(default_factory=dict)
    """How it came to be: command, seeds, bags, steps, minutes, metrics."""
    format_version: int = FORMAT_VERSION
    """Version of this file's format."""

    def __post_init__(self) -> None:
        if self.format_version != FORMAT_VERSION:
            raise ManifestError(
                f'format_version: found {self.format_version}, expected {FORMAT_VERSION}. '
                'Export the model again, or use the version of the package that wrote it.'
            )
        if not 0 < self.min_depth_m < self.max_depth_m:
            raise ManifestError(
                f'min_depth_m, max_depth_m: found {self.min_depth_m} and {self.max_depth_m}, '
                'expected 0 < min_depth_m < max_depth_m.'
            )

    @property
    def depth_limit(self) -> DepthLimit:
        """The largest depth, for each focal length."""
        return DepthLimit(self.max_depth_m, self.focal_px)

    @classmethod
    def load(cls, path: Path | str) -> 'Manifest':
        """Read model.yaml; ManifestError names the file and the key."""
        return _from_dict(strict_yaml.read(path, ManifestError, 'a model manifest'), str(path))

    def save(self, path: Path | str) -> None:
        """Write model.yaml."""
        write_file(path, strict_yaml.dump(to_dict(self), _HEADING))

    @classmethod
    def from_json(cls, text: str) -> 'Manifest':
        """Read the manifest embedded in a model's metadata."""
        try:
            values = json.loads(text)
        except ValueError as cause:
            raise ManifestError(f'embedded manifest: is not JSON: {cause}') from cause
        if not isinstance(values, dict):
            raise ManifestError(f'embedded manifest: found {values!r}, expected a JSON object.')
        return _from_dict(values, 'embedded manifest')

    def to_json(self) -> str:
        """Return the manifest for embedding in a model's metadata."""
        return json.dumps(to_dict(self))

    def check_file(self, onnx_path: Path | str) -> None:
        """Raise ManifestError unless this manifest was written for exactly this file."""
        found = file_sha256(onnx_path)
        if found != self.onnx_sha256:
            raise ManifestError(
                f'{onnx_path}: found SHA-256 {found[:12]}..., expected '
                f'{self.onnx_sha256[:12] or "none recorded"}... from the manifest of '
                f'{self.name!r}. Model and manifest are not of one export: copy both again.'
            )


def _from_dict(values: Mapping[str, Any], source: str) -> Manifest:
    try:
        return config_from_dict(Manifest, values)
    except (ConfigError, ManifestError) as cause:
        raise ManifestError(f'{source}: {cause}') from cause


def file_sha256(path: Path | str) -> str:
    """SHA-256 of a file, in hexadecimal; ManifestError when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with Path(path).open('rb') as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as cause:
        raise ManifestError(f'{path}: the model cannot be read ({cause}).') from cause
    return digest.hexdigest()
