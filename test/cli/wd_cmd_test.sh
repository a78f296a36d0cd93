#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: wd_cmd_test.sh WD
#
# The command line itself: list, show, help, and what is said of wrong ones.
. "$(dirname "$0")/cli_lib.sh"

begin help
expect 0 wd --help
grep -q '^Usage: wd COMMAND' "$scratch/out" || fail "no usage"
expect 0 wd help
expect 0 wd --version
grep -q '^wd [0-9]*\.[0-9]*\.[0-9]* (libwd [0-9.]*)$' "$scratch/out" || fail "$(cat "$scratch/out")"
for command in list show explain config stats compress decompress run; do
	expect 0 wd help $command
	grep -q "^Usage: wd $command" "$scratch/out" || fail "no usage of $command"
	cp "$scratch/out" text
	expect 0 wd $command --help
	same "$scratch/out" text
	# Each option of the text is one.
	sed -n 's/^ .* \(--[a-z-]*\).*/\1/p' text | while read -r option; do
		wd $command $option --no-such 2>&1 </dev/null | grep -q "'$option'" && echo $option
	done >unknown
	[ ! -s unknown ] || fail "wd $command does not know: $(cat unknown)"
done

expect 0 wd help help
grep -q '^Usage: wd COMMAND' "$scratch/out" || fail "help knows no help"

begin usage_errors
expect 1 wd
grep -q '^Usage: wd COMMAND' "$scratch/err" || fail "no usage"
# wrong TEXT ARGUMENT...: status 1, TEXT, and a hint; nothing else
wrong()
{
	text=$1
	shift
	expect 1 wd "$@"
	[ ! -s "$scratch/out" ] || fail "'$*' writes to standard output"
	[ "$(wc -l <"$scratch/err")" -eq 2 ] || fail "'$*': $(cat "$scratch/err")"
	grep -qF -e "$text" "$scratch/err" || fail "'$*': no '$text' in $(cat "$scratch/err")"
}
wrong "'nonsense' is not a command" nonsense
wrong "'nonsense' is not a command" help nonsense
wrong "'-Z' is not an option" compress -Z
wrong "'-Z' is not an option" compress --keep -Zk
wrong "'-0' is not an option" compress -0
wrong "'--nonsense' is not an option" compress --nonsense
wrong "'--nonsense' is not an option" compress --nonsense=3
wrong "'--keep' takes no argument" compress --keep=3
wrong "'-S' needs an argument" compress -S
wrong "'--suffix' needs an argument" compress --suffix
wrong "'-D' needs an argument" decompress -kD
wrong "invalid suffix ''" compress -S ''
wrong "invalid suffix 'a/b'" decompress -S a/b
wrong "invalid suffix" compress -S 0123456789012345678901234567890
wrong "-o takes one input" compress -o x a b
wrong "-o does not go with" compress -o x -c a
wrong "-o needs the name" compress -o '' a
wrong "'-Z' is not an option" list -Z
wrong "unexpected argument 'x'" list x
wrong "which device?" show
wrong "one device at a time" show a b
wrong "a size and an algorithm are wanted" explain 1
wrong "'x' is not a size" explain x gzip
wrong "'1KB' is not a size" explain 1KB gzip
wrong "'99999999999G' is not a size" explain 99999999999G gzip
wrong "a size is wanted" explain --zlib 1 gzip
wrong "'10' is not a level" explain --zlib -l 10 1
wrong "-l goes with --zlib only" explain -l 1 1 gzip
wrong "-l does not go with -d" explain --zlib -d -l 1 1
[ -z "$(ls -A)" ] || fail "left $(ls -A)"

begin explain
expect 0 wd explain 4K gzip
grep -q '^gzip, compress, 4096 bytes$' "$scratch/out" || fail "$(cat "$scratch/out")"
grep -q '^embed:hisi_zip-0 takes it: no other device' "$scratch/out" || fail "$(cat "$scratch/out")"
expect 0 wd explain -d 1M zlib
grep -q '^zlib, decompress, 1048576 bytes$' "$scratch/out" || fail "$(cat "$scratch/out")"
expect 1 wd explain 1 no-such
says "no-such: "
# A device that answers late comes first, but not for a small request.
expect 0 env WD_EMBED=hisi_zip:delay=20ms,hisi_zip "$under_test" explain 1K deflate
grep -q '^embed:hisi_zip-1 takes it: embed:hisi_zip-0 comes first, but costs more' \
	"$scratch/out" || fail "$(cat "$scratch/out")"
expect 0 env WD_EMBED=hisi_zip:delay=20ms,hisi_zip WD_SMALL_BYTES=512 "$under_test" explain 1K deflate
grep -q '^embed:hisi_zip-0 takes it: the nearest' "$scratch/out" || fail "$(cat "$scratch/out")"

