#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: ssh_test.sh LIBWDZ FOLDER
#
# Files through ssh -C and back, with libwdz at either end and at both.  The server
# has its own keys and no port, and runs as an ordinary user without a shell, so that
# it needs nothing of the machine's and gives nobody a way in.
. "$(dirname "$0")/programs_lib.sh"
need ssh sftp ssh-keygen
need_zlib "$(command -v ssh)"
sshd=$(command -v sshd) || {
	unpacked openssh-server
	sshd=$unpacked/usr/sbin/sshd
	if ldd "$sshd" | grep -q 'libwrap\.so.*not found'; then
		unpacked libwrap0
		LD_LIBRARY_PATH=$(dirname "$(find "$unpacked" -name 'libwrap.so.0')")
		export LD_LIBRARY_PATH
	fi
}
need_zlib "$sshd"
missing=$(ldd "$sshd" | grep 'not found') && skip "sshd lacks $missing"
make_data

as_user=
user=$(id -un)
if [ "$(id -u)" = 0 ]; then
	need setpriv
	user=games # some machines lock "nobody"
	as_user="setpriv --reuid=$user --regid=nogroup --clear-groups"
	as $user cat "$libwdz" >/dev/null 2>&1 || skip "user $user may not read $libwdz"
fi

# The folders on the way to the server may be closed to that user.
cp "$sshd" "$scratch/sshd"
mkdir "$scratch/key"
cd "$scratch/key" || exit 1
ssh-keygen -q -t ed25519 -N '' -f host || skip "ssh-keygen makes no keys"
ssh-keygen -q -t ed25519 -N '' -f mine
[ -z "$as_user" ] || chown "$user" host
cat >sshd_config <<END
HostKey $PWD/host
AuthorizedKeysFile $PWD/mine.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
Compression yes
PermitUserEnvironment no
Subsystem sftp internal-sftp
ForceCommand internal-sftp
END
cat >config <<END
Host *
	User $user
	IdentityFile $PWD/mine
	IdentitiesOnly yes
	IdentityAgent none
	UserKnownHostsFile $PWD/known
	GlobalKnownHostsFile none
	StrictHostKeyChecking accept-new
	BatchMode yes
	Compression yes
	ConnectTimeout 60
END

# transfer CLIENT SERVER: all of the data there and back
transfer()
{
	: >./batch
	for file in "$scratch"/data/*; do
		printf 'put %s there/%s\n' "$file" "${file##*/}" >>./batch
		printf 'get there/%s back/%s\n' "${file##*/}" "${file##*/}" >>./batch
	done
	expect in_mode "$1" sftp -v -C -F "$scratch/key/config" -b batch -o \
		"ProxyCommand $as_user $scratch/in-$2 $scratch/sshd -i -e -f $scratch/key/sshd_config" \
		"localhost:$PWD"
}

for pair in plain-always always-plain always-always auto-plain plain-auto; do
	begin $pair
	mkdir there back
	chmod 777 there
	transfer "${pair%-*}" "${pair#*-}"
	same_tree there ../data
	same_tree back ../data
	grep -q 'Enabling compression' "$scratch/err" || fail "not compressed: $(cat "$scratch/err")"
	[ $failures -eq 0 ] || break
done
through_queue

finish
