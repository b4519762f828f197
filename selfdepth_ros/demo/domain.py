# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A ROS domain that no other demo or test run on this machine uses, held until it is closed.

The holder keeps a TCP port bound that DDS leaves free in the ports of a domain (DDS-RTPS 9.6.1.1:
offsets 0, 1 and 10 to 249). The kernel gives it to one process, within the same network namespace
that DDS finds its participants in, and takes it back however that process ends.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

from selfdepth_ros.demo.errors import DemoError

DOMAINS = range(43, 100)
"""Below the ports that Linux gives away itself."""
_LOCK_OFFSET, _PARTICIPANT_OFFSET = 9, 10


class HeldDomain:
    """A ROS domain (`number`) of one's own, until close()."""

    def __init__(self, number: int) -> None:
        """Hold a domain. Raises DemoError when another run holds it, or when it is no domain."""
        if not 0 <= number <= DOMAINS[-1]:
            raise DemoError(f'found ROS domain {number}, expected one of 0 to {DOMAINS[-1]}')
        self.number = number
        self._lock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._lock.bind(('127.0.0.1', _port(number, _LOCK_OFFSET)))
        except OSError as error:
            self._lock.close()
            raise DemoError(
                f'another demo or test run uses ROS domain {number}: wait for its end, or choose '
                'another domain'
            ) from error

    def close(self) -> None:
        """Let others have it."""
        self._lock.close()


def hold_free_domain(domains: Iterable[int] = DOMAINS) -> HeldDomain:
    """Hold the first domain that no other run holds and that nobody on this machine talks in.

    Raises DemoError when there is none.
    """
    tried = []
    for number in domains:
        tried.append(number)
        try:
            held = HeldDomain(number)
        except DemoError:
            continue
        if not _has_participant(number):
            return held
        held.close()
    raise DemoError(f'every ROS domain of {tried} is in use on this machine')


def _has_participant(domain: int) -> bool:
    """Whether somebody has the port of a domain's first participant."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(('', _port(domain, _PARTICIPANT_OFFSET)))
        except OSError:
            return True
    return False


def _port(domain: int, offset: int) -> int:
    return 7400 + 250 * domain + offset
