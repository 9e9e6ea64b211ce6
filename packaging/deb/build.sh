#!/bin/sh
# build.sh - the Debian packages of this tree, into a directory.
#
#	build.sh DIRECTORY [VERSION]	VERSION: another than that of the changelog, for trying upgrades
#
# Builds in a copy, so that two builds of one tree are the same bytes wherever the tree lies.
set -eu

directory=$1
version=${2:-}
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)

"$root/packaging/copy.sh" "$directory/lbpair"
trap 'rm -rf "$directory/lbpair"' EXIT
cd "$directory/lbpair"
cp -R packaging/deb debian
rm debian/build.sh

makefile_version=$(sed -n 's/^VERSION := //p' Makefile)
changelog_version=$(dpkg-parsechangelog -S Version)
if [ "$makefile_version" != "$changelog_version" ]; then
	echo "build.sh: the Makefile says $makefile_version, packaging/deb/changelog $changelog_version" >&2
	exit 1
fi
if [ -n "$version" ]; then
	date=$(dpkg-parsechangelog -S Date)
	{
		printf 'lbpair (%s) unstable; urgency=medium\n\n  * A build to try upgrades.\n\n' "$version"
		printf ' -- %s  %s\n\n' "$(sed -n 's/^Maintainer: //p' debian/control)" "$date"
		cat packaging/deb/changelog
	} >debian/changelog
	sed -i "s/^VERSION := .*/VERSION := $version/" Makefile
fi

DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS-nocheck}" DEB_BUILD_PROFILES="${DEB_BUILD_PROFILES-nocheck}" \
	dpkg-buildpackage -b -us -uc
