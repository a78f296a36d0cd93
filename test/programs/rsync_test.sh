#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: rsync_test.sh LIBWDZ FOLDER
#
# rsync -z copies a tree and then what changed in it, to a daemon and through a pipe,
# with libwdz at either end and at both.
. "$(dirname "$0")/programs_lib.sh"
need rsync
need_zlib "$(command -v rsync)"
make_data
# Debian's rsync has its own zlib's method only where it was built with that.
methods=$(rsync --version | grep -oxE '.*\<zlibx?\>.*' | grep -oE 'zlibx?' | sort -u)
[ -n "$methods" ] || skip "rsync does not use zlib"

cat >"$scratch/rsyncd.conf" <<END
use chroot = no
$([ "$(id -u)" != 0 ] || printf 'uid = 0\ngid = 0')
[tree]
	path = $scratch
	read only = no
END
for mode in plain auto always; do
	# The other end of a pipe: the first argument is a host, as for ssh.
	printf '#!/bin/sh\nshift\nexec "%s" "$@"\n' "$scratch/in-$mode" >"$scratch/to-$mode"
	chmod +x "$scratch/to-$mode"
done

# copy MODE OPTION... FROM TO
copy()
{
	mode=$1
	shift
	expect in_mode "$mode" rsync -a --no-whole-file --checksum --timeout=60 -z \
		--compress-choice="$method" "$@"
}

# change FOLDER: what matches no more, and what still does between
change()
{
	{ cat "$scratch/data/small" && tail -c +30000 "$1/text" && head -c 50000 "$1/code"; } >"$1/new"
	mv "$1/new" "$1/text"
	{ head -c 300000 "$1/code" && echo between && tail -c +300500 "$1/code"; } >"$1/new"
	mv "$1/new" "$1/code"
	rm "$1/one"
	cp "$scratch/data/packed.gz" "$1/another"
}

for method in $methods; do
	for pair in plain-always always-plain always-always auto-plain plain-auto; do
		near=${pair%-*}
		far=${pair#*-}
		begin "${method}_$pair"
		cp -r "$scratch/data" from
		for level in 1 6; do
			copy "$near" -e "$scratch/to-$far" --compress-level=$level from/ "remote:$PWD/to.$level/"
			same_tree from to.$level
		done
		change from
		copy "$near" -e "$scratch/to-$far" --delete from/ "remote:$PWD/to.6/"
		same_tree from to.6
		copy "$near" -e "$scratch/to-$far" "remote:$PWD/from/" back/
		same_tree from back
		# The daemon's protocol, with a program's descriptors in the place of a port.
		RSYNC_CONNECT_PROG="$scratch/in-$far rsync --daemon --config=$scratch/rsyncd.conf"
		export RSYNC_CONNECT_PROG
		copy "$near" --delete from/ "rsync://remote/tree/$case_name/to.1/"
		same_tree from to.1
		copy "$near" "rsync://remote/tree/$case_name/to.1/" fetched/
		same_tree from fetched
		unset RSYNC_CONNECT_PROG
	done
done
through_queue

finish
