#!/bin/sh
# SPDX-License-Identifier: MIT What an administrator sees: the tracepoints of a run and of a refused
# definition, and the debugfs view while a context is open. $1: the folder of the guest's programs.
set -eu
tracing=/sys/kernel/tracing
fail() { echo "$*"; cat "$tracing/trace"; exit 1; }

echo >$tracing/trace
echo 1 >$tracing/events/sysvm/enable
"$1/guest_test_calls" a_stored_procedure_runs_with_its_data
"$1/guest_test_calls" the_verifiers_message_reaches_the_caller
echo 0 >$tracing/events/sysvm/enable
grep -q 'sysvm_define: proc=0 bytes=17' $tracing/trace || fail "no define"
grep -q 'sysvm_run: proc=0 seq=1' $tracing/trace || fail "no run"
grep -q 'sysvm_stop: proc=0 seq=1 reason=DONE calls=0' $tracing/trace || fail "no stop"
grep -q 'sysvm_reject: bytes=4 at=3: byte 3: unknown opcode 0xff' $tracing/trace || fail "no reject"

view=/sys/kernel/debug/sysvm/contexts
grep -q '^sysvm abi=1 device_abi=2 calls=1[0-9][0-9]$' $view || { cat $view; exit 1; }
! grep -q '^context' $view || { echo "a context is left over"; cat $view; exit 1; }
"$1/guest_test_life" hold_a_context &
holder=$!
for _ in $(seq 100); do
	grep -q "^context pid=$holder" $view && break
	sleep 0.1
done
cat $view
grep -q "^context pid=$holder comm=x\\\\040pages=9\\\\012user pages=1 bytes=[0-9]* code_bytes=3 rejected=1 calls=2 DONE=2\$" $view
grep -q "^  procedure 0 bytes=3 runs=2\$" $view
grep -q '^user uid=0 contexts=1 bytes=[0-9]* limited=0$' $view
kill $holder

# Who may do less is not asked for more than is needed: a security module would log each refusal.
echo 'p:sysvm_capable cap_capable cap=%dx:u32' >$tracing/kprobe_events
echo >$tracing/trace
echo 1 >$tracing/events/kprobes/sysvm_capable/enable
chmod 666 /dev/sysvm
setpriv --reuid=65534 --regid=65534 --clear-groups sh -c 'exec 3<>/dev/sysvm 4<>/dev/sysvm' || fail "a context for nobody"
chmod 600 /dev/sysvm
echo 0 >$tracing/events/kprobes/sysvm_capable/enable
cp $tracing/trace /tmp/capable
echo >$tracing/kprobe_events
grep -q 'cap=14$' /tmp/capable || { cat /tmp/capable; echo "expected: CAP_IPC_LOCK to be asked for"; exit 1; }
! grep 'cap=24$' /tmp/capable || { echo "expected: CAP_SYS_RESOURCE not to be asked for"; exit 1; }
