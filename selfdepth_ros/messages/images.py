# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/Image and CompressedImage <-> arrays.

Common encodings are a NumPy view plus one cv2 conversion, so that cv_bridge (whose binaries from
apt need NumPy 1) is only asked, lazily, for encodings outside the table.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from selfdepth_ros.messages.errors import MessageError

MAX_PIXELS = 1 << 28
"""Larger images are refused: such a size is a damaged header, not a camera."""
_PNG, _JPEG = b'\x89PNG\r\n\x1a\n', b'\xff\xd8'
_ENDS = {_JPEG: ('JPEG', b'\xff\xd9'), _PNG: ('PNG', b'IEND\xaeB`\x82')}
_NO_FRAME = (0xC4, 0xC8, 0xCC)
"""Markers among those of JPEG's frame headers that are none (T.81, table B.1)."""
_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
"""By how much both sides are divided while a JPEG is decoded -> flag."""
_PIXELS_PER_BYTE = 1032 * 8
"""What a byte of a PNG can hold at most (deflate, one bit a pixel); of a JPEG it is far less."""


class _Layout(NamedTuple):
    """How one encoding lies in memory, and the cv2 code that makes it RGB (None: already)."""

    dtype: str
    channels: int
    to_rgb: int | None


# cv2 names a Bayer pattern by the second row's second and third pixel, ROS by the first row's
# first two: ROS rggb is cv2 BG, and so on.
_BAYER = {
    'rggb': cv2.COLOR_BayerBG2RGB,
    'bggr': cv2.COLOR_BayerRG2RGB,
    'gbrg': cv2.COLOR_BayerGR2RGB,
    'grbg': cv2.COLOR_BayerGB2RGB,
}
_LAYOUTS: dict[str, _Layout] = {
    'rgb8': _Layout('u1', 3, None),
    'bgr8': _Layout('u1', 3, cv2.COLOR_BGR2RGB),
    'rgba8': _Layout('u1', 4, cv2.COLOR_RGBA2RGB),
    'bgra8': _Layout('u1', 4, cv2.COLOR_BGRA2RGB),
    'mono8': _Layout('u1', 1, cv2.COLOR_GRAY2RGB),
    'mono16': _Layout('u2', 1, cv2.COLOR_GRAY2RGB),
    'rgb16': _Layout('u2', 3, None),
    'bgr16': _Layout('u2', 3, cv2.COLOR_BGR2RGB),
    '8UC1': _Layout('u1', 1, cv2.COLOR_GRAY2RGB),
    '8UC3': _Layout('u1', 3, cv2.COLOR_BGR2RGB),
    '8UC4': _Layout('u1', 4, cv2.COLOR_BGRA2RGB),
    'yuv422': _Layout('u1', 2, cv2.COLOR_YUV2RGB_UYVY),
    'uyvy': _Layout('u1', 2, cv2.COLOR_YUV2RGB_UYVY),
    'yuv422_yuy2': _Layout('u1', 2, cv2.COLOR_YUV2RGB_YUYV),
    'yuyv': _Layout('u1', 2, cv2.COLOR_YUV2RGB_YUYV),
    **{f'bayer_{name}8': _Layout('u1', 1, code) for name, code in _BAYER.items()},
    **{f'bayer_{name}16': _Layout('u2', 1, code) for name, code in _BAYER.items()},
}
_DEPTH_LAYOUTS: dict[str, _Layout] = {
    '32FC1': _Layout('f4', 1, None),
    '16UC1': _Layout('u2', 1, None),
    'mono16': _Layout('u2', 1, None),
}


