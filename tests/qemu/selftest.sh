#!/bin/sh
# SPDX-License-Identifier: MIT The module looks at itself: all is well, says so in the log and in debugfs,
# whoever loads it; with a tracepoint on system calls it leaves the calls out and says that too; without
# selftest=1 it says that it did not. Leaves the module loaded as it was.
set -eu
result=/sys/kernel/debug/sysvm/selftest
fail() { echo "$*"; dmesg | tail -n 5; exit 1; }

rmmod sysvm
insmod "$SYSVM_MODULE" $SYSVM_PARAMETERS selftest=1 || fail "does not load"
cat $result
grep -qE '^[56][0-9] checks, 0 failed$' $result || fail "expected some fifty checks, 0 failed"
dmesg | grep -qF "sysvm: selftest: $(cat $result)" || fail "not in the log"

rmmod sysvm
strace -o /dev/null insmod "$SYSVM_MODULE" $SYSVM_PARAMETERS selftest=1 || fail "does not load under strace"
cat $result
grep -qE '^[56][0-9] checks, 0 failed$' $result || fail "expected that a tracer makes no difference"

rmmod sysvm
enter=/sys/kernel/tracing/events/raw_syscalls/sys_enter/enable
echo 1 >$enter
insmod "$SYSVM_MODULE" $SYSVM_PARAMETERS selftest=1 || { echo 0 >$enter; fail "does not load beside a tracepoint"; }
echo 0 >$enter
cat $result
grep -qE '^4[0-9] checks, 0 failed, calls not tried$' $result || fail "expected that calls were left out"

rmmod sysvm
insmod "$SYSVM_MODULE" $SYSVM_PARAMETERS
grep -q '^not run' $result || fail "expected that it was not run"
