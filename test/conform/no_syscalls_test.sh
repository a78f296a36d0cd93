#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: no_syscalls_test.sh BENCH_RING BENCH_COMP
#
# A request on a started queue makes no system call: a program makes as many
# for a hundred thousand requests as for a thousand.  Null requests of each
# device, and blocks of 4 KiB compressed and decompressed.
set -eu

ring=$1
comp=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# A leak check at the end cannot work under ptrace.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
export LSAN_OPTIONS=detect_leaks=0

skip() {
	echo "$1"
	exit 77
}

command -v strace >/dev/null || skip "strace is missing"
strace -f -o "$dir/probe" true 2>/dev/null || skip "strace may not trace here"

# The sanitizers' own calls: TSan's thread makes some all the time, ASan's start differs by a few.
slack=0
if grep -q __tsan_init "$ring"; then
	skip "ThreadSanitizer makes system calls of its own"
elif grep -q __asan_init "$ring"; then
	slack=8
fi

# nr_calls COMMAND...: system calls of a run of it
nr_calls() {
	if ! strace -f -qq -o "$dir/calls" "$@" >"$dir/log" 2>&1; then
		echo "failed: $*" >&2
		cat "$dir/log" >&2
		return 1
	fi
	wc -l <"$dir/calls"
}

# same FEW MANY PROGRAM [ARGUMENT...]: with "--count N" as its first arguments
same() {
	few=$1
	many=$2
	program=$3
	shift 3
	before=$(nr_calls "$program" --count "$few" "$@")
	after=$(nr_calls "$program" --count "$many" "$@")
	if [ $((after - before)) -gt $slack ] || [ $((before - after)) -gt $slack ]; then
		echo "${program##*/} $*: $before system calls for $few requests," \
			"$after for $many; those of the latter:" >&2
		sed 's/^[0-9]* *//; s/(.*//' "$dir/calls" | sort | uniq -c | sort -rn >&2
		exit 1
	fi
}

for device in hisi_zip dummy; do
	for how in sync async; do
		same 1000 101000 "$ring" "$device" "$how"
	done
done

# Words enough for blocks that differ, the same on every machine.
awk 'BEGIN { for (i = 0; i < 40000; i++) printf "%d %x ", i * 7919 % 104729, i * i }' >"$dir/input"
same 100 2100 "$comp" "$dir/input"
