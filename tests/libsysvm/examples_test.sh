#!/bin/sh
# SPDX-License-Identifier: MIT
# examples_test.sh DIR [PREFIX]: the examples (DIR/PREFIXread_file and so on) do what the tools of the system
# do.
set -eu
bin=$1/${2-example_}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
	echo "FAIL: $1"
	exit 1
}

# A whole file, an empty one, and one that is not there.
head -c 300000 /dev/urandom >"$work/file"
: >"$work/empty"
for file in file empty; do
	"${bin}read_file" "$work/$file" >"$work/out" 2>"$work/err"
	cmp "$work/$file" "$work/out" || fail "read_file: another content of $file"
done
"${bin}read_file" "$work/none" 2>"$work/err" && fail "read_file: success for a file that is not there"
grep -q 'No such file or directory' "$work/err" || fail "read_file says: $(cat "$work/err")"

# Disk space of a directory's own entries, by find. More names than one getdents64 returns.
mkdir -p "$work/tree/sub/deep" "$work/tree/.hidden"
i=0
while [ $i -lt 1500 ]; do
	: >"$work/tree/a file with a rather long name, number $i"
	i=$((i + 1))
done
head -c 12345 /dev/zero >"$work/tree/.dots"
head -c 70000 /dev/urandom >"$work/tree/sub/deep/x"
ln -s nowhere "$work/tree/link"
expected=$( (cd "$work/tree" && find . .. -maxdepth 1 ! -path '../*' -printf '%b\n') |
	awk '{ n++; b += $1 } END { print n, b * 512 }')
got=$("${bin}du_directory" "$work/tree")
[ "$got" = "$expected" ] || fail "du_directory: $got, expected $expected"
"${bin}du_directory" "$work/file" 2>/dev/null && fail "du_directory: success for a file"

# Metadata of a tree.
list() { (cd "$1" && find . -mindepth 1 -printf '%p %m %U:%G %T@ %l\n' | sort); }
chmod 4711 "$work/tree/sub/deep/x"
chmod 0700 "$work/tree/.hidden"
touch -d '2001-02-03 04:05:06.789' "$work/tree/sub" "$work/tree/.dots"
touch -h -d '1999-09-09' "$work/tree/link"
if [ "$(id -u)" = 0 ]; then
	chown 12:34 "$work/tree/sub/deep/x"
	chown -h 5:6 "$work/tree/link"
fi
cp -r --no-preserve=all "$work/tree" "$work/copy"
list "$work/tree" >"$work/want"
list "$work/copy" >"$work/have"
cmp -s "$work/want" "$work/have" && fail "the copy has the metadata already: nothing to see"
"${bin}copy_metadata" "$work/tree" "$work/copy" || fail "copy_metadata failed"
list "$work/copy" >"$work/have"
diff "$work/want" "$work/have" || fail "copy_metadata: other metadata"

# A server: every message comes back, and a turn costs one run.
"${bin}echo_server" 20 50 || fail "echo_server: messages are missing or wrong"
