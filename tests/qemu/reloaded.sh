#!/bin/sh
# SPDX-License-Identifier: MIT In the guest: one test on the module loaded anew. $1: parameters besides those
# of all tests; then the test's command.
parameters=$1
shift
rmmod sysvm && insmod "$SYSVM_MODULE" $SYSVM_PARAMETERS $parameters || exit 98
"$@"
status=$?
rmmod sysvm && insmod "$SYSVM_MODULE" $SYSVM_PARAMETERS || exit 99
exit $status
