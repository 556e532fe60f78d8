# SPDX-License-Identifier: MIT
"""Columns as a stream of Arrow's C data interface, in a capsule (the "Arrow PyCapsule interface"), without
pyarrow.

Numbers are passed as they lie in memory; categories become dictionaries of UTF-8 text. One batch has all
rows. What was passed lives until the consumer calls release. Layout:
https://arrow.apache.org/docs/format/CDataInterface.html and CStreamInterface.html. Tested by
tests/python/test_arrow.py, which reads it back by the same document.
"""
from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

_NULLABLE, _ORDERED = 2, 1
_FORMATS = {"int8": b"c", "uint8": b"C", "int16": b"s", "uint16": b"S", "int32": b"i", "uint32": b"I",
            "int64": b"l", "uint64": b"L",
            "float64": b"g"}
_ENOMEM = 12


class _Schema(ctypes.Structure):
    pass


class _Array(ctypes.Structure):
    pass


class _Stream(ctypes.Structure):
    pass


_ReleaseSchema = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Schema))
_ReleaseArray = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))
_ReleaseStream = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Stream))
_GetSchema = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Schema))
_GetNext = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Array))
_LastError = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.POINTER(_Stream))

_Schema._fields_ = [("format", ctypes.c_char_p), ("name", ctypes.c_char_p), ("metadata", ctypes.c_char_p),
                    ("flags", ctypes.c_int64),
                    ("n_children", ctypes.c_int64), ("children", ctypes.POINTER(ctypes.POINTER(_Schema))),
                    ("dictionary", ctypes.POINTER(_Schema)), ("release", _ReleaseSchema),
                    ("private_data", ctypes.c_void_p)]
_Array._fields_ = [("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64),
                   ("n_buffers", ctypes.c_int64),
                   ("n_children", ctypes.c_int64), ("buffers", ctypes.POINTER(ctypes.c_void_p)),
                   ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
                   ("dictionary", ctypes.POINTER(_Array)), ("release", _ReleaseArray),
                   ("private_data", ctypes.c_void_p)]
_Stream._fields_ = [("get_schema", _GetSchema), ("get_next", _GetNext), ("get_last_error", _LastError),
                    ("release", _ReleaseStream),
                    ("private_data", ctypes.c_void_p)]

# What has been passed on, until it is released: the consumer holds addresses, which Python does not count.
_alive: dict[int, list[Any]] = {}
_next_key = 0


def _keep(things: list[Any]) -> int:
    global _next_key
    _next_key += 1
    _alive[_next_key] = things
    return _next_key


def _release(pointer: Any, null: Any) -> None:
    # Children are released with their parent, unless they were moved out and are released already.
    one = pointer.contents
    for i in range(getattr(one, "n_children", 0)):
        child = one.children[i].contents
        if child.release:
            child.release(one.children[i])
    dictionary = getattr(one, "dictionary", None)
    if dictionary and dictionary.contents.release:
        dictionary.contents.release(dictionary)
    _alive.pop(one.private_data, None)
    one.release = null


_NO_SCHEMA, _NO_ARRAY, _NO_STREAM = (
    ctypes.cast(0, kind) for kind in (_ReleaseSchema, _ReleaseArray, _ReleaseStream))
_release_schema = _ReleaseSchema(lambda p: _release(p, _NO_SCHEMA))
_release_array = _ReleaseArray(lambda p: _release(p, _NO_ARRAY))
_release_stream = _ReleaseStream(lambda p: _release(p, _NO_STREAM))


def _pointers(kind: Any, items: list[Any]) -> Any:
    array = (ctypes.POINTER(kind) * max(1, len(items)))(*[ctypes.pointer(item) for item in items])
    return array


def _fill_schema(out: _Schema, format: bytes, name: str, nullable: bool = False,
                 children: list[_Schema] | None = None,
                 dictionary: _Schema | None = None) -> None:
    children = children or []
    links = _pointers(_Schema, children)
    encoded = name.encode()
    out.format, out.name, out.metadata = format, encoded, None
    out.flags = _NULLABLE if nullable else 0
    out.n_children = len(children)
    out.children = ctypes.cast(links, ctypes.POINTER(ctypes.POINTER(_Schema)))
    if dictionary is not None:
        out.dictionary = ctypes.pointer(dictionary)
    out.release = _release_schema
    out.private_data = _keep([format, encoded, children, links, dictionary])


def _fill_array(out: _Array, length: int, buffers: list[npt.NDArray[Any] | None], nulls: int = 0,
                children: list[_Array] | None = None,
                dictionary: _Array | None = None, owner: Any = None) -> None:
    children = children or []
    addresses = (ctypes.c_void_p * max(1, len(buffers)))(*[None if b is None else b.ctypes.data
                                                           for b in buffers])
    links = _pointers(_Array, children)
    out.length, out.null_count, out.offset = length, nulls, 0
    out.n_buffers, out.n_children = len(buffers), len(children)
    out.buffers = ctypes.cast(addresses, ctypes.POINTER(ctypes.c_void_p))
    out.children = ctypes.cast(links, ctypes.POINTER(ctypes.POINTER(_Array)))
    if dictionary is not None:
        out.dictionary = ctypes.pointer(dictionary)
    out.release = _release_array
    out.private_data = _keep([buffers, addresses, children, links, dictionary, owner])


def _column_schema(name: str, values: Any) -> _Schema:
    out = _Schema()
    if isinstance(values, pd.Categorical):
        text = _Schema()
        _fill_schema(text, b"U", "")
        _fill_schema(out, _FORMATS[str(values.codes.dtype)], name, nullable=True, dictionary=text)
    else:
        _fill_schema(out, _FORMATS[str(values.dtype)], name)
    return out


def _column_array(values: Any, owner: Any) -> _Array:
    out = _Array()
    if not isinstance(values, pd.Categorical):
        data = np.ascontiguousarray(values)
        _fill_array(out, len(data), [None, data], owner=owner)
        return out
    encoded = [str(one).encode("utf-8", "backslashreplace") for one in values.categories]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(one) for one in encoded], out=offsets[1:])
    letters = np.frombuffer(b"".join(encoded) or b"\0", dtype=np.uint8)
    text = _Array()
    _fill_array(text, len(encoded), [None, offsets, letters])
    codes = np.ascontiguousarray(values.codes)
    known = codes >= 0
    nulls = int(len(known) - known.sum())
    # A consumer may look at the codes of nulls, too.
    valid = np.packbits(known, bitorder="little") if nulls else None
    _fill_array(out, len(codes), [valid, np.where(known, codes, 0).astype(codes.dtype) if nulls else codes],
                nulls=nulls, dictionary=text,
                owner=owner)
    return out


