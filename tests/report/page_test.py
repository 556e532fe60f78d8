# SPDX-License-Identifier: MIT
"""The page as a program reads it: it stands alone, its tables say what was recorded, and its data are the
recording's."""
import base64
import hashlib
import json
import re
import subprocess

import pytest
from reports import HOSTILE, SAMPLES, Page, empty_trace, hostile_trace, report
from sysvm_program import SYSVM, run
from trace_text import CALLS, make_trace

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")

FORK_CHILD = 8  # EventFlag of traces/event.h


def events(trace):
    done = run(SYSVM, "dump", "--json", trace)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line for line in lines if "call" in line or "signal" in line]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return report(hostile_trace(tmp_path_factory.mktemp("hostile")))


def test_hostile_names_are_text_in_every_table(hostile):
    page = Page(hostile)
    assert page.inside == [] and page.loads == []
    assert page.tags <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "br",
        "a",
        "header",
        "nav",
        "b",
        "span",
        "label",
        "input",
        "output",
        "button",
        "main",
        "h1",
        "h2",
        "h3",
        "code",
        "bdi",
        "dl",
        "div",
        "dt",
        "dd",
        "small",
        "p",
        "noscript",
        "section",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "svg",
        "path",
        "canvas",
        "i",
        "details",
        "summary",
        "ol",
        "li",
        "pre",
        "dialog",
        "form",
        "script",
    }
    assert not UNSEEN.search(page.text.replace("\n", " "))
    for table in ("files-table", "folders-table", "processes-table"):
        assert len(page.wide[table]) == 1, f"{table}: rows differ in their number of cells"
    for name in ("line feed", "script", "end of script", "quotes", "entities", "template"):
        shown = HOSTILE[name].decode().replace("\\", "\\\\").replace("\n", "\\n")
        assert shown in page.text, name
    assert (
        "/h/\\xff\\xfe\\xc3(" in page.text
        and "\\u202egpj.exe\\u2066\\u200f" in page.text
        and "\\x1b[31mred\\x07" in page.text
    )
    assert "\u05e9\u05dc\u05d5\u05dd" in page.text  # a language is no attack
    assert "n" * 400 not in page.text and "bytes]" in page.text


def test_hostile_names_are_text_in_the_data(hostile):
    page = Page(hostile)
    assert set(page.raw) == {"facts", "packed", "script"}
    assert all(ord(c) < 128 for c in hostile) and "<" not in page.raw["facts"]
    places = page.places()
    assert any("<script>" in place for place in places) and not any(UNSEEN.search(place) for place in places)
    folders = [folder[0] for folder in page.facts["folders"]]
    assert not any(UNSEEN.search(name) or len(name) > 200 for name in folders)


def test_only_its_own_script_may_run_and_nothing_is_loaded(hostile):
    page = Page(hostile)
    digest = base64.b64encode(hashlib.sha256(page.raw["script"].encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', hostile).group(1)
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    assert (
        "http://" not in hostile
        and "https://" not in hostile
        and "@import" not in hostile
        and "url(" not in hostile
    )


def test_it_says_what_was_recorded(tmp_path):
    trace = make_trace(tmp_path)
    page = Page(report(trace))
    for words in ("openat", "ENOENT 1", "exit 3", "complete", "Threads", "What repeats"):
        assert words in page.text, words
    assert len(page.ids) == len(set(page.ids))
    assert "Not asked for" in Page(report(trace, "--no-sequences")).text
    without = Page(report(trace, "--no-procedures"))
    assert without.facts["worth"] is None and "Not known" in without.text


def test_the_data_are_the_recordings(tmp_path):
    trace = make_trace(tmp_path)
    page, recorded = Page(report(trace)), [e for e in events(trace) if not e.get("flags", 0) & FORK_CHILD]
    facts = page.facts
    names = [facts["calls"][number][0] for number in page.column("name")]
    assert len(names) == facts["spans"]["count"] == sum(lane[2] for lane in facts["spans"]["lanes"])
    assert sorted(name for name in names if name != "signal") == sorted(
        e["call"] for e in recorded if "call" in e
    )
    assert len([name for name in names if name != "signal"]) == CALLS
    at, starts = 0, []
    for _, _, count, _ in facts["spans"]["lanes"]:
        now = 0
        for gap, length in zip(page.column("gap")[at : at + count], page.column("length")[at : at + count]):
            starts.append(now + gap)
            now += gap + length
        at += count
    assert min(starts) == 0 and max(starts) <= facts["wall_ns"]
    assert sum(step[3] for step in facts["flow"]) == CALLS
    assert [page.places()[place] for place in page.column("place") if place].count("absent") == 1


def test_what_procedures_save_is_what_replay_says(tmp_path):
    sample = next(path for path in SAMPLES if path.stem == "grep")
    subprocess.run([SYSVM, "compile", sample, "-o", tmp_path / "x.svp"], check=True, capture_output=True)
    said = json.loads(run(SYSVM, "replay", "-P", tmp_path / "x.svp", sample, "--json").stdout)
    for options in ([], ["-P", str(tmp_path / "x.svp")]):
        page = Page(report(sample, *options))
        worth = page.facts["worth"]
        assert (
            worth["calls"] == said["calls"]
            and worth["entries"] == said["entries"]
            and worth["wall_ns"] == said["wall_ns"]
        )
        zero, slope = worth["kernel"]
        assert zero + slope * worth["crossing_ns"] == pytest.approx(said["saved_ns"], rel=1e-6)
        flags = page.column("flags")
        assert sum(1 for flag in flags if flag & 2) == said["answered"]
        assert sum(1 for flag in flags if flag & 1) == pytest.approx(
            sum(p["runs"] for p in said["procedures"] if p["runs"]), rel=0.05
        )
        assert page.rows["procedures-table"] == 1 + len(said["procedures"])


def test_another_price_of_an_entry_is_on_the_same_line(tmp_path):
    sample = next(path for path in SAMPLES if path.stem == "grep")
    subprocess.run([SYSVM, "compile", sample, "-o", tmp_path / "x.svp"], check=True, capture_output=True)
    said = json.loads(
        run(SYSVM, "replay", "-P", tmp_path / "x.svp", sample, "--json", "--crossing", "700").stdout
    )
    zero, slope = Page(report(sample, "-P", str(tmp_path / "x.svp"))).facts["worth"]["kernel"]
    assert zero + slope * 700 == pytest.approx(said["saved_ns"], rel=1e-6)


@pytest.mark.parametrize("sample", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_samples_have_a_page(sample, tmp_path):
    out = tmp_path / "page.html"
    assert report(sample, "-o", str(out)) == ""
    page = Page(out.read_text(encoding="ascii"))
    assert page.loads == [] and page.inside == []
    assert page.facts["spans"]["grain_ns"] == 0
    recorded = [e for e in events(sample) if not e.get("flags", 0) & FORK_CHILD]
    assert page.facts["spans"]["count"] == len(recorded)


def test_a_recording_without_events_has_a_page(tmp_path):
    trace = empty_trace(tmp_path)
    done = run(SYSVM, "report", trace)
    page = Page(done.stdout.decode("ascii"))
    assert (
        page.inside == []
        and page.facts["spans"]["count"] == 0
        and "None." in page.text
        and "nan" not in page.text.lower()
    )


def test_a_bad_procedure_file_is_refused(tmp_path):
    (tmp_path / "bad.svp").write_bytes(b"no procedures")
    done = run(SYSVM, "report", "-P", tmp_path / "bad.svp", SAMPLES[0])
    assert done.returncode == 2 and b"bad.svp" in done.stderr and done.stdout == b""
