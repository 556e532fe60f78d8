#!/bin/sh
# SPDX-License-Identifier: MIT
# here.sh BUILD SOURCE: containers with the default filters of Docker and podman on this machine: the user
# engine, and what doctor says.
set -eu
build=$1
bin=$build/bin
fail() { echo "expected: $*"; exit 1; }
"$2/scripts/fetch-seccomp-profiles" "$build/seccomp" || exit $?
unshare --user --map-root-user true 2>/dev/null || { echo "SKIPPED: no user namespaces here"; exit 77; }
cat "$build/seccomp/VERSIONS"
dir=$2/tests/containers
for engine in docker podman; do
	profile=$build/seccomp/$engine.json
	# The filter is the published one: it refuses what they refuse, and nothing of what programs need.
	sh "$dir/container.sh" "$bin" "$profile" sh -c 'ls / >/dev/null &&
		! mount -t tmpfs tmpfs /mnt 2>/dev/null && ! unshare --net true 2>/dev/null' ||
		fail "the filter of $engine to refuse mount and unshare"
	sh "$dir/container.sh" "$bin" "$profile" sh "$dir/inside.sh" "$bin" user || fail "$engine: all well"
done
