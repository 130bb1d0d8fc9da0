#!/bin/sh
# Checks format and code of every module: gofmt, go vet, golangci-lint.
# Usage: lint.sh "FOLDER …"
set -u
modules=$1
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
failed=0

unformatted=$(find . -name '*.go' -not -path './.*/*' -exec gofmt -l {} +)
if [ -n "$unformatted" ]; then
	printf 'not formatted; make fmt does it:\n%s\n' "$unformatted" >&2
	failed=1
fi
scripts/each-module.sh "$modules" go vet ./... || failed=1
scripts/each-module.sh "$modules" scripts/golangci-lint.sh run ./... || failed=1
exit "$failed"
