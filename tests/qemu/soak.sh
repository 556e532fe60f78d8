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

# Twice: what is in a register or on a stack at the first look is not lost.
scan() { for _ in 1 2; do echo scan >$leak; sleep 6; done; }

if [ -e $leak ]; then
	# Its thread walks all objects within one RCU read section, at nice 10: beside eight busy threads that
	# takes minutes, in which nothing is freed by RCU, until memory is used up.
	echo scan=off >$leak
	scan
	cat $leak # of the kernel itself, before anything of ours has run
	echo clear >$leak
fi
"$1" 30 >/dev/null # what is allocated once; it makes 100 runs at least, however slow the machine
slabs >/tmp/slabs.before
half=$(($2 / 2))
"$1" $half
echo Y >/sys/module/sysvm/parameters/seccomp
"$1" $(($2 - half))
echo N >/sys/module/sysvm/parameters/seccomp

cat /sys/kernel/debug/sysvm/contexts
if grep -q '^context' /sys/kernel/debug/sysvm/contexts; then echo "expected no context"; exit 1; fi
rmmod sysvm # waits for all that is freed by RCU, which a slow kernel may be behind with
slabs >/tmp/slabs.after
# A leak of one object for each of thousands of runs would be megabytes. With KASAN what is freed is in use
# until its quarantine (1/32 of memory) is full: there kmemleak judges.
join /tmp/slabs.before /tmp/slabs.after | awk -v most=$([ -e $leak ] && echo 67108864 || echo 1048576) '
	{ printf "%s %+d bytes\n", $1, $3 - $2; if ($3 - $2 > most) bad = bad " " $1 }
	END { if (bad) { print "expected at most " most " bytes more:" bad; exit 1 } }'
if [ -e $leak ]; then
	scan
	if grep . $leak; then echo "expected nothing in $leak"; exit 1; fi
	echo "kmemleak finds nothing"
fi
echo "nothing left behind"
