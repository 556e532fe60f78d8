# SPDX-License-Identifier: MIT
"""`sysvm doctor` in altered surroundings: what it says must change with them."""
import json
import os

from sysvm_program import BIN, SYSVM, run

NAMES = ["kernel", "btf", "bpf", "ptrace", "cgroup2", "libc", "vdso", "seccomp", "traced", "module",
         "headers",
         "lockdown", "isolation"]


def doctor(*before):
    done = run(*before, SYSVM, "doctor", "--json")
    assert done.stderr == b""
    out = json.loads(done.stdout)
    return done.returncode, out["ready"], {check["name"]: check for check in out["checks"]}


def test_json_has_its_schema():
    done = run(SYSVM, "doctor", "--json")
    out = json.loads(done.stdout)
    assert out["schema"] == 1
    assert set(out["ready"]) == {"record", "run_user", "run_kernel"}
    assert [check["name"] for check in out["checks"]] == NAMES
    for check in out["checks"]:
        assert set(check) == {"name", "area", "state", "found", "fix"}
        assert check["area"] in ("record", "run", "kernel")
        assert check["state"] in ("ok", "limited", "missing")
        assert check["found"] and (check["state"] == "ok") == (check["fix"] == "")


def test_text_has_a_line_for_each_check():
    lines = run(SYSVM, "doctor").stdout.decode().splitlines()
    assert [line.split()[1] for line in lines[:len(NAMES)]] == NAMES
    assert lines[-1].startswith("record: ")


def test_status_says_whether_try_would_work():
    status, ready, _ = doctor()
    assert status == (0 if ready["record"] != "no" and ready["run_user"] else 1)


def test_filter_is_noticed():
    assert doctor()[2]["seccomp"]["state"] == "ok"
    status, ready, checks = doctor(BIN / "under_filter")
    assert checks["seccomp"]["state"] == "missing" and "1 filter" in checks["seccomp"]["found"]
    assert not ready["run_user"] and status == 1


def test_tracer_is_noticed():
    status, ready, checks = doctor("strace", "-f", "-qq", "-e", "trace=none", "-e", "signal=none", "-o",
                                   "/dev/null")
    assert checks["traced"]["state"] == "missing"
    assert not ready["run_user"] and status == 1


def test_without_rights_names_setcap():
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
              "--bounding-set=-all"]
    _, ready, checks = doctor(*(nobody if os.getuid() == 0 else []))
    assert checks["bpf"]["state"] == "missing" and "setcap cap_bpf,cap_perfmon+ep" in checks["bpf"]["fix"]
    assert ready["record"] == "ptrace"
