# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images say what was put into them, and contradictions are refused before anything is read."""

import array
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfdepth_ros import messages as m
from selfdepth_ros.bags.factory import MessageFactory

MAKE = MessageFactory()
RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
GREY = RGB[..., 0]
GREY_RGB = np.repeat(GREY[..., None], 3, axis=2)


def image_msg(encoding, height, width, step, data, is_bigendian=0):
    """An Image that says what it is told to say."""
    return SimpleNamespace(
        encoding=encoding, height=height, width=width, step=step, data=data,
        is_bigendian=is_bigendian,
    )  # fmt: skip


@pytest.mark.parametrize(
    ('encoding', 'pixels', 'expected'),
    [
        ('rgb8', RGB, RGB),
        ('bgr8', RGB[..., ::-1], RGB),
        ('rgba8', np.dstack([RGB, GREY]), RGB),
        ('bgra8', np.dstack([RGB[..., ::-1], GREY]), RGB),
        ('mono8', GREY, GREY_RGB),
        ('8UC1', GREY, GREY_RGB),
        ('8UC3', RGB[..., ::-1], RGB),
        ('8UC4', np.dstack([RGB[..., ::-1], GREY]), RGB),
        ('mono16', GREY.astype(np.uint16) << 8, GREY_RGB),
        ('rgb16', RGB.astype(np.uint16) << 8, RGB),
        ('bgr16', RGB[..., ::-1].astype(np.uint16) << 8, RGB),
    ],
)
def test_decode_image_returns_what_was_encoded(encoding, pixels, expected):
    msg = MAKE.image(0, 'camera', np.ascontiguousarray(pixels), encoding)
    np.testing.assert_array_equal(m.decode_image(msg), expected)


@pytest.mark.parametrize('bits', [8, 16])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_patterns_are_named_by_their_first_pixels(pattern, bits):
    color = {'r': 200, 'g': 120, 'b': 40}
    tile = np.array([color[c] for c in pattern], np.uint16).reshape(2, 2)
    mosaic = np.tile(tile, (6, 8))
    mosaic = (mosaic << 8) if bits == 16 else mosaic.astype(np.uint8)
    msg = MAKE.image(0, 'camera', mosaic, f'bayer_{pattern}{bits}')
    np.testing.assert_array_equal(m.decode_image(msg)[2:-2, 2:-2], [[[200, 120, 40]] * 12] * 8)


@pytest.mark.parametrize('encoding', ['yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv'])
def test_yuv_is_ordered_as_its_name_says(encoding):
    red = {'y': 81, 'u': 90, 'v': 240}  # BT.601
    order = 'yuyv' if encoding.startswith('yuy') or encoding.endswith('yuy2') else 'uyvy'
    pixels = np.tile([red[c] for c in order], (4, 3)).astype(np.uint8).reshape(4, 6, 2)
    decoded = m.decode_image(MAKE.image(0, 'camera', pixels, encoding)).astype(int)
    np.testing.assert_allclose(decoded, np.broadcast_to([255, 0, 0], decoded.shape), atol=3)


def test_row_padding_and_byte_order_are_respected():
    padded = np.full((6, 30), 7, np.uint8)
    padded[:, :24] = RGB.reshape(6, 24)
    msg = image_msg('rgb8', 6, 8, 30, array.array('B', padded.tobytes()))
    np.testing.assert_array_equal(m.decode_image(msg), RGB)
    big = (GREY.astype('>u2') << 8).astype('>u2')
    msg = image_msg('mono16', 6, 8, 16, big.tobytes(), is_bigendian=1)
    np.testing.assert_array_equal(m.decode_image(msg), GREY_RGB)


def test_rgb8_is_not_copied():
    msg = image_msg('rgb8', 6, 8, 24, RGB.reshape(-1))
    assert np.shares_memory(m.decode_image(msg), RGB)


BYTES = {
    **dict.fromkeys(('mono8', '8UC1'), 1),
    **dict.fromkeys(('rgb8', 'bgr8', '8UC3'), 3),
    **dict.fromkeys(('rgba8', 'bgra8', '8UC4'), 4),
    **dict.fromkeys(('rgb16', 'bgr16'), 6),
    **dict.fromkeys(('mono16', 'yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv'), 2),
    **{
        f'bayer_{p}{bits}': bits // 8 for p in ('rggb', 'bggr', 'gbrg', 'grbg') for bits in (8, 16)
    },
}
"""Encoding -> bytes of a pixel."""
PAIRS = {'yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv'}
DEPTH_BYTES = {'32FC1': 4, '16UC1': 2, 'mono16': 2}
SIDE = st.integers(-1, 9) | st.sampled_from([2**31 - 1, 2**31, 2**32 - 1])


