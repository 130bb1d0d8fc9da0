#!/bin/sh
# Runs a command in the folder of every module, and fails if it failed in any.
# Usage: each-module.sh "FOLDER …" COMMAND [ARGUMENT …]
set -u
modules=$1
shift
root=$(cd "$(dirname "$0")/.." && pwd)

# A command of this folder is called by its path from the root.
case $1 in
scripts/*) command=$root/$1; shift; set -- "$command" "$@" ;;
esac

failed=
for module in $modules; do
	echo "-- $module"
	(cd "$root/$module" && "$@") || failed="$failed $module"
done
if [ -n "$failed" ]; then
	echo "failed in:$failed" >&2
	exit 1
fi
