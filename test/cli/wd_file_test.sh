#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: wd_file_test.sh WD
#
# Files: their names, what is kept of them, what is overwritten or left alone.
. "$(dirname "$0")/cli_lib.sh"

begin in_place
text_sample 100000 >plain
touch -d '2011-12-13 14:15:16.123456789' plain
chmod 640 plain
cp -p plain copy
expect 0 wd compress plain
silent
only copy plain.gz
[ "$(stat -c '%Y %a %u %g' plain.gz)" = "$(stat -c '%Y %a %u %g' copy)" ] ||
	fail "compress loses $(stat -c '%Y %a %u %g' plain.gz)"
chmod 604 plain.gz
expect 0 wd decompress plain.gz
silent
only copy plain
same plain copy
[ "$(stat -c '%Y %a' plain)" = "$(stat -c %Y copy) 604" ] ||
	fail "decompress loses $(stat -c '%Y %a' plain)"
expect 0 wd compress -k plain
only copy plain plain.gz
expect 0 wd decompress -c plain.gz
same "$scratch/out" plain
only copy plain plain.gz

begin owner
if [ "$(id -u)" -eq 0 ]; then
	echo x >plain
	if chown 12345:23456 plain 2>/dev/null; then
		expect 0 wd compress plain
		[ "$(stat -c '%u:%g' plain.gz)" = 12345:23456 ] || fail "the owner is lost"
	fi
fi

begin umask
(umask 027 && echo x | wd compress -o new.gz)
[ "$(stat -c %a new.gz)" = 640 ] || fail "mode is $(stat -c %a new.gz), not that of umask"

begin several
for name in a b c; do
	text_sample 1000 >$name
done
expect 0 wd compress a b c
only a.gz b.gz c.gz
expect 1 wd decompress a.gz missing.gz c.gz
says "missing.gz: No such file or directory"
only a b.gz c

begin suffixes
echo x >plain
gzip -c plain >whole
for name in n.gz n.GZ n-gz n.z n-z n_z n.Z; do
	cp whole $name
	expect 0 wd decompress $name
	only n plain whole
	rm n
done
cp whole n.tgz
cp whole m.taz
expect 0 wd decompress n.tgz m.taz
only m.tar n.tar plain whole
rm m.tar n.tar
cp whole n.gz
expect 0 wd decompress n
only n plain whole
expect 2 wd decompress n
says "n: unknown suffix -- ignored"
expect 0 wd decompress -c whole
same "$scratch/out" plain
expect 0 wd decompress -t whole
expect 0 wd compress -S .wd n
only n.wd plain whole
expect 2 wd decompress n.wd
says "n.wd: unknown suffix -- ignored"
expect 0 wd decompress -S .wd n.wd
only n plain whole
cp whole n.gz
expect 0 wd compress n.gz
says "n.gz: already has .gz suffix -- unchanged"
expect 0 wd compress -q n.gz
silent
expect 0 wd compress -f n.gz
only n n.gz.gz plain whole
expect 1 wd decompress missing
says "missing.gz: No such file or directory"
expect 1 wd compress missing
says "missing: No such file or directory"

begin overwrite
text_sample 1000 >plain
echo old >plain.gz
expect 2 wd compress plain
says "plain.gz: already exists; not overwritten"
[ "$(cat plain.gz)" = old ] || fail "overwritten without -f"
only plain plain.gz
expect 0 wd compress -f plain
only plain.gz
expect 0 gzip -t plain.gz
echo old >plain
expect 2 wd decompress plain.gz
says "plain: already exists; not overwritten"
[ "$(cat plain)" = old ] || fail "overwritten without -f"
ln -s nowhere link
expect 2 wd decompress -k -o link plain.gz
says "link: already exists; not overwritten"
expect 0 wd decompress -f plain.gz
only link plain
mkdir plain.gz
expect 1 wd compress -f plain
says "plain.gz: is not a regular file; not overwritten"
only link plain plain.gz
rmdir plain.gz

begin output
text_sample 1000 >plain
expect 0 wd compress -o other plain
only other plain
expect 0 gzip -dc other
same "$scratch/out" plain
expect 0 wd decompress -o back other
same back plain
expect 1 wd compress -f -o plain plain
says "plain: is both input and output"
expect 0 wd compress -o - plain
gzip -dc <"$scratch/out" | cmp -s - plain || fail "-o - is not standard output"
only back other plain
expect 1 wd compress -o missing/other plain
says "missing/other: No such file or directory"
mkfifo pipe
expect 1 wd compress -f -o pipe plain
says "pipe: is not a regular file; not overwritten"
[ -p pipe ] || fail "a pipe was replaced"
echo old >back
expect 2 wd decompress -o back other
expect 0 wd decompress -f -o back other
same back plain
only back other pipe plain

