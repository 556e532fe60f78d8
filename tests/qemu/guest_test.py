#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The parts of the guest's harness that can be wrong without a boot: what counts as passed, as a complaint,
as a kernel."""

import gzip
import lzma
import struct
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import extract_vmlinux  # noqa: E402
import guest  # noqa: E402
import mutate  # noqa: E402
import run  # noqa: E402


def bzimage(payload: bytes, magic: bytes = b"HdrS", length: int | None = None) -> bytes:
    """A bzImage of one setup sector with this payload."""
    image = bytearray(1024)
    image[0x1F1] = 1
    image[0x202:0x206] = magic
    struct.pack_into("<H", image, 0x206, 0x020F)
    struct.pack_into("<II", image, 0x248, 0, len(payload) if length is None else length)
    return bytes(image) + payload


class ExtractVmlinux(unittest.TestCase):
    kernel = b"\x7fELF" + bytes(range(256)) * 50

    def test_finds_the_kernel_in_each_compression(self):
        for compressed in (lzma.compress(self.kernel), gzip.compress(self.kernel), self.kernel):
            image = bzimage(compressed + struct.pack("<I", len(self.kernel)))
            self.assertEqual(extract_vmlinux.extract(image)[: len(self.kernel)], self.kernel)

    def test_says_what_is_wrong_with_an_image(self):
        for image, message in ((bzimage(b"", magic=b"XXXX"), "HdrS"),
                               (bzimage(b"abc", length=99), "past the end"),
                               (bzimage(b"BZh9"), "425a6839"), (bzimage(gzip.compress(b"text")), "ELF")):
            with self.assertRaisesRegex(extract_vmlinux.BadImage, message):
                extract_vmlinux.extract(image)


class Report(unittest.TestCase):
    def test_only_exit_status_0_passes(self):
        for end, passed in (("exit 0 5", True), ("exit 1 5", False), ("signal 9 5", False),
                            ("timeout 5", False)):
            got = run.parse_report(f"guest x\nbegin a\n| text\nend a {end}\ndone\n")["a"]
            self.assertEqual((got.passed, got.output), (passed, "text"), end)

    def test_77_is_no_pass_and_no_failure(self):
        got = run.parse_report("begin a\n| SKIPPED: no podman\nend a exit 77 5\nbegin b\nend b exit 1 5\n")
        self.assertEqual([(r.passed, r.skipped) for r in got.values()], [(False, True), (False, False)])

    def test_a_test_that_began_and_did_not_end_has_failed(self):
        got = run.parse_report("begin a\nend a exit 0 1\nbegin b\n| half")
        self.assertTrue(got["a"].passed)
        self.assertFalse(got["b"].passed)
        self.assertEqual(got["b"].output, "half")

    def test_progress_waits_for_a_line_that_is_being_written(self):
        progress, told = run.Progress("test\ta\n"), []
        progress.tell = lambda name, result: told.append((name, result.passed))
        for report in ("begin a\nend a exi", "begin a\nend a exit 0 1\n"):
            progress.look(report)
        self.assertEqual(told, [("a", True)])

    def test_output_cannot_forge_a_verdict(self):
        got = run.parse_report("begin a\n| end a exit 0 1\n| begin b\n| end b exit 0 1\nend a exit 3 1\n")
        self.assertFalse(got["a"].passed)
        self.assertNotIn("b", got)

    def test_incomplete_names_what_is_missing(self):
        jobs = "module\t/m.ko\t\ntest\ta\t5\ttrue\n"
        self.assertEqual(run.incomplete("guest x\nmodule ok /m.ko\ndone\n", jobs), [])
        self.assertRegex(" ".join(run.incomplete("guest x\nmodule Exec format error /m.ko\ndone\n", jobs)),
                         "Exec format")
        self.assertRegex(" ".join(run.incomplete("guest x\nmodule ok /m.ko\nbegin a\n", jobs)),
                         "last line: begin a")
        self.assertRegex(" ".join(run.incomplete("fatal /host: No such device\n", "")), "No such device")


class Console(unittest.TestCase):
    def test_finds_each_kind_of_complaint(self):
        for line in ("[    1.2] WARNING: CPU: 0 PID: 1 at kernel/x.c:3 f+0x1/0x2",
                     "[    1.2] BUG: KASAN: use-after-free in f",
                     "[    1.2] BUG: unable to handle page fault for address: ffff",
                     "Oops: 0002 [#1] PREEMPT SMP", "WARNING: possible circular locking dependency detected",
                     "[ 3.1] rcu: INFO: rcu_preempt self-detected stall",
                     "[ 9.0] INFO: task read:77 blocked for more than 120 seconds.",
                     "Kernel panic - not syncing: x"):
            self.assertEqual(run.complaints(f"fine\n{line}\nfine\n"), [line])

    def test_a_quiet_console_has_none(self):
        self.assertEqual(
            run.complaints("[    0.0] RETBleed: WARNING: Spectre v2 mitigation leaves CPU vulnerable\n"), [])
        self.assertEqual(
            run.complaints(
                "[    0.1] ACPI: PM-Timer IO Port\n[ 1.0] sysvm: loading out-of-tree module taints kernel.\n"
            ), [])


class Initrd(unittest.TestCase):
    def test_archive_is_what_cpio_reads(self):
        data = guest.cpio([("a", 0o100644, b"hello"), ("dir", 0o040755, b"")])
        self.assertEqual(len(data) % 4, 0)
        self.assertEqual(data[:6], b"070701")
        self.assertEqual(int(data[54:62], 16), 5)  # size of a
        self.assertEqual(data[110:112], b"a\0")
        self.assertEqual(data[112:117], b"hello")
        self.assertIn(b"TRAILER!!!\0", data)


class Mutations(unittest.TestCase):
    here = "".join(path.read_text() for path in Path(__file__).resolve().parent.glob("*.[ct]*"))

    def test_each_finds_the_rule_that_it_takes_out(self):
        for mutation in mutate.MUTATIONS:
            with self.subTest(mutation.rule):
                self.assertTrue(
                    mutate.changed_files(mutation))  # raises when a text is not there exactly once

    def test_each_names_tests_that_there_are(self):
        for name in {name for mutation in mutate.MUTATIONS for name in mutation.tests}:
            self.assertRegex(self.here, rf"TEST\({name}\)|guest_test\({name} |void {name}\(")


if __name__ == "__main__":
    unittest.main()
