# SPDX-License-Identifier: GPL-2.0
# objdump -dr sysvm.ko | awk -f indirect.awk: indirect calls and jumps of the module. There are none: calls
# that the kernel does not export are made by static calls, because a function whose address was found by a
# probe may be sealed against indirect ones (IBT), or be of another type than is thought (kCFI), and what a
# program could train is best not there. Left out: the kernel's own loops over the probes of a tracepoint
# (__traceiter_*), and its hooks for virtual machines.
/^[0-9a-f]+ <.*>:$/ {
	where = $2
	gsub(/[<>:]/, "", where)
}
/__x86_indirect_|(call|jmp)q? +\*/ {
	if (where ~ /^__traceiter_/ || /pv_ops/)
		next
	print "sysvm.ko: indirect branch in " where ": " $0
	found = 1
}
END {
	if (!where) {
		print "sysvm.ko: no disassembly"
		found = 1
	}
	exit found
}
