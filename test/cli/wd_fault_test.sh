#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: wd_fault_test.sh WD
#
# What goes wrong around wd: signals, full disks, broken pipes, closed
# descriptors. The output goes, the input stays.
. "$(dirname "$0")/cli_lib.sh"

begin interrupted
expect 0 python3 "$here/interrupt.py" "$under_test"
silent

begin disk_full
random_sample 3000000 >plain
gzip -c plain >whole
for name in plain whole; do
	option=$([ $name = plain ] || echo -d)
	(wd compress $option -c $name >/dev/full) 2>"$scratch/err"
	[ $? -eq 1 ] || fail "a full standard output is no error ($name)"
	says "stdout: No space left on device"
done
(wd list >/dev/full) 2>"$scratch/err"
[ $? -eq 1 ] || fail "list to a full standard output is no error"
(wd decompress -l whole >/dev/full) 2>"$scratch/err"
[ $? -eq 1 ] || fail "-l to a full standard output is no error"
only plain whole

begin file_limit
random_sample 3000000 >plain
gzip -kn plain
mv plain.gz other.gz
# 100 KiB at most: by signal, and by error where the signal is ignored.
for name in plain other.gz; do
	option=$([ $name = plain ] || echo -d)
	(ulimit -f 200 && wd compress $option $name) 2>/dev/null
	[ $? -gt 128 ] || fail "the limit's signal does not end it"
	only other.gz plain
	(trap '' XFSZ && ulimit -f 200 && exec "$under_test" compress $option $name) 2>"$scratch/err"
	[ $? -eq 1 ] || fail "beyond the limit is no error"
	grep -q 'File too large' "$scratch/err" || fail "$(cat "$scratch/err")"
	only other.gz plain
done

begin broken_pipe
text_sample 10000000 >plain
gzip -k plain
for command in "compress -c plain" "decompress -c plain.gz"; do
	# shellcheck disable=SC2086 # words on purpose
	{
		wd $command 2>err
		echo $? >status
	} | head -c 1 >/dev/null
	[ "$(cat status)" -eq 141 ] || fail "$command ends with $(cat status)"
	[ ! -s err ] || fail "$command says $(cat err)"
	{
		(trap '' PIPE && exec "$under_test" $command) 2>err
		echo $? >status
	} | head -c 1 >/dev/null
	[ "$(cat status)" -eq 1 ] || fail "$command ends with $(cat status) where SIGPIPE is ignored"
	grep -q '^wd: stdout: Broken pipe$' err || fail "$command says $(cat err)"
done

begin closed
echo x >plain
(wd compress -c plain >&-) 2>"$scratch/err"
[ $? -eq 1 ] || fail "a closed standard output is no error"
(wd compress <&-) >/dev/null 2>"$scratch/err"
[ $? -eq 1 ] || fail "a closed standard input is no error"
(wd compress plain <&- >&- 2>&-) || fail "closed descriptors stop it"
expect 0 gzip -t plain.gz
expect 0 wd decompress plain.gz
[ "$(cat plain)" = x ] || fail "closed descriptors spoil the output"
# A message must not end up in a file that got the number of a closed descriptor.
{
	gzip -c plain
	echo garbage
} >other.gz
for closed in '2>&-' '>&- 2>&-' '<&- 2>&-' '<&- >&- 2>&-'; do
	eval "(wd decompress -kv other.gz $closed)"
	[ $? -eq 2 ] || fail "not warned with $closed"
	same other plain
	rm other
done

begin no_permission
if [ "$(id -u)" -ne 0 ]; then
	mkdir sub
	echo x >sub/plain
	chmod 555 sub
	expect 1 wd compress sub/plain
	says "sub/plain.gz: Permission denied"
	chmod 755 sub
	[ "$(ls -A sub)" = plain ] || fail "left $(ls -A sub)"
fi

finish
