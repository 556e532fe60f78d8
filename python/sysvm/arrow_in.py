# SPDX-License-Identifier: MIT
"""What another library passes through Arrow's PyCapsule interface, as a DataFrame: polars, duckdb, pyarrow
and the like have filtered or
joined a recording, and it goes on here. Without pyarrow.

Numbers, booleans, text, times and dictionaries of text are read, in any number of batches, sliced or not;
nulls of numbers become NaN.
Layout: https://arrow.apache.org/docs/format/CDataInterface.html. Tested by tests/python/test_arrow_in.py.
"""
from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ._sysvm import Error
from .arrow import _NAME, _Array, _pointer_of, _Schema, _Stream

_NUMBERS = {
    "c": np.int8,
    "C": np.uint8,
    "s": np.int16,
    "S": np.uint16,
    "i": np.int32,
    "I": np.uint32,
    "l": np.int64,
    "L": np.uint64,
    "f": np.float32,
    "g": np.float64,
}
_TEXTS = {"u": np.int32, "U": np.int64}  # with the type of their offsets


def frame(source: Any) -> pd.DataFrame:
    """The table of an object that has __arrow_c_stream__, as a DataFrame.

    Raises TypeError if the object has no such method; sysvm.Error if a column is of a type that is not read,
    with its name.
    """
    if not hasattr(source, "__arrow_c_stream__"):
        raise TypeError(
            f"{type(source).__name__}: expected an object with __arrow_c_stream__ (polars, duckdb, pyarrow"
            " ...)"
        )
    capsule = source.__arrow_c_stream__(None)
    stream = ctypes.cast(_pointer_of(id(capsule), _NAME), ctypes.POINTER(_Stream))
    schema = _Schema()
    _check(stream, stream.contents.get_schema(stream, ctypes.byref(schema)))
    try:
        if schema.format != b"+s":
            raise Error(f"Arrow stream of {schema.format!r}: expected a struct of columns")
        fields = [schema.children[i].contents for i in range(schema.n_children)]
        parts: list[list[Any]] = [[] for _ in fields]
        while True:
            batch = _Array()
            _check(stream, stream.contents.get_next(stream, ctypes.byref(batch)))
            if not batch.release:
                break
            try:
                for part, field, i in zip(parts, fields, range(len(fields))):
                    part.append(_column(field, batch.children[i].contents, batch.offset, batch.length))
            finally:
                batch.release(ctypes.byref(batch))
        names = [(field.name or b"").decode() for field in fields]
        return pd.DataFrame({name: _joined(part) for name, part in zip(names, parts)})
    finally:
        if schema.release:
            schema.release(ctypes.byref(schema))


def _check(stream: Any, status: int) -> None:
    if status:
        said = stream.contents.get_last_error(stream)
        raise Error(
            "Arrow stream: "
            + (ctypes.string_at(said).decode("utf-8", "replace") if said else f"error {status}")
        )


def _buffer(array: _Array, number: int, dtype: Any, count: int) -> npt.NDArray[Any]:
    address = array.buffers[number]
    if not address or not count:
        return np.zeros(count, dtype=dtype)
    size = count * np.dtype(dtype).itemsize
    return np.frombuffer(memoryview((ctypes.c_ubyte * size).from_address(address)), dtype=np.dtype(dtype))


def _bits(array: _Array, number: int, begin: int, count: int) -> npt.NDArray[np.bool_]:
    raw = _buffer(array, number, np.uint8, (begin + count + 7) // 8)
    return np.unpackbits(raw, bitorder="little")[begin : begin + count].astype(bool)


def _column(schema: _Schema, array: _Array, begin: int, count: int) -> Any:
    """Rows [begin, begin + count) of the column, copied: the memory is another's."""
    form, begin = schema.format.decode(), begin + array.offset
    known = None
    if array.null_count != 0 and array.n_buffers and array.buffers[0]:
        known = _bits(array, 0, begin, count)
        known = None if known.all() else known
    if schema.dictionary:
        codes = _buffer(array, 1, _number(schema, form), begin + count)[begin:].astype(np.int64)
        of = array.dictionary.contents
        texts = _column(schema.dictionary.contents, of, 0, of.length)
        number = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        codes = (
            np.array([number[text] for text in texts] or [0], dtype=np.int64)[codes] if len(codes) else codes
        )
        return pd.Categorical.from_codes(
            codes if known is None else np.where(known, codes, -1), categories=list(number)
        )
    if form == "b":
        values: npt.NDArray[Any] = _bits(array, 1, begin, count)
    elif form in _TEXTS or form == "vu":
        values = np.array(_texts(form, array, begin, count), dtype=object)
    else:
        values = _buffer(array, 1, _number(schema, form), begin + count)[begin:].copy()
    if known is None:
        return values
    if values.dtype == object:
        values[~known] = None
        return values
    return np.where(known, values.astype(np.float64), np.nan)


def _number(schema: _Schema, form: str) -> Any:
    if form in _NUMBERS:
        return _NUMBERS[form]
    if form.startswith(("tsn:", "tDn", "tdm", "ttn", "tsu:", "tDu")):  # times, as their numbers
        return np.int64
    raise Error(
        f"Arrow column {(schema.name or b'').decode()!r}: type {form!r} is not read; expected numbers, text"
        " or a dictionary of text"
    )


def _texts(form: str, array: _Array, begin: int, count: int) -> list[str]:
    if form != "vu":
        offsets = _buffer(array, 1, _TEXTS[form], begin + count + 1)[begin:]
        base = array.buffers[2] or 0
        return [
            ctypes.string_at(base + int(a), int(b - a)).decode("utf-8", "replace") if b > a else ""
            for a, b in zip(offsets[:-1], offsets[1:])
        ]
    out = []
    for view in _buffer(array, 1, "V16", begin + count)[
        begin:
    ]:  # length, then the text itself or where it is
        raw = view.tobytes()
        size = int.from_bytes(raw[:4], "little")
        if size <= 12:
            text = raw[4 : 4 + size]
        else:
            buffer, at = int.from_bytes(raw[8:12], "little"), int.from_bytes(raw[12:], "little")
            text = ctypes.string_at(array.buffers[2 + buffer] + at, size)
        out.append(text.decode("utf-8", "replace"))
    return out


def _joined(parts: list[Any]) -> Any:
    if not parts:
        return np.array([], dtype=object)
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], pd.Categorical):
        from pandas.api.types import union_categoricals

        return union_categoricals(parts)
    return np.concatenate(parts)
