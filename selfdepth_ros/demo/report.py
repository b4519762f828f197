# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The results of the demonstration: figures, pictures, and what they should be."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from selfdepth_ros.core.config_fields import is_number
from selfdepth_ros.core.files import write_file
from selfdepth_ros.core.frames import PointCloud
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.demo.scores import DepthError, GhostCount, depth_error, pixels_in_cloud
from selfdepth_ros.ply import write_ply
from selfdepth_ros.synthetic.truth import Truth
from selfdepth_ros.viz import (
    draw_cloud_birdseye,
    draw_cloud_perspective,
    draw_depth_panels,
    save_png,
)

GOALS = {
    'rate_hz': ('>=', 9.95),  # the rig plays at 10 Hz
    'outside_network_median_ms': ('<=', 10.0),
    'first_cloud_s': ('<=', 3.0),
    'sky_in_cloud': ('<=', 0.01),
    'robot_in_cloud': ('<=', 0.01),
}
_STAGES = ('waiting', 'decode', 'preprocess', 'infer', 'motion', 'fuse', 'pack', 'publish')


@dataclass(frozen=True)
class Comparison:
    """Depth images and clouds beside the truth."""

    error: DepthError | None
    ghosts: GhostCount
    images: int
    clouds: int
    traced: float
    """Share of the points that lie on the ray of a pixel, as all should."""


def compare(
    depths: dict[tuple[str, int], Any], clouds: Sequence[PointCloud], rig: Rig, truth: Truth
) -> Comparison:
    """Compare with the truth; `rig` is the one at the size of the depth images."""
    pairs = []
    for (name, stamp), depth in depths.items():
        frame = truth.frame(stamp)
        if frame is not None:
            pairs.append((depth, truth.depth(frame, rig.index(name), depth.shape[::-1])))
    ghosts, compared, points, traced = GhostCount(), 0, 0, 0
    for cloud in clouds:
        frame = truth.frame(cloud.stamp_ns)
        if frame is None:
            continue
        compared += 1
        points += len(cloud)
        for index, mask in enumerate(
            pixels_in_cloud(cloud, rig, truth.now_from_then(cloud.stamp_ns))
        ):
            ghosts.add(mask, truth.depth(frame, index, mask.shape[::-1]))
            traced += int(mask.sum())
    return Comparison(depth_error(pairs), ghosts, len(pairs), compared, traced / max(1, points))


def draw(
    out: Path,
    cloud: PointCloud,
    depths: dict[tuple[str, int], Any],
    rig: Rig,
    truth: Truth,
) -> None:
    """Write cloud.ply, cloud.png and depth_panels.png."""
    write_ply(out / 'cloud.ply', cloud)
    perspective = draw_cloud_perspective(cloud)
    above = draw_cloud_birdseye(cloud, size=perspective.shape[0])
    save_png(out / 'cloud.png', np.concatenate([perspective, above], axis=1))
    newest = {name: max((s for n, s in depths if n == name), default=None) for name in rig.names}
    shown = [(name, stamp) for name, stamp in newest.items() if stamp is not None]
    frames = [truth.frame(stamp) for _, stamp in shown]
    if not shown or None in frames:
        return
    maps = [depths[key] for key in shown]
    places = [(frame, rig.index(name)) for frame, (name, _) in zip(frames, shown, strict=True)]
    images = [truth.image(frame, camera) for frame, camera in places]
    truths = [
        truth.depth(frame, camera, depth.shape[::-1])
        for (frame, camera), depth in zip(places, maps, strict=True)
    ]
    names = [name for name, _ in shown]
    save_png(out / 'depth_panels.png', draw_depth_panels(images, maps, truths, names))


def summarize(figures: dict[str, str], comparison: Comparison, **facts: Any) -> dict[str, Any]:
    """Return everything measured, as it goes into summary.json."""
    numbers = {name: float(text) for name, text in figures.items() if is_number(text)}
    error, ghosts = comparison.error, comparison.ghosts
    return {
        **facts,
        **numbers,
        'cameras_missing': figures.get('cameras_missing', '').split(),
        'abs_rel': None if error is None else round(error.abs_rel, 4),
        'delta1': None if error is None else round(error.delta1, 4),
        'depth_images_compared': comparison.images,
        'clouds_compared': comparison.clouds,
        'points_traced': round(comparison.traced, 4),
        'sky_in_cloud': round(ghosts.sky_share, 5),
        'robot_in_cloud': round(ghosts.robot_share, 5),
    }


def save(out: Path, summary: dict[str, Any]) -> None:
    """Write summary.json."""
    write_file(out / 'summary.json', json.dumps(summary, indent=2) + '\n')


def describe(summary: dict[str, Any]) -> str:
    """Return the figures as lines to read."""

    def ms(name: str) -> str:
        return f'{summary.get(name, float("nan")):.1f}'

    stages = ', '.join(f'{stage} {ms(f"{stage}_median_ms")}' for stage in _STAGES)
    lines = [
        f'first cloud         {summary["first_cloud_s"]:.1f} s after the start of the node'
        f'{_verdict(summary, "first_cloud_s")}',
        f'rate                {summary.get("rate_hz", 0):.1f} Hz{_verdict(summary, "rate_hz")}, '
        f'{summary.get("points", 0):.0f} points a cloud',
        f'stamp to publish    {ms("latency_median_ms")} ms median, {ms("latency_p95_ms")} ms p95',
        f'outside the network {ms("outside_network_median_ms")} ms median, '
        f'{ms("outside_network_p95_ms")} ms p95{_verdict(summary, "outside_network_median_ms")}',
        f'  stages, ms        {stages}',
    ]
    if summary['abs_rel'] is not None:
        lines.append(
            f'error               abs_rel {summary["abs_rel"]:.3f}, delta1 '
            f'{summary["delta1"]:.3f} (metric, 1-60 m, {summary["depth_images_compared"]} images)'
        )
    lines += [
        f'sky in the cloud    {summary["sky_in_cloud"]:.2%} of true-sky pixels'
        f'{_verdict(summary, "sky_in_cloud")}',
        f'robot in the cloud  {summary["robot_in_cloud"]:.2%} of self-occluded pixels'
        f'{_verdict(summary, "robot_in_cloud")}',
    ]
    return '\n'.join(lines)


def _verdict(summary: dict[str, Any], name: str) -> str:
    sign, goal = GOALS[name]
    value = summary.get(name)
    if value is None:
        return ''
    met = value >= goal if sign == '>=' else value <= goal
    shown = f'{goal:.0%}' if goal < 1 else f'{goal:g}'
    return f' (goal {sign} {shown}: {"met" if met else "missed"})'
