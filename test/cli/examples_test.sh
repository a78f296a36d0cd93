#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: examples_test.sh FOLDER
#
# The examples in FOLDER, where they were built, do what their comments say;
# gzip is the judge.
. "$(dirname "$0")/cli_lib.sh"

begin five_lines
expect 0 "$under_test/five_lines"
silent
grep -q '^[0-9]* bytes became [0-9]*: ' "$scratch/out" || fail "$(cat "$scratch/out")"

begin filters
{
	text_sample 3000000
	random_sample 1500000
	head -c 1000000 /dev/zero
} >whole
for filter in epoll_session filter_queue stream_session; do
	for size in 0 1 65535 65536 65537 262143 262144 262145 524288 5500000; do
		head -c $size whole >plain
		expect 0 "$under_test/$filter" <plain
		silent
		cp "$scratch/out" packed
		gzip -dc <packed | cmp -s - plain || fail "gzip restores $size bytes of $filter differently"
		expect 0 "$under_test/stream_session" -d <packed
		silent
		same "$scratch/out" plain
		gzip -c plain >packed
		expect 0 "$under_test/stream_session" -d <packed
		same "$scratch/out" plain
	done
	("$under_test/$filter" <whole >/dev/full) 2>"$scratch/err"
	[ $? -eq 1 ] || fail "$filter does not mind a full disk"
	says "$filter: cannot write"
done

begin stream_session
head -c 100000 ../filters/whole >plain
{
	python3 "$here/gz_craft.py" extra_bytes=1000 name=n comment=c hcrc=1 <plain
	gzip -c plain
	"$under_test/filter_queue" <plain
} >packed
cat plain plain plain >three
expect 0 "$under_test/stream_session" -d <packed
same "$scratch/out" three
head -c $(($(wc -c <packed) - 3)) packed >short
expect 1 "$under_test/stream_session" -d <short
says "stream_session: "
{
	gzip -c plain
	echo garbage
} >packed
expect 1 "$under_test/stream_session" -d <packed
says "stream_session: "
expect 1 "$under_test/stream_session" -d </dev/null
expect 1 "$under_test/stream_session" -x </dev/null
says "usage: stream_session"

finish

begin epoll_session
# It has compressed what there was and sleeps; then there is more.
head -c 100000 ../filters/whole >plain
mkfifo in out
"$under_test/epoll_session" <in >out &
exec 3>in 4<out
cat plain >&3
head -c 1 <&4 >packed
cat plain >&3
exec 3>&-
cat <&4 >>packed
exec 4<&-
wait $! || fail "epoll_session fails"
cat plain plain >twice
gzip -dc <packed | cmp -s - twice || fail "gzip restores what came through a pipe differently"
