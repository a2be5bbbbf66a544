# What the run of an application needs, by `. start.sh`: a hub of its own, and programs that are kept running. $build
# is where the programs are, and $dir a folder of its own, which is removed at the end.

# What start_hub leaves there; a second hub needs a folder of its own.
at=$dir

clean_up() {
	trap '' HUP INT TERM
	# The hub, which was the first, goes last: the others may have something left for it.
	for part in $parts; do
		kill "$part" 2>/dev/null || :
		wait "$part" || :
	done
	rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 0' HUP INT TERM

parts=

# part COMMAND...: what ends is started again, but for what was started wrongly. It is sent TERM at the end.
part() {
	(
		job=
		trap 'trap "" TERM; [ -z "$job" ] || kill "$job" 2>/dev/null; wait; exit 0' TERM
		while :; do
			"$@" &
			job=$!
			status=0
			wait "$job" || status=$?
			case $status in 64 | 7[0378]) exit 1 ;; esac
			sleep 0.2
		done
	) &
	part=$!
	# Where we are killed, nothing of it stays either.
	(
		while kill -0 $$ 2>/dev/null; do
			sleep 1
		done
		kill "$part" 2>/dev/null
		rm -rf "$dir"
	) &
	parts="$! $part $parts"
}

hub_once() {
	exec "$build/hubd" --listen "127.0.0.1:$(cat "$at/port" 2>/dev/null || echo 0)" --socket "$at/hub.sock" \
	    --drain 0 --log-level warn --ready-fd 3 "$@" 3>"$at/ready"
}

# start_hub ARGUMENT...: hubd with these on a free port, which is in $at/port, and at HUB_URL; it comes back there.
start_hub() {
	part hub_once "$@"
	until [ -s "$at/ready" ]; do
		kill -0 "$part" 2>/dev/null || exit 1
		sleep 0.1
	done
	port=$(sed 's/.*"127\.0\.0\.1:\([0-9]*\)".*/\1/' "$at/ready")
	echo "$port" >"$at/port"
	HUB_URL=unix:$at/hub.sock
	export HUB_URL
}

# In a part, for a pipeline whose programs are started one by one: those of $jobs are sent TERM with it.
jobs=
pipeline() {
	jobs=
	trap 'trap "" TERM; kill $jobs 2>/dev/null; wait; exit 0' TERM
}

# Once one of $jobs has ended, so does the first, from which the others have what they read. It may have been any of
# them: what is written while a reader is being killed goes into the pipe, and its writer is not told.
end_together() {
	while all_run; do
		sleep 0.2
	done
	kill "${jobs%% *}" 2>/dev/null || :
	wait
}

all_run() {
	for job in $jobs; do
		kill -0 "$job" 2>/dev/null || return 1
	done
}

# feed SESSION COMMAND...: what COMMAND prints is published in it; they end together.
feed() {
	session=$1
	shift
	pipeline
	mkfifo "$dir/feed.$session" 2>/dev/null || :
	"$@" >"$dir/feed.$session" &
	jobs=$!
	"$build/hubcat" -p "$session" <"$dir/feed.$session" &
	jobs="$jobs $!"
	end_together
}
