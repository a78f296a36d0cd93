#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: bench_zlib_test.sh BENCH_ZLIB
#
# The benchmark of zlib's front end runs and finds all data right; how fast does
# not matter here.
. "$(dirname "$0")/cli_lib.sh"

unset LD_PRELOAD
# A worker that is built with a sanitizer wants its runtime to be first.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
export ASAN_OPTIONS

begin quick
random_sample 100000 >random
text_sample 100000 >text
mkdir inputs
mv random text inputs
expect 0 "$under_test" -q inputs
silent
for what in 'random  *deflate 1 call  *1 |' 'random  *deflate 6 reset  *65536 |' \
	'text  *deflate 1 stream  *64 |' 'text  *inflate  *stream  *65536 |' \
	'deflate 1 from 65536 bytes: target' 'deflate 6 from 65536 bytes: target' \
	'inflate from 65536 bytes: target' 'any size: target'; do
	grep -q "^$what" "$scratch/out" || fail "no line '$what'"
done
expect 0 "$under_test" -q -c -l 9 -b 4096,100000 inputs/text
[ "$(grep -c '^text  *[di][en]flate' "$scratch/out")" -eq 12 ] || fail "$(cat "$scratch/out")"

begin refused
expect 1 "$under_test" -q no-such
says "no-such: No such file"
expect 1 "$under_test" -q -L no-such "$under_test"
says "no-such: No such file"
: >empty
expect 1 "$under_test" -q empty
says "empty: not a file with something in it"
expect 1 "$under_test" --nonsense
grep -q '^usage: bench_zlib' "$scratch/err" || fail "no usage"

finish
