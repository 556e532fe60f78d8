#!/bin/sh
# SPDX-License-Identifier: MIT What `sysvm doctor` says of a module that is there, that this user or this
# process cannot use, and that is gone. $1: the folder of the programs. Leaves the module loaded as it was.
set -eu
bin=$1
fail() { echo "expected: $*"; cat /tmp/doctor; exit 1; }
# STATE TEXT [BEFORE...]: the line of the module, of a doctor started by BEFORE.
expect() {
	state=$1 text=$2
	shift 2
	"$@" "$bin/sysvm" doctor >/tmp/doctor 2>&1 || true
	grep "^$state *module " /tmp/doctor | grep -q "$text" || fail "$state, $text"
}
ready() {
	grep -q "kernel engine: $1\$" /tmp/doctor || fail "kernel engine: $1"
}
parameter=/sys/module/sysvm/parameters/seccomp
trap 'grep -q "^sysvm " /proc/modules || insmod "$SYSVM_MODULE" $SYSVM_PARAMETERS; echo N >$parameter' EXIT

version=$(cat /sys/module/sysvm/version)
expect ok "/dev/sysvm, version $version, ABI 1, 1[0-9][0-9] system calls" env
ready yes
expect missing 'Permission denied; fix: sudo chgrp' setpriv --reuid=65534 --regid=65534 --clear-groups
ready no
expect missing 'a seccomp filter is set; fix: on the host: echo Y' "$bin/under_filter"
ready no
echo Y >$parameter
expect ok "version $version" "$bin/under_filter"
echo N >$parameter
expect missing 'it is traced; fix: run without strace' strace -f -qq -e trace=none -e signal=none -o /dev/null
echo 1 >/sys/kernel/tracing/events/raw_syscalls/sys_enter/enable
expect missing 'it is audited, or a system call tracepoint is on' env
echo 0 >/sys/kernel/tracing/events/raw_syscalls/sys_enter/enable
rmmod sysvm
expect missing 'No such file or directory; fix: .*insmod kmod/sysvm.ko' env
ready no
