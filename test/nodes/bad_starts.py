# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A process that starts the node with each of the parameters that it is given, one after another.

As JSON, a list of mappings. In the log a line after each tells what `main` returned.
"""

import json
import sys
import traceback

from selfdepth_ros.nodes.surround_depth import main

for parameters in json.loads(sys.argv[1]):
    pairs = [part for item in parameters.items() for part in ('-p', '{}:={}'.format(*item))]
    try:
        status = main(['--ros-args', *pairs])
    except Exception:
        traceback.print_exc()
        status = 1
    print(f'-- ended with {status}', file=sys.stderr, flush=True)
