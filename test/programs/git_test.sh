#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: git_test.sh LIBWDZ FOLDER
#
# Git packs a few hundred files into objects, packs and archives, clones, repacks and
# collects garbage; git without libwdz finds the same trees in it and nothing broken.
. "$(dirname "$0")/programs_lib.sh"
need git
need_zlib "$(git --exec-path)/git"
make_data

HOME=$scratch
GIT_CONFIG_NOSYSTEM=1
GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@localhost GIT_AUTHOR_DATE='1700000000 +0000'
GIT_COMMITTER_NAME=c GIT_COMMITTER_EMAIL=c@localhost GIT_COMMITTER_DATE='1700000000 +0000'
export HOME GIT_CONFIG_NOSYSTEM GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE
export GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_COMMITTER_DATE
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
cat >"$HOME/.gitconfig" <<END
[init]
	defaultBranch = main
[gc]
	auto = 0
	autoDetach = false
[maintenance]
	auto = false
[protocol "ext"]
	allow = always
[advice]
	detachedHead = false
END

# files FOLDER: a few hundred, of all sizes
files()
{
	mkdir "$1"
	cp -r "$here/../../src" "$here/../unit" "$scratch/data" "$1"
	mkdir "$1/many"
	split -b 4000 -a 3 "$scratch/data/text" "$1/many/"
	chmod -R u+w "$1"
}

# repository MODE FOLDER: all of that in two commits
repository()
{
	files "$2"
	expect in_mode "$1" git -C "$2" init -q
	expect in_mode "$1" git -C "$2" add .
	expect in_mode "$1" git -C "$2" commit -q -m first
	for file in "$2"/many/*b; do
		cat "$scratch/data/small" >>"$file"
	done
	expect in_mode "$1" git -C "$2" commit -q -a -m second
}

# whole FOLDER: every object opens, and they are those that plain git made
whole()
{
	expect git -C "$1" fsck --full --strict
	git -C "$1" rev-parse HEAD >"$scratch/commit" 2>&1
	cmp -s "$scratch/commit" "$scratch/reference/commit" ||
		fail "$1: HEAD is $(cat "$scratch/commit")"
}

begin reference
repository plain repo
git -C repo rev-parse HEAD >commit
[ "$(git -C repo ls-files | wc -l)" -gt 250 ] || fail "hardly any files"

for mode in auto always; do
	begin make_$mode
	repository $mode repo
	whole repo
	same_tree repo/many ../reference/repo/many

	# What plain git wrote is read here, and the other way round.
	begin clone_$mode
	expect in_mode $mode git -C ../reference/repo fsck --full
	expect in_mode $mode git clone -q "file://$scratch/reference/repo" from_plain
	whole from_plain
	same_tree from_plain/data ../data
	expect git clone -q "file://$scratch/make_$mode/repo" to_plain
	whole to_plain
	# Two processes that talk through a pipe, the server under the other mode.
	expect in_mode $mode git clone -q --bare \
		"ext::$scratch/in-plain git-upload-pack $scratch/reference/repo" piped
	whole piped
	expect git clone -q --bare \
		"ext::$scratch/in-$mode git-upload-pack $scratch/make_$mode/repo" served
	whole served

	begin pack_$mode
	cp -r "../make_$mode/repo" .
	expect in_mode $mode git -C repo repack -q -a -d -f
	whole repo
	expect in_mode $mode git -C repo -c core.compression=1 -c pack.threads=2 repack -q -a -d -F
	whole repo
	expect in_mode $mode git -C repo gc -q --prune=now
	whole repo
	[ "$(git -C repo count-objects)" = "0 objects, 0 kilobytes" ] || fail "loose objects stay"

	begin archive_$mode
	expect in_mode $mode git -C ../reference/repo archive --format=tgz -o "$PWD/all.tgz" HEAD
	expect in_mode $mode git -C ../reference/repo archive --format=zip -o "$PWD/all.zip" HEAD
	tar -xzf all.tgz
	same_tree data ../data
	expect python3 -m zipfile -t all.zip
done
through_queue

finish
