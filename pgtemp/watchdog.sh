# Removes a server once the process that started it has ended, in whatever way.
# $1 is the folder of its socket, log and process id, $2 its data folder.
run=$1 data=$2

# Who asks a whole container to stop asks the watched process too; its end
# brings the watchdog's.
trap '' HUP INT TERM

# Standard input is a pipe whose other end only the watched process holds.
read -r _

# Moved first: a server that is about to start can't note its process id any
# more, and then does not start.
mv "$run" "$run.gone"
pid=$(cat "$run.gone/pid" 2>/dev/null)

# alive: the process is there and still the one that was noted, not a stranger
# who was given the same number, nor a corpse.
alive() {
	if [ -r /proc/self/cmdline ]; then
		tr '\0' ' ' <"/proc/$pid/cmdline"
	else
		ps -o args= -p "$pid"
	fi 2>/dev/null | grep -qF -e "$data"
}

rest() { sleep 0.02 2>/dev/null || sleep 1; }

if [ -n "$pid" ] && alive; then
	kill -s QUIT -- "-$pid"
	tries=0
	while alive; do
		tries=$((tries + 1))
		[ "$tries" -eq 300 ] && kill -s KILL -- "-$pid"
		[ "$tries" -eq 600 ] && break
		rest
	done
	# A child of initdb may hang where its parent has ended.
	kill -s KILL -- "-$pid" 2>/dev/null
fi

# Processes that outlive the first one for a moment may still be writing.
for _ in 1 2 3 4 5 6 7 8 9 10; do
	rm -rf "$run.gone" "$data" && break
	rest
done
