#!/bin/sh
# SPDX-License-Identifier: MIT In the guest: ls -l of a directory on overlayfs whose files show another device
# than the directory, plainly and under the shim with the kernel engine. The output must be the same, and the
# loop must go on over the files: the first run learns how the overlay shows them
# (libsysvm/shim/known/overlay.c), the next look at most of the files without an entry for each. usage:
# overlay_entries.sh BIN_DIR
set -eu
bin=$1
work=$(mktemp -d)
cd "$work"
export XDG_CACHE_HOME="$work/cache"

mkdir low high top
mount -t tmpfs low low
mount -t tmpfs high high
mkdir -p high/upper high/work
for d in 1 2 3 4 5 6; do
	mkdir low/$d
	for f in $(seq 30); do echo $f >low/$d/$f; done
done
mount -t overlay top top -o "lowerdir=$work/low,upperdir=$work/high/upper,workdir=$work/high/work,xino=off"
if [ "$(stat -c %d top/1)" = "$(stat -c %d top/1/1)" ]; then
	echo "files show the overlay's device here: nothing to learn" >&2
	exit 1
fi

"$bin/sysvm" record --backend ptrace -o ls.trace -- ls -lR low >/dev/null
"$bin/sysvm" compile ls.trace -o ls.svp
ls -lR top >plain.out
"$bin/sysvm" run -P ls.svp --engine kernel --age 10000 --stats stats.json -- ls -lR top >shim.out
cmp plain.out shim.out
python3 - <<'P'
import json
s = json.load(open("stats.json"))
print("seen %d, answered %d, runs %d, off %s" % (s["seen"], s["answered"], s["runs"], s["off"]))
assert not s["off"], "went plain"
# 180 files in 6 directories: without the second device each run ends at its first file, and next to none is
# answered.
assert s["answered"] >= 120, "the loops ended at the first file"
P
