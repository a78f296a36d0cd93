#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: wd_stats_test.sh WD
#
# wd stats: what one process shows is seen by another, adds up, and is gone when
# the process is, however it ends.  WD_TEST_FRONT is front_program's path.
. "$(dirname "$0")/cli_lib.sh"

[ -w /dev/shm ] || exit 77
unset WD_STATS

running=
trap '[ -z "$running" ] || kill -9 $running; rm -rf "$scratch"' EXIT

# start NUMBER: a compression that waits for the rest of its input, written to fd 3;
# $pid is its process, and it has compressed something
start()
{
	mkfifo in out
	env WD_STATS=on "$under_test" compress -c <in >out &
	pid=$!
	running=$pid
	exec 3>in 4<out
	head -c 9000000 /dev/zero >&3
	[ "$(head -c 1 <&4 | wc -c)" -eq 1 ] || fail "no output"
}

# start_fronts [NAME]...: a program in which these front ends count; $pid is its process
start_fronts()
{
	mkfifo in out
	env WD_STATS=on "${WD_TEST_FRONT:?}" "$@" <in >out &
	pid=$!
	running=$pid
	exec 3>in 4<out
	read -r line <&4 || fail "no output"
	[ "$line" = ready ] || fail "not ready"
}

end_fronts()
{
	exec 3>&- 4<&-
	wait $pid || fail "front_program exits with $?"
	running=
}

# cell ROW HEADING: a number of the tables in $scratch/out
cell()
{
	awk -v row="$1" -v heading="$2" '
		$1 == "DEVICE" || $1 == "FRONT" { column = 0; for (i = 1; i <= NF; i++) if ($i == heading) column = i }
		$1 == row { print $column; exit }' "$scratch/out"
}

# adds_up ROW
adds_up()
{
	sent=$(cell "$1" SENT)
	back=$(($(cell "$1" RECEIVED) + $(cell "$1" ABANDONED) + $(cell "$1" IN-FLIGHT)))
	[ "$sent" -eq $back ] || fail "$1: $sent sent, $back elsewhere"
}

left_behind()
{
	find /dev/shm -maxdepth 1 -name "warpdrive-stats-$1-*" | wc -l
}

begin usage
expect 0 wd help stats
grep -q '^Usage: wd stats' "$scratch/out" || fail "no usage"
cp "$scratch/out" text
expect 0 wd stats --help
same "$scratch/out" text
expect 1 wd stats -Z
grep -qF "'-Z' is not an option" "$scratch/err" || fail "$(cat "$scratch/err")"
for pid in x 0 -1 1x '' 99999999999999999999; do
	expect 1 wd stats -- "$pid"
	grep -qF "'$pid' is not a process's number" "$scratch/err" || fail "$(cat "$scratch/err")"
done
expect 1 wd stats 1
says "1: no such process, or it does not show its counters"
expect 1 wd stats $$
says "$$: no such process, or it does not show its counters"
# Looking is not showing.
# shellcheck disable=SC2016 # for the inner shell
WD_STATS=on sh -c 'echo $$ >looker; exec "$0" stats' "$under_test" >"$scratch/out" 2>/dev/null
grep -q "^PID $(cat looker) " "$scratch/out" && fail "wd stats shows itself"

