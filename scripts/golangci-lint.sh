#!/bin/sh
# Runs the pinned golangci-lint, with this repository's configuration. It is
# built once, into the user's cache folder: a minute or so.
set -eu

version=v2.15.0
root=$(cd "$(dirname "$0")/.." && pwd)

case $(uname) in
Darwin) cache=$HOME/Library/Caches ;;
*) cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache} ;;
esac
folder=$cache/rowsync/golangci-lint/$version-$(go env GOVERSION)
program=$folder/golangci-lint

if ! [ -x "$program" ]; then
	echo "building golangci-lint $version" >&2
	mkdir -p "$folder"
	# Outside of the workspace, whose modules are none of its business.
	(cd / && GOWORK=off GOFLAGS= GOBIN=$folder go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version")
fi

command=$1
shift
exec "$program" "$command" --config "$root/.golangci.yml" "$@"
