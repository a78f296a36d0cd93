#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: wd_comp_test.sh WD
#
# Data and formats: what wd compresses gzip restores, what gzip made wd restores,
# and what is not right is told apart in gzip's words.
. "$(dirname "$0")/cli_lib.sh"

PIECE=4194304 # input of a member

begin round_trip
for size in 0 1 2 100 65535 65536 1000000 $((PIECE - 1)) $PIECE $((PIECE + 1)) $((3 * PIECE)); do
	text_sample $size >plain
	expect 0 wd compress -k plain
	silent
	expect 0 gzip -t plain.gz
	gzip -dc plain.gz | cmp -s - plain || fail "gzip restores $size bytes differently"
	rm plain.gz
	gzip -k plain
	expect 0 wd decompress -c plain.gz
	same "$scratch/out" plain
	rm plain.gz
done
random_sample 5000000 >plain
expect 0 wd compress -k plain
gzip -dc plain.gz | cmp -s - plain || fail "gzip restores random data differently"
expect 0 wd decompress -c plain.gz
same "$scratch/out" plain
python3 - plain.gz <<'PY' || fail "zlib's file reader does not take the members"
import gzip, sys
assert gzip.open(sys.argv[1]).read() == open("plain", "rb").read()
PY

begin pieces
# Each piece of input is a member, an empty file is one, and none is empty without need.
for pair in 0:1 1:1 $PIECE:1 $((PIECE + 1)):2 $((3 * PIECE)):3; do
	text_sample ${pair%:*} | wd compress >packed
	expect 0 python3 - packed ${pair#*:} <<'PY'
import sys, zlib
left, members = open(sys.argv[1], "rb").read(), 0
while left:
    stream = zlib.decompressobj(31)
    stream.decompress(left)
    left, members = stream.unused_data, members + 1
assert members == int(sys.argv[2]), f"{members} members, not {sys.argv[2]}"
PY
done

begin levels
text_sample 300000 >plain
for level in -1 -2 -3 -4 -5 -6 -7 -8 -9 --fast --best --fastest --smallest; do
	expect 0 wd compress $level -c plain
	gzip -dc <"$scratch/out" | cmp -s - plain ||
		fail "level $level comes out wrong"
done
for level in 1 2 3 4 5 6 7 8 9; do
	gzip -$level -c plain >plain.gz
	expect 0 wd decompress -c plain.gz
	same "$scratch/out" plain
done

begin pipes
text_sample $((PIECE + 12345)) >plain
wd compress <plain >plain.gz || fail "compress from a file to a file"
# Short reads are gathered: the same members, however the input arrives.
dd if=plain bs=777 2>/dev/null | wd compress - | gzip -dc | cmp -s - plain ||
	fail "compress from a pipe"
dd if=plain.gz bs=777 2>/dev/null | wd decompress | cmp -s - plain || fail "decompress from a pipe"
expect 0 wd compress -d -c plain.gz
same "$scratch/out" plain

begin header
text_sample 1000 >plain
touch -d '2001-02-03 04:05:06 UTC' plain
expect 0 wd compress -k plain
expect 0 gzip -lvN plain.gz
expect 0 python3 - plain.gz <<'PY'
import sys
data = open(sys.argv[1], "rb").read()
assert data[3] == 8 and data[10:16] == b"plain\0", "name"
assert int.from_bytes(data[4:8], "little") == 981173106, "time"
PY
expect 0 wd compress -k -n -f plain
expect 0 python3 - plain.gz <<'PY'
import sys
assert open(sys.argv[1], "rb").read()[3:8] == bytes(5), "-n stores something"
PY
for field in extra=4142040061626364 name=other comment=words hcrc=1 mtime=981173106; do
	python3 "$here/gz_craft.py" $field <plain >plain.gz
	expect 0 wd decompress -c plain.gz
	same "$scratch/out" plain
done
python3 "$here/gz_craft.py" extra=41420400deadbeef name=n comment=c hcrc=1 mtime=7 <plain >plain.gz
expect 0 wd decompress -c plain.gz
silent
same "$scratch/out" plain
python3 "$here/gz_craft.py" extra_bytes=65535 <plain >plain.gz
expect 0 wd decompress -c plain.gz
same "$scratch/out" plain

begin members
text_sample 70000 >a
random_sample 70000 >b
cat a b a >plain
{ gzip -c a; wd compress -c b; gzip -c /dev/null; python3 "$here/gz_craft.py" name=x extra=00 <a; } \
	>plain.gz
expect 0 wd decompress -c plain.gz
silent
same "$scratch/out" plain
expect 0 wd decompress -t plain.gz
gzip -c a >a.gz
i=0
while [ $i -lt 50 ]; do
	cat a.gz
	i=$((i + 1))
done >many.gz
expect 0 wd decompress -c many.gz
[ "$(wc -c <"$scratch/out")" -eq 3500000 ] || fail "50 members come out wrong"

begin list
text_sample 5000000 >plain
gzip -k plain
touch -d '2001-02-03 04:05:06' plain.gz
gzip -l plain.gz >wanted
expect 0 wd decompress -l plain.gz
same "$scratch/out" wanted
gzip -lv plain.gz >wanted
expect 0 wd compress -lv plain.gz
same "$scratch/out" wanted
gzip -lq plain.gz >wanted
expect 0 wd decompress -lq plain.gz
same "$scratch/out" wanted
# gzip's own sizes are those of the last member: here they are added up.
cat plain.gz plain.gz >two.gz
expect 0 wd decompress -l two.gz
grep -q " 10000000 .*% two$" "$scratch/out" || fail "several members: $(cat "$scratch/out")"
expect 0 wd decompress -l plain.gz two.gz
grep -q " 15000000 .*(totals)$" "$scratch/out" || fail "totals: $(cat "$scratch/out")"
only plain plain.gz two.gz wanted

begin test_option
text_sample 100000 >plain
gzip plain
expect 0 wd decompress -t plain.gz
silent
expect 0 wd decompress -tv plain.gz
grep -q 'plain.gz:.* OK' "$scratch/err" || fail "-tv says no OK"
only plain.gz

begin truncated
random_sample 200000 >plain
python3 "$here/gz_craft.py" extra=4142040061626364 name=some-name comment=c hcrc=1 <plain >whole
size=$(wc -c <whole)
for cut in 0 1 2 3 5 9 10 11 15 20 30 35 37 38 100 70000 $((size - 9)) $((size - 8)) \
	$((size - 4)) $((size - 1)); do
	head -c "$cut" whole >cut.gz
	expect 1 wd decompress cut.gz
	says "cut.gz: unexpected end of file"
	only plain whole cut.gz
	expect 1 wd decompress -t cut.gz
	says "unexpected end of file"
done
cat whole >cut.gz
head -c 20000 whole >>cut.gz
expect 1 wd decompress cut.gz
says "unexpected end of file"
only plain whole cut.gz

# at OFFSET BYTE: writes a byte, in octal, into bad.gz
at()
{
	printf "\\$2" | dd of=bad.gz bs=1 seek="$1" conv=notrunc 2>/dev/null
}

begin corrupt
text_sample 200000 >plain
gzip -nc plain >whole
size=$(wc -c <whole)
cp whole bad.gz
at $((size - 8)) 0
at $((size - 7)) 0
expect 1 wd decompress bad.gz
says "bad.gz: invalid compressed data--crc error"
cp whole bad.gz
at $((size - 1)) 377
expect 1 wd decompress bad.gz
says "bad.gz: invalid compressed data--"
cp whole bad.gz
at 10 377 # the block type that does not exist
expect 1 wd decompress bad.gz
says "bad.gz: invalid compressed data--format violated"
cp whole bad.gz
at 2 7
expect 1 wd decompress bad.gz
says "bad.gz: unknown method 7 -- not supported"
cp whole bad.gz
at 3 40
expect 1 wd decompress bad.gz
says "bad.gz: is encrypted -- not supported"
cp whole bad.gz
at 3 200
expect 1 wd decompress bad.gz
says "bad.gz: has flags 0x80 -- not supported"
only plain whole bad.gz
# A bad file does not keep the good one after it from being done.
cp whole good.gz
expect 1 wd decompress bad.gz good.gz
only plain whole bad.gz good

begin not_gzip
text_sample 1000 >plain.gz
expect 1 wd decompress plain.gz
says "plain.gz: not in gzip format"
expect 1 wd decompress -c plain.gz
expect 0 wd decompress -cf plain.gz
same "$scratch/out" plain.gz
: >empty.gz
expect 1 wd decompress empty.gz
says "empty.gz: unexpected end of file"
expect 1 wd decompress <empty.gz
says "stdin: unexpected end of file"
only plain.gz empty.gz

begin trailing
text_sample 1000 >plain
gzip -k plain
cp plain.gz whole
head -c 100000 /dev/zero >>plain.gz
expect 0 wd decompress -c plain.gz
silent
same "$scratch/out" plain
for garbage in garbage '\037x' '\0\0x' x; do
	cp whole plain.gz
	printf "$garbage" >>plain.gz
	expect 2 wd decompress -c plain.gz
	says "plain.gz: decompression OK, trailing garbage ignored"
	same "$scratch/out" plain
done
expect 2 wd decompress -qt plain.gz
silent
expect 2 wd decompress -tv plain.gz
grep -q 'served by [^ ]*:' "$scratch/err" || fail "-tv with garbage: $(cat "$scratch/err")"
mv plain wanted
expect 2 wd decompress plain.gz
same plain wanted
only plain wanted whole

finish
