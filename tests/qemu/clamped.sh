#!/bin/sh
# SPDX-License-Identifier: MIT $1: sysvm.ko. Numbers that come from a page or an ioctl and become an index are
# clamped with array_index_nospec(), which is cmp and sbb of a register from itself: in these functions so
# many times at least. What they are: docs/security.md.
set -eu
objdump -d --no-show-raw-insn "$1" >/tmp/clamped.code
status=0
expect() {
	found=$(awk -v name="<$1>:" '$2 == name { inside = 1; next } /^$/ { inside = 0 }
		inside && /\tsbb / { split($NF, r, ","); n += r[1] == r[2] }
		END { print n + 0 }' /tmp/clamped.code)
	[ "$found" -ge "$2" ] || { echo "$1: $found indices are clamped, expected $2: $3"; status=1; }
}
expect enter 3 "the procedure's number, the bit of the byte to resume at, that byte"
expect page_program 1 "the length of the code"
expect sysvm_verify 1 "the bit of a jump's target"
expect remove 1 "the procedure's number"
exit $status
