#!/bin/sh
# SPDX-License-Identifier: MIT
# packages.sh BUILD: life.sh in a copy of this machine's tree that goes away (an overlay in a mount
# namespace); nothing of this machine changes, and the build folder is not to be seen there. Exit status 77:
# not root, or no overlay here.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
if [ -z "${SYSVM_PACKAGING_INSIDE:-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "SKIPPED: an overlay needs root"; exit 77; }
	debs=$(mktemp -d)
	trap 'rm -rf "$debs"' EXIT
	export SYSVM_BUILD="$build"
	"$root/scripts/packages" "$debs/old" >/dev/null
	SYSVM_PACKAGE_VERSION=0.1.0+next "$root/scripts/packages" "$debs/new" >/dev/null
	cp "$root/tests/packaging/life.sh" "$debs/"
	SYSVM_PACKAGING_INSIDE=$debs unshare --mount --propagation private "$0" "$build"
	exit
fi
work=/mnt
mount -t tmpfs tmpfs $work
mkdir $work/upper $work/work $work/tree
mount -t overlay overlay -o lowerdir=/,upperdir=$work/upper,workdir=$work/work $work/tree ||
	{ echo "SKIPPED: no overlay on this file system"; exit 77; }
mount -t proc proc $work/tree/proc
mount --rbind /sys $work/tree/sys
mount --rbind /dev $work/tree/dev
mount -t tmpfs -o mode=1777 tmpfs $work/tree/tmp
mkdir $work/tree/debs
mount --bind "$SYSVM_PACKAGING_INSIDE" $work/tree/debs
for seen in "$root" "$build"; do
	[ ! -d "$work/tree$seen" ] || mount -t tmpfs tmpfs "$work/tree$seen"
done
# Not a lock of the machine's own dpkg, and nobody's half-done work.
rm -f $work/tree/var/lib/dpkg/lock $work/tree/var/lib/dpkg/lock-frontend
# What is installed here already, by `make install`, is not what is tested.
! ls $work/tree/usr/local/bin/sysvm 2>/dev/null || rm -f $work/tree/usr/local/bin/sysvm
chroot $work/tree sh /debs/life.sh /debs/old /debs/new
