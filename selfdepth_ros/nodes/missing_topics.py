# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Warns once of what record.launch.py is to record and nobody publishes yet; started by it."""

import sys
from collections.abc import Sequence

from selfdepth_ros.bags.what_to_record import Wanted, what_is_missing
from selfdepth_ros.nodes import execution

NAME = 'selfdepth_missing_topics'
_DISCOVERY_S = 5.0
"""How long a graph may take to show all its topics."""


def main(args: Sequence[str]) -> int:
    """`args`: the fields of Wanted. Listens to the graph for some seconds."""
    try:
        with execution.listening(NAME) as (node, spin):
            spin(_DISCOVERY_S)
            kinds = {name: found[0] for name, found in node.get_topic_names_and_types()}
            for text in what_is_missing(Wanted(*args), kinds):
                node.get_logger().warning(f'not published yet: {text}')
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == '__main__':
    raise SystemExit(main(sys.argv[1:]))
