#!/bin/sh
# SPDX-License-Identifier: MIT
# $1: guest_soak; $2: seconds. Runs it, and looks at what the kernel has left over. See scripts/soak.
set -eu
leak=/sys/kernel/debug/kmemleak
slabs() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	sleep 2
	# Objects in use of what a run, a context or a task is made of.
	awk '$1 ~ /^(kmalloc-(cg-)?[0-9]+k?|filp|task_struct|files_cache|mm_struct|vm_area_struct|pid|signal_cache|sighand_cache)$/ { print $1, $2 * $4 }' /proc/slabinfo
}

"$1" 5 >/dev/null # what is allocated once
slabs >/tmp/slabs.before
half=$(($2 / 2))
"$1" $half
echo Y >/sys/module/sysvm/parameters/seccomp
"$1" $(($2 - half))
echo N >/sys/module/sysvm/parameters/seccomp
slabs >/tmp/slabs.after

cat /sys/kernel/debug/sysvm/contexts
! grep -q '^context' /sys/kernel/debug/sysvm/contexts
# A leak of one object for each of thousands of runs would be megabytes.
join /tmp/slabs.before /tmp/slabs.after | awk '{ printf "%s %+d bytes\n", $1, $3 - $2; if ($3 - $2 > 1048576) bad = 1 } END { exit bad }'
rmmod sysvm
if [ -e $leak ]; then
	echo scan >$leak
	sleep 6
	echo scan >$leak
	sleep 6
	! grep . $leak
fi
echo "nothing left behind"
