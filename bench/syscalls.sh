#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: bench/syscalls.sh BENCH_OPENLOOP [COUNT [FILE...]]
#
# System calls per request of an asynchronous session with one worker, at 80 %
# of what one thread could do: all calls of COUNT requests and of three times
# as many, counted by strace, so that starting and ending cancel out.  strace
# makes each call many times slower: the worker sleeps less often than without.
set -eu

if [ $# -lt 1 ]; then
	echo "usage: bench/syscalls.sh BENCH_OPENLOOP [COUNT [FILE...]]" >&2
	exit 1
fi
bench=$1
count=${2:-50000}
shift
[ $# = 0 ] || shift
if ! command -v strace >/dev/null; then
	echo "syscalls.sh: strace is missing (package strace)" >&2
	exit 1
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# measure COUNT FILE...: sets $requests and $calls; the table stays in $dir/calls
measure() {
	n=$1
	shift
	if ! strace -f -c -o "$dir/calls" "$bench" --count "$n" --loads 80 "$@" >"$dir/log" 2>&1; then
		cat "$dir/log" >&2
		exit 1
	fi
	requests=$(awk '$1 == "requests" { print $2 }' "$dir/log")
	calls=$(awk '/^ *[0-9]/ && $NF != "total" { n += $4 } END { print n }' "$dir/calls")
	if [ -z "$requests" ] || [ -z "$calls" ]; then
		echo "syscalls.sh: cannot read what the program or strace printed" >&2
		cat "$dir/log" "$dir/calls" >&2
		exit 1
	fi
}

measure "$count" "$@"
few_requests=$requests
few_calls=$calls
measure $((count * 3)) "$@"
awk -v r=$((requests - few_requests)) -v c=$((calls - few_calls)) 'BEGIN {
	printf "session, 80 %% load: %d system calls for %d requests: %.4f per request\n", c, r, c / r
}'
echo "# all of the longer run:"
awk '/^ *[0-9]/ && $NF != "total" { printf "# %9d %s\n", $4, $NF }' "$dir/calls" | sort -k2 -rn | head -8
