#!/bin/sh
# SPDX-License-Identifier: MIT In the guest: one test on another build of the module. $1: its sysvm.ko; $2:
# the test's command. Exit status: the test's own; or 96: something is left that holds the module; 97: the
# kernel complained; 98: it cannot be loaded; 99: the one before cannot be removed.
export SYSVM_MODULE=$1
leave() {
	for _ in $(seq 30); do
		grep -q '^sysvm ' /proc/modules || return 0
		rmmod sysvm 2>/dev/null && return 0
		sleep 0.1
	done
	return 1
}
leave || exit 99
insmod "$SYSVM_MODULE" $SYSVM_PARAMETERS || exit 98
dmesg -C
sh -c "$2"
status=$?
if dmesg | grep -E 'WARNING:|BUG:|Oops|refcount_t|general protection|blocked for more|soft lockup|list_(add|del) corruption'; then
	exit 97
fi
leave || [ $status -ne 0 ] || exit 96
exit $status
