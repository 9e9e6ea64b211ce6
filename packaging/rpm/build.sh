#!/bin/sh
# build.sh - the RPM packages of this tree, into a directory.
#
#	build.sh DIRECTORY
#
# Where rpm is not the system's own (Debian), build requirements are not checked, and what the macros of systemd would say
# is in macros.debian: such a package is for trying, not for use.
set -eu

mkdir -p "$1"
directory=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
spec=$root/packaging/rpm/lbpair.spec
version=$(sed -n 's/^VERSION := //p' "$root/Makefile")
spec_version=$(sed -n 's/^Version: *//p' "$spec")
if [ "$version" != "$spec_version" ]; then
	echo "build.sh: the Makefile says $version, packaging/rpm/lbpair.spec $spec_version" >&2
	exit 1
fi

top=$directory/rpmbuild
rm -rf "$top"
mkdir -p "$top/SOURCES"
trap 'rm -rf "$top"' EXIT
SOURCE_DATE_EPOCH=$(date -u -d "$(sed -n 's/^\* \(.*\) lbpair maintainers.*/\1/p' "$spec" | head -n 1)" +%s)
export SOURCE_DATE_EPOCH
"$root/packaging/copy.sh" "$top/lbpair-$version"
tar -C "$top" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
	-czf "$top/SOURCES/lbpair-$version.tar.gz" "lbpair-$version"
cp "$root/systemd/lbpair.sysusers" "$top/SOURCES/"
rm -r "$top/lbpair-$version"

set -- --define "_topdir $top" --define "_buildhost localhost" --define "use_source_date_epoch_as_buildtime 1" \
	--define "clamp_mtime_to_source_date_epoch 1"
if [ -e /etc/debian_version ]; then
	set -- "$@" --nodeps --load "$root/packaging/rpm/macros.debian" --define "debug_by_hand 1" --define "optflags -O2 -g" \
		--define "__brp_compress /bin/bash /usr/lib/rpm/brp-compress"
fi
cd "$top" # no file of the tree is found by chance
rpmbuild "$@" -bb "$spec"
mv "$top"/RPMS/*/*.rpm "$directory/"
