#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: apt_test.sh LIBWDZ FOLDER
#
# dpkg-deb builds and opens gzip packages; apt-ftparchive and apt-get keep a local
# archive of them, in folders of their own: nothing of the machine's apt is touched.
. "$(dirname "$0")/programs_lib.sh"
need dpkg-deb apt-ftparchive apt-get gzip tar ar
need_zlib "$(command -v dpkg-deb)"
apt_library=$(ldd "$(command -v apt-get)" | awk '/libapt-pkg/ { print $3 }')
need_zlib "$apt_library"
make_data

# package FOLDER NAME: the tree of a package with our data
package()
{
	mkdir -p "$1/DEBIAN" "$1/usr/share/$2"
	cp "$scratch"/data/* "$1/usr/share/$2"
	chmod -R u=rwX,go=rX "$1"
	cat >"$1/DEBIAN/control" <<END
Package: $2
Version: 1
Architecture: all
Maintainer: nobody <nobody@localhost>
Description: files for a test
END
}

# build MODE FOLDER LEVEL DEB
build()
{
	expect in_mode "$1" dpkg-deb --root-owner-group -Zgzip -z"$3" --build "$2" "$4"
}

# apt MODE ARGUMENT...: apt-get in folders below this one
apt()
{
	mode=$1
	shift
	mkdir -p state/lists/partial cache/archives/partial etc/apt.conf.d etc/preferences.d \
		etc/trusted.gpg.d etc/sources.list.d log
	: >state/status
	expect in_mode "$mode" apt-get -q -o "Dir::State=$PWD/state" -o "Dir::State::status=$PWD/state/status" \
		-o "Dir::Cache=$PWD/cache" -o "Dir::Etc=$PWD/etc" -o "Dir::Log=$PWD/log" \
		-o "APT::Sandbox::User=$(id -un)" -o APT::Architecture=amd64 -o Acquire::Languages=none \
		-o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false "$@"
}

package "$scratch/tree" wd-test
for writer in plain auto always; do
	begin $writer
	mkdir pool
	for level in 1 6 9; do
		build $writer "$scratch/tree" $level pool/wd-test.deb
		for reader in plain auto always; do
			[ $reader = plain ] || [ $writer = plain ] || [ $reader = $writer ] || continue
			rm -rf out
			expect in_mode $reader dpkg-deb -R pool/wd-test.deb out
			same_tree out ../tree
		done
	done
	# Not only its own reader's word.
	(mkdir inside && cd inside && ar x ../pool/wd-test.deb && tar -xzf data.tar.gz) ||
		fail "ar and tar do not open it"
	same_tree inside/usr ../tree/usr

	# Indexes with enough in them to be worth compressing.
	for number in 1 2 3 4 5 6 7 8; do
		mkdir -p small/DEBIAN
		sed "s/wd-test/wd-test-$number/; s/for a test/$number &/" ../tree/DEBIAN/control >small/DEBIAN/control
		sed 's/^/ /; s/^ *$/ ./' ../data/text | head -c 40000 | tr -dc '[:print:]\n' >>small/DEBIAN/control
		echo >>small/DEBIAN/control
		build $writer small 6 pool/wd-test-$number.deb
	done
	cat >ftparchive.conf <<END
Dir { ArchiveDir "$PWD"; CacheDir "$PWD"; };
Default { Packages::Compress ". gzip"; Contents::Compress "gzip"; };
BinDirectory "pool" { Packages "Packages"; Contents "Contents"; };
END
	expect in_mode $writer apt-ftparchive generate ftparchive.conf
	gzip -dc Packages.gz | cmp -s - Packages || fail "Packages.gz holds something else"
	gzip -t Contents.gz || fail "Contents.gz is broken"
	grep -q '^Package: wd-test-8$' Packages || fail "not all packages are listed"
	mv Packages Packages.plain

	for reader in plain auto always; do
		[ $reader = plain ] || [ $writer = plain ] || [ $reader = $writer ] || continue
		mkdir "apt-$reader"
		cd "apt-$reader" || exit 1
		mkdir etc
		echo "deb [trusted=yes] file:$scratch/$writer ./" >etc/sources.list
		apt $reader update
		grep -q '^W:' "$scratch/err" && fail "apt-get update: $(head -n 3 "$scratch/err")"
		apt $reader download wd-test
		cmp -s wd-test_1_all.deb ../pool/wd-test.deb || fail "apt-get downloads something else"
		cd .. || exit 1
	done
	mv Packages.plain Packages
done
through_queue

finish
