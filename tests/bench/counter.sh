#!/bin/sh
# SPDX-License-Identifier: MIT
# The counting plugin of bench/hot/instructions, on a guest of its own: a loop of three instructions, made
# 1,000,000 times more often, counts 3,000,000 user instructions more, but for a few.
# usage: counter.sh SOURCE BUILD
set -eu
source=$1 build=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/guest" <<-END
	for times in 1000000 2000000 1000000; do
		$build/bin/guest_marked $build/bin/guest_loop_of_three \$times
	done
END
status=0
SYSVM_GUEST_QEMU="-plugin $build/lib/bench_counter.so,out=$work/marks -icount shift=0,sleep=off" \
	"$source/tests/qemu/run.py" exec "$build" "sh $work/guest" || status=$?
[ $status = 0 ] || exit $status
cat "$work/marks"
python3 - "$work/marks" <<'P'
import sys
marks = [tuple(map(int, line.split())) for line in open(sys.argv[1])]
assert [m[0] for m in marks] == [0, 1] * 3, marks
user = [end[1] - begin[1] for begin, end in zip(marks[::2], marks[1::2])]
kernel = [end[2] - begin[2] for begin, end in zip(marks[::2], marks[1::2])]
# The first run of a program reads it; the second and the third differ in the loop alone.
assert abs(user[1] - user[2] - 3000000) < 1000, user  # an interrupt may make an instruction begin twice
assert user[2] > 3000000 and min(kernel) > 10000, (user, kernel)
P
