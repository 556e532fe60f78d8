#!/bin/sh
# SPDX-License-Identifier: MIT
# installed.sh BUILD: what `make install` leaves below a prefix works where the build folder cannot be seen,
# and names it nowhere.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
fail() { echo "expected: $*"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SYSVM_BUILD="$build"
DESTDIR=$work make -s -C "$root" install PREFIX=/opt/sysvm >"$work/log" 2>&1 ||
	{ cat "$work/log"; fail "make install to work"; }
prefix=$work/opt/sysvm
for file in bin/sysvm libexec/sysvm/sysvm libexec/sysvm/shim_loop lib/sysvm/libsysvm-preload.so \
	lib/sysvm/libsysvm-preload-symbols.so lib/sysvm/sysvm-prefetch share/man/man1/sysvm.1 \
	share/man/man3/sysvm.3 share/bash-completion/completions/sysvm \
	share/zsh/site-functions/_sysvm include/sysvm/sysvm.h share/doc/sysvm/docs/semantics.md; do
	test -s "$prefix/$file" || fail "$file"
done
# Debug information is no reference: what is loaded and read is.
find "$prefix" -type f -name '*.pc' -exec grep -l "$build" {} + && fail "no build folder in a .pc file"
find "$prefix" -type f \( -perm -u+x -o -name '*.so*' \) | while read -r file; do
	! readelf -d "$file" 2>/dev/null | grep -E 'RPATH|RUNPATH' || fail "no path for the loader in $file"
done
[ "$(id -u)" = 0 ] || { echo "SKIPPED: hiding the build folder needs root"; exit 77; }
cp -r "$prefix" "$work/elsewhere" # it may also be moved
unshare --mount --propagation private sh -eu -c '
	mount -t tmpfs tmpfs "$1"
	export XDG_CACHE_HOME="$2/cache"
	"$2/bin/sysvm" try --json -- find /usr/share/doc -newer /etc/passwd >"$2/try.json"
	PYTHONPATH=$(dirname "$(dirname "$(find "$2" -name "_sysvm.*.so")")") /usr/bin/python3 -c "
import json, sys, sysvm
report = json.load(open(sys.argv[1]))
assert sysvm.__file__.startswith(sys.argv[2]), sysvm.__file__
assert report[\"identical\"], report
assert report[\"entries\"][\"after\"] < report[\"entries\"][\"before\"], report" "$2/try.json" "$2"
' sh "$build" "$work/elsewhere" || fail "to work without the build folder"
