#!/bin/sh
# SPDX-License-Identifier: MIT
# podman.sh BUILD SOURCE: in the guest: podman itself with crun, its default filter and --device: of a user
# without rights, and of root, where the control group has a list of devices and the group is given by number.
# No image is fetched: the container's tree is empty but for this one's programs. Exit status 77: no podman.
set -eu
build=$1
bin=$build/bin
source=$2
fail() { grep MemAvailable /proc/meminfo; df -h /tmp; echo "expected: $*"; exit 1; }
command -v podman crun >/dev/null || { echo "SKIPPED: no podman here: apt-get install podman crun"; exit 77; }
parameter=/sys/module/sysvm/parameters/seccomp
group=4242
trap 'echo N >$parameter; chgrp 0 /dev/sysvm; chmod 600 /dev/sysvm' EXIT
chgrp $group /dev/sysvm
chmod 660 /dev/sysvm
podman --version
crun --version | head -n 1

work=$(mktemp -d)
chmod 755 "$work"
cd "$work"
mkdir -p home run "tree$build" "tree$source"
for dir in usr etc proc sys dev run var tmp; do
	mkdir -p "tree/$dir"
done
for dir in bin sbin lib lib64; do
	ln -s "usr/$dir" "tree/$dir"
done
chmod 1777 tree/tmp
chown -R 1000:1000 .

# run USER OPTIONS... -- CMD...: USER is who calls podman.
run() {
	who=$1
	shift
	options=
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	caller=
	[ "$who" = 0 ] || caller="setpriv --reuid=$who --regid=$who --groups=$group --inh-caps=-all"
	# shellcheck disable=SC2086
	HOME=$work/home XDG_RUNTIME_DIR=$work/run $caller \
		podman --log-level warn --cgroup-manager cgroupfs --storage-driver vfs \
		--root "$work/home/$who" run --rm --network none --device /dev/sysvm $options \
		-v /usr:/usr:ro -v /etc:/etc:ro -v "$build:$build:ro" -v "$source:$source:ro" \
		--rootfs "$work/tree" "$@"
}
# With the parameter off: guest.sh. Each round takes half a minute of an emulated processor.
for seccomp in Y; do
	echo $seccomp >$parameter
	echo "== without root, seccomp=$seccomp"
	run 1000 --cgroups=disabled --group-add keep-groups -- \
		sh "$source/tests/containers/inside.sh" "$bin" kernel $seccomp ||
		fail "podman without root, seccomp=$seccomp: all well"
	echo "== of root, seccomp=$seccomp"
	run 0 --user 1000 --group-add $group -- \
		sh "$source/tests/containers/inside.sh" "$bin" kernel $seccomp ||
		fail "podman of root, seccomp=$seccomp: all well"
done
