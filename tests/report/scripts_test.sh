#!/bin/sh
# The page's scripts that compute, without a browser; skipped (77) where there is no node.
node=$(command -v node || command -v nodejs) || { echo "skipped: no node here"; exit 77; }
exec "$node" "$(dirname "$0")/scripts_test.js"