def test_these_are_all_encodings():
    with pytest.raises(m.MessageError) as caught:
        m.decode_image(image_msg('64FC2', 1, 1, 16, bytes(16)))
    named = str(caught.value).partition('expected one of ')[2].partition(', or')[0]
    assert named == ', '.join(sorted(BYTES))


@given(
    encoding=st.sampled_from(sorted(BYTES)),
    height=SIDE,
    width=SIDE,
    step=st.integers(0, 64) | st.sampled_from([2**31, 2**32 - 1]),
    size=st.integers(0, 600),
)
@settings(max_examples=500, deadline=None)
def test_sizes_that_do_not_fit_the_data_are_refused(encoding, height, width, step, size):
    bytes_per_pixel = BYTES[encoding]
    fits = height > 0 and width > 0 and step >= width * bytes_per_pixel and size == height * step
    msg = image_msg(encoding, height, width, step, bytes(size))
    if fits and not (encoding in PAIRS and width % 2):
        assert m.decode_image(msg).shape == (height, width, 3)
    else:
        with pytest.raises(m.MessageError):
            m.decode_image(msg)


def test_absurd_sizes_are_refused_before_memory_is_asked_for():
    msg = image_msg('rgb8', 2**31, 2**31, 3 * 2**31, b'')
    with pytest.raises(m.MessageError, match='absurd'):
        m.decode_image(msg)


def test_unknown_encodings_are_named():
    with pytest.raises(m.MessageError, match='64FC2'):
        m.decode_image(image_msg('64FC2', 1, 1, 16, bytes(16)))


def test_jpeg_and_png():
    smooth = cv2.resize(RGB, (64, 48), interpolation=cv2.INTER_CUBIC)
    png = cv2.imencode('.png', smooth[..., ::-1])[1]
    np.testing.assert_array_equal(m.decode_image(MAKE.compressed(0, 'c', png, 'png')), smooth)
    jpeg = cv2.imencode('.jpg', smooth[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])[1]
    decoded = m.decode_image(MAKE.compressed(0, 'c', jpeg, 'rgb8; jpeg compressed bgr8'))
    assert np.abs(decoded.astype(int) - smooth).mean() < 4
    grey = cv2.imencode('.png', GREY)[1]
    np.testing.assert_array_equal(m.decode_image(MAKE.compressed(0, 'c', grey, 'png')), GREY_RGB)


def test_a_compressed_mosaic_is_demosaiced():
    mosaic = np.tile(np.array([[200, 120], [120, 40]], np.uint8), (6, 8))
    png = cv2.imencode('.png', mosaic)[1]
    decoded = m.decode_image(MAKE.compressed(0, 'c', png, 'bayer_rggb8; png compressed '))
    np.testing.assert_array_equal(decoded[2:-2, 2:-2], [[[200, 120, 40]] * 12] * 8)


@given(st.binary(max_size=200))
@settings(max_examples=50, deadline=None)
def test_bytes_that_are_no_picture_are_refused(data):
    with pytest.raises(m.MessageError, match='cannot be decoded|without its end|absurd'):
        m.decode_image(SimpleNamespace(format='jpeg', data=data))


SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))


@given(
    SIZES, st.sampled_from(['rgb8', 'bgr8', 'mono8', 'bgra8', 'mono16', 'rgb16', 'bgr16']),
    st.integers(0, 9), st.booleans(), st.randoms(use_true_random=False),
)  # fmt: skip
@settings(deadline=None)
def test_any_legal_image_round_trips(size, encoding, padding, big, random):
    """Whatever its size, padding and byte order; 16-bit images keep their high byte."""
    depth, channels = (2 if encoding.endswith('16') else 1), {'m': 1}.get(encoding[0], 3)
    channels = 4 if encoding == 'bgra8' else channels
    values = np.frombuffer(random.randbytes(size[0] * size[1] * channels), np.uint8)
    values = values.reshape(*size, channels)
    raw = (values.astype('u2') << 8).astype('>u2' if big else '<u2') if depth == 2 else values
    rows = np.pad(raw.reshape(size[0], -1).view(np.uint8), ((0, 0), (0, padding)))
    msg = image_msg(encoding, *size, rows.shape[1], rows.tobytes(), int(big))
    rgb = np.repeat(values, 3, axis=2) if channels == 1 else values[..., :3]
    rgb = rgb[..., ::-1] if encoding.startswith('bgr') else rgb
    np.testing.assert_array_equal(m.decode_image(msg), rgb)


