#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The prefetcher beside a command, from its start to its end: what the command and its parent can see of it.

The command waits because a file system answers slowly (slow_fs), not because anything here is timed.

    run_test.py SYSVM SLOW_FS [TEST...]
"""
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

SYSVM, SLOW_FS = map(os.path.abspath, sys.argv[1:3])
PREFETCH = os.path.join(os.path.dirname(SYSVM), "../lib/sysvm-prefetch")


def until(condition, seconds=30):
    end = time.time() + seconds
    while time.time() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    return None


def prefetchers(pid):
    """Processes that are the prefetcher of the command `pid`."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
            state = Path(f"/proc/{name}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if words[0].endswith(b"sysvm-prefetch") and words[3] == str(pid).encode() and state not in "ZX":
            found.append(int(name))
    return found


def command_of(run):
    """The process that `sysvm run` became or started."""
    def look():
        if prefetchers(run.pid):
            return run.pid
        try:
            children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        except OSError:
            return None
        return next((int(c) for c in children if prefetchers(int(c))), None)
    return until(look)


class Beside(unittest.TestCase):
    def start(self, *command, **more):
        run = subprocess.Popen([SYSVM, "run", "--prefetch=auto", *command], stdin=subprocess.DEVNULL, **more)
        self.addCleanup(lambda: (run.poll() is None and run.kill(), run.wait()))
        pid = command_of(run)
        self.assertTrue(pid, "no prefetcher was started")
        return run, pid, prefetchers(pid)[0]

    def test_it_is_there_and_goes_with_the_command(self):
        run, pid, prefetcher = self.start("--", "sleep", "60")
        os.kill(pid, signal.SIGTERM)
        run.wait()
        self.assertTrue(until(lambda: not prefetchers(pid)))

    def test_it_goes_when_the_command_is_killed(self):
        run, pid, prefetcher = self.start("--", "sleep", "60")
        os.kill(pid, signal.SIGKILL)
        run.wait()
        self.assertTrue(until(lambda: not prefetchers(pid)))

    def test_there_is_none_unless_asked_for(self):
        for words in ([], ["--prefetch=off"]):
            run = subprocess.Popen([SYSVM, "run", *words, "--", "sh", "-c", "echo $$; exec sleep 60"],
                                   stdout=subprocess.PIPE, text=True)
            pid = int(run.stdout.readline())
            self.assertEqual(prefetchers(pid), [])
            os.kill(pid, signal.SIGKILL)
            run.communicate()

    def test_it_holds_nothing_of_the_command(self):
        out = tempfile.TemporaryFile()
        self.addCleanup(out.close)
        run, pid, prefetcher = self.start("--", "sleep", "60", stdout=out, cwd="/var/tmp")
        links = [os.readlink(f"/proc/{prefetcher}/fd/{n}") for n in os.listdir(f"/proc/{prefetcher}/fd")]
        mine = os.readlink(f"/proc/{pid}/fd/1")
        self.assertNotIn(mine, links)
        self.assertTrue(all(l == "/dev/null" or l.startswith(("anon_inode:", "pidfd:", "/memfd:", "/proc/"))
                            for l in links), links)
        self.assertEqual(os.readlink(f"/proc/{prefetcher}/cwd"), "/")
        self.assertEqual(os.getsid(prefetcher), prefetcher)
        self.assertEqual(Path(f"/proc/{prefetcher}/oom_score_adj").read_text().strip(), "1000")
        os.kill(pid, signal.SIGKILL)

    def test_the_command_has_no_child_and_no_time_of_children(self):
        program = ("import os, resource\n"
                   "try: os.waitpid(-1, os.WNOHANG); print('a child')\n"
                   "except ChildProcessError: print('none')\n"
                   "r = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
                   "print(r.ru_maxrss, r.ru_minflt, r.ru_utime)\n"
                   "import signal; print(signal.sigpending())\n")
        for _ in range(2):  # the first makes the start, with a helper of its own; the second finds it kept
            out = subprocess.run([SYSVM, "run", "--prefetch=auto", "--", "/usr/bin/python3", "-c", program],
                                 stdout=subprocess.PIPE, text=True)
        self.assertEqual(out.stdout, "none\n0 0 0.0\nset()\n")

    def test_it_keeps_no_pipe_open(self):
        # A stopped prefetcher cannot end; whoever reads the command's output hears of its end all the same.
        run, pid, prefetcher = self.start("--", "sh", "-c", "echo out; exec sleep 60", stdout=subprocess.PIPE,
                                          text=True)
        os.kill(prefetcher, signal.SIGSTOP)
        try:
            os.kill(pid, signal.SIGKILL)
            self.assertEqual(run.communicate(timeout=60)[0], "out\n")
        finally:
            os.kill(prefetcher, signal.SIGKILL)

    def test_a_limit_of_processes_leaves_it_out(self):
        if os.geteuid() != 0:
            self.skipTest("root becomes a user for this")

        def poor():
            resource.setrlimit(resource.RLIMIT_NPROC, (100, 100))
            os.setgroups([])
            os.setresgid(65533, 65533, 65533)
            os.setresuid(65533, 65533, 65533)
        run = subprocess.Popen([SYSVM, "run", "--prefetch=auto", "--", "sh", "-c", "echo $$; exec sleep 60"],
                               stdout=subprocess.PIPE,
                               text=True, preexec_fn=poor, cwd="/")
        line = run.stdout.readline()
        if not line:
            self.skipTest("another user cannot execute sysvm here")
        self.assertEqual(prefetchers(int(line)), [])
        os.kill(int(line), signal.SIGKILL)
        run.communicate()

    def test_a_bad_word_is_a_usage_error(self):
        for word in ("", "x", "0", "65", "-1", "3x"):
            run = subprocess.run([SYSVM, "run", "--prefetch", word, "--", "true"], stderr=subprocess.PIPE,
                                 text=True)
            self.assertEqual(run.returncode, 2, word)
            self.assertIn("off, auto", run.stderr)

    def test_by_hand_it_explains_itself(self):
        for words in ([], ["1"], ["x", "-1", "1", "0", ""], ["3", "-1", "0", "0", ""]):
            run = subprocess.run([PREFETCH, *words], stderr=subprocess.PIPE, text=True)
            self.assertEqual(run.returncode, 2)
            self.assertIn("sysvm run", run.stderr)


class Slow(unittest.TestCase):
    """A tree of 60 directories with files, each request to which takes 2 ms."""

    @classmethod
    def setUpClass(cls):
        if not os.access("/dev/fuse", os.R_OK | os.W_OK) or os.geteuid() != 0:
            raise unittest.SkipTest("no FUSE here")
        cls.folder = tempfile.mkdtemp(dir="/var/tmp", prefix="sysvm-slow-")
        cls.tree, cls.mount = cls.folder + "/tree", cls.folder + "/mnt"
        for i in range(12):
            for j in range(5):
                os.makedirs(f"{cls.tree}/{i:02}/{j}")
                for k in range(4):
                    with open(f"{cls.tree}/{i:02}/{j}/{k}", "w") as f:
                        f.write(f"{i} {j} {k}\n" * 300)
        os.mkdir(cls.mount)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def mounted(self):
        server = subprocess.Popen([SLOW_FS, self.tree, self.mount, "2000", self.folder + "/opens"],
                                  stderr=subprocess.DEVNULL)
        ready = until(lambda: os.path.ismount(self.mount))
        if not ready:
            server.kill()
            self.skipTest("FUSE cannot be mounted here")

        def end():
            subprocess.run(["umount", "-l", self.mount], stderr=subprocess.DEVNULL)
            server.wait()
        return end

    def run_in_mount(self, *words, prefetch="auto", during=None, victims=(), options=()):
        """Output, status, and what the prefetcher did, of a command on the tree that nobody has touched
        yet."""
        end = self.mounted()
        stats = self.folder + "/stats"
        try:
            run = subprocess.Popen([SYSVM, "run", f"--prefetch={prefetch}", *options, "--stats", stats, "--",
                                    *words],
                                   cwd=self.mount,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if during:
                during(run)
            out, errors = run.communicate(timeout=300)
            for prefetcher in victims:  # a stopped one keeps the mount busy
                try:
                    os.kill(prefetcher, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            until(lambda: not any(os.path.exists(f"/proc/{v}/fd/0") for v in victims))
            busy = subprocess.run(["umount", self.mount], stderr=subprocess.PIPE)
            return out, errors, run.returncode, json.loads(Path(stats).read_text())["prefetch"], busy
        finally:
            end()

    def test_a_walk_is_run_ahead_and_changes_nothing(self):
        plain = subprocess.run(["du", "-a", "."], cwd=self.tree, stdout=subprocess.PIPE).stdout
        for how in ("auto", "1", "16"):
            out, errors, status, done, busy = self.run_in_mount("du", "-a", ".", prefetch=how)
            self.assertEqual((sorted(out.split(b"\n")), errors, status), (sorted(plain.split(b"\n")), b"", 0))
            self.assertGreater(done["directories"], 10, done)
            self.assertGreaterEqual(done["walks"], 1)
            self.assertEqual(done["files"], 0, "du reads no file")
            self.assertEqual(done["end"], "with the command")

    def test_what_tar_is_sent_to_but_not_told_to_read_is_left_alone(self):
        opens = Path(self.folder + "/opens")
        for _ in range(10):  # on a busy machine tar may have ended before it is seen to wait
            opens.write_text("")
            done = self.run_in_mount("tar", "cf", self.folder + "/tar", "-C", self.mount, "03")[3]
            if done["directories"] > 2:
                break
        self.assertGreater(done["directories"], 2, done)
        opened = {line.split()[1] for line in opens.read_text().splitlines() if line.startswith("opendir")}
        self.assertEqual(opened - {"/"}, {"/03", *(f"/03/{j}" for j in range(5))})

    def test_the_file_system_is_not_busy_when_the_command_has_ended(self):
        for _ in range(3):
            busy = self.run_in_mount("timeout", "-s", "KILL", "0.2", "du", "-s", ".")[4]
            self.assertEqual((busy.returncode, busy.stderr), (0, b""))

    def test_what_reads_files_has_them_read_ahead(self):
        plain = subprocess.run(["grep", "-r", "7 3 2", "."], cwd=self.tree, stdout=subprocess.PIPE).stdout
        out, errors, status, done, _ = self.run_in_mount("grep", "-r", "7 3 2", ".")
        self.assertEqual((sorted(out.split(b"\n")), errors, status), (sorted(plain.split(b"\n")), b"", 0))
        self.assertGreater(done["files"], 10, done)
        self.assertGreater(done["bytes"], 10000)

    def test_children_are_followed(self):
        done = self.run_in_mount("sh", "-c", "true; du -s . | cat; true")[3]
        self.assertGreater(done["directories"], 10, done)

    def test_a_program_under_a_filter_or_static_is_served_too(self):
        # Neither can be entered by the shim: what counts is seen from outside.
        program = ("import ctypes, os\n"
                   "libc = ctypes.CDLL(None)\n"
                   "assert libc.prctl(38, 1, 0, 0, 0) == 0\n"
                   "code = (ctypes.c_uint64 * 1)(0x7fff000000000006)\n"  # return ALLOW
                   "prog = (ctypes.c_uint64 * 2)(1, ctypes.addressof(code))\n"
                   "assert libc.prctl(22, 2, prog, 0, 0) == 0\n"
                   "n = sum(len(f) for _, _, f in os.walk('.'))\n"
                   "assert n == 240, n\n")
        _, errors, status, done, _ = self.run_in_mount("/usr/bin/python3", "-c", program)
        self.assertEqual((errors, status), (b"", 0))
        self.assertGreater(done["directories"], 10, done)

    # Lists of a procedure file. `sha256sum --check` has the names of what it reads from a file: nobody can
    # guess them.

    def names(self):
        return [f"{i:02}/{j}/{k}" for k in range(4) for j in range(5) for i in range(12)]

    def list_file(self, command, names, exe="/usr/bin/sha256sum", change=lambda text: text):
        """A procedure file with one list: `names`, as they are in the tree."""
        checksum = 0xcbf29ce484222325  # FNV-1a of the words, as docs/svp-format.md has it
        for byte in b"".join(w.encode() + b"\0" for w in command):
            checksum = (checksum ^ byte) * 0x100000001b3 % 2**64
        notes = subprocess.run(["readelf", "-n", exe], stdout=subprocess.PIPE, text=True).stdout
        build_id = notes.split("Build ID: ")[1].split()[0]
        text = f'list "test" prefetch {{\n  seen 1\n  exe {build_id}\n  command {checksum:#x}\n  waited 0\n'
        for name in names:
            st = os.stat(f"{self.tree}/{name}")
            text += (f'  file "{name}" 0+{st.st_size} of {st.st_size} modified '
                     f"{st.st_mtime_ns // 10**9}.{st.st_mtime_ns % 10**9:09}\n")
        Path(self.folder, "list.txt").write_text(change(text + "}\n"))
        subprocess.run([SYSVM, "asm", self.folder + "/list.txt", "-o", self.folder + "/list.svp"], check=True)
        return self.folder + "/list.svp"

    def check_sums(self, names, file, name="sums"):
        sums = subprocess.run(["sha256sum", *names], cwd=self.tree, stdout=subprocess.PIPE).stdout
        Path(self.folder, name).write_bytes(sums)
        command = ["sha256sum", "--quiet", "--check", f"{self.folder}/{name}"]
        for _ in range(5):
            out, errors, status, done, _ = self.run_in_mount(*command, options=["-P", file] if file else [])
            self.assertEqual((out, errors, status), (b"", b"", 0))
            if done["samples"] > 20:
                break  # else others left it no processor meanwhile
        return done

    def test_what_a_list_names_is_read_ahead(self):
        names = self.names()
        file = self.list_file(["sha256sum", "--quiet", "--check", f"{self.folder}/sums"], names)
        done = self.check_sums(names, file)
        self.assertEqual((done["lists"], done["strayed"], done["changed"]), (1, 0, 0), done)
        self.assertGreater(done["files"], 100, done)
        self.assertEqual(self.check_sums(names, None)["lists"], 0)

    def test_another_command_of_the_program_is_left_when_it_strays(self):
        names = self.names()
        file = self.list_file(["sha256sum", "--check", "something else"], names[:120])
        done = self.check_sums(names[120:], file)
        self.assertEqual((done["lists"], done["strayed"]), (1, 1), done)
        self.assertLess(done["listed"], 100, done)

    def test_of_another_program_there_is_no_list(self):
        names = self.names()
        file = self.list_file(["sha256sum", "--quiet", "--check", f"{self.folder}/sums"], names,
                              exe="/usr/bin/md5sum")
        self.assertEqual(self.check_sums(names, file)["lists"], 0)

    def test_files_that_have_changed_are_not_read(self):
        names = self.names()
        file = self.list_file(["sha256sum", "--quiet", "--check", f"{self.folder}/sums"], names,
                              change=lambda text: text.replace("modified 1", "modified 2"))
        done = self.check_sums(names, file)
        self.assertGreater(done["changed"], 100, done)
        self.assertLess(done["files"], 100, done)

    def test_a_list_of_what_must_not_be_opened_opens_nothing(self):
        names = self.names()
        hostile = "".join(f'  file "{n}" 0+1 of 1 modified 0.0\n  directory "{n}"\n  name "{n}"\n'
                          for n in ("/dev/null", "/proc/self/mem", "/sys/kernel/mm", "/dev/../dev/zero",
                                    "../" * 40 + "dev/null", "/proc/1/root/etc"))
        file = self.list_file(["sha256sum", "--quiet", "--check", f"{self.folder}/sums"], [],
                              change=lambda text: text[:-2] + hostile * 40 + "}\n")
        done = self.check_sums(names, file)
        self.assertEqual((done["lists"], done["files"], done["directories"]), (1, 0, 0), done)

    def test_a_file_that_is_refused_is_no_list(self):
        Path(self.folder, "bad.svp").write_bytes(b"SYSVMSVP" + b"x" * 5000)
        run = subprocess.run([SYSVM, "run", "--prefetch=auto", "-P", self.folder + "/bad.svp", "--",
                              "echo", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual((run.stdout, run.returncode), (b"1\n", 0))
        self.assertIn(b"bad.svp", run.stderr)

    def test_without_the_prefetcher_in_mid_run_the_command_goes_on(self):
        plain = subprocess.run(["du", "-s", "--apparent-size", "."], cwd=self.tree,
                               stdout=subprocess.PIPE).stdout
        for sent in (signal.SIGKILL, signal.SIGSTOP):
            victims = []

            def during(run, sent=sent, victims=victims):
                pid = command_of(run)
                if pid:
                    victims.extend(prefetchers(pid))
                    time.sleep(0.1)
                    for v in victims:
                        os.kill(v, sent)
            out, errors, status, done, _ = self.run_in_mount("du", "-s", "--apparent-size", ".",
                                                             during=during,
                                                             victims=victims)
            self.assertEqual((out, errors, status), (plain, b"", 0))
            self.assertTrue(victims)
            self.assertEqual(done["end"], "ended early")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
