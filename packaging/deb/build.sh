#!/bin/sh
# build.sh - the Debian packages of this tree, into a directory.
#
#	build.sh DIRECTORY [VERSION...]	others than that of the changelog are for trying upgrades
#
# Builds in a copy, so that two builds of one tree are the same bytes wherever the tree lies.  What does not say the
# version is compiled once for all of them.
set -eu

directory=$1
shift
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

# With an entry of its own where the changelog has none.
write_changelog() {
	[ "$1" = "$changelog_version" ] || printf 'lbpair (%s) unstable; urgency=medium\n\n  * %s\n\n -- %s  %s\n\n' \
		"$1" 'A build to try upgrades.' "$maintainer" "$date"
	cat packaging/deb/changelog
}

maintainer=$(sed -n 's/^Maintainer: //p' debian/control)
date=$(dpkg-parsechangelog -S Date)
[ $# -gt 0 ] || set -- "$changelog_version"
for version in "$@"; do
	write_changelog "$version" >debian/changelog
	DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS-nocheck}" DEB_BUILD_PROFILES="${DEB_BUILD_PROFILES-nocheck}" \
		dpkg-buildpackage -b -nc -us -uc
	dh_clean
done
