#!/bin/sh
# Tidies the go.mod of every module. While no module proxy knows the root
# module, the others find it through a replace that is there for that moment only.
# Usage: tidy.sh "FOLDER …"
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
main=github.com/rowsync/rowsync

tidy_nested() (
	cd "$root/$1"
	# The requirement goes too: with it, every build in the workspace would ask
	# the module proxy for a version that does not exist.
	trap 'go mod edit -dropreplace="$main" -droprequire="$main"' EXIT
	trap 'exit 130' HUP INT TERM
	go mod edit -replace="$main=$root"
	GOWORK=off go mod tidy
)

for module in $1; do
	echo "-- $module"
	if [ "$module" = . ]; then
		(cd "$root" && GOWORK=off go mod tidy)
	else
		tidy_nested "$module"
	fi
done
