# SPDX-License-Identifier: MIT
"""Traces and procedure files that are not what mine, compile, explain, replay and run expect: taken for each
other, empty, cut short, with gaps, of another version, contradicting each other. A message says what, where
and what was expected; the exit status is the documented one; nothing is overwritten, nothing hangs, nothing
crashes.
"""
import json
import os
import re
import shutil
import struct

import pytest

from sysvm_program import SYSVM, run

ROUND = """7 {t}.000000 openat(AT_FDCWD, "f{i}", O_RDONLY) = 3 <0.000001>
7 {t}.000010 newfstatat(3, "", {{st_mode=S_IFREG|0644, st_size=90, ...}}, AT_EMPTY_PATH) = 0 <0.000001>
7 {t}.000020 read(3, "x"..., 4096) = 90 <0.000001>
7 {t}.000030 read(3, "", 4096) = 0 <0.000001>
7 {t}.000040 close(3) = 0 <0.000001>
"""


def rounds(n, text=ROUND):
    return "".join(text.format(t=1 + i, i=i) for i in range(n))


def imported(folder, name, text):
    (folder / f"{name}.strace").write_text(text)
    done = run(SYSVM, "import", folder / f"{name}.strace", "-o", folder / f"{name}.trace")
    assert done.returncode == 0, done.stderr
    return folder / f"{name}.trace"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A folder with a good trace and the procedures that were made from it."""
    folder = tmp_path_factory.mktemp("good")
    imported(folder, "good", rounds(20))
    done = run(SYSVM, "compile", folder / "good.trace", "-o", folder / "good.svp")
    assert done.returncode == 0, done.stderr
    assert b"openat: newfstatat read+end" in done.stdout, done.stdout
    return folder


def refused(done, status, *says):
    text = done.stderr.decode(errors="replace")
    assert done.returncode == status, (text, done.stdout)
    assert done.stdout == b""
    for word in says:
        assert str(word) in text, text


def words_for(command, path, folder, good):
    return {"compile": ["compile", path, "-o", folder / "out.svp"],
            "run": ["run", "--require", "-P", path, "--", "echo", "hi"],
            "replay of": ["replay", "-P", good / "good.svp", path],
            "replay -P": ["replay", "-P", path, good / "good.trace"]}.get(command, [command, path])


def written(folder, name, content):
    (folder / name).write_bytes(content)
    return folder / name


def fifo(folder):
    os.mkfifo(folder / "fifo")
    return folder / "fifo"


OF_TRACES = ["info", "dump", "mine", "compile", "replay of"]
OF_PROCEDURES = ["explain", "disasm", "run", "replay -P"]
BAD = {
    # what: (commands, the file made in a folder, words of the message after its name)
    "a procedure file for a trace": (OF_TRACES, lambda f, g: g / "good.svp",
                                     ["a procedure file", "expected a trace"]),
    "a text for a trace": (OF_TRACES, lambda f, g: written(f, "text", b"hello, this is a letter\n"),
                           ["not a trace", "SYSVMTRC"]),
    "nothing for a trace": (OF_TRACES, lambda f, g: written(f, "none", b""), ["empty file, so not a trace"]),
    "a trace cut in its preamble": (OF_TRACES,
                                    lambda f, g: written(f, "cut", (g / "good.trace").read_bytes()[:11]),
                                    ["cut after 11 bytes"]),
    "a trace cut in its header": (OF_TRACES, lambda f, g: written(f, "cut",
                                                                  (g / "good.trace").read_bytes()[:400]),
                                  ["byte 16", "is cut after"]),
    "a trace of a later format": (OF_TRACES, lambda f, g: written(f, "later",
                                                                  (g / "good.trace").read_bytes()[:8]
                                                                  + b"\x63" +
                                                                  (g / "good.trace").read_bytes()[9:]),
                                                                  ["version 99"]),
    "a folder for a trace": (OF_TRACES, lambda f, g: f, ["not a regular file, so not a trace"]),
    "a pipe for a trace": (OF_TRACES, lambda f, g: fifo(f), ["not a regular file, so not a trace"]),
    "/dev/null for a trace": (OF_TRACES, lambda f, g: "/dev/null", ["not a regular file, so not a trace"]),
    "a trace for procedures": (["explain", "run", "replay -P"], lambda f, g: g / "good.trace",
                               ["a trace", "expected a procedure file"]),
    "a text for procedures": (["explain", "run", "replay -P"],
                              lambda f, g: written(f, "text", b"hello, this is a letter\n" * 9),
                              ["no procedure file", "SYSVMSVP"]),
    "nothing for procedures": (["explain", "run", "replay -P"], lambda f, g: written(f, "none", b""),
                               ["no procedure file: 0 bytes", "header of 40"]),
    "a folder for procedures": (OF_PROCEDURES, lambda f, g: f, ["a folder, expected a file"]),
    "a pipe without a writer for procedures": (OF_PROCEDURES, lambda f, g: fifo(f), ["fifo"]),
    "/dev/null for procedures": (["explain", "run", "replay -P"], lambda f, g: "/dev/null",
                                 ["no procedure file: 0 bytes"]),
    "/dev/zero for procedures": (OF_PROCEDURES, lambda f, g: "/dev/zero", ["more than 16777216 bytes"]),
}


@pytest.mark.parametrize("command, what", [(c, what) for what, (all_of, _, _) in BAD.items() for c in all_of])
def test_a_file_that_is_something_else(tmp_path, good, command, what):
    _, make, says = BAD[what]
    path = make(tmp_path, good)
    refused(run(SYSVM, *words_for(command, path, tmp_path, good)), 2, os.path.basename(path), *says)
    assert not (tmp_path / "out.svp").exists()


def test_procedures_may_come_through_a_pipe(good):
    whole = (good / "good.svp").read_bytes()
    assert run(SYSVM, "explain", "/dev/stdin", input=whole).stdout == run(SYSVM, "explain",
                                                                          good / "good.svp").stdout != b""


# --- procedure files of other versions, and cut ones ---

def checksum(data, sum=0xcbf29ce484222325):
    for byte in data:
        sum = (sum ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return sum


def with_versions(svp, version, abi):
    """The same file, as a sysvm of another time would have written it: its checksum is right."""
    sections = struct.unpack_from("<I", svp, 24)[0]
    head = bytearray(svp[:40])
    struct.pack_into("<II", head, 8, version, abi)
    struct.pack_into("<Q", head, 32, 0)
    struct.pack_into("<Q", head, 32, checksum(svp[40:40 + 32 * sections], checksum(head)))
    return bytes(head) + svp[40:]


def test_the_versions_are_where_this_test_changes_them(good):
    svp = (good / "good.svp").read_bytes()
    assert with_versions(svp, *struct.unpack_from("<II", svp, 8)) == svp


@pytest.mark.parametrize("command", OF_PROCEDURES)
@pytest.mark.parametrize("version, abi, says",
                         [(0, 1, ["older sysvm", "compile it anew", "format version 0", "expected 1"]),
                                                (2, 1, ["newer sysvm", "format version 2", "expected 1"]),
                                                (1, 0, ["older sysvm", "compile it anew", "ABI version 0",
                                                        "expected 1"]),
                                                (1, 2, ["newer sysvm", "ABI version 2", "expected 1"])])
def test_procedures_of_another_version(tmp_path, good, command, version, abi, says):
    path = written(tmp_path, "other.svp", with_versions((good / "good.svp").read_bytes(), version, abi))
    refused(run(SYSVM, *words_for(command, path, tmp_path, good)), 2, "other.svp", *says)


@pytest.mark.parametrize("command", ["explain", "replay -P", "run"])
def test_procedures_cut_short(tmp_path, good, command):
    whole = (good / "good.svp").read_bytes()
    for size in [1, 7, 8, 39, 40, 41, 300, len(whole) // 2, len(whole) - 8, len(whole) - 1]:
        path = written(tmp_path, "cut.svp", whole[:size])
        refused(run(SYSVM, *words_for(command, path, tmp_path, good)), 2, "cut.svp",
                "expected" if size < 40 else f"{size}")


# --- nothing that is worth keeping is overwritten ---

@pytest.mark.parametrize("content", [b"SYSVMTRC a trace, nearly", b"dear reader", b"x"])
def test_only_a_procedure_file_is_overwritten(tmp_path, good, content):
    path = written(tmp_path, "precious", content)
    refused(run(SYSVM, "compile", good / "good.trace", "-o", path), 125, "precious", "not overwritten")
    assert path.read_bytes() == content
    text = written(tmp_path, "text", run(SYSVM, "disasm", good / "good.svp").stdout)
    refused(run(SYSVM, "asm", text, "-o", text), 125, "text", "not overwritten")
    again = written(tmp_path, "again.svp", (good / "good.svp").read_bytes())
    assert run(SYSVM, "compile", good / "good.trace", "-o", again).returncode == 0


# --- traces with too little in them ---

def header_of(trace):
    """The preamble and the first record: what is in a file when the recorder is killed before anything was
    made."""
    whole = trace.read_bytes()
    said = run(SYSVM, "info", written(trace.parent, "head.trace", whole[:400])).stderr.decode()
    size, after = map(int, re.search(r"byte 16: record of (\d+) bytes is cut after (\d+)", said).groups())
    return whole[:400 - after + size]


def test_a_trace_without_a_call(tmp_path, good):
    trace = written(tmp_path, "none.trace", header_of(good / "good.trace"))
    mined = run(SYSVM, "mine", trace)
    assert mined.returncode == 0 and mined.stdout.startswith(b"0 calls"), mined.stdout
    assert b"none.trace: no call was recorded" in mined.stderr
    made = run(SYSVM, "compile", trace, "-o", tmp_path / "none.svp")
    assert made.returncode == 0 and b"0 procedures" in made.stdout and b"nothing to gain" in made.stdout, \
        made.stdout
    assert b"none.trace: no call was recorded" in made.stderr
    assert run(SYSVM, "explain",
               tmp_path / "none.svp").stdout == b"no procedures: every call is made plainly\n"
    ran = run(SYSVM, "run", "-P", tmp_path / "none.svp", "--", "echo", "hi")
    assert (ran.returncode, ran.stdout) == (0, b"hi\n")


def test_a_trace_with_one_call(tmp_path):
    trace = imported(tmp_path, "one", "7 1.000000 getppid() = 1 <0.000001>\n")
    mined = run(SYSVM, "mine", "--json", trace)
    assert mined.returncode == 0
    found = json.loads(mined.stdout)
    assert (found["calls"], found["covered"], found["sequences"], found["ideal_entries"]) == (1, 0, [], 1)
    made = run(SYSVM, "compile", trace, "-o", tmp_path / "one.svp")
    assert made.returncode == 0 and b"0 procedures" in made.stdout and b"nothing to gain" in made.stdout, \
        made.stdout


# --- a trace with gaps ---

def stretches(trace):
    """Lengths of the runs of calls without a hole in the numbering."""
    out, before = [], None
    for line in run(SYSVM, "export", "ndjson", trace).stdout.splitlines():
        event = json.loads(line)
        if "seq" not in event:
            continue
        if before is not None and event["seq"] == before + 1:
            out[-1] += 1
        else:
            out.append(1)
        before = event["seq"]
    return out


def test_nothing_is_mined_across_a_real_gap(tmp_path):
    trace = tmp_path / "gap.trace"
    for _ in range(5):  # the recorder must be late, which is chance
        done = run(SYSVM, "record", "--backend", "bpf", "--drop", "-m", "256k", "-q", "-o", trace, "--",
                   "dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=200000")
        if done.returncode == 125:
            pytest.skip("no BPF rights: no recording with losses can be made")
        if b"were lost" in done.stderr:
            break
    else:
        pytest.skip("the recorder was never late on this machine: no gap to test with")
    whole = stretches(trace)
    assert len(whole) > 1
    mined = run(SYSVM, "mine", "--json", "-n", 64, trace)
    assert mined.returncode == 0 and b"sequences are cut there" in mined.stderr, mined.stderr
    for sequence in json.loads(mined.stdout)["sequences"]:
        if sequence["loop"]:
            assert sequence["rounds"][1] * len(sequence["calls"]) <= max(whole), \
                (sequence, sorted(whole)[-3:])
    made = run(SYSVM, "compile", trace, "-o", tmp_path / "gap.svp")
    assert made.returncode == 0 and b"sequences are cut there" in made.stderr, made.stderr


# --- recordings that contradict each other ---

def test_what_one_recording_contradicts_is_dropped_and_told(tmp_path):
    one = imported(tmp_path, "one", rounds(20))
    # The same calls: but the calls are about another descriptor each time, whatever was opened.
    varying = ROUND.replace("(3,", "({fd},").replace("close(3)", "close({fd})")
    other = imported(tmp_path, "other", "".join(varying.format(t=1 + i, i=i, fd=5 + i * i % 7)
                                                for i in range(20)))
    alone = run(SYSVM, "mine", one).stdout.decode()
    assert "read(#0, buf, 4096) = n" in alone or "read(#0, buf, 4096) = 90" in alone, alone
    assert "no source holds in all" not in alone
    both = run(SYSVM, "mine", one, other).stdout.decode()
    assert "newfstatat(*, \"\", buf, 0x1000)" in both and "#0" not in both.split("varies\n")[1], both
    assert "1 of the arguments had a source in some of the recordings, but no source holds in all" in both, \
        both
    # The others are equal to that one, and as little known before the sequence begins.
    assert "? read(=1.0, buf, 4096)" in both and "0 of 4 after the first known" in both, both
    assert run(SYSVM, "mine", other, one).stdout.decode() == both
    found = json.loads(run(SYSVM, "mine", "--json", one, other).stdout)
    assert found["sequences"][0]["contradicted"] == 1

    # The compiler bets on what most occurrences do, and says what it costs; where they are even, it says why
    # there is none.
    even = run(SYSVM, "compile", one, other, "-o", tmp_path / "even.svp").stdout.decode()
    few = imported(tmp_path, "few", rounds(2, ROUND.replace("(3,", "(5,").replace("close(3)", "close(5)")))
    made = json.loads(run(SYSVM, "compile", "--json", one, few, "-o", tmp_path / "few.svp").stdout)
    ahead = [p for p in made["procedures"] if p["mode"] == "run_ahead"]
    assert len(ahead) == 1 and ahead[0]["hits"] == 60 and ahead[0]["misses"] == 2, ahead
    assert "0 procedures" in even and "40  openat flags 0x0: too few go on with newfstatat" in even, even


# --- what is said of a trace ---

def test_names_of_files_do_not_reach_the_terminal_as_they_are(tmp_path):
    absent = ROUND.replace("f{i}", "/\\33[31mf\\377")
    absent = absent.replace("= 3", "= -1 ENOENT (No such file or directory)").splitlines()[0]
    trace = imported(tmp_path, "names", rounds(20) + rounds(40, absent + "\n"))
    names = tmp_path / "names.svp"
    for words, named in ((["mine", trace], True), (["compile", trace, "-o", names], True),
                         (["explain", names], False),
                         (["mine", "--json", trace], True), (["explain", "--json", names], True)):
        done = run(SYSVM, *words)
        assert done.returncode == 0, done.stderr
        assert b"\x1b" not in done.stdout, done.stdout
        assert b"31mf" in done.stdout or not named, (words, done.stdout)


def test_what_an_entry_costs_elsewhere_decides_there(good, tmp_path):
    found = {}
    for crossing in (5, 165, 5000):
        done = run(SYSVM, "compile", "--json", "--crossing", crossing, good / "good.trace", "-o",
                   tmp_path / "x.svp")
        assert done.returncode == 0, done.stderr
        found[crossing] = json.loads(done.stdout)
    assert [p for p in found[5]["procedures"] if p["mode"] == "run_ahead"] == []
    assert "more time than they cost: pays from" in json.dumps(found[5]["dropped"])
    saved = [[p["saved_ns"] for p in found[c]["procedures"] if p["mode"] == "run_ahead"][0]
             for c in (165, 5000)]
    assert 0 < saved[0] < saved[1]
    refused(run(SYSVM, "compile", "--crossing", "0", good / "good.trace", "-o", tmp_path / "y.svp"), 2,
            "--crossing")


def test_what_others_named_does_not_reach_the_terminal_as_it_is(tmp_path):
    named = tmp_path / "red\x1b[31m\u009b2J"
    shutil.copy("/bin/true", named)
    trace, svp = tmp_path / "x.trace", tmp_path / "x.svp"
    recorded = run(SYSVM, "record", "-o", trace, "--", named, "\x1b]0;title\x07")
    commands = [["info", trace], ["info", "--verify", trace], ["dump", "-y", trace], ["mine", trace],
                ["compile", trace, "-o", svp], ["explain", svp], ["replay", "-P", svp, trace],
                ["export", trace], ["stat", "--", named], ["try", "--", named, "\x1b[2J"], ["dump", named],
                ["run", "--", tmp_path / "\x1b[2J"], ["\x1b[31m"], ["dump", "--\x1b"]]
    for done in [recorded, *(run(SYSVM, *words) for words in commands)]:
        for shown in (done.stdout, done.stderr):
            for control in (b"\x1b", b"\x07", "\u009b".encode()):
                assert control not in shown, (done.args, shown)
