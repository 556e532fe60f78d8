#!/bin/sh
# SPDX-License-Identifier: MIT
# inside.sh BIN ENGINE [SECCOMP]: run in the container (container.sh, podman.sh). The whole way - record,
# compile, run - gives what the plain run gives: with fewer entries if the filter may be asked, and plainly if
# not. With the kernel engine SECCOMP is the module's parameter; with N no filter is asked, so the module
# makes no call.
set -eu
bin=$1
engine=$2
seccomp=${3:-Y}
fail() { echo "expected: $*"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export XDG_CACHE_HOME="$work/cache"
tree=/usr/include/x86_64-linux-gnu/bits
grep -q '^Seccomp:.2' /proc/self/status || fail "a filter to be set"
set -- grep -r '--include=*.h' define $tree

"$bin/sysvm" record --backend ptrace -o t.trace -- "$@" >recorded.out || fail "recording to work"
"$bin/sysvm" compile t.trace -o t.svp >compiled || { cat compiled; fail "to compile"; }
"$@" >plain.out
# --age: it is about time, which an emulator has too little of.
"$bin/sysvm" run -P t.svp --allow-seccomp --engine "$engine" --require --age 10000 --stats stats.json -- \
	"$@" >shim.out 2>shim.err ||
	{ cat shim.err; fail "the run to work"; }
cmp plain.out shim.out || fail "the same output"
python3 - "$engine" "$seccomp" <<-'END' || fail "calls of engine $engine, seccomp=$seccomp"
	import json, sys
	engine, seccomp = sys.argv[1:]
	s = json.load(open("stats.json"))
	print({key: s[key] for key in ("engine", "seen", "answered", "forwarded", "runs", "inner", "off")})
	assert not s["off"], s["off"]
	assert s["engine"] == engine, s
	if seccomp == "Y":
	    assert s["answered"] > s["seen"] / 3, "hardly a call was answered"
	    assert s["inner"] > s["runs"], "the machine made no calls"
	else:
	    assert s["inner"] == 0, "the machine made a call that no filter was asked about"
END
[ "$engine" = user ] || { [ "$seccomp" = Y ] && state=ok || state=missing; }
"$bin/sysvm" doctor >doctor.out || true
! grep -i unconfined doctor.out || fail "doctor not to advise unconfined"
grep '^missing *seccomp ' doctor.out | grep -q -- '--allow-seccomp' ||
	{ cat doctor.out; fail "--allow-seccomp"; }
[ "$engine" = user ] || grep -q "^$state *module " doctor.out || { cat doctor.out; fail "module $state"; }
[ "$seccomp" = Y ] || grep '^missing *module ' doctor.out | grep -q 'parameters/seccomp' ||
	{ cat doctor.out; fail "doctor to name the parameter"; }

"$bin/sysvm" run -P t.svp --engine "$engine" --stats stats.json -- "$@" >shim.out 2>shim.err ||
	{ cat shim.err; fail "the run to work"; }
cmp plain.out shim.out || fail "the same output without --allow-seccomp"
python3 -c '
import json
s = json.load(open("stats.json"))
assert s["answered"] == 0, s' || fail "no call to be answered without --allow-seccomp"
