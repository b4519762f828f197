# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Errors of the core. Each message says what was found, what was expected and what to do."""


class SelfdepthError(Exception):
    """Base of every error that this package raises on purpose."""


class GeometryError(SelfdepthError):
    """A pose or a trajectory that cannot be one."""


class CalibrationError(SelfdepthError):
    """A camera or a rig whose numbers cannot be right."""


class ConfigError(SelfdepthError):
    """A configuration with an unknown key, a wrong type or a value out of range."""


class ManifestError(SelfdepthError):
    """A model manifest that is unreadable or does not belong to its model."""
