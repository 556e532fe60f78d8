#!/bin/sh
# SPDX-License-Identifier: MIT Parameters that are read when the module is loaded, with values in and out of
# their bounds. $1: the folder of the guest's programs. Leaves the module loaded as it was.
set -eu
limits=$1/guest_test_limits
fail() { echo "$*"; exit 1; }
load() { rmmod sysvm; insmod "$SYSVM_MODULE" $SYSVM_PARAMETERS "$@"; }
trap 'rmmod sysvm 2>/dev/null; insmod "$SYSVM_MODULE" $SYSVM_PARAMETERS' EXIT

# Instructions of one entry: what QUERY says, and what an entry takes.
expect_fuel() {
	load "max_fuel=$1"
	got=$("$limits" print_fuel_of_an_entry)
	[ "$got" = "$2 $2" ] || fail "max_fuel=$1: an entry has '$got' instructions, expected $2 $2"
}
expect_fuel 1000 1000
expect_fuel 0 1
expect_fuel 1048576 1048576
expect_fuel 4294967295 1048576

# Milliseconds: the shortest entry takes at most $3, the longest at least $2. Emulation may be slow; a tick
# may be nearly over.
expect_ms() {
	load "entry_ms=$1"
	got=$("$limits" print_ms_of_an_entry)
	echo "entry_ms=$1: entries of $got ms"
	[ "${got#* }" -ge "$2" ] && [ "${got% *}" -le "$3" ] || fail "entry_ms=$1: entries took $got ms, expected $2 to $3"
}
expect_ms 0 0 60
expect_ms 60 40 1000
expect_ms 65535 80 1000

# The other parameters of the load: refused, not bent.
rmmod sysvm
for bad in mode=0777 mode=01600 mode=-1 max_fuel=many entry_ms=65536 clear_history=perhaps seccomp=perhaps \
	   wide=perhaps; do
	if insmod "$SYSVM_MODULE" "$bad" 2>/dev/null; then fail "$bad was taken"; fi
done
insmod "$SYSVM_MODULE" mode=0440 && [ "$(stat -c %a /dev/sysvm)" = 440 ] || fail "mode=0440: $(stat -c %a /dev/sysvm)"
