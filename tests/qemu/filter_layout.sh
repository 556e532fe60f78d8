#!/bin/sh
# SPDX-License-Identifier: MIT
# In the guest: does this kernel's struct seccomp_filter begin as kmod/judge.c says? By the kernel's own type information.
set -eu
bpftool btf dump file /sys/kernel/btf/vmlinux format raw >/tmp/layout
struct=$(awk '/ STRUCT .seccomp_filter. / { inside = 1; print; next } /^\[/ { inside = 0 } inside' /tmp/layout)
echo "$struct"
# Place in bits of a member.
at() { echo "$struct" | sed -n "s/^.*'$1' type_id=[0-9]* bits_offset=\([0-9]*\).*/\1/p"; }
test "$(at refs)" = 0
test "$(at users)" = 32
test "$(at log)" = 64
test "$(at wait_killable_recv)" = 72
test "$(at cache)" = 128
cache=$(echo "$struct" | sed -n "s/^.*'cache' type_id=\([0-9]*\) .*/\1/p")
awk -v id="[$cache]" '$1 == id { inside = 1; next } /^\[/ { inside = 0 } inside' /tmp/layout | grep "'allow_native' .*bits_offset=0"