begin left_alone
echo x >plain
mkdir folder
expect 2 wd compress folder
says "folder: is a directory -- ignored"
expect 2 wd compress -c folder
says "folder: is a directory -- ignored"
mkfifo pipe
expect 2 wd compress pipe
says "pipe: is not a directory or a regular file -- ignored"
expect 2 wd compress -f pipe
cat plain >pipe &
expect 0 wd compress -c pipe
wait
gzip -dc <"$scratch/out" | cmp -s - plain || fail "-c of a pipe"
ln -s plain link
expect 1 wd compress link
says "link: is a symbolic link"
expect 0 wd compress -c link
ln plain other
expect 2 wd compress plain
says "plain: has 1 other link -- ignored"
only folder link other pipe plain
expect 0 wd compress -f link
only folder link.gz other pipe plain
[ ! -L link.gz ] || fail "the output is a link"
expect 0 wd compress -f plain
only folder link.gz other pipe plain.gz
expect 0 gzip -t plain.gz link.gz
chmod u+s other
expect 2 wd compress -f other
says "other: is set-user-ID on execution -- ignored"
chmod u-s,g+s other
expect 2 wd compress -f other
says "other: is set-group-ID on execution -- ignored"
if [ "$(id -u)" -ne 0 ]; then
	chmod 0 other
	expect 1 wd compress other
	says "other: Permission denied"
fi

begin odd_names
for name in 'a b' '-dash' 'new
line' "quote'" '*' 'ü'; do
	text_sample 100 >"./$name"
	expect 0 wd compress -- "$name"
	silent
	[ -e "./$name.gz" ] || fail "no '$name.gz'"
	expect 0 wd decompress -- "$name.gz"
	[ "$(wc -c <"./$name")" -eq 100 ] || fail "'$name' does not come back"
	rm "./$name"
done
long=$(printf '%0250d' 0)
text_sample 100 >$long
expect 0 wd compress $long
only $long.gz
expect 0 wd decompress -N $long.gz
only $long
text_sample 100 >${long}00000
expect 1 wd compress ${long}00000
says "File name too long"
only $long ${long}00000
expect 1 wd compress ""
says "No such file or directory"

begin restore_name
text_sample 100 >plain
for stored in name /etc/passwd-of-test ../up some/path/name; do
	mkdir sub
	python3 "$here/gz_craft.py" name=$stored mtime=981173106 <plain >sub/other.gz
	expect 0 wd decompress -N sub/other.gz
	silent
	[ "$(ls -A sub)" = "$(basename $stored)" ] || fail "$stored becomes $(ls -A sub)"
	[ "$(stat -c %Y sub/*)" -eq 981173106 ] || fail "the time is not restored"
	rm -r sub
done
absent ../up
for stored in .. . / ""; do
	python3 "$here/gz_craft.py" "name=$stored" <plain >other.gz
	expect 0 wd decompress -N other.gz
	only other plain
	rm other
done
python3 "$here/gz_craft.py" name=plain <plain >other.gz
expect 2 wd decompress -N other.gz
says "plain: already exists; not overwritten"
expect 0 wd decompress other.gz
only other plain
touch -d '2001-02-03 04:05:06 UTC' other
gzip other
mv other.gz another.gz
touch another.gz
expect 0 wd decompress -lN another.gz
grep -q ' other$' "$scratch/out" || fail "-lN does not tell the stored name"
expect 0 wd decompress -N another.gz
only other plain
[ "$(stat -c %Y other)" -eq 981173106 ] || fail "gzip's time is not restored"

begin verbose
text_sample 100000 >plain
gzip -kv plain 2>wanted
mv plain.gz kept
expect 0 wd compress -kv plain
grep -q '^plain:	 *[0-9.]*% -- created plain.gz$' "$scratch/err" || fail "-v: $(cat "$scratch/err")"
grep -q '^	served by [^ ]* (backend [a-z]*), level [0-9]*, 1 request, [0-9.]* MB/s, [0-9]* bytes bounced$' \
	"$scratch/err" || fail "-v: $(cat "$scratch/err")"
expect 0 wd compress -fv plain
grep -q ' -- replaced with plain.gz$' "$scratch/err" || fail "-fv: $(cat "$scratch/err")"
expect 0 wd decompress --synchronous -v plain.gz
grep -q ' -- replaced with plain$' "$scratch/err" || fail "-d -v: $(cat "$scratch/err")"

finish
