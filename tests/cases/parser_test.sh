#!/bin/sh
# SPDX-License-Identifier: MIT
# parser_test.sh CASE_RUNNER: the runner must fail, and say where, when a case is wrong in any way.
set -eu
runner=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
status=0

# fails_with NAME MESSAGE: the case on standard input must fail with a line that contains MESSAGE.
fails_with() {
  cat > "$dir/$1.case"
  if out=$("$runner" scripted "$dir"); then echo "passed, expected a failure: $1"; status=1; fi
  case $out in
    *"$2"*) ;;
    *) printf '%s: expected "%s" in:\n%s\n' "$1" "$2" "$out"; status=1 ;;
  esac
  rm "$dir/$1.case"
}

fails_with status 'line 4: status is '\''DONE'\'', expected '\''ERROR'\' <<'X'
case wrong status
program
	end
run = ERROR
X
fails_with register 'line 5: r1 (wanted =) is 0 (0), expected 1 (0x1)' <<'X'
case wrong register
program
	end
run = DONE
expect r1 = 1
X
fails_with pc 'line 4: pc is 0 (0), expected 3 (0x3)' <<'X'
case wrong pc
program
	end
run = DONE pc 3
X
fails_with memory 'm is '\''abc'\'', expected '\''abd'\' <<'X'
case wrong memory
memory m "abc"
program
	end
run = DONE
expect memory m "abd"
X
fails_with call 'call 0 is getpid, expected none' <<'X'
case unexpected call
program
	getpid r1
	end
run = ERROR
X
fails_with argument 'close: argument 0 is 0, expected 0x7' <<'X'
case wrong argument
program
	close r1, r2
	end
call close(7) = 0
run = DONE
X
fails_with unmade '0 calls were made, expected 1' <<'X'
case a call that is not made
program
	end
call close(7) = 0
run = DONE
X
fails_with message "message is 'byte 0: unknown opcode 0x00', expected 'byte 1'" <<'X'
case wrong message
program
	.byte 0
refused 0 "byte 1"
X
fails_with syntax 'syntax.case:4: expected a step' <<'X'
case not a step
program
	end
wun = DONE
X
fails_with program "program, line 1: expected an instruction, found 'nop'" <<'X'
case bad program
program
	nop
run = DONE
X
if "$runner" scripted "$dir" > /dev/null; then echo "passed without any case"; status=1; fi
if "$runner" nosuch "$dir" 2> /dev/null; then echo "passed with an unknown engine"; status=1; fi
exit $status
