# SPDX-License-Identifier: MIT
"""Reads a trace by what docs/trace-format.md says and by the schema that the file itself carries: nothing of
sysvm's is used, and no generated code. An example for readers in other languages; slow, as it goes value by
value.

    for record in Trace(path).records: ...      protobuf messages, batches resolved
    for event in Trace(path).events(): ...      dictionaries with the members of `sysvm export ndjson`
"""
import ctypes

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ZSTD = ctypes.CDLL("libzstd.so.1")
XXHASH = ctypes.CDLL("libxxhash.so.0")
ZSTD.ZSTD_decompress.restype = ctypes.c_size_t
ZSTD.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
XXHASH.XXH64.restype = ctypes.c_uint64
XXHASH.XXH64.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
MASK = (1 << 64) - 1


def decompress(packed, size):
    out = ctypes.create_string_buffer(size)
    assert ZSTD.ZSTD_decompress(out, size, packed, len(packed)) == size
    return out.raw


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """The fields of a protobuf message whose schema is not known yet: number to value."""
    found, at = {}, 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            found[tag >> 3], at = varint(data, at)
        else:
            size, at = (8, at) if tag & 7 == 1 else (4, at) if tag & 7 == 5 else varint(data, at)
            found[tag >> 3], at = data[at:at + size], at + size
    return found


def frames(data):
    assert data[:8] == b"SYSVMTRC" and data[8] == 2
    at = 16
    while at < len(data):
        size, at = varint(data, at)
        payload = data[at + 8:at + 8 + size]
        assert XXHASH.XXH64(payload, size, 0) == int.from_bytes(data[at:at + 8], "little")
        yield payload
        at += 8 + size


class Trace:
    def __init__(self, path):
        with open(path, "rb") as file:
            payloads = list(frames(file.read()))
        header = fields(fields(payloads[0])[1])
        self.schema = descriptor_pb2.FileDescriptorProto.FromString(decompress(header[17], header[18]))
        self.pool = descriptor_pool.DescriptorPool()
        self.pool.Add(self.schema)
        self.record = self.type("Record")
        self.flags = dict(self.pool.FindEnumTypeByName(self.schema.package + ".EventFlag").values_by_name)
        self.flags = {name: value.number for name, value in self.flags.items()}
        self.kinds = {v.number: v.name.lower()
                      for v in self.pool.FindEnumTypeByName(self.schema.package + ".DataKind").values}
        self.records = []
        for payload in payloads:
            record = self.record.FromString(payload)
            if record.WhichOneof("kind") != "batch":
                self.records.append(record)
                continue
            batch, at = decompress(record.batch.records, record.batch.raw_size), 0
            while at < len(batch):
                size, at = varint(batch, at)
                self.records.append(self.record.FromString(batch[at:at + size]))
                at += size
        header = self.records[0].header
        packed = decompress(header.packed_calls, header.packed_calls_size)
        table = list(header.calls) + list(self.type("CallTable").FromString(packed).calls)
        self.calls = {call.nr: call for call in table}

    def type(self, name):
        found = self.pool.FindMessageTypeByName(f"{self.schema.package}.{name}")
        return message_factory.MessageFactory(self.pool).GetPrototype(found)

    def events(self):
        for record in self.records:
            if record.WhichOneof("kind") == "chunk":
                block = self.type("ColumnBlock").FromString(
                    decompress(record.chunk.columns, record.chunk.raw_size))
                yield from self.block_events(record.chunk, block)

    def block_events(self, chunk, b):
        def column(name):  # one whose values are all 0 is left out
            return getattr(b, name) or [0] * chunk.events

        def each(name):  # one value for each event that has it
            values = list(getattr(b, name))
            return lambda: values.pop(0) if values else 0

        def strings(name):  # a reference is the distance from the newest
            state = {"newest": 0}

            def take(value):
                if value == 0:
                    return None
                zigzag = value - 1
                number = state["newest"] + 1 - (zigzag >> 1 ^ -(zigzag & 1))
                state["newest"] = max(state["newest"], number)
                return b.strings[number - 1]
            return take

        returned, seq, args_of, ino = {}, {}, {}, 0
        arg = [each(f"arg{k}") for k in range(6)]
        st_mode, st_size, st_dev, ino_step, data_kind, data = map(each,
                                                                  ("st_mode", "st_size", "st_dev", "ino_step",
                                                                   "data_kind", "data"))
        path0, path1, data_string = strings("path0"), strings("path1"), strings("data")
        for gap, dur, thread, step, call, ret, flag, p0, p1, site in zip(*map(column, (
                "gap_ns", "dur_ns", "thread", "seq_step", "call", "ret", "flags", "path0", "path1", "site"))):
            ts = (returned.get(thread, chunk.first_ns) + gap) & MASK
            returned[thread] = ts + dur
            seq[thread] = seq.get(thread, b.first_seq[thread] - 1) + 1 + step
            flags, nr, count = b.flag_set[flag], b.call_nr[call], b.call_args[call]
            last = args_of.setdefault(call, [0] * 6)
            for k in range(count):
                last[k] = (last[k] + arg[k]()) & MASK
            event = {"ts_ns": ts, "dur_ns": dur, "pid": b.pid[thread], "tid": b.tid[thread],
                     "seq": seq[thread]}
            paths = path0(p0), path1(p1)
            event.update(nr=nr, args=last[:count] + [0] * (6 - count), ret=ret, flags=flags,
                         ip=b.site_ip[site], caller=b.site_caller[site])
            event.update({name: text for name, text in zip(("path", "path2"), paths) if text is not None})
            if flags & self.flags["HAS_STAT"]:
                ino += ino_step()
                event["stat"] = {"mode": st_mode(), "size": st_size(), "dev": st_dev(), "ino": ino & MASK}
            if flags & self.flags["HAS_DATA"]:
                event["data"] = {"kind": self.kinds[data_kind()], "hex": data_string(data()).hex()}
            yield event
