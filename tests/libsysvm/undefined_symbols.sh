#!/bin/sh
# SPDX-License-Identifier: MIT
# undefined_symbols.sh NM "OBJECT;OBJECT...": fails if the objects together need a symbol that none of them
# defines.
set -eu
nm=$1
objects=$(printf '%s' "$2" | tr ';' ' ')
# shellcheck disable=SC2086
defined=$($nm --defined-only $objects | awk 'NF == 3 { print $3 }' | sort -u)
# shellcheck disable=SC2086
needed=$($nm -u $objects | awk '$1 == "U" && $2 != "_GLOBAL_OFFSET_TABLE_" { print $2 }' | sort -u)
[ -n "$defined" ] || { echo "no symbols in: $objects"; exit 1; }
status=0
for symbol in $needed; do
  printf '%s\n' "$defined" | grep -qx "$symbol" ||
  	{ echo "not defined in the shim's objects: $symbol"; status=1; }
done
exit $status
