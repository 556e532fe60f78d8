# bash completion for sysvm. SPDX-License-Identifier: MIT
# Commands and options are read from the program's own help, so there is no second list that could be stale.
# Tested by tests/cli/help_test.py.

_sysvm() {
	local program=${COMP_WORDS[0]} command=${COMP_WORDS[1]} cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} i
	local IFS=$' \t\n'
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		COMPREPLY=($(compgen -W "--help --version $("$program" --help 2>/dev/null |
			sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')" -- "$cur"))
		return
	fi
	# What follows "--" is a command line of its own.
	for ((i = 2; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -- ]] || continue
		if declare -F _command_offset >/dev/null; then
			_command_offset $((i + 1))
		elif ((COMP_CWORD == i + 1)); then
			COMPREPLY=($(compgen -c -- "$cur"))
		fi
		return
	done
	case $prev in
	--engine) COMPREPLY=($(compgen -W "auto kernel user" -- "$cur")) ;;
	-u | --user) COMPREPLY=($(compgen -u -- "$cur")) ;;
	-p | --pid) COMPREPLY=($(compgen -W "$(cd /proc && echo [0-9]*)" -- "$cur")) ;;
	export) ((COMP_CWORD == 2)) && COMPREPLY=($(compgen -W "strace perfetto ndjson folded" -- "$cur")) ;;
	-*[a-z]) # the values that the help names: --color {auto,always,never}
		COMPREPLY=($(compgen -W "$("$program" "$command" --help 2>/dev/null |
			sed -nE "s/^ +(-[^ ]*,)?$prev \\{([^}]*)\\}.*/\\2/p" | tr , ' ')" -- "$cur"))
		;;
	esac
	((${#COMPREPLY[@]})) || [[ $cur != -* ]] || COMPREPLY=($(compgen -W "$("$program" "$command" --help 2>/dev/null |
		grep -oE -- '(^|[ ,[])--?[A-Za-z][-A-Za-z]*' | tr -d ' ,[' | sort -u)" -- "$cur"))
}
# Where nothing is offered: file names.
complete -o default -F _sysvm sysvm
