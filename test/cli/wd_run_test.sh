#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: wd_run_test.sh WD
#
# wd run --zlib: where the library is found, what the program gets, and what is
# said when it cannot get it.  A copy of the system's zlib stands in for libwdz,
# so that only what wd does is tested, also where WD is built with a sanitizer.
. "$(dirname "$0")/cli_lib.sh"

build=$(cd "$(dirname "$under_test")/.." && pwd)
system_zlib=$(python3 -c 'import zlib
for line in open("/proc/self/maps"):
    path = line.split()[-1]
    if "/libz.so." in path:
        print(path)
        break')
[ -n "$system_zlib" ] || exit 77
unset LD_PRELOAD

# installed FOLDER: wd in FOLDER/bin, which finds its own library as in the build folder
installed()
{
	mkdir -p "$1/bin"
	cp "$under_test" "$1/bin/wd"
	ln -s "$build/src" "$1/src"
}

# library FOLDER: what stands in for libwdz there
library()
{
	mkdir -p "$1"
	cp "$system_zlib" "$1/libwdz.so.1"
}

begin usage
installed .
expect 125 wd run true
grep -qF "wd run: in the place of what? --zlib must be given" "$scratch/err" || fail "$(cat "$scratch/err")"
expect 125 wd run --zlib
grep -qF "wd run: which program?" "$scratch/err" || fail "$(cat "$scratch/err")"
expect 125 wd run --zlib --nonsense true
grep -qF "'--nonsense' is not an option" "$scratch/err" || fail "$(cat "$scratch/err")"

begin no_library
installed .
# Not without it: the program must not run.
expect 125 bin/wd run --zlib touch ran
grep -q '^wd: libwdz.so.1: not found' "$scratch/err" || fail "$(cat "$scratch/err")"
for place in ../lib ../frontend/zlib; do
	grep -qxF "  $PWD/bin/$place" "$scratch/err" || fail "no $place in: $(cat "$scratch/err")"
done
absent ran

begin places
multiarch=$(python3 -c 'import os; print(os.uname().machine + "-linux-gnu")')
for place in lib "lib/$multiarch" frontend/zlib; do
	mkdir "in" && cd "in" || exit 1
	installed .
	library $place
	expect 0 bin/wd run --zlib cat /proc/self/maps
	silent
	grep -qF " $PWD/$place/libwdz.so.1" "$scratch/out" || fail "$place: not loaded"
	cd .. && rm -r "in"
done
for odd in 'a b' 'a:b' 'a$LIB'; do
	installed "$odd"
	library "$odd/lib"
	expect 125 "$odd/bin/wd" run --zlib touch ran
	says "LD_PRELOAD cannot name it"
done
absent ran

begin program
installed .
library lib
expect 0 bin/wd run --zlib -- printf '%s\n' --zlib -h -- 'a b'
silent
printf '%s\n' --zlib -h -- 'a b' >wanted
same "$scratch/out" wanted
expect 0 bin/wd run -z printf '%s' --help
[ "$(cat "$scratch/out")" = --help ] || fail "took the program's option"
expect 3 bin/wd run --zlib sh -c 'exit 3'
expect 143 sh -c 'bin/wd run --zlib sh -c "kill -TERM \$\$"; exit $?'
echo word | expect 0 bin/wd run --zlib cat
[ "$(cat "$scratch/out")" = word ] || fail "standard input is another's"
expect 0 bin/wd run --zlib sh -c '[ ! -e /proc/self/fd/0 ]' <&-
expect 0 bin/wd run --zlib sh -c 'cat /proc/self/maps'
grep -q libwdz "$scratch/out" || fail "a program's program does not get it"

expect 127 bin/wd run --zlib no-such-program
says "wd: no-such-program: No such file or directory"
expect 127 bin/wd run --zlib ./no-such-program
expect 126 bin/wd run --zlib ./lib
says "wd: ./lib: Permission denied"
: >plain
expect 126 bin/wd run --zlib ./plain
says "wd: ./plain: Permission denied"

begin preload
installed .
library lib
cp "$system_zlib" other.so
# Of no use to a WD that is built with a sanitizer, which wants to be first.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
export ASAN_OPTIONS
expect 0 env "LD_PRELOAD=$PWD/other.so" bin/wd run --zlib env
grep -qxF "LD_PRELOAD=$PWD/lib/libwdz.so.1:$PWD/other.so" "$scratch/out" ||
	fail "$(grep LD_PRELOAD "$scratch/out")"
expect 0 env LD_PRELOAD= bin/wd run --zlib env
grep -qxF "LD_PRELOAD=$PWD/lib/libwdz.so.1" "$scratch/out" || fail "$(grep LD_PRELOAD "$scratch/out")"

begin passed_over
installed .
library lib
if [ "$(id -u)" -eq 0 ]; then
	cp /bin/true other_user
	chown 65534 other_user && chmod 4755 other_user
	expect 0 bin/wd run --zlib ./other_user
	says "wd: ./other_user: runs with other rights than yours"
	PATH=$PWD:$PATH expect 0 bin/wd run --zlib other_user
	says "wd: other_user: runs with other rights than yours"
	cp other_user own
	chmod 4755 own
	expect 0 bin/wd run --zlib ./own
	silent
fi
# Debian's is linked statically.
if [ -x /sbin/ldconfig ] && ! grep -q 'ld-linux' /sbin/ldconfig; then
	expect 0 bin/wd run --zlib /sbin/ldconfig --version
	says "wd: /sbin/ldconfig: is linked statically"
fi

begin real
real=$build/frontend/zlib/libwdz.so.1
if [ -e "$real" ] && ! grep -qE '__[at]san_init' "$real"; then
	text_sample 1000000 >plain
	expect 0 wd run --zlib python3 -c 'import sys, zlib
sys.stdout.buffer.write(zlib.compress(open("plain", "rb").read()))'
	silent
	cp "$scratch/out" packed
	python3 -c 'import sys, zlib
sys.stdout.buffer.write(zlib.decompress(open("packed", "rb").read()))' >again
	same plain again
fi

finish
