# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A drive through the street that is played there and back again: rendered once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3, interpolate_poses
from selfdepth_ros.synthetic.recording import START_NS, Recorder, Recording
from selfdepth_ros.synthetic.rig import street_rig

_POSE_STEP_NS = 5_000_000
"""The drive is smooth: between poses 5 ms apart a line is exact to a tenth of a millimetre."""


@dataclass(frozen=True, eq=False)
class RenderedLoop:
    """Images as published (arrays, or JPEG bytes) and depth (f, c, h, w), metres, per frame."""

    rig: Rig
    images: list[list[NDArray[np.uint8]]]
    z_depths: NDArray[np.float32]
    fires_ns: NDArray[np.int64]
    """(f, c): when each image was taken, after its frame's time; none is negative."""
    period_ns: int
    odom_from_body: Callable[[Any], SE3]
    """Times (n,) in ns since the loop's first frame -> true poses (n, 4, 4)."""

    @property
    def spread_ns(self) -> int:
        """The longest time from a frame's time to one of its images."""
        return int(self.fires_ns.max())

    def direction(self, step: int) -> int:
        """Whether a step plays its frame forward (1), or on the way back (-1)."""
        count = len(self.images)
        return 1 if step % max(1, 2 * (count - 1)) < count else -1

    def delays_ns(self, step: int) -> NDArray[np.int64]:
        """When each camera fires (c,) after the step begins: on the way back in reverse order."""
        fires_ns = self.fires_ns[there_and_back(step, len(self.images))]
        return fires_ns if self.direction(step) > 0 else self.spread_ns - fires_ns

    def time_ns(self, elapsed_ns: int) -> int:
        """Place in the loop after playing for so long; it turns between two frames' images."""
        length_ns, turn_ns = (len(self.images) - 1) * self.period_ns, self.spread_ns // 2
        if not length_ns:
            return turn_ns
        phase_ns = (elapsed_ns - turn_ns) % (2 * length_ns)
        return turn_ns + min(phase_ns, 2 * length_ns - phase_ns)

    def poses_of_images(self) -> NDArray[np.float64]:
        """True odom_from_body (f, c, 4, 4) when each image was taken."""
        begins_ns = np.arange(len(self.images))[:, None] * self.period_ns
        times_ns = begins_ns + self.fires_ns
        return self.odom_from_body(times_ns.reshape(-1)).matrix.reshape(*times_ns.shape, 4, 4)


def there_and_back(step: int, count: int) -> int:
    """Index of a loop of `count` things after `step` steps: 0 1 2 3 2 1 0 1 ..."""
    place = step % max(1, 2 * (count - 1))
    return min(place, 2 * (count - 1) - place) if count > 1 else 0


def render_loop(
    recording: Recording,
    progress: Callable[[int], None],
    go_on: Callable[[], bool],
) -> RenderedLoop | None:
    """Render all frames, with their depths; None when `go_on` says no. Takes seconds.

    Raises SyntheticError.
    """
    from selfdepth_ros.synthetic.synth import odometry_poses  # it loads the writer of bags

    recording = replace(recording, depth_truth=True)
    recorder = Recorder(recording)
    images, depths, fires_ns = [], [], []
    for index in range(recording.frames):
        if not go_on():
            return None
        frame = recorder.frame(index)
        images.append(frame.images)
        depths.append(frame.z_depths)
        fires_ns.append(frame.stamps_ns - recording.base_ns(index))
        progress(index + 1)
    rig = street_rig(recording.width, recording.height, recording.distorted)
    first_ns = np.min(fires_ns)
    stamps_ns = np.arange(0, recording.base_ns(recording.frames), _POSE_STEP_NS)
    poses = odometry_poses(recording, stamps_ns)
    return RenderedLoop(
        with_masks(rig, np.isnan(depths[0])),
        images,
        np.stack(depths),
        np.stack(fires_ns) - first_ns,
        round(1e9 / recording.rate_hz),
        lambda at_ns: interpolate_poses(stamps_ns, poses, START_NS + first_ns + at_ns)[0],
    )


def with_masks(rig: Rig, masks: Any) -> Rig:
    """Return the rig with self-occlusion masks (c, h, w)."""
    cameras = (
        replace(item, self_occlusion=mask) for item, mask in zip(rig.cameras, masks, strict=True)
    )
    return replace(rig, cameras=tuple(cameras))
