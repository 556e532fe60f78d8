#!/bin/sh
# SPDX-License-Identifier: MIT In the guest: grep -r over a real tree, plainly and under the shim with the
# kernel engine. The output must be the same, and the entries that the guest's own kernel counted (a kprobe on
# x64_sys_call) must fall by the factor that the shim claims, within 2 %. Procedures come from a recording of
# the same grep over a part of the tree. Results of the emulated processor are slow, so the age bound is
# raised: it is about time, and time here is not. usage: grep_entries.sh BIN_DIR TREE PART
set -eu
bin=$1 tree=$2 part=$3
work=$(mktemp -d)
cd "$work"
export XDG_CACHE_HOME="$work/cache"

"$bin/sysvm" record --backend ptrace -o part.trace -- grep -r '--include=*.h' define "$part" >/dev/null
"$bin/sysvm" compile part.trace -o grep.svp

"$bin/guest_count" -o plain.entries -c grep grep -r '--include=*.h' define "$tree" >plain.out
"$bin/guest_count" -o shim.entries -c grep \
	"$bin/sysvm" run -P grep.svp --engine kernel --age 10000 --stats stats.json -- \
	grep -r '--include=*.h' define "$tree" >shim.out
cmp plain.out shim.out

plain=$(sed 's/entries //' plain.entries) shim=$(sed 's/entries //' shim.entries)
python3 - "$plain" "$shim" <<'P'
import json, sys
plain, shim = int(sys.argv[1]), int(sys.argv[2])
s = json.load(open("stats.json"))
# What the shim says: its entries are what it forwarded, its runs and its own calls; what it does not see (the
# loader before it is there) is in both runs.
unseen = plain - s["seen"]
claimed = plain / (s["forwarded"] + s["runs"] + s["own"] + unseen)
counted = plain / shim
print("entries: plain %d, shim %d: factor %.3f; the shim claims %.3f; hits %d; off %s"
      % (plain, shim, counted, claimed, s["answered"], s["off"]))
assert not s["off"], "went plain"
assert s["inner"] > s["runs"], "the machine made no calls"
assert abs(counted / claimed - 1) <= 0.02, "more than 2 % apart"
assert counted >= 1.5, "hardly fewer entries"
P
