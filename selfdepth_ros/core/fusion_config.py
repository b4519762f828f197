# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What may become a point of the cloud."""

from dataclasses import dataclass

from selfdepth_ros.core.config_fields import knob
from selfdepth_ros.core.errors import ConfigError


@dataclass(frozen=True)
class FusionConfig:
    """What may become a point of the cloud."""

    min_range_m: float = knob(0.5, unit='m', low=0.0, high=1000.0)
    """Points nearer to their camera than this are dropped."""
    max_range_m: float = knob(60.0, unit='m', low=0.1, high=1000.0)
    """Points further from their camera than this are dropped; the sky is among them."""
    min_height_m: float = knob(-1000.0, unit='m', low=-1000.0, high=1000.0)
    """Points lower than this in the body frame are dropped."""
    max_height_m: float = knob(1000.0, unit='m', low=-1000.0, high=1000.0)
    """Points higher than this in the body frame are dropped."""
    margin_px: int = knob(1, unit='pixel', low=0, high=16)
    """Pixels this close to sky, out-of-range or the robot's own body are dropped."""
    sky_reach_px: int = knob(48, unit='pixel', low=0, high=1000)
    """How far the sky grows over pixels of its own colour that were put nearer; 0: not at all."""
    sky_step: int = knob(10, unit='grey level', low=0, high=255)
    """Largest change of colour, of two pixels, over which the sky goes on."""
    flying_slope: float = knob(0.08, unit='1/pixel', low=0.0, high=10.0)
    """Relative change of inverse depth per pixel from which a pixel may be flying; 0: keep all."""
    flying_bend: float = knob(0.02, unit='1/pixel^2', low=0.0, high=10.0)
    """Relative second difference of inverse depth that tells a blurred edge from a plane."""
    min_confidence: float = knob(0.0, low=0.0, high=1.0)
    """Pixels less certain than this are dropped, where the model has a confidence output."""
    overlap_check: bool = False
    """Drop points that a neighbouring camera sees through. Costs a projection per point."""
    overlap_tolerance: float = knob(0.25, low=0.0, high=10.0)
    """How much further, relatively, the neighbour must see before it is believed."""

    def __post_init__(self) -> None:
        for what in ('range', 'height'):
            low, high = getattr(self, f'min_{what}_m'), getattr(self, f'max_{what}_m')
            if not low < high:
                raise ConfigError(
                    f'found min_{what}_m {low} and max_{what}_m {high}, expected the first below '
                    'the second.'
                )

    @property
    def limits_heights(self) -> bool:
        """Whether heights are limited at all."""
        return self.min_height_m > -1000 or self.max_height_m < 1000
