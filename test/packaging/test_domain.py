# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two runs on one machine never meet in one ROS domain."""

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from selfdepth_ros.demo.domain import DOMAINS, HeldDomain, hold_free_domain
from selfdepth_ros.demo.errors import DemoError

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from selfdepth_ros.demo.domain import hold_free_domain
held = hold_free_domain()
print(held.number, flush=True)
sys.stdin.read()
"""


def test_domains_held_at_the_same_time_are_different() -> None:
    with closing(hold_free_domain()) as one, closing(hold_free_domain()) as other:
        assert one.number in DOMAINS and other.number in DOMAINS
        assert one.number != other.number
        assert str(one.number) != os.environ['ROS_DOMAIN_ID']  # this test run has its own


def test_another_process_holds_its_domain_until_it_ends_even_when_killed() -> None:
    with subprocess.Popen(
        [sys.executable, '-c', HOLD], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        number = int(process.stdout.readline())
        with pytest.raises(DemoError, match=f'ROS domain {number}: wait'):
            HeldDomain(number)
        process.kill()
        process.wait()
    HeldDomain(number).close()


def test_a_domain_somebody_talks_in_is_passed_over() -> None:
    with closing(hold_free_domain()) as free:
        number = free.number
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as participant:
        participant.bind(('', 7400 + 250 * number + 10))  # DDS-RTPS 9.6.1.1
        with pytest.raises(DemoError, match='every ROS domain'):
            hold_free_domain([number])
        HeldDomain(number).close()  # but whoever asks for it by its number gets it
    hold_free_domain([number]).close()


@pytest.mark.parametrize('number', [-1, 100, 5000])
def test_what_is_no_domain_is_refused(number) -> None:
    with pytest.raises(DemoError, match=f'found ROS domain {number}'):
        HeldDomain(number)
