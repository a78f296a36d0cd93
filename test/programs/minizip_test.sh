#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: minizip_test.sh LIBWDZ FOLDER
#
# minizip and miniunzip: archives that Python's zipfile opens, and the other way round.
. "$(dirname "$0")/programs_lib.sh"
need minizip miniunzip python3
need_zlib "$(command -v minizip)"
make_data
cd "$scratch/data" || exit 1

for writer in plain auto always; do
	begin $writer
	for level in 0 1 6 9; do
		(cd ../data && in_mode $writer minizip -o -$level ../$writer/$level.zip ./*) >log 2>&1 ||
			fail "minizip: $(tail -n 3 log)"
		expect python3 -m zipfile -t $level.zip
		for reader in plain auto always; do
			[ $reader = plain ] || [ $writer = plain ] || [ $reader = $writer ] || continue
			rm -rf out
			mkdir out
			expect in_mode $reader miniunzip -o $level.zip -d out
			same_tree out ../data
		done
	done
	expect python3 -m zipfile -c python.zip ../data/*
	mkdir python
	expect in_mode $writer miniunzip python.zip -d python
	same_tree python ../data
done
through_queue

finish
