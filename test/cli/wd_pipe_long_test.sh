#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: wd_pipe_long_test.sh WD
#
# More than 4 GiB through pipes, where counts of 32 bits wrap: what wd compresses gzip
# and wd restore, what gzip compresses wd restores, all compared by checksum with nothing
# kept on the disk. Takes a minute or two.
. "$(dirname "$0")/cli_lib.sh"

# Under a sanitizer it takes far longer and proves no more.
if ldd "$under_test" | grep -q 'lib[atu]*san'; then
	exit 77
fi

BYTES=$(((4 << 30) + 12345678)) # past the wrap, no multiple of anything

# The same stream each time: stretches of noise, zeros and text.
source_stream()
{
	python3 - "$BYTES" <<'PY'
import random, sys
left = int(sys.argv[1])
noise = random.Random(7).randbytes(1 << 20)
text = b"".join(b"%d\n" % i for i in range(160000))[:1 << 20]
stretches = [noise, bytes(6 << 20), text]
while left:
    for stretch in stretches:
        left -= sys.stdout.buffer.write(stretch[:left])
PY
}

# sum_to FILE: the checksum of standard input
sum_to()
{
	cksum >"$1"
}

# status_to FILE COMMAND...: in a pipe only the last one's status is known
status_to()
{
	status_file=$1
	shift
	"$@"
	echo $? >"$status_file"
}

succeeded()
{
	for status_file in "$@"; do
		[ "$(cat "$status_file")" = 0 ] || fail "$status_file: $(cat "$status_file")"
	done
}

begin compress
mkfifo to_gzip to_sum
sum_to plain.sum <to_sum &
gzip -dc <to_gzip | sum_to gzip.sum &
source_stream | tee to_sum | status_to compress wd compress -1 2>said | tee to_gzip |
	status_to decompress wd decompress 2>>said | sum_to wd.sum
wait
succeeded compress decompress
[ ! -s said ] || fail "$(cat said)"
grep -q " $BYTES\$" plain.sum || fail "the stream has another length: $(cat plain.sum)"
same gzip.sum plain.sum
same wd.sum plain.sum

begin sizes
# One member whose size word has wrapped, and its listing.
mkfifo to_list
wd decompress -l <to_list >table 2>said &
source_stream | gzip -1 -c | tee to_list | status_to decompress wd decompress 2>>said |
	sum_to wd.sum
wait
succeeded decompress
[ ! -s said ] || fail "$(cat said)"
same wd.sum ../compress/plain.sum
grep -q " $BYTES  *[0-9.]*% stdout\$" table || fail "-l: $(cat table)"

finish
