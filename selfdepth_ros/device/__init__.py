# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images and clouds in the memory of a device, with torch: only finished clouds leave it.

For engines whose depths lie there (`inference.DeviceEngine`). Loaded by nothing else.
"""

from selfdepth_ros.device.fusion import DeviceFusion
from selfdepth_ros.device.place import DevicePlace

__all__ = ['DeviceFusion', 'DevicePlace']