@given(SIZES, st.sampled_from(sorted(BYTES)), st.integers(1, 9), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_padding_and_byte_order_change_nothing_whatever_the_encoding(
    size, encoding, padding, random
):
    height, width = size[0], size[1] + (encoding in PAIRS and size[1] % 2)
    row = width * BYTES[encoding]
    rows = np.frombuffer(random.randbytes(height * row), np.uint8).reshape(height, row)
    plain = m.decode_image(image_msg(encoding, height, width, row, rows.tobytes()))
    assert plain.shape == (height, width, 3) and plain.dtype == np.uint8
    swapped = rows.view('u2').byteswap().view(np.uint8) if encoding.endswith('16') else rows
    padded = np.pad(swapped, ((0, 0), (0, padding)), constant_values=random.randrange(256))
    for data in (padded.tobytes(), array.array('B', padded.tobytes())):
        msg = image_msg(encoding, height, width, row + padding, data, is_bigendian=1)
        np.testing.assert_array_equal(m.decode_image(msg), plain)


@given(
    SIZES, st.sampled_from(sorted(DEPTH_BYTES)), st.integers(0, 9), st.booleans(),
    st.randoms(use_true_random=False),
)  # fmt: skip
@settings(deadline=None)
def test_any_legal_depth_round_trips(size, encoding, padding, big, random):
    bits = random.randbytes(size[0] * size[1] * DEPTH_BYTES[encoding])
    given_ = np.frombuffer(bits, f'<{"f4" if encoding == "32FC1" else "u2"}').reshape(size)
    rows = given_.astype(given_.dtype.newbyteorder('>' if big else '<')).view(np.uint8)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=7)
    msg = image_msg(encoding, *size, padded.shape[1], padded.tobytes(), int(big))
    found = m.decode_depth(msg)
    if encoding == '32FC1':
        np.testing.assert_array_equal(found, given_)
    else:
        np.testing.assert_array_equal(np.isnan(found), given_ == 0)
        np.testing.assert_allclose(np.nan_to_num(found), given_ / 1000, rtol=1e-6)
    assert found.dtype == np.float32
    msg.data = msg.data[:-1]
    with pytest.raises(m.MessageError):
        m.decode_depth(msg)


