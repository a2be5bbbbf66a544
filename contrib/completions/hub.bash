# Completion of hubd, hubcat and hubbench for bash: source this file. What there is to complete is read from
# the programs' --help, so that it is never out of date.

# _hub_argument PROGRAM OPTION: the name of the option's argument, such as FILE; empty where it takes none
_hub_argument() {
	local line w
	while read -ra line; do
		for w in "${!line[@]}"; do
			[[ ${line[w]} == -* ]] || break
			if [[ ${line[w]%,} == "$2" ]]; then
				# The argument stands behind the last name of the option.
				[[ ${line[w]} == *, ]] && w=$((w + 1))
				[[ ${line[w + 1]-} =~ ^[A-Z]+([:|][A-Za-z|]+)?$ ]] && echo "${line[w + 1]}"
				return
			fi
		done
	done < <("$1" --help 2>/dev/null)
}

_hub() {
	local program=$1 word=$2 option=$3 words=

	COMPREPLY=()
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
			words=$("$program" --help 2>/dev/null | grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+|^ +-[a-zA-Z] ' |
				grep -oE -- '-[-a-zA-Z]+')
		;;
	FILE | PATH)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	POLICY) words='disconnect resync' ;;
	HOW) words='full normal off' ;;
	LEVEL) words='error warn info debug' ;;
	'SEQ|all|new') words='all new' ;;
	NAME)
		# What there is, the program says where it is given something else.
		[[ $option != --scenario && $option != --dialect ]] ||
			words=$("$program" "$option" '' 2>&1 | sed -n 's/.* is none of \(.*\) (try.*/\1/p' | tr -d ,)
		;;
	URL) words='unix: ws:// wss://' ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _hub hubd hubcat hubbench
