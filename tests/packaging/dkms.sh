#!/bin/sh
# SPDX-License-Identifier: MIT
# sysvm-dkms is installed, upgraded, removed and purged, in a copy of this machine's tree that goes away (an
# overlay in a mount namespace); nothing of this machine changes. $1: a folder for the packages. Exit status
# 77: not root, or no dkms here.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
if [ -z "${SYSVM_PACKAGING_INSIDE:-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "SKIPPED: an overlay needs root"; exit 77; }
	command -v dkms >/dev/null || { echo "SKIPPED: no dkms here: apt-get install dkms"; exit 77; }
	old=$("$root/scripts/package-dkms" "$1" 2>/dev/null)
	new=$(SYSVM_PACKAGE_VERSION=0.1.0+next "$root/scripts/package-dkms" "$1" 2>/dev/null)
	SYSVM_PACKAGING_INSIDE=1 exec unshare --mount --propagation private "$0" "$old" "$new"
fi
fail() { echo "expected: $*"; exit 1; }

work=/mnt
mount -t tmpfs tmpfs $work
mkdir $work/upper $work/work $work/tree
mount -t overlay overlay -o lowerdir=/,upperdir=$work/upper,workdir=$work/work $work/tree ||
	{ echo "SKIPPED: no overlay on this file system"; exit 77; }
mount -t proc proc $work/tree/proc
mount --rbind /dev $work/tree/dev
cp "$1" $work/tree/old.deb
cp "$2" $work/tree/new.deb
version=$(dpkg-deb -f "$1" Version)
in_tree() { chroot $work/tree env DEBIAN_FRONTEND=noninteractive "$@"; }
# Not a lock of the machine's own dpkg, and nobody's half-done work.
rm -f $work/tree/var/lib/dpkg/lock $work/tree/var/lib/dpkg/lock-frontend

in_tree dpkg --force-depends -i /old.deb || fail "to install"
in_tree getent group sysvm >/dev/null || fail "the group sysvm"
in_tree dkms status | grep "^sysvm/$version" || fail "sysvm/$version in dkms status"
grep -q 'GROUP="sysvm"' $work/tree/usr/lib/udev/rules.d/60-sysvm.rules || fail "the udev rule"
! grep -v '^#' $work/tree/etc/modules-load.d/sysvm.conf || fail "nothing to be loaded at boot"
! grep -v '^#' $work/tree/etc/modprobe.d/sysvm.conf || fail "no parameter to be set"
# Each parameter of the module is explained there.
sed -n 's/^module_param\(_named\)\?(\([a-z_]*\),.*/\2/p' $work/tree/usr/src/sysvm-"$version"/*.c |
while read -r name; do
	grep -q "^# options sysvm $name=" $work/tree/etc/modprobe.d/sysvm.conf ||
		{ echo "expected: $name in modprobe.d/sysvm.conf"; exit 1; }
done
# Where it cannot work DKMS does not try: excluded KERNEL ARCHITECTURE CONFIGURATION.
mkdir $work/tree/headers
excluded() {
	printf 'CONFIG_%s=y\n' $3 >$work/tree/headers/.config
	in_tree dkms build -m sysvm -v "$version" -k "$1" -a "$2" --kernelsourcedir /headers 2>&1 |
		grep -q 'BUILD_EXCLUSIVE directive'
}
needed="KPROBES HAVE_STATIC_CALL SECCOMP_FILTER"
! excluded 6.1.0-1-amd64 x86_64 "$needed" || fail "an ordinary kernel not to be excluded"
excluded 5.10.0-1-amd64 x86_64 "$needed" || fail "5.10 to be excluded"
excluded 6.1.0-1-arm64 aarch64 "$needed" || fail "another processor to be excluded"
for name in $needed; do
	excluded 6.1.0-1-amd64 x86_64 "$(echo "$needed" | sed "s/$name//")" ||
		fail "a kernel without $name to be excluded"
done
echo 'options sysvm max_contexts=7' >>$work/tree/etc/modprobe.d/sysvm.conf

in_tree dpkg --force-depends -i /new.deb || fail "to upgrade"
in_tree dkms status | grep '^sysvm/0.1.0+next' || fail "the new version in dkms status"
! in_tree dkms status | grep "^sysvm/$version[,:]" || fail "the old version to be gone"
grep -q max_contexts=7 $work/tree/etc/modprobe.d/sysvm.conf || fail "the administrator's change to be kept"

in_tree dpkg --force-depends -r sysvm-dkms || fail "to remove"
! in_tree dkms status | grep '^sysvm/' || fail "nothing in dkms status"
test -f $work/tree/etc/modprobe.d/sysvm.conf || fail "settings to stay until purge"
! test -e $work/tree/usr/lib/udev/rules.d/60-sysvm.rules || fail "no udev rule"
in_tree dpkg -P sysvm-dkms || fail "to purge"
! ls $work/tree/etc/modprobe.d/sysvm.conf $work/tree/etc/modules-load.d/sysvm.conf 2>/dev/null ||
	fail "no settings"
! find $work/tree/usr/src $work/tree/var/lib/dkms -name 'sysvm*' | grep . || fail "nothing left"
