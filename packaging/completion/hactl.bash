# shellcheck shell=bash
# hactl.bash - completion of hactl's commands, options, servers and nodes.
#
# Asks hactl itself, with the sockets that the line names: nothing is completed where no daemon answers.

# hactl as the line has it, options before the command included.
_hactl_ask() {
	"${words[@]:0:command_at}" --timeout 1s "$@" 2>/dev/null
}

# Words that may follow, a line each: options.
_hactl_options() {
	case $1 in
	"") printf '%s\n' --lbd-socket --ha-socket --timeout --version ;;
	status) printf '%s\n' --json --watch ;;
	failover) printf '%s\n' --to --away --force --wait --json ;;
	standby) printf '%s\n' --force --json ;;
	server) printf '%s\n' --json --wait ;;
	history | certificate) echo --json ;;
	servers) printf '%s\n' --json --watch --names ;;
	check) echo --node ;;
	setup)
		printf '%s\n' --peer --vip --server --address --interface --name --peer-name --directory \
			--export --join
		;;
	esac
	echo --help
}

# The same: arguments.  $2: 1 is the first one of the command.
_hactl_arguments() {
	case $1/$2 in
	/* | help/1) printf '%s\n' status failover standby history servers server reload certificate check top setup help ;;
	standby/1) printf '%s\n' on off ;;
	server/1) _hactl_ask servers --names ;;
	server/2) printf '%s\n' ready drain maintenance weight ;;
	server/3) [[ ${words[cword - 1]} == weight ]] && echo default ;;
	reload/1) printf '%s\n' lbd hafailover ;;
	certificate/1) printf '%s\n' list renew replace ;;
	certificate/2) [[ ${words[cword - 1]} == replace ]] && _hactl_certificates ;;
	esac
}

# The files that lbd names.
_hactl_certificates() {
	_hactl_ask certificate list --json | grep -oE '"certificate": *"[^"]*"' | cut -d '"' -f 4
}

# The names of both nodes, out of hafailover's status.
_hactl_nodes() {
	local status
	status=$(_hactl_ask status --json)
	[[ $status == *'"peer":'* ]] || return
	grep -oE '"(node|name)": *"[^"]*"' <<<"$status" | cut -d '"' -f 4 | head -n 2
}

# Takes what fits.  A name is others' choice, and would stand unquoted in the line: no more than plain
# names, and nothing that expands words, as compgen -W does.
_hactl_offer() {
	local word
	while read -r word; do
		[[ $word == "$current"* && $word != *[!][A-Za-z0-9._:@/-]* ]] && COMPREPLY+=("$word")
	done
}

_hactl_offer_files() {
	mapfile -t COMPREPLY < <(compgen -f -- "$current")
	compopt -o filenames 2>/dev/null
}

_hactl() {
	local words cword current command="" command_at i at=0 before

	# Taken apart at blanks only: names of servers have colons.
	read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
	[[ ${COMP_LINE:0:COMP_POINT} == *" " ]] && words+=("")
	cword=$((${#words[@]} - 1))
	current=${words[cword]}

	command_at=$cword
	for ((i = 1; i < cword; i++)); do
		case ${words[i]} in
		--lbd-socket | --ha-socket | --timeout) ((i++)) ;;
		-*) ;;
		*)
			command=${words[i]}
			command_at=$i
			break
			;;
		esac
	done
	for ((i = command_at + 1; i <= cword; i++)); do
		[[ ${words[i]} == -* ]] || ((at++))
	done

	COMPREPLY=()
	case ${words[cword - 1]} in
	--lbd-socket | --ha-socket) _hactl_offer_files ;;
	--timeout | --node | --peer | --vip | --server | --address | --name | --peer-name) ;;
	--interface) _hactl_offer < <(ls /sys/class/net) ;;
	--directory)
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		compopt -o filenames 2>/dev/null
		;;
	--to) _hactl_offer < <(_hactl_nodes) ;;
	*)
		if [[ $current == -* ]]; then
			_hactl_offer < <(_hactl_options "$command")
		elif [[ $command == check ]]; then
			_hactl_offer_files
		else
			_hactl_offer < <(_hactl_arguments "$command" "$at")
		fi
		;;
	esac

	# readline's own word begins behind the last colon: what is before must not be said twice.
	if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
		before=${current%"${current##*:}"}
		for i in "${!COMPREPLY[@]}"; do
			COMPREPLY[i]=${COMPREPLY[i]#"$before"}
		done
	fi
}

complete -F _hactl hactl
