#compdef hubd hubcat hubreplay hubtoken hubbench

# Completion of hub's programs for zsh: as _hub in a folder of $fpath. What there is to complete is read
# from the programs' --help, so that it is never out of date.

# The program's --help; of one with commands that of the command that was typed.
_hub_help() {
	local -a command
	[[ $service == hub(replay|token) ]] && command=(${words[2]})
	$service $command --help 2>/dev/null
}

# Fills options: "(--name -n)--name[what it does]:argument:action".
_hub_options() {
	local line name about argument action
	local -a names
	for line in ${(f)"$(_hub_help)"}; do
		# It begins with white space and a name.
		[[ $line == ' '#'-'* ]] || continue
		names=()
		line=${line##' '#}
		while [[ $line == -* ]]; do
			name=${line%%[ ,]*}
			names+=($name)
			line=${line#$name}
			line=${line##,' '#}
			[[ $line == ' -'* ]] && line=${line##' '#}
		done
		argument=
		if [[ $line == ' '[A-Z]* && $line != '  '* ]]; then
			argument=${${line# }%% *}
			line=${line#" $argument"}
		fi
		about=${${line##' '#}//[\[\]:]/ }
		action=
		case $argument in
		'') ;;
		FILE | PATH | KEYFILE) action=':'$argument':_files' ;;
		DIR) action=':'$argument':_files -/' ;;
		POLICY) action=':'$argument':(disconnect resync)' ;;
		HOW) action=':'$argument':(full normal off)' ;;
		USER) action=':'$argument':_users' ;;
		*'|'*) action=':'${argument%%[:=]*}':('${${argument#*[:=]}//'|'/ }')' ;;
		*) action=':'${argument//:/ }': ' ;;
		esac
		for name in $names; do
			options+=("*${name}[${about}]${action}")
		done
	done
}

_hub() {
	local -a options commands
	if [[ $service == hub(replay|token) && $CURRENT -eq 2 ]]; then
		commands=(${(f)"$($service --help 2>/dev/null | sed -n 's/^  \([a-z]*\)  *\([^ ].*\)/\1:\2/p')"})
		_describe command commands
		return
	fi
	_hub_options
	_arguments -S $options '*: :_files'
}

_hub "$@"