class ImageFields(NamedTuple):
    """The fields of a sensor_msgs/Image apart from its header; `data` is flat uint8."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: NDArray[np.uint8]


class Picture(NamedTuple):
    """A decoded image."""

    pixels: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    reduced: int = 1
    """By how much both sides of the image in the message were divided."""


def decode_image(msg: Any) -> NDArray[np.uint8]:
    """Return the picture in an Image or a CompressedImage as uint8 (H, W, 3) RGB.

    The array may be a read-only view of the message's own bytes. 16-bit images keep their high
    byte. Raises MessageError when sizes do not agree with the data or the encoding is unknown.
    """
    return decode_at_least(msg).pixels


def decode_at_least(msg: Any, size: tuple[int, int] | None = None) -> Picture:
    """Decode as `decode_image`, a JPEG at a half, a quarter or an eighth where that will do.

    The picture then has still `size` (height, width) at least; what is left out costs no time.
    """
    if hasattr(msg, 'format'):
        return _decode_compressed(msg, size)
    return Picture(_decode_raw(msg))


def _decode_raw(msg: Any) -> NDArray[np.uint8]:
    layout = _LAYOUTS.get(msg.encoding)
    if layout is None:
        return _ask_cv_bridge(msg)
    pixels = _view(msg, layout)
    if pixels.dtype.itemsize == 2:
        pixels = (pixels >> 8).astype(np.uint8)
    if layout.channels == 2 and msg.width % 2:
        raise MessageError(f'{msg.encoding} image of odd width {msg.width}: expected pixel pairs')
    return pixels if layout.to_rgb is None else cv2.cvtColor(pixels, layout.to_rgb)


def decode_depth(msg: Any) -> NDArray[np.float32]:
    """Return a REP-118 depth image as float32 (H, W) metres along z.

    32FC1 is taken as it is (NaN: unknown, +inf: beyond range); 16UC1 is millimetres, 0 -> NaN.
    """
    layout = _DEPTH_LAYOUTS.get(getattr(msg, 'encoding', ''))
    if layout is None:
        raise MessageError(
            f'depth image with encoding {getattr(msg, "encoding", None)!r}: '
            f'expected one of {", ".join(_DEPTH_LAYOUTS)} (REP 118)'
        )
    pixels = _view(msg, layout)
    if layout.dtype == 'f4':
        return pixels.astype(np.float32, copy=False)
    return np.where(pixels == 0, np.float32(np.nan), pixels / np.float32(1000))


def image_fields(array: NDArray[Any], encoding: str) -> ImageFields:
    """Return the Image fields for an array (H, W) or (H, W, channels); little-endian.

    Raises MessageError when it is empty, or its type or channels are not those of `encoding`.
    """
    layout = _LAYOUTS.get(encoding) or _DEPTH_LAYOUTS.get(encoding)
    channels = 1 if array.ndim == 2 else array.shape[-1]
    kind = None if layout is None else (np.dtype(layout.dtype), layout.channels)
    if array.ndim not in (2, 3) or not array.size or kind != (array.dtype, channels):
        raise MessageError(
            f'array of {array.dtype} {array.shape} does not fit the encoding {encoding!r}'
        )
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder('<'))
    height, width = array.shape[:2]
    data = little.reshape(-1).view(np.uint8)
    return ImageFields(height, width, encoding, 0, data.size // height, data)


def _view(msg: Any, layout: _Layout) -> NDArray[Any]:
    """Return the pixels (H, W) or (H, W, channels) without copying, row padding cut off."""
    height, width, step = int(msg.height), int(msg.width), int(msg.step)
    dtype = np.dtype(layout.dtype).newbyteorder('>' if msg.is_bigendian else '<')
    row = width * layout.channels * dtype.itemsize
    size = f'{msg.encoding} image of {width}x{height}, step {step}'
    if height <= 0 or width <= 0 or height * width > MAX_PIXELS:
        raise MessageError(f'{size}: the size is empty or absurd; check the camera driver')
    data = np.frombuffer(msg.data, np.uint8)
    if step < row:
        raise MessageError(f'{size}: expected a step of at least {row} bytes')
    if data.size != height * step:
        raise MessageError(f'{size}: expected {height * step} bytes of data, found {data.size}')
    rows = data.reshape(height, step)[:, :row]
    if dtype.itemsize > 1:
        rows = np.ascontiguousarray(rows).view(dtype)
    return rows if layout.channels == 1 else rows.reshape(height, width, layout.channels)


def _decode_compressed(msg: Any, least: tuple[int, int] | None) -> Picture:
    """Decode JPEG, PNG or whatever cv2 reads; a compressed Bayer mosaic is demosaiced."""
    data = np.frombuffer(msg.data, np.uint8)
    content = data.tobytes()
    _check_header(content)
    source = msg.format.split(';')[0].strip()
    mosaic = _LAYOUTS[source] if source.startswith('bayer_') and source in _LAYOUTS else None
    times = _reduction(content, least) if least and not mosaic else 1
    flags = cv2.IMREAD_UNCHANGED if mosaic else _REDUCED[times] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(data, flags) if data.size else None
    except cv2.error:
        pixels = None
    if pixels is None:
        raise MessageError(
            f'compressed image (format {msg.format!r}, {data.size} bytes) cannot be decoded: '
            'expected JPEG or PNG data; the message is damaged or uses another codec'
        )
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.ndim == 2:
        return Picture(cv2.cvtColor(pixels, mosaic.to_rgb if mosaic else cv2.COLOR_GRAY2RGB))
    return Picture(cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2RGB), times)


def _reduction(data: bytes, least: tuple[int, int]) -> int:
    """By how much both sides of a JPEG may be divided, without a rest, for it to stay so large."""
    size = _size_in_header(data) if data.startswith(_JPEG) else (0, 0)
    for times in sorted(_REDUCED, reverse=True):
        if all(n % times == 0 and n // times >= m for n, m in zip(size, least, strict=True)):
            return times
    return 1


def _check_header(data: bytes) -> None:
    """Refuse what would cost memory, or become half a picture: cv2 4 takes a cut JPEG."""
    height, width = _size_in_header(data)
    if height * width > min(MAX_PIXELS, _PIXELS_PER_BYTE * len(data)):
        raise MessageError(
            f'compressed image whose header says {width}x{height} in {len(data)} bytes: the size '
            'is absurd; the message is damaged'
        )
    for begin, (name, end) in _ENDS.items():
        if data.startswith(begin) and end not in data:
            raise MessageError(
                f'{name} of {len(data)} bytes without its end: it was cut off on the way; '
                'expected the whole image'
            )


def encoded_size(data: bytes) -> tuple[int, int]:
    """Return height and width of a whole JPEG or PNG, from its header; nothing is decoded.

    Raises MessageError for what is neither, or was cut off.
    """
    _check_header(data)
    height, width = _size_in_header(data)
    if not height * width:
        raise MessageError(f'{len(data)} bytes that are no image: expected a JPEG or a PNG')
    return height, width


def _size_in_header(data: bytes) -> tuple[int, int]:
    """Height and width that a PNG or a JPEG says it has; (0, 0) for what is neither."""
    if data.startswith(_PNG):
        return int.from_bytes(data[20:24], 'big'), int.from_bytes(data[16:20], 'big')
    at = 2 if data.startswith(_JPEG) else len(data)
    while data[at : at + 1] == b'\xff' and at + 9 <= len(data):
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            height, width = data[at + 5 : at + 7], data[at + 7 : at + 9]
            return int.from_bytes(height, 'big'), int.from_bytes(width, 'big')
        # A fill byte, or a segment and its length.
        at += 1 if marker == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], 'big')
    return 0, 0


def _ask_cv_bridge(msg: Any) -> NDArray[np.uint8]:
    """Let cv_bridge convert an encoding that is not in the table; only ROS installs have it."""
    try:
        from cv_bridge import CvBridge  # needed by rare encodings only
    except ImportError:
        raise MessageError(
            f'image encoding {msg.encoding!r} is not known: expected one of '
            f'{", ".join(sorted(_LAYOUTS))}, or an installed cv_bridge for others'
        ) from None
    try:
        return np.asarray(CvBridge().imgmsg_to_cv2(msg, 'rgb8'), dtype=np.uint8)
    except Exception as error:  # cv_bridge raises its own types, TypeError and cv2.error
        raise MessageError(
            f'cv_bridge cannot convert encoding {msg.encoding!r}: {error}'
        ) from error