@given(
    encoding=st.sampled_from(sorted(DEPTH_BYTES)), height=SIDE, width=SIDE,
    step=st.integers(0, 64), size=st.integers(0, 600),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_depths_whose_sizes_do_not_fit_are_refused(encoding, height, width, step, size):
    row = width * DEPTH_BYTES[encoding]
    msg = image_msg(encoding, height, width, step, bytes(size))
    if height > 0 and width > 0 and step >= row and size == height * step:
        assert m.decode_depth(msg).shape == (height, width)
    else:
        with pytest.raises(m.MessageError):
            m.decode_depth(msg)


def compressed(pixels, ending):
    data = cv2.imencode(ending, pixels)[1].tobytes()
    return SimpleNamespace(format=ending[1:], data=data)


@given(SIZES, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_any_png_round_trips_and_any_part_of_it_is_refused(size, random):
    rgb = np.frombuffer(random.randbytes(3 * size[0] * size[1]), np.uint8).reshape(*size, 3)
    msg = compressed(rgb[..., ::-1], '.png')
    np.testing.assert_array_equal(m.decode_image(msg), rgb)
    # Up to the last chunk, which holds nothing.
    msg.data = msg.data[: random.randrange(len(msg.data) - 12)]
    with pytest.raises(m.MessageError):
        m.decode_image(msg)


@given(SIZES, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_any_jpeg_has_its_size_and_any_part_of_it_is_refused(size, random):
    msg = compressed(np.full((*size, 3), random.randrange(256), np.uint8), '.jpg')
    assert m.decode_image(msg).shape == (*size, 3)
    msg.data = msg.data[: random.randrange(len(msg.data) - 1)]
    with pytest.raises(m.MessageError):
        m.decode_image(msg)


@pytest.mark.parametrize('ending', ['.png', '.jpg'])
@pytest.mark.parametrize('size', [(60_000, 60_000), (12_000, 12_000)])
def test_a_header_that_promises_too_much_is_refused_before_memory_is_taken(ending, size):
    msg = compressed(RGB, ending)
    there = b'\x00\x00\x00\x08\x00\x00\x00\x06' if ending == '.png' else b'\x00\x06\x00\x08'
    count = len(there) // 2
    height, width = (n.to_bytes(count, 'big') for n in size)
    assert there in msg.data
    msg.data = msg.data.replace(there, width + height if ending == '.png' else height + width)
    with pytest.raises(m.MessageError, match=f'header says {size[1]}x{size[0]}'):
        m.decode_image(msg)


def test_depth_in_metres_and_millimetres():
    depth = np.array([[1.5, np.inf], [np.nan, 60.0]], np.float32)
    msg = MAKE.image(0, 'camera', depth, '32FC1')
    np.testing.assert_array_equal(m.decode_depth(msg), depth)
    millimetres = np.array([[1500, 0]], np.uint16)
    decoded = m.decode_depth(MAKE.image(0, 'camera', millimetres, '16UC1'))
    np.testing.assert_array_equal(decoded, np.array([[1.5, np.nan]], np.float32))
    assert decoded.dtype == np.float32
    with pytest.raises(m.MessageError, match='rgb8'):
        m.decode_depth(MAKE.image(0, 'camera', RGB, 'rgb8'))


@pytest.mark.parametrize(
    'array',
    [RGB.astype(np.float32), GREY, RGB[..., :2], RGB[:0], RGB[:, :0], RGB[0, 0], RGB[None]],
)
def test_an_array_that_is_not_of_the_encoding_is_refused(array):
    with pytest.raises(m.MessageError, match='does not fit'):
        m.image_fields(array, 'rgb8')


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
@given(width=st.integers(1, 300), height=st.integers(1, 300))
@settings(deadline=None, max_examples=20)
def test_the_size_of_an_encoded_image_is_read_without_decoding_it(suffix, width, height):
    data = cv2.imencode(suffix, np.zeros((height, width, 3), np.uint8))[1].tobytes()
    assert m.encoded_size(data) == (height, width)
    with pytest.raises(m.MessageError, match='cut off|no image'):
        m.encoded_size(data[:-13])


def test_what_is_no_image_has_no_size():
    for data in (b'', b'GIF89a', bytes(100)):
        with pytest.raises(m.MessageError, match='expected a JPEG or a PNG'):
            m.encoded_size(data)


@pytest.mark.parametrize(
    ('size', 'least', 'times'),
    [
        ((720, 1280), (192, 320), 2),
        ((768, 1280), (192, 320), 4),
        ((1080, 1920), (192, 320), 4),
        ((1216, 1936), (384, 640), 2),
        ((192, 320), (192, 320), 1),
        ((383, 640), (190, 320), 1),  # an odd height has no half
        ((100, 160), (192, 320), 1),
        ((1536, 2560), (192, 320), 8),
    ],
)
def test_a_jpeg_is_decoded_at_a_scale_that_will_do(size, least, times):
    coarse = np.random.default_rng(0).integers(0, 256, (9, 16, 3), np.uint8)
    message = compressed(cv2.resize(coarse, size[::-1]), '.jpg')
    whole, picture = m.decode_image(message), m.decode_at_least(message, least)
    assert picture.reduced == times
    assert picture.pixels.shape == (size[0] // times, size[1] // times, 3)
    small = picture.pixels.shape[1::-1]
    mean = cv2.resize(whole, small, interpolation=cv2.INTER_AREA)
    apart = np.abs(picture.pixels.astype(int) - mean)
    assert apart.mean() < 1 and np.percentile(apart, 99) <= 3


def test_a_png_is_decoded_whole():
    message = compressed(np.zeros((64, 64, 3), np.uint8), '.png')
    assert m.decode_at_least(message, (16, 16)).pixels.shape == (64, 64, 3)
