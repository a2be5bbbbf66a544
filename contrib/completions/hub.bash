# Completion of hub's programs for bash: source this file. What there is to complete is read from
# the programs' --help, so that it is never out of date.

# _hub_help PROGRAM: its --help; of one with commands that of the command that was typed
_hub_help() {
	if [[ $1 == hub@(replay|token) ]]; then
		"$1" "${COMP_WORDS[1]}" --help
	else
		"$1" --help
	fi 2>/dev/null
}

# _hub_argument PROGRAM OPTION: the name of the option's argument, such as FILE; empty where it takes none
_hub_argument() {
	local line w
	while read -ra line; do
		for w in "${!line[@]}"; do
			[[ ${line[w]} == -* ]] || break
			if [[ ${line[w]%,} == "$2" ]]; then
				# The argument stands behind the last name of the option.
				[[ ${line[w]} == *, ]] && w=$((w + 1))
				[[ ${line[w + 1]-} =~ ^[A-Z]+([:|=,][A-Za-z|/.]+)?$ ]] && echo "${line[w + 1]}"
				return
			fi
		done
	done < <(_hub_help "$1")
}

_hub() {
	local program=$1 word=$2 option=$3 words=

	COMPREPLY=()
	if [[ $program == hub@(replay|token) && $COMP_CWORD -eq 1 ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p')" -- "$word")
		return
	fi
	# bash takes "--name=value" for three words.
	if [[ $word == = ]]; then
		word=
	elif [[ $option == = ]]; then
		option=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	[[ $option == -* ]] || option=
	case ${option:+$(_hub_argument "$program" "$option")} in
	'')
		[[ $word != -* ]] ||
			words=$(_hub_help "$program" | grep -oE '^ +(-[a-zA-Z0-9], )?--[a-z0-9-]+|^ +-[a-zA-Z0-9] ' |
				grep -oE -- '-[-a-zA-Z0-9]+')
		;;
	FILE | PATH | KEYFILE | DIR)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	POLICY) words='disconnect resync' ;;
	HOW) words='full normal off' ;;
	USER)
		mapfile -t COMPREPLY < <(compgen -u -- "$word")
		return
		;;
	FIELD) words='x-forwarded-for forwarded' ;;
	LEVEL) words='error warn info debug' ;;
	'SEQ|all|new') words='all new' ;;
	FORMAT) words='csv ndjson' ;;
	ALG) words='HS256 HS384 HS512 EdDSA ES256 RS256 PS256' ;;
	NAME)
		# What there is, the program says where it is given something else.
		[[ $option != --scenario && $option != --dialect ]] ||
			words=$("$program" "$option" '' 2>&1 | sed -n 's/.* is none of \(.*\) (try.*/\1/p' | tr -d ,)
		;;
	URL) words='unix: ws:// wss://' ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _hub hubd hubcat hubbench hubtoken
complete -o default -F _hub hubreplay # its operands are files
