# SPDX-License-Identifier: GPL-2.0
# "index name" in ascending order -> nested ifs that end in SYSVM_LEAF(index, name). What is called often has
# a short way.
BEGIN {
	weigh(40, "read pread64 open openat close fstat newfstatat stat lstat getdents64")
	weigh(20, "statx lseek fcntl readlink access getxattr lgetxattr write pwrite64 "\
	      "mmap munmap epoll_wait sendto recvfrom")
}

function weigh(weight, names, n, each) {
	n = split(names, each, " ")
	for (; n; n--)
		weight_of[each[n]] = weight
}

{
	at[NR] = $1
	name[NR] = $2
	upto[NR] = upto[NR - 1] + ($2 in weight_of ? weight_of[$2] : 1)
}

function distance(a, b) {
	return a > b ? a - b : b - a
}

# Both sides of a compare are as heavy as can be.
function tree(from, to, second, middle) {
	if (from == to) {
		printf "SYSVM_LEAF(%d, %s)\n", at[from], name[from]
		return
	}
	middle = (upto[to] + upto[from - 1]) / 2
	for (second = from + 1; second < to; second++)
		if (distance(upto[second], middle) >= distance(upto[second - 1], middle))
			break
	printf "if (index < %d) {\n", at[second]
	tree(from, second - 1)
	printf "} else {\n"
	tree(second, to)
	printf "}\n"
}

END { tree(1, NR) }
