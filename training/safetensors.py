# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Weights in the safetensors format: a length, a JSON header, and numbers; no code, no package.

Format: https://huggingface.co/docs/safetensors (8 bytes little endian, then the header with dtype,
shape and the place of each tensor in what follows).
"""

import json
import math
from pathlib import Path

import torch
from torch import Tensor

LARGEST_HEADER = 100_000_000
DTYPES = {
    'F64': torch.float64, 'F32': torch.float32, 'F16': torch.float16, 'BF16': torch.bfloat16,
    'I64': torch.int64, 'I32': torch.int32, 'I16': torch.int16, 'I8': torch.int8,
    'U8': torch.uint8, 'BOOL': torch.bool,
}  # fmt: skip


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors; ValueError or OSError says what is wrong with the file."""
    content = bytearray(path.read_bytes())
    length = int.from_bytes(content[:8], 'little')
    if len(content) < 8 or length > min(LARGEST_HEADER, len(content) - 8):
        raise ValueError(f'a header of {length} bytes in a file of {len(content)}')
    header = json.loads(content[8 : 8 + length])
    if not isinstance(header, dict):
        raise ValueError('a header that is no JSON object')
    header.pop('__metadata__', None)
    return {name: _tensor(name, entry, content, 8 + length) for name, entry in header.items()}


def _tensor(name: str, entry: dict, content: bytearray, origin: int) -> Tensor:
    try:
        dtype, shape = DTYPES[entry['dtype']], [int(side) for side in entry['shape']]
        begin, end = (int(place) for place in entry['data_offsets'])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{name} with a broken entry ({error!r})') from error
    count = math.prod(shape)
    inside = 0 <= begin <= end <= len(content) - origin
    if not inside or min(shape, default=0) < 0 or count * dtype.itemsize != end - begin:
        raise ValueError(f'{name} of {shape} at {begin} to {end}, which does not fit')
    if not count:
        return torch.empty(shape, dtype=dtype)
    # A copy, since not all places are multiples of the number's size.
    return torch.frombuffer(content[origin + begin : origin + end], dtype=dtype).reshape(shape)
