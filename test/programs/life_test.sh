#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: life_test.sh LIBWDZ FOLDER
#
# Safe in any process: exported names, what a program pays that only computes
# checksums, forks, threads, set-uid, another zlib in the same process, pkg-config.
. "$(dirname "$0")/programs_lib.sh"
program=$built/life_program
need_zlib "$program"
zlib=$(ldd "$program" | awk '$1 == "libz.so.1" { print $3 }')

# exports LIBRARY: its names with their versions
exports()
{
	nm -D --defined-only --with-symbol-versions "$1" | awk '{ print $2, $3 }' | sort
}

# calls FILE: names of the system calls that strace saw, those before main first
calls()
{
	sed -n 's/^[0-9]* *\([a-z_0-9]*\)(.*/\1/p' "$1"
}

begin exports
exports "$zlib" >zlib
exports "$libwdz" >libwdz
diff zlib libwdz >difference || fail "other names than zlib: $(head -n 8 difference)"
readelf -d "$libwdz" | grep -q 'SONAME.*\[libwdz\.so\.1\]' || fail "another soname"

begin checksum_only
if strace -f -o probe true 2>probe; then
	expect strace -f -o plain.all "$program" checksum
	for mode in auto always; do
		expect strace -f -E "LD_PRELOAD=$libwdz" -E WDZ=$mode -o $mode.all "$program" checksum
	done
	for mode in plain auto always; do
		awk '/ getpgid\(/ { main = !main; next } main' $mode.all >$mode.main
		awk '/ getpgid\(/ { exit } { print }' $mode.all >$mode.start
		sed -n 's/.* openat([^"]*"\([^"]*\)".* = [0-9].*/\1/p' $mode.start | sort -u >$mode.files
		# A library more is opened, read, mapped, protected and closed.
		calls $mode.start | grep -vxE 'openat|read|pread64|newfstatat|fstat|mmap|mprotect|close|access|readlink' |
			sort | uniq -c >$mode.calls
		[ ! -s $mode.main ] || fail "$mode: a checksum makes system calls: $(head -n 3 $mode.main)"
	done
	for mode in auto always; do
		opened=$(comm -13 plain.files $mode.files)
		[ "$opened" = "$libwdz" ] || fail "$mode: opens $opened"
		diff plain.calls $mode.calls >difference || fail "$mode: calls $(cat difference)"
	done
	grep -qE 'clone|MAP_ANONYMOUS.*MAP_SHARED|shm_open|memfd' auto.all && fail "thread or memory"
fi

begin small
for mode in plain auto; do
	expect in_mode $mode "$program" small
	[ "$(cat "$scratch/out")" = "ordinary zlib" ] || fail "$mode: a tiny stream is $(cat "$scratch/out")"
done
expect in_mode always "$program" small
[ "$(cat "$scratch/out")" = "ordinary queue" ] || fail "always: $(cat "$scratch/out")"
expect env LD_PRELOAD="$libwdz" WDZ=off "$program" threadless
rm -f "$scratch"/witness/*

for case in threadless fork threads files "dlopen $zlib"; do
	begin "${case%% *}"
	for mode in auto always; do
		# shellcheck disable=SC2086 # a case and its argument
		expect in_mode $mode "$program" $case
	done
	through_queue
done

begin own_copy
# Its own functions come before libwdz's, for libwdz as well.
static=$built/life_static
[ -x "$static" ] || static=
for mode in auto always; do
	for case in small fork files "dlopen $zlib"; do
		# shellcheck disable=SC2086 # a case and its argument
		[ -z "$static" ] || expect in_mode $mode "$static" $case
	done
done

begin loaded_later
for mode in auto always; do
	for each in "$program" $static; do
		expect env WDZ=$mode "$each" dlopen "$libwdz"
	done
	expect in_mode $mode "$program" dlopen "$libwdz"
done

begin linked
if command -v cc >/dev/null && command -v pkg-config >/dev/null; then
	mkdir lib
	cp "$libwdz" lib/libwdz.so.1
	cp "$built/../../src/libwd.so.1" lib/
	PKG_CONFIG_PATH=$built/../../meson-uninstalled
	export PKG_CONFIG_PATH
	# shellcheck disable=SC2046 # a list of options
	expect cc -o program "$here/life_program.c" $(pkg-config --cflags --libs wdz) \
		"-Wl,-rpath,$PWD/lib" -pthread
	readelf -d program >needed
	grep -q 'NEEDED.*libwdz\.so\.1' needed || fail "not linked with libwdz"
	grep -q 'NEEDED.*libz\.so' needed && fail "linked with libz"
	for case in threadless files; do
		expect env WDZ=always "LD_LIBRARY_PATH=$PWD/lib" ./program $case
	done
	expect env WDZ=always "LD_LIBRARY_PATH=$PWD/lib" ./program small
	[ "$(cat "$scratch/out")" = "ordinary queue" ] || fail "$(cat "$scratch/out")"
fi

begin set_uid
# A program whose rights are not the caller's: no setting counts, and it works.
if [ -x ../linked/program ]; then
	cp ../linked/program secure
	if [ "$(id -u)" = 0 ]; then
		chown nobody secure && chmod 4755 secure
	else
		for group in $(id -G); do
			[ "$group" = "$(id -g)" ] || chgrp "$group" secure && chmod 2755 secure
		done
	fi
	expect env WDZ=always WDZ_DEFLATE_MIN=1 WDZ_INFLATE_MIN=1 ./secure small
	case $(cat "$scratch/out") in
	"secure zlib") expect env WDZ=always ./secure threadless ;;
	ordinary*) ;; # the file system does not know such programs, or no other group is ours
	*) fail "$(cat "$scratch/out")" ;;
	esac
fi

finish