def stream(columns: Mapping[str, Any], owner: Any) -> object:
    """A capsule named "arrow_array_stream" with one batch: a struct of the columns. owner: whose memory they
    are in."""
    out = _Stream()
    left = [True]

    def get_schema(_: Any, target: Any) -> int:
        try:
            _fill_schema(target.contents, b"+s", "",
                         children=[_column_schema(name, values) for name, values in columns.items()])
            return 0
        except MemoryError:
            return _ENOMEM

    def get_next(_: Any, target: Any) -> int:
        try:
            if not left.pop():
                raise IndexError
            rows = len(next(iter(columns.values()))) if columns else 0
            _fill_array(target.contents, rows, [None],
                        children=[_column_array(values, owner) for values in columns.values()])
            left.append(False)
            return 0
        except IndexError:  # the end: an array that is released
            left.append(False)
            target.contents.release = _NO_ARRAY
            return 0
        except MemoryError:
            return _ENOMEM

    functions = [_GetSchema(get_schema), _GetNext(get_next), _LastError(lambda _: None)]
    out.get_schema, out.get_next, out.get_last_error = functions
    out.release = _release_stream
    out.private_data = _keep([functions, columns, owner])
    return _capsule(out)


_Destructor = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p,
                         _Destructor)(("PyCapsule_New", ctypes.pythonapi))
_pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p,
                                ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
_NAME = b"arrow_array_stream"
_streams: dict[int, _Stream] = {}


def _destroy(capsule: int) -> None:
    address = _pointer_of(capsule, _NAME)
    one = _streams.pop(address, None)
    if one is not None and one.release:  # nobody took it
        one.release(ctypes.pointer(one))


_destructor = _Destructor(_destroy)


def _capsule(one: _Stream) -> object:
    address = ctypes.addressof(one)
    _streams[address] = one
    return _new(address, _NAME, _destructor)
