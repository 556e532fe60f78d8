#!/bin/sh
# SPDX-License-Identifier: MIT
# life.sh OLD NEW [apt]: the packages of folder OLD are installed in the tree that this runs in (a chroot that
# goes away), used, upgraded to those of NEW, used, removed and purged. Run by tests/packaging/packages.sh,
# where all that they depend on is there; sysvm-dkms has a test of its own, dkms.sh. With apt, as by
# scripts/check-fresh, in a tree where nothing of that is: apt fetches it, and sysvm-dkms is one of the
# packages, built for the kernels whose headers are there.
set -eu
old=$1
new=$2
apt=${3:-}
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
packages="sysvm libsysvm0 libsysvm-dev python3-sysvm"
[ -z "$apt" ] || packages="$packages sysvm-dkms"
fail() { echo "expected: $*"; exit 1; }

# The packages of a folder.
install_from() {
	files=
	for package in $packages; do
		files="$files $(ls "$1/${package}"_*.deb)"
	done
	install="dpkg -i"
	[ -z "$apt" ] || install="apt-get install -y --no-install-recommends"
	# shellcheck disable=SC2086
	$install $files >/tmp/install.log 2>&1 ||
		{ tail -n 20 /tmp/install.log; fail "$1 to be installed"; }
}

# Built for each kernel whose headers are there, of the version that is installed.
module_is_built() {
	version=$(version_of sysvm-dkms)
	for headers in /lib/modules/*/build; do
		kernel=$(basename "$(dirname "$headers")")
		dkms status sysvm/"$version" -k "$kernel" |
			grep ': installed' ||
			{ dkms status; fail "sysvm/$version to be installed for $kernel"; }
		module=$(find "/lib/modules/$kernel" -name 'sysvm.ko*')
		[ "$module" ] && modinfo -F vermagic "$module" | grep "^$kernel " ||
			fail "a module for $kernel"
	done
}

used() {
	work=$(mktemp -d)
	cd "$work"
	export XDG_CACHE_HOME="$work/cache"
	[ "$(command -v sysvm)" = /usr/bin/sysvm ] || fail "sysvm to be /usr/bin/sysvm"
	sysvm try --json -- find /usr/share -newer /etc/passwd >try.json 2>try.err ||
		{ cat try.err; fail "sysvm try to work"; }
	/usr/bin/python3 - <<-'END' || fail "a good report of sysvm try"
		import json
		report = json.load(open("try.json"))
		assert report["identical"], report
		assert report["entries"]["after"] < report["entries"]["before"], report["entries"]
	END
	sysvm record --backend ptrace -o ls.trace -- ls / >/dev/null 2>record.err ||
		{ cat record.err; fail "sysvm record to work"; }
	/usr/bin/python3 - <<-'END' || fail "the Python package to read a recording"
		import sysvm
		assert sysvm.__file__.startswith("/usr/lib/python3/dist-packages/"), sysvm.__file__
		assert "getdents64" in set(sysvm.open("ls.trace").df().call)
	END
	for page in 1/sysvm.1 1/sysvm-run.1 3/sysvm.3 3/sysvm_run.3; do
		if command -v man >/dev/null; then
			man -l "/usr/share/man/man$page.gz" 2>&1 </dev/null | grep -q sysvm ||
				fail "the manual page $page"
		else
			zcat "/usr/share/man/man$page.gz" | grep -q . || fail "the manual page $page"
		fi
	done
	bash -c '. /usr/share/bash-completion/completions/sysvm && complete -p sysvm' >/dev/null ||
		fail "a completion for bash"
	test -s /usr/share/zsh/vendor-completions/_sysvm || fail "a completion for zsh"
	example=/usr/share/doc/libsysvm-dev/examples/read_file.c
	# shellcheck disable=SC2046
	cc -o read_file $example $(pkg-config --cflags --libs sysvm) || fail "to compile an example"
	./read_file /etc/passwd | cmp - /etc/passwd || fail "the example to work"
	# shellcheck disable=SC2046
	cc -static -o read_file $example $(pkg-config --static --cflags --libs sysvm) ||
		fail "to link an example statically"
	./read_file /etc/passwd | cmp - /etc/passwd || fail "the static example to work"
	[ -z "$apt" ] || module_is_built
	cd /
	rm -rf "$work"
}

version_of() { dpkg-query -W -f '${Version}' "$1"; }

install_from "$old"
used
before=$(version_of sysvm)
install_from "$new"
[ "$(version_of sysvm)" != "$before" ] || fail "another version than $before"
used

# shellcheck disable=SC2086
dpkg -L $packages | sort -u | while read -r path; do
	[ -d "$path" ] && [ ! -L "$path" ] || echo "$path"
done >/tmp/files
# shellcheck disable=SC2086
dpkg -r $packages >/tmp/remove.log 2>&1 || { cat /tmp/remove.log; fail "to be removed"; }
while read -r path; do
	case $path in
	/etc/*) test -e "$path" || fail "$path to stay until purge" ;;
	*) ! test -e "$path" || fail "$path to be gone" ;;
	esac
done </tmp/files
# shellcheck disable=SC2086
dpkg -P $packages >/tmp/purge.log 2>&1 || { cat /tmp/purge.log; fail "to be purged"; }
! find /usr /etc /lib/modules /var/lib/dkms -name '*sysvm*' ! -path '/usr/src/*' 2>/dev/null | grep . ||
	fail "nothing left"
! ldconfig -p | grep sysvm || fail "no library left"
echo "installed, used, upgraded, used, removed, purged: $packages"
