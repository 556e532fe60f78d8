#!/bin/sh
# SPDX-License-Identifier: MIT
# consumer_test.sh BUILD SOURCE CMAKE: libsysvm as someone else gets it. Installed to a prefix, the examples
# are compiled with what pkg-config says and nothing else, and run; the library shows what its map says, each
# symbol with a version, documented by a header and a man page.
set -eu
build=$1
source=$2
cmake=$3
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
fail() {
	echo "FAIL: $1"
	exit 1
}

for component in libsysvm libsysvm-dev; do
	"$cmake" --install "$build" --component $component --prefix "$prefix" >/dev/null
done
lib=$(dirname "$(find "$prefix" -name libsysvm.so.0)")
export PKG_CONFIG_PATH="$lib/pkgconfig" LD_LIBRARY_PATH="$lib"
# An empty folder as working directory: nothing of the source tree can be found by accident.
mkdir "$prefix/work"
cd "$prefix/work"
flags=$(pkg-config --cflags --libs sysvm)
for example in read_file.c du_directory.cc copy_metadata.cc echo_server.cc; do
	case $example in
	*.cc) compile='c++ -std=c++17 -pthread' ;;
	*) compile='cc -std=gnu11' ;;
	esac
	# shellcheck disable=SC2086
	$compile -Wall -Wextra -Werror -o "${example%.*}" "$source/libsysvm/examples/$example" $flags
done
"$source/tests/libsysvm/examples_test.sh" "$prefix/work" ''

# The name that a program asks for has the version of the interface, and programs ask for versioned symbols
# only.
readelf -d du_directory | grep -q 'NEEDED.*\[libsysvm\.so\.0\]' ||
	fail "no libsysvm.so.0 in what du_directory needs"
offered=$(nm -D --defined-only "$lib/libsysvm.so.0" "$lib/libsysvm-async.so.0" |
	awk 'NF == 3 && $2 != "A" { print $3 }' | sort)
[ -n "$offered" ] || fail "no symbols"
for symbol in $offered; do
	name=${symbol%%@*}
	case $symbol in
	*@@LIBSYSVM_*) ;;
	*) # a wrapper of the C library's function
		grep -q "^WRAP([a-z]*, $name," "$source/libsysvm/async_guard.c" ||
			fail "$symbol has no version"
		continue
		;;
	esac
	case $name in
	sysvm_async_*) ;;
	*) grep -q "^	$name;" "$source/libsysvm/libsysvm.map" || fail "$name is not in libsysvm.map" ;;
	esac
	grep -q "[ *]$name(" "$prefix"/include/sysvm/*.h || fail "$name is in no installed header"
	[ -f "$prefix/share/man/man3/$name.3" ] || fail "$name has no man page"
done
# And what the headers promise is there.
for name in $(sed -n 's/^[a-z].*[ *]\(\(sysvm\|svp\)_[a-z_]*\)(.*/\1/p' "$prefix"/include/sysvm/*.h); do
	echo "$offered" | grep -q "^$name@@" || fail "$name is in a header, but not in a library"
done

# The helper threads' library needs no more.
cat >async.c <<-'END'
	#include <stdio.h>
	#include <sysvm_async.h>
	int main(void)
	{
		uint8_t end = 1;
		struct sysvm_async *pool;
		struct sysvm_request r = {.fuel = 1};

		return sysvm_async_open(&pool, NULL) ||
		       sysvm_async_define(pool, &end, 1, 0, &r.proc, NULL, 0) ||
		       sysvm_async_submit(pool, &r) ||
		       sysvm_async_wait(pool, &r, -1) || r.status != SYSVM_DONE;
	}
END
# shellcheck disable=SC2046
cc -std=gnu11 -Wall -Wextra -Werror -o async async.c $(pkg-config --cflags --libs sysvm-async)
./async || fail "a run on a helper thread, in a program of ten lines"

# Statically: the archives hold all that they need.
# shellcheck disable=SC2046
cc -std=gnu11 -static -o async-static async.c $(pkg-config --static --cflags --libs sysvm-async)
./async-static || fail "the same, linked statically"
