# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How well `selfdepth calibrate` finds errors planted into the rig of a synthetic street."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from selfdepth_ros.cli.calibrate_table import describe_refined
from selfdepth_ros.core import so3
from selfdepth_ros.core.rig import Rig
from selfdepth_ros.core.se3 import SE3
from selfdepth_training.config import load_recipe
from selfdepth_training.data.cache import build_cache, with_rig
from selfdepth_training.extrinsics import refine
from selfdepth_training.extrinsics.bundle import correction
from selfdepth_training.masks import with_self_occlusion


def planted(rig: Rig, deg: float, cm: float, only: list[int], seed: int) -> Rig:
    """The rig with cameras turned and shifted by so much, each about an axis of chance."""
    rng, poses = np.random.default_rng(seed), []
    for index, entry in enumerate(rig.cameras):
        turn, shift = rng.normal(size=(2, 3))
        wrong = not only or index in only
        turn *= wrong * np.radians(deg) / np.linalg.norm(turn)
        shift *= wrong * cm / 100 / np.linalg.norm(shift)
        pose = entry.body_from_camera
        rotation, place = so3.exp(turn) @ pose.rotation, pose.translation + shift
        poses.append(SE3.from_rotation_translation(rotation, place).matrix)
    return rig.with_poses(SE3(np.stack(poses)))


def main() -> None:
    """Plant, correct, and print what is left, of each camera and without what all share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('bags', nargs='+', type=Path, help='bags of `selfdepth synth`')
    parser.add_argument('--deg', type=float, default=2.0)
    parser.add_argument('--cm', type=float, default=3.0)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--only', type=int, nargs='*', default=[], help='cameras, by number')
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        config = load_recipe('fsm')
        size = config.data.width, config.data.height
        caches = [build_cache(bag, folder, *size) for bag in args.bags]
        true = with_self_occlusion(caches[0].rig, caches[0])
        wrong = planted(true, args.deg, args.cm, args.only, args.seed)
        found = refine([with_rig(cache, wrong) for cache in caches], wrong, config)
    print(describe_refined(found, true.names))
    left = correction(true.body_from_cameras(), found.body_from_camera)
    for what, error in (('left', left), ('left beside the mean of all', left - left.mean(0))):
        turn = np.degrees(np.linalg.norm(error[:, :3], axis=1))
        shift = 100 * np.linalg.norm(error[:, 3:], axis=1)
        print(f'{what}: {turn.round(3)} deg, {shift.round(2)} cm')


if __name__ == '__main__':
    main()
