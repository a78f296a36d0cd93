#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: python3_test.sh LIBWDZ FOLDER
#
# Python's zlib, gzip, zipfile, tarfile: what each mode writes, every mode reads;
# wrong data earns the same words; HTTP with gzip between two processes.
. "$(dirname "$0")/programs_lib.sh"
need python3
python3 -c 'import zlib
import sys
sys.exit("libz.so.1" not in open("/proc/self/maps").read())' ||
	skip "python3 does not use libz.so.1"
make_data
# Batches so small that a stream has joints by the hundred.
sed 's/WDZ=always/& WDZ_GATHER_KIB=1/' "$scratch/in-always" >"$scratch/in-crumbs"
chmod 755 "$scratch/in-crumbs"

begin written_and_read
for writer in plain auto always crumbs; do
	mkdir "$writer"
	expect in_mode $writer python3 "$here/python3_zlib.py" write "$scratch/data" "$writer"
	[ -e $writer/pipe.tgz ] || finish
	for reader in plain auto always; do
		# Zlib reads what libwdz writes, and libwdz what zlib writes, and its own.
		case $writer-$reader in
		plain-plain | auto-auto | auto-always | always-auto | crumbs-a*) continue ;;
		esac
		expect in_mode $reader python3 "$here/python3_zlib.py" read "$scratch/data" "$writer"
	done
done
through_queue
for file in */*.gz; do
	gzip -t "$file" || fail "gzip does not like $file"
done

begin wrong_data
for mode in plain auto always; do
	expect in_mode $mode python3 "$here/python3_zlib.py" odd "$scratch/data"
	cp "$scratch/out" "$mode"
done
[ "$(wc -l <plain)" -gt 100 ] || fail "says next to nothing"
for mode in auto always; do
	cmp -s plain $mode || fail "$mode: $(diff plain $mode | head -n 6)"
done

begin http
for server in plain auto always; do
	start $server log python3 "$here/python3_http.py" serve "$scratch/data" port
	wait_for [ -s port ] || fail "no server: $(cat log)"
	for client in plain auto always; do
		expect in_mode $client python3 "$here/python3_http.py" fetch "$scratch/data" "$(cat port)"
	done
	stop TERM
	rm -f port
done
through_queue

finish
