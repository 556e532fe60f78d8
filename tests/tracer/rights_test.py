# SPDX-License-Identifier: MIT
"""sysvm record as another user, without rights, and where the kernel hides its types."""
import json
import os
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from recording import EACH_BACKEND, SYSVM, WORKLOAD, info, names, record, run

pytestmark = EACH_BACKEND


def test_under_sudo_the_command_runs_as_who_called(backend, tmp_path):
    if os.geteuid() != 0:
        return
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o777)
        for options, uid in (([], 65534), (["--as-root"], 0), (["-u", "daemon"], 1)):
            done = run("env", "SUDO_UID=65534", SYSVM, "record", "-q", "--backend", backend, "-o",
                       f"{place}/t.trace", *options, "--",
                       "id", "-u")
            assert done.stdout == b"%d\n" % uid, done.stderr
            assert os.stat(f"{place}/t.trace").st_uid == (uid if not options else 0)
            os.unlink(f"{place}/t.trace")


def test_runs_as_another_user(backend, tmp_path):
    if os.geteuid() != 0:
        assert record(backend, tmp_path, "true", options=["-u", "root"]).returncode == 126
        return
    done = record(backend, tmp_path, "sh", "-c", "id -un; echo $HOME", options=["-u", "nobody"])
    assert done.stdout.split() == [b"nobody", b"/nonexistent"]


def test_without_rights_it_says_the_fix(backend, tmp_path):
    if os.geteuid() != 0 or backend == "ptrace":
        return
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if run(*drop, SYSVM, "--version").returncode:
        pytest.fail(f"{SYSVM} cannot be run by another user; build where others may look")
    with tempfile.TemporaryDirectory() as place:  # pytest's own cannot be entered by others
        os.chmod(place, 0o777)
        refused = run(*drop, SYSVM, "record", "--backend", "bpf", "-o", f"{place}/u.trace", "--", "true")
        assert refused.returncode == 125 and b"setcap" in refused.stderr
        assert b"--backend ptrace" in refused.stderr
        fallback = run(*drop, SYSVM, "record", "-o", f"{place}/u.trace", "--", "true")
        assert fallback.returncode == 0 and b"the ptrace backend was used" in fallback.stderr


# Runs a command where the kernel's types are not to be seen. Only /sys is made private: in a chroot the root
# is no mount, so unshare's own way fails there.
HIDDEN_BTF = ["unshare", "-m", "--propagation", "unchanged", "sh", "-c",
              'mount --make-private /sys && mount -t tmpfs none /sys/kernel/btf && exec "$0" "$@"']


def test_without_btf_it_says_so_and_ptrace_records_the_same(backend, tmp_path):
    """A kernel that was built without BTF, as far as a program can tell."""
    if os.geteuid() != 0 or backend == "ptrace":
        return
    hidden = [*HIDDEN_BTF, SYSVM, "record"]
    refused = run(*hidden, "--backend", "bpf", "-o", tmp_path / "b.trace", "--", "true")
    assert refused.returncode == 125 and b"CONFIG_DEBUG_INFO_BTF" in refused.stderr
    assert b"--backend ptrace" in refused.stderr
    fallback = run(*hidden, "-o", tmp_path / "t.trace", "--", WORKLOAD, "calls", "70")
    assert fallback.returncode == 0 and b"the ptrace backend was used" in fallback.stderr
    without = names(tmp_path)
    assert without["getppid"] == 70
    assert record("bpf", tmp_path, WORKLOAD, "calls", "70").returncode == 0
    assert names(tmp_path) == without


def test_with_btf_from_a_file_ebpf_works_where_it_is_hidden(backend, tmp_path):
    if os.geteuid() != 0 or backend == "ptrace":
        return
    types = tmp_path / "vmlinux.btf"
    types.write_bytes(Path("/sys/kernel/btf/vmlinux").read_bytes())
    hidden = [*HIDDEN_BTF, SYSVM]
    trace = ["-o", tmp_path / "t.trace"]
    done = run(*hidden, "record", "--btf", types, *trace, "--", WORKLOAD, "calls", "70")
    assert done.returncode == 0 and b"; bpf: setup" in done.stderr, done.stderr
    assert names(tmp_path)["getppid"] == 70 and info(tmp_path)["complete"]
    counted = run(*hidden, "stat", "--json", "--btf", types, "-o", tmp_path / "stat.json", "--", WORKLOAD,
                  "calls", "70")
    assert counted.returncode == 0 and json.loads((tmp_path / "stat.json").read_text())["backend"] == "bpf"
    # The programs that go through all threads are prepared in the same way.
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        attached = run(*hidden, "record", "--btf", types, *trace, "--duration", "100ms", "-p", sleeper.pid)
        sleeper.kill()
    assert attached.returncode == 0 and b"1 thread" in attached.stderr, attached.stderr


def test_btf_of_another_kernel_is_refused(backend, tmp_path):
    """Its members are elsewhere: the programs would read anything. Nothing else is tried instead."""
    if os.geteuid() != 0 or backend == "ptrace":
        return
    types = Path("/sys/kernel/btf/vmlinux").read_bytes()
    (tmp_path / "other").write_bytes(types[:-2] + b"x\0")  # the last letter of the last name
    (tmp_path / "none").write_text("no types")
    for file, why in (("other", b"types of another kernel"), ("none", b"expected a kernel's types"),
                      ("absent", b"No such file")):
        for command in (["record", "-o", tmp_path / "t.trace"], ["stat"]):
            done = run(SYSVM, *command, "--btf", tmp_path / file, "--", "true")
            assert done.returncode == 125 and why in done.stderr and file.encode() in done.stderr, done.stderr
    assert not (tmp_path / "t.trace").exists()
    assert run(SYSVM, "record", "--backend", "ptrace", "--btf", tmp_path / "other", "--",
               "true").returncode == 2


def test_locked_memory_is_not_needed_and_nothing_is_said_of_it(backend, tmp_path):
    drop = ["setpriv", "--bounding-set=-sys_resource", "prlimit",
            "--memlock=0"] if os.geteuid() == 0 else ["prlimit", "--memlock=0"]
    done = run(*drop, SYSVM, "record", "--backend", backend, "-o", tmp_path / "t.trace", "--", WORKLOAD,
               "calls", "40")
    assert done.returncode == 0 and names(tmp_path)["getppid"] == 40
    assert len(done.stderr.splitlines()) == 1 and b"libbpf" not in done.stderr
