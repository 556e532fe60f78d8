# SPDX-License-Identifier: MIT
"""The stream of a trace read back by the letter of Arrow's C data interface, as a consumer would."""
import ctypes
import gc

import numpy as np
import pytest

import sysvm
from sysvm import arrow


def take(capsule):
    """The stream itself; what the capsule held is marked as released, as the protocol wants when it is moved
    out."""
    address = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object,
                                ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))(
        capsule, b"arrow_array_stream")
    return arrow._Stream.from_address(address)


def buffer(array, i, dtype, count):
    if not array.buffers[i]:
        return None
    size = np.dtype(dtype).itemsize * count
    return np.frombuffer((ctypes.c_char * size).from_address(array.buffers[i]), dtype=dtype,
                         count=count).copy()


@pytest.fixture
def opened(make_trace):
    trace = sysvm.open(make_trace(200, 1000))
    capsule = trace.__arrow_c_stream__()
    stream = take(capsule)
    schema, array = arrow._Schema(), arrow._Array()
    assert stream.get_schema(ctypes.pointer(stream), ctypes.pointer(schema)) == 0
    assert stream.get_next(ctypes.pointer(stream), ctypes.pointer(array)) == 0
    yield trace, stream, schema, array
    for one in (array, schema, stream):
        if one.release:
            one.release(ctypes.pointer(one))
        assert not one.release
    del capsule
    gc.collect()


def test_the_schema_is_that_of_the_frame(opened):
    trace, _, schema, array = opened
    df = trace.df()
    assert schema.format == b"+s" and schema.n_children == array.n_children == len(df.columns)
    formats = {schema.children[i].contents.name.decode(): schema.children[i].contents.format
               for i in range(schema.n_children)}
    assert list(formats) == list(df.columns)
    assert formats["ts_ns"] == formats["a0"] == formats["ret"] == b"l" and formats["pid"] == b"i"


def test_numbers_and_texts_are_those_of_the_frame(opened):
    trace, _, schema, array = opened
    df = trace.df()
    assert array.length == len(df)
    names = [schema.children[i].contents.name.decode() for i in range(schema.n_children)]
    ts = array.children[names.index("ts_ns")].contents
    assert list(buffer(ts, 1, np.int64, ts.length)) == list(df.ts_ns)
    assert ts.buffers[1] == trace.column("ts_ns").ctypes.data, "numbers are not copied"
    path = array.children[names.index("path")].contents
    codes = buffer(path, 1, np.dtype(df.path.cat.codes.dtype), path.length)
    valid = np.unpackbits(buffer(path, 0, np.uint8, (path.length + 7) // 8),
                          bitorder="little")[: path.length].astype(bool)
    text = path.dictionary.contents
    offsets = buffer(text, 1, np.int64, text.length + 1)
    letters = buffer(text, 2, np.uint8, int(offsets[-1])).tobytes()
    words = [letters[offsets[i]:offsets[i + 1]].decode() for i in range(text.length)]
    shown = [words[c] if v else None for c, v in zip(codes, valid)]
    assert shown == list(df.path.astype(object).where(df.path.notna(), None))
    assert path.null_count == df.path.isna().sum()


def test_there_is_one_batch(opened):
    _, stream, _, _ = opened
    for _ in range(2):
        end = arrow._Array()
        assert stream.get_next(ctypes.pointer(stream), ctypes.pointer(end)) == 0 and not end.release


def test_what_was_passed_on_lives_until_it_is_released(make_trace):
    gc.collect()
    before = len(arrow._alive)
    trace = sysvm.open(make_trace(100, 10))
    capsule = trace.__arrow_c_stream__()
    stream = take(capsule)
    array = arrow._Array()
    stream.get_next(ctypes.pointer(stream), ctypes.pointer(array))
    expected = list(trace.df().ret)
    del trace
    stream.release(ctypes.pointer(stream))
    del capsule
    gc.collect()
    names = list(sysvm.trace.DEFAULT_COLUMNS)
    ret = array.children[names.index("ret")].contents
    assert list(buffer(ret, 1, np.int64, ret.length)) == expected
    array.release(ctypes.pointer(array))
    assert len(arrow._alive) == before


def test_a_capsule_that_nobody_takes_leaves_nothing(make_trace):
    before = len(arrow._alive)
    capsule = sysvm.open(make_trace(100, 10)).__arrow_c_stream__()
    assert len(arrow._alive) > before
    del capsule
    gc.collect()
    assert len(arrow._alive) == before
