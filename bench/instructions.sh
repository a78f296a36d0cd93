#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: bench/instructions.sh BENCH_RING [COUNT]
#
# Instructions per null request, send and receive, counted by callgrind.
# "all" is what the caller's thread does inside wd_send*() and wd_recv*();
# "caller" is that without the chip model behind the backend's two doors,
# embed_ring() and embed_run(): library and driver alone.
#
# BENCH_RING needs debugging symbols (meson's debugoptimized has them).
set -eu

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
	echo "usage: bench/instructions.sh BENCH_RING [COUNT]" >&2
	exit 1
fi
bench=$1
count=${2:-200000}
for program in valgrind callgrind_annotate; do
	if ! command -v $program >/dev/null; then
		echo "instructions.sh: $program is missing (package valgrind)" >&2
		exit 1
	fi
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# inclusive NAME: its instructions, those it called included.
inclusive() {
	awk -v name="$1" '
		{
			line = $0
			gsub(/,/, "", line)
			# "COUNT ( 1.23%)  FILE:FUNCTION [OBJECT]"
			if (match(line, /[:][A-Za-z_0-9.]+( \[|$)/)) {
				f = substr(line, RSTART + 1)
				sub(/ \[.*/, "", f)
				sub(/\..*/, "", f)
				if (f == name) {
					split(line, field, " ")
					print field[1]
					found = 1
					exit
				}
			}
		}
		END { exit !found }' "$dir/functions" || {
		echo "instructions.sh: no function $1 in the profile: built without symbols?" >&2
		return 1
	}
}

# measure DEVICE HOW SEND RECV
measure() {
	rm -f "$dir/out"
	if ! valgrind --tool=callgrind --callgrind-out-file="$dir/out" \
		"$bench" --count "$count" "$1" "$2" >"$dir/log" 2>&1; then
		cat "$dir/log" >&2
		return 1
	fi
	callgrind_annotate --inclusive=yes --threshold=100 "$dir/out" >"$dir/functions"
	send=$(inclusive "$3")
	recv=$(inclusive "$4")
	ring=$(inclusive embed_ring)
	run=$(inclusive embed_run)
	awk -v name="$1 $2" -v n="$count" -v s="$send" -v r="$recv" -v ring="$ring" -v run="$run" '
		BEGIN {
			printf "%-16s %9.1f %9.1f %9.1f %9.1f %9.1f\n", name, (s + r) / n,
				(s + r - ring - run) / n, s / n, r / n, (ring + run) / n
		}'
}

printf '%-16s %9s %9s %9s %9s %9s\n' '# per request' all caller send receive model
for device in hisi_zip dummy; do
	measure $device sync wd_send wd_recv_sync
	measure $device async wd_send_burst wd_recv_burst
done
