#!/bin/sh
# SPDX-License-Identifier: MIT In the guest: what this kernel works around, and that what it was booted for is
# on (guest.py's MITIGATIONS). On a kernel that clears the branch history in software for its own entry, so
# must the module: the key that switches it on is looked at by its effect, calls of
# sysvm_clear_branch_history. $1: the folder of the guest's programs.
set -eu
grep . /sys/devices/system/cpu/vulnerabilities/spectre_v2 /sys/devices/system/cpu/vulnerabilities/retbleed
tracing=/sys/kernel/tracing
cleared() {
	echo 'p:sysvm_test/cleared sysvm:sysvm_clear_branch_history' >$tracing/kprobe_events
	echo >$tracing/trace
	echo 1 >$tracing/events/sysvm_test/enable
	"$1/guest_test_calls" a_stored_procedure_runs_with_its_data
	echo 0 >$tracing/events/sysvm_test/enable
	grep -c ' cleared: ' $tracing/trace || true
	echo >$tracing/kprobe_events
}
times=$(cleared "$@")
echo "the branch history was cleared $times times"
case $(cat /proc/cmdline) in
*retbleed=unret*)
	grep 'Mitigation: Retpolines' /sys/devices/system/cpu/vulnerabilities/spectre_v2
	grep 'Mitigation: untrained return thunk' /sys/devices/system/cpu/vulnerabilities/retbleed
	test "$times" = 0
	;;
*spectre_bhi=on*)
	grep 'LFENCE' /sys/devices/system/cpu/vulnerabilities/spectre_v2
	grep 'BHI: SW loop' /sys/devices/system/cpu/vulnerabilities/spectre_v2
	test "$times" -gt 0
	;;
*) test "$times" = 0 ;;
esac