begin seen_from_outside
start
expect 0 wd stats $pid
silent
grep -qE "^PID $pid [^ ]" "$scratch/out" || fail "$(cat "$scratch/out")"
device=$(awk '/^embed:hisi_zip/ { print $1; exit }' "$scratch/out")
[ "$(cell "$device" SENT)" -ge 1 ] || fail "nothing sent: $(cat "$scratch/out")"
[ "$(cell "$device" QUEUES)" -ge 1 ] || fail "no queue: $(cat "$scratch/out")"
adds_up "$device"
grep -q '^total' "$scratch/out" && fail "a total unasked"
grep -q '^FRONT' "$scratch/out" && fail "a table of front ends, and there is none"
expect 0 wd stats
grep -q "^PID $pid " "$scratch/out" || fail "not among all"
expect 0 wd stats --total $pid
adds_up total
[ "$(cell total SENT)" -eq "$sent" ] || fail "total of the device: $(cat "$scratch/out")"
# Two processes, the same one twice for all that wd stats cares.
expect 0 wd stats -t $pid $pid
[ "$(grep -c '^total' "$scratch/out")" -eq 3 ] || fail "totals: $(cat "$scratch/out")"
grep -q '^All 2 processes$' "$scratch/out" || fail "$(cat "$scratch/out")"
expect 1 wd stats 1 $pid
says "1: no such process"
grep -q "^PID $pid " "$scratch/out" || fail "the other is not shown"
exec 3>&-
cat <&4 >rest
wait $pid || fail "compress exits with $?"
running=
exec 4<&-
[ "$(left_behind $pid)" -eq 0 ] || fail "the page stays"
expect 1 wd stats $pid
says "$pid: no such process"

begin not_asked
mkfifo in out
"$under_test" compress -c <in >out &
pid=$!
running=$pid
exec 3>in 4<out
head -c 9000000 /dev/zero >&3
[ "$(head -c 1 <&4 | wc -c)" -eq 1 ] || fail "no output"
expect 1 wd stats $pid
says "$pid: no such process, or it does not show its counters"
exec 3>&-
cat <&4 >rest
wait $pid || fail "compress exits with $?"
running=
exec 4<&-

begin fronts
start_fronts zlib another-library
expect 0 wd stats $pid
silent
[ "$(grep -c '^PID' "$scratch/out")" -eq 1 ] || fail "$(cat "$scratch/out")"
grep -q '^embed:hisi_zip' "$scratch/out" || fail "no devices: $(cat "$scratch/out")"
grep -qE '^FRONT +STREAMS QUEUED MOVED REPEATED QUEUED-BYTES OTHER-BYTES$' "$scratch/out" ||
	fail "no headings: $(cat "$scratch/out")"
i=1
for heading in STREAMS QUEUED MOVED REPEATED QUEUED-BYTES OTHER-BYTES; do
	[ "$(cell zlib $heading)" -eq $i ] || fail "zlib: $heading: $(cat "$scratch/out")"
	[ "$(cell another-library $heading)" -eq $((2 * i)) ] ||
		fail "another-library: $heading: $(cat "$scratch/out")"
	i=$((i + 1))
done
# Totals are of devices, and come before.
expect 0 wd stats -t $pid $pid
[ "$(grep -c '^FRONT' "$scratch/out")" -eq 2 ] || fail "$(cat "$scratch/out")"
[ "$(grep -c '^total' "$scratch/out")" -eq 3 ] || fail "totals: $(cat "$scratch/out")"
end_fronts
expect 1 wd stats $pid
says "$pid: no such process"
rm in out
start_fronts
expect 0 wd stats $pid
grep -q '^DEVICE' "$scratch/out" || fail "no devices"
grep -q '^FRONT' "$scratch/out" && fail "a table of front ends, and there is none"
end_fronts

begin killed
start
[ "$(left_behind $pid)" -eq 1 ] || fail "no page"
kill -9 $pid
wait $pid 2>/dev/null
running=
exec 3>&- 4<&-
[ "$(left_behind $pid)" -eq 1 ] || fail "nothing left to confuse"
expect 1 wd stats $pid
says "$pid: no such process"
[ "$(left_behind $pid)" -eq 0 ] || fail "the page stays"
wd stats 2>/dev/null | grep -q "^PID $pid " && fail "shown among all"

begin terminated
start
kill $pid
wait $pid 2>/dev/null
running=
exec 3>&- 4<&-
wd stats >/dev/null 2>&1
[ "$(left_behind $pid)" -eq 0 ] || fail "the page stays"

finish
