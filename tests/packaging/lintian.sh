#!/bin/sh
# SPDX-License-Identifier: MIT
# lintian.sh BUILD: lintian has nothing to say of the packages but what packaging/deb/overrides lists with
# reasons.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
command -v lintian >/dev/null || { echo "SKIPPED: no lintian here: apt-get install lintian"; exit 77; }
debs=$(mktemp -d)
trap 'rm -rf "$debs"' EXIT
# A packager with an address that can be one: a local user's is not what is looked at.
export SYSVM_BUILD="$1" DEBFULLNAME="sysvm authors" DEBEMAIL="sysvm@debian.org"
"$root/scripts/packages" "$debs" >/dev/null
cd "$debs"
lintian --allow-root --fail-on error,warning --display-info ./*.deb || {
	echo "expected: nothing but I: and N:"
	exit 1
}
