# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What networks are shown of frames in which cameras are absent.

An absent camera's image is black. No loss looks at it, but batch normalization would: a robot's
images would then be normalized by statistics that black ones have moved.
"""

from collections.abc import Callable

from jaxtyping import Bool, Float
from torch import Tensor


def of_present(
    network: Callable[[Tensor], list[Tensor]],
    images: Float[Tensor, 'n k h w'],
    present: Bool[Tensor, ' n'] | None,
) -> list[Float[Tensor, 'n _ _ _']]:
    """Answers for the images that are present, and zeros for the others, which are not shown.

    Where all are present, where none is, and for None, all are shown as they are.
    """
    if present is None or present.all() or not present.any():
        return network(images)
    places = (present,)
    return [
        each.new_zeros((len(images), *each.shape[1:])).index_put(places, each)
        for each in network(images[present])
    ]
