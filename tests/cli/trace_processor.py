# SPDX-License-Identifier: MIT
"""SQL on a trace file in Perfetto's own trace processor: trace_processor.py LIBRARY TRACE QUERY... prints
JSON.

The library is libtest_trace_processor.so of Debian's chromium-shell, made for that browser's tests: the trace
processor as a C++ class of three functions. They are called here by their mangled names, with strings and
vectors laid out as libc++ lays them out. Another release may have another layout, so it is asked for
something known first; and as a wrong guess crashes, this is a program of its own. Exit status 77: not a
library that this understands.
"""
import ctypes
import json
import subprocess
import sys

WORD = ctypes.c_uint64


def words(*values, room=0):
    return (WORD * (len(values) + room))(*values)


class TraceProcessor:
    def __init__(self, library, trace):
        names = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True,
                               check=True).stdout.split()
        self.functions = {}
        loaded = ctypes.CDLL(library)
        for part in ("TestTraceProcessorImplC1Ev", "TestTraceProcessorImpl10ParseTrace",
                     "TestTraceProcessorImpl12ExecuteQuery"):
            found = [name for name in names if part in name]
            if len(found) != 1:
                sys.exit(77)
            self.functions[part[22:]] = getattr(loaded, found[0])
        self.object = words(room=64)
        self.functions["C1Ev"](ctypes.byref(self.object))
        data = ctypes.create_string_buffer(trace, len(trace))
        begin = ctypes.addressof(data)
        status = words(room=8)
        vector = words(begin, begin + len(trace), begin + len(trace))
        self.functions["10ParseTrace"](ctypes.byref(status), ctypes.byref(self.object), ctypes.byref(vector))
        if status[0] != 1:  # absl::OkStatus()
            sys.exit("the trace processor refuses the trace")

    @staticmethod
    def text(at):
        raw = ctypes.string_at(at, 24)
        if raw[0] & 1:  # long: capacity, size, pointer
            return ctypes.string_at(int.from_bytes(raw[16:], "little"),
                                    int.from_bytes(raw[8:16], "little")).decode()
        return raw[1:1 + (raw[0] >> 1)].decode()

    def query(self, sql):
        """Rows as lists of text; the first has the names of the columns."""
        data = ctypes.create_string_buffer(sql.encode(), len(sql) + 32)
        string = words((len(sql) + 32) | 1, len(sql), ctypes.addressof(data))
        result = words(room=64)
        self.functions["12ExecuteQuery"](ctypes.byref(result), ctypes.byref(self.object),
                                         ctypes.byref(string))
        if not result[0]:
            sys.exit(f"no result of {sql}")
        rows = []
        for row in range(result[0], result[1], 24):
            begin, end = WORD.from_address(row).value, WORD.from_address(row + 8).value
            rows.append([self.text(cell) for cell in range(begin, end, 24)])
        return rows


def main():
    library, trace, *queries = sys.argv[1:]
    with open(trace, "rb") as file:
        processor = TraceProcessor(library, file.read())
    known = processor.query("select 7 as n, 'more than twenty-two characters' as s")
    if known != [["n", "s"], ["7", "more than twenty-two characters"]]:
        sys.exit(77)
    json.dump([processor.query(sql)[1:] for sql in queries], sys.stdout)


if __name__ == "__main__":
    main()