begin explain_zlib
# front LINE: the last expect wrote it, without the number in it, to standard output
front()
{
	sed 's/[0-9][0-9]* bytes or more/N bytes or more/; s/than [0-9]* bytes/than N bytes/
		s/up to [0-9]* bytes/up to N bytes/' "$scratch/out" | grep -qxF -e "$1" ||
		fail "no '$1' in: $(cat "$scratch/out")"
}
unset WDZ WDZ_DEFLATE_MIN WDZ_INFLATE_MIN WDZ_GATHER_KIB
expect 0 wd explain --zlib 8M
silent
front "libwdz, compress, level 6, 8388608 bytes"
front "a queue takes it: N bytes or more (default)"
front "a stream gathers up to N bytes for a request (default)"
front "embed:hisi_zip-0 takes it: no other device does this work"
expect 0 wd explain -z -l1 1
front "the system's zlib takes it: less than N bytes (default)"
expect 0 wd explain --zlib --level=0 1M
front "the system's zlib takes it: no queue does level 0"
expect 0 wd explain --zlib -d 1M
front "libwdz, decompress, 1048576 bytes"
front "a queue takes it: N bytes or more (default), if all that comes out has room in that call"
expect 0 env WDZ=off "$under_test" explain --zlib 1M
front "the system's zlib takes it: WDZ=off"
expect 0 env WDZ=always "$under_test" explain --zlib -d 1
front "a queue takes it: N bytes or more (WDZ=always), if all that comes out has room in that call"
expect 0 env WDZ_DEFLATE_MIN=5000 "$under_test" explain --zlib 4999
grep -qxF "the system's zlib takes it: less than 5000 bytes (WDZ_DEFLATE_MIN)" "$scratch/out" ||
	fail "$(cat "$scratch/out")"
expect 0 env WDZ_INFLATE_MIN=5000 "$under_test" explain --zlib -d 5000
front "a queue takes it: N bytes or more (WDZ_INFLATE_MIN), if all that comes out has room in that call"
expect 0 env WDZ_GATHER_KIB=64 "$under_test" explain --zlib 1M
grep -qxF "a stream gathers up to 65536 bytes for a request (WDZ_GATHER_KIB)" "$scratch/out" ||
	fail "$(cat "$scratch/out")"
grep -qxF "deflate, compress, 65536 bytes" "$scratch/out" || fail "$(cat "$scratch/out")"
expect 0 env WD_EMBED=none "$under_test" explain --zlib 1M
front "the system's zlib takes it after all: no such device, or device gone"
expect 2 env WDZ_GATHER_KIB=x "$under_test" explain --zlib 1M
says "wd: WDZ_GATHER_KIB: makes no sense, and does not count"
front "a stream gathers up to N bytes for a request (default)"

begin settings
# nonsense NAME VALUE: each command says which setting makes no sense
nonsense()
{
	for command in list "show embed:hisi_zip-0" compress; do
		# shellcheck disable=SC2086 # words on purpose
		expect 1 env "$1=$2" "$under_test" $command </dev/null
		says "$1: "
		[ ! -s "$scratch/out" ] || fail "$1=$2: '$command' writes to standard output"
	done
}
for value in '' x -1 4097 '2 ' 0x2 18446744073709551617; do
	nonsense WD_EMBED_WORKERS "$value"
	nonsense WD_EMBED_DEPTH "$value"
done
nonsense WD_EMBED_SPIN_US 1000001
nonsense WD_EMBED ''
nonsense WD_EMBED hisi_zip,
nonsense WD_DEVICE "$(printf '%0300d' 0)"
expect 1 env WD_EMBED=nonsense "$under_test" compress </dev/null
says "no device for gzip: "
expect 1 env WD_EMBED=none "$under_test" compress </dev/null
says "no device for gzip: no such device"
expect 2 env WD_EMBED=none "$under_test" list
says "no device found"
for setting in WD_EMBED_WORKERS=2 WD_EMBED_DEPTH=2 WD_EMBED_SPIN_US=forever \
	WD_DEVICE=embed:hisi_zip-0 WD_EMBED=hisi_zip; do
	echo x >plain
	expect 0 env $setting "$under_test" compress -c plain
	[ "$(gzip -dc <"$scratch/out")" = x ] || fail "$setting spoils the output"
done
rm plain

begin devices
expect 0 wd list
silent
grep -q '^NAME ' "$scratch/out" || fail "no heading"
expect 0 wd list -q
grep -q '^NAME ' "$scratch/out" && fail "heading with -q"
device=$(awk '/gzip/ { print $1; exit }' "$scratch/out")
[ -n "$device" ] || fail "no device for gzip"
expect 0 wd show "$device"
grep -q "^name  *$device$" "$scratch/out" || fail "show tells another name"
for word in backend driver api algorithms flags queues throughput latency requests; do
	grep -q "$word" "$scratch/out" || fail "show does not tell $word"
done
expect 1 wd show nonsense
says "nonsense: no such device"
text_sample 1000 >plain
expect 0 wd compress -v -k -D "$device" plain
grep -q "served by $device " "$scratch/err" || fail "-D: $(cat "$scratch/err")"
rm plain.gz
expect 1 wd compress -D nonsense plain plain
says "nonsense: "
only plain

finish
