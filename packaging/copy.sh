#!/bin/sh
# copy.sh - what belongs to the project in this tree, changed files included, into a new directory.
set -eu

target=$1
root=$(cd "$(dirname "$0")/.." && pwd)
rm -rf "$target"
mkdir -p "$target"
cd "$root"
if git rev-parse --git-dir >/dev/null 2>&1; then
	git ls-files -z
else
	find . \( -name 'build' -o -name 'build-*' \) -prune -o -type f -print0
fi | xargs -0 cp --parents -t "$target"
