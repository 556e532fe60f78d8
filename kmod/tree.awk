# SPDX-License-Identifier: GPL-2.0
# "index name" in ascending order -> nested ifs that end in SYSVM_LEAF(index, name).
{ at[NR] = $1; name[NR] = $2 }

function tree(from, to, middle) {
	if (from == to) {
		printf "SYSVM_LEAF(%d, %s)\n", at[from], name[from]
		return
	}
	middle = int((from + to + 1) / 2)
	printf "if (index < %d) {\n", at[middle]
	tree(from, middle - 1)
	printf "} else {\n"
	tree(middle, to)
	printf "}\n"
}

END { tree(1, NR) }
