# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth networks behind one protocol; vendors are imported only by the engine that needs them."""

from selfdepth_ros.inference.engine import DepthEngine, DepthPrediction, DeviceEngine, EngineError
from selfdepth_ros.inference.load import load_engine

__all__ = ['DepthEngine', 'DepthPrediction', 'DeviceEngine', 'EngineError', 'load_engine']
