# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Self-supervised training of depth networks; imported as `selfdepth_training`."""

if __name__ != 'selfdepth_training':
    raise ImportError(
        f'this folder is the package selfdepth_training, found as {__name__!r}: a second copy of '
        'it must never be loaded; `pip install -e .` and then `import selfdepth_training`'
    )
