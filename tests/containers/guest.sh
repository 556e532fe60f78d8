#!/bin/sh
# SPDX-License-Identifier: MIT
# guest.sh BUILD SOURCE: in the guest: containers with the default filters of Docker and podman and with
# /dev/sysvm, given by --device and a group that has a number and no name; with the module's parameter
# `seccomp` off and on. Exit status 77: no filters were fetched (run.py does it, before the boot).
set -eu
build=$1
bin=$build/bin
dir=$2/tests/containers
fail() { echo "expected: $*"; exit 1; }
[ -f "$build/seccomp/VERSIONS" ] || { echo "SKIPPED: the filters cannot be had"; exit 77; }
cat "$build/seccomp/VERSIONS"
parameter=/sys/module/sysvm/parameters/seccomp
group=4242
! getent group $group || fail "no group $group"
trap 'echo N >$parameter; chgrp 0 /dev/sysvm; chmod 600 /dev/sysvm' EXIT
chgrp $group /dev/sysvm
chmod 660 /dev/sysvm

# As Docker's daemon makes it; as an engine without root does, of a user who is in the group.
docker() { sh "$dir/container.sh" -r -d /dev/sysvm "$bin" "$build/seccomp/docker.json" "$@"; }
podman() {
	setpriv --reuid=1000 --regid=1000 --groups=$group --inh-caps=-all \
		sh "$dir/container.sh" -d /dev/sysvm "$bin" "$build/seccomp/podman.json" "$@"
}
in_no_group() {
	setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=-all \
		sh "$dir/container.sh" -d /dev/sysvm "$bin" "$build/seccomp/podman.json" "$@"
}
for engine in docker podman; do
	# It is the published filter, and a /dev of its own.
	$engine sh -c '! mount -t tmpfs tmpfs /mnt 2>/dev/null && ! unshare --net true 2>/dev/null &&
		! test -e /dev/ttyS1 && echo x >/dev/null' || fail "$engine: a container"
	for seccomp in N Y; do
		echo "== $engine, seccomp=$seccomp"
		echo $seccomp >$parameter
		$engine sh "$dir/inside.sh" "$bin" kernel $seccomp ||
			fail "$engine, seccomp=$seccomp: all well"
	done
done
in_no_group "$bin/sysvm" doctor >/tmp/doctor || true
grep '^missing *module ' /tmp/doctor | grep -q 'Permission denied' ||
	{ cat /tmp/doctor; fail "the device to be the group's"; }
