# SPDX-License-Identifier: MIT
"""Recordings made to be difficult, and a report of them as a program reads it."""
import base64
import html.parser
import json
import zlib
from pathlib import Path

from sysvm_program import SOURCE, SYSVM, run
from trace_text import make_trace

# Names as bytes: what a program may call its files.
HOSTILE = {
    "line feed": b"/h/line\nfeed",
    "quotes": b"/h/'single\"double`back",
    "script": b"/h/<script>alert(document.domain)</script><img src=x onerror=alert(1)>",
    "end of script": b"/h/</script><!--<script>",
    "end of style": b"/h/</style></table></main>",
    "bad utf-8": b"/h/\xff\xfe\xc3\x28",
    "override": "/h/\u202egpj.exe\u2066\u200f".encode(),
    "controls": b"/h/\x1b[31mred\x07\x08\x7f\xc2\x9b",
    "long": b"/h/" + b"n" * 4080,
    "entities": b"/h/&lt;&#60;&amp;",
    "template": b"/h/${1+1}{{2}}%s<!--@script-->",
    "hebrew": "/h/\u05e9\u05dc\u05d5\u05dd.txt".encode(),
}
SAMPLES = sorted((SOURCE / "traces" / "samples").glob("*.trace"))


def octal(name: bytes) -> str:
    return "".join(chr(c) if 48 <= c < 58 or 97 <= c < 123 or c == 47 else f"\\{c:03o}" for c in name)


def hostile_text() -> str:
    """strace's text: each name as a path, a command, an argument; some of them often enough to be a
    sequence."""
    lines = []
    now = 1000.0

    def line(pid: int, text: str, took: float = 0.00001) -> None:
        nonlocal now
        now += 0.0001
        lines.append(f"{pid} {now:.6f} {text} <{took:.6f}>")

    for number, name in enumerate(HOSTILE.values()):
        pid, text = 100 + number, octal(name)
        line(pid, f'execve("{text}", ["{text}", "{text}"], 0x7ffd /* 3 vars */) = 0')
        for _ in range(6):
            line(pid, f'openat(AT_FDCWD, "{text}", O_RDONLY|O_CLOEXEC) = 3')
            line(pid, 'read(3, "x"..., 4096) = 1')
            line(pid, "close(3) = 0")
        line(pid, f'rename("{text}", "{text}") = -1 ENOENT (No such file or directory)')
    return "\n".join(lines) + "\n"


def hostile_trace(folder: Path) -> Path:
    return make_trace(folder, hostile_text(), "hostile.trace")


def empty_trace(folder: Path) -> Path:
    """A recording that ends after its header: everything from the second frame on is cut away."""
    data = make_trace(folder, "7 1000.000001 getpid() = 7 <0.000001>\n", "one.trace").read_bytes()
    at, size, shift = 16, 0, 0
    while True:  # the length of the first frame (docs/trace-format.md)
        size |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            break
    out = folder / "empty.trace"
    out.write_bytes(data[: at + 8 + size])
    return out


def report(trace: Path, *options: str, status: int = 0) -> str:
    done = run(SYSVM, "report", trace, *options)
    assert done.returncode == status, done.stderr
    return done.stdout.decode("ascii")


class Page(html.parser.HTMLParser):
    """Tags that are open at the end, attributes that could load or run something, text outside of scripts and
    styles, tables' cells."""

    VOID = {"meta", "input", "br", "hr", "img", "link"}
    OPTIONAL = {"tr", "td", "th", "dt", "dd", "li", "p", "b"}  # whose end tags may be left out

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.inside: list[str] = []
        self.text = ""
        self.raw: dict[str, str] = {}
        self.heads: dict[str, list[str]] = {}
        self.rows: dict[str, int] = {}
        self.wide: dict[str, set[int]] = {}
        self._table, self._cells, self._raw = "", 0, ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = dict(attributes)
        self.loads += [
            f"{name}={value}"
            for name, value in attributes
            if (
                name in ("src", "srcset", "data", "action", "formaction", "poster", "background")
                or name.startswith("on")
                or (name == "href" and not (value or "").startswith("#"))
            )
        ]
        if "id" in found:
            self.ids.append(found["id"] or "")
        if tag == "table":
            self._table = found.get("id") or ""
            self.rows[self._table] = 0
            self.wide[self._table] = set()
        if tag == "tr":
            self._cells = 0
        if tag in ("td", "th"):
            self._cells += 1
        if tag == "script":
            self._raw = found.get("id") or "script"
        if tag not in self.VOID and tag not in self.OPTIONAL and tag != "path":
            self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr":
            self.rows[self._table] += 1
            self.wide[self._table].add(self._cells)
        if tag in self.inside:
            assert self.inside[-1] == tag, f"</{tag}> where {self.inside[-1]} is open"
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if self.inside and self.inside[-1] == "script":
            self.raw[self._raw] = self.raw.get(self._raw, "") + data
        elif not self.inside or self.inside[-1] != "style":
            self.text += data

    @property
    def facts(self) -> dict:
        return json.loads(self.raw["facts"])

    def unpacked(self) -> bytes:
        return zlib.decompress(base64.b64decode(self.raw["packed"], validate=True))

    def column(self, name: str) -> list[int]:
        """A column of numbers, LEB128."""
        from_, to = self.facts["spans"]["columns"][name]
        out, value, shift = [], 0, 0
        for byte in self.unpacked()[from_:to]:
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                out.append(value)
                value, shift = 0, 0
        assert shift == 0
        return out

    def places(self) -> list[str]:
        from_, to = self.facts["spans"]["places"]
        return self.unpacked()[from_:to].decode("utf-8").split("\n")
