#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# usage: nginx_test.sh LIBWDZ FOLDER
#
# Nginx compresses small and large responses at two levels, and opens stored ones;
# curl opens what it gets.  Nginx gives zlib memory that it has counted beforehand
# and logs an alert where more is asked for.
. "$(dirname "$0")/programs_lib.sh"
need curl python3
need_zlib "$(command -v curl)"
nginx=$(command -v nginx) || {
	unpacked nginx
	nginx=$unpacked/usr/sbin/nginx
}
need_zlib "$nginx"
missing=$(ldd "$nginx" | grep 'not found') && skip "nginx lacks $missing"
make_data
for name in text small empty; do
	gzip -c "$scratch/data/$name" >"$scratch/data/$name.stored.gz"
done

# Its workers become another user, where that one may read what they need.
user=
if [ "$(id -u)" = 0 ]; then
	user="user root;"
	! as nobody cat "$libwdz" >/dev/null 2>&1 || user="user nobody nogroup;"
fi

# configure PORT
configure()
{
	mkdir -p tmp
	# Its workers begin with an environment of their own.
	cat >nginx.conf <<END
daemon off;
worker_processes 2;
pid $PWD/pid;
error_log $PWD/error.log info;
$user
env LD_PRELOAD;
env WDZ;
env WITNESS_LIBRARY;
env WITNESS_FOLDER;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path $PWD/tmp/1;
	proxy_temp_path $PWD/tmp/2;
	fastcgi_temp_path $PWD/tmp/3;
	uwsgi_temp_path $PWD/tmp/4;
	scgi_temp_path $PWD/tmp/5;
	gzip on;
	gzip_types *;
	gzip_min_length 0;
	server {
		listen 127.0.0.1:$1;
		location /1/ { alias $scratch/data/; gzip_comp_level 1; }
		location /6/ { alias $scratch/data/; gzip_comp_level 6; }
		location /9/ { alias $scratch/data/; gzip_comp_level 9; gzip_buffers 4 1k; gzip_window 4k; gzip_hash 1k; }
		location /stored/ { alias $scratch/data/; gzip_static always; gunzip on; }
	}
}
END
}

# serve MODE: nginx, on a port that is still free when it binds
serve()
{
	for attempt in 1 2 3 4 5; do
		ephemeral_port
		configure "$port"
		start "$1" log "$nginx" -e "$PWD/error.log" -p "$PWD" -c nginx.conf
		wait_for [ -s pid ] && wait_for curl -s -o answer "http://127.0.0.1:$port/1/one" && return
		stop TERM
	done
	fail "nginx does not start, $attempt times: $(cat log error.log)"
	finish
}

# get MODE PATH CURL_OPTION...: into the file answer
get()
{
	mode=$1
	path=$2
	shift 2
	expect in_mode "$mode" curl -sS -f -m 60 -o answer -D headers "$@" "http://127.0.0.1:$port$path"
}

for server in plain auto always; do
	begin $server
	serve $server
	others=
	[ $server != plain ] || others='auto always'
	for name in text code zeros small one; do
		for level in 1 6 9; do
			for client in plain $others; do
				get $client /$level/$name --compressed
				same answer ../data/$name
				grep -qi 'content-encoding: gzip' headers || fail "$name is not compressed"
			done
			get plain /$level/$name -H 'Accept-Encoding: gzip'
			gzip -dc <answer >opened || fail "gzip does not open $name"
			same opened ../data/$name
		done
	done
	for name in text small empty; do
		get plain /stored/$name.stored
		same answer ../data/$name
		get $server /stored/$name.stored --compressed
		same answer ../data/$name
	done
	# Many at once, so that streams live side by side in a worker.
	: >urls
	for number in 1 2 3 4 5 6 7 8 9 10 11 12; do
		printf 'url = http://127.0.0.1:%s/%s/text\noutput = many.%s\n' "$port" \
			$((number % 2 * 5 + 1)) $number >>urls
	done
	expect in_mode $server curl -sS -f -m 60 --compressed -Z -K urls
	for file in many.*; do
		same "$file" ../data/text
	done
	rm -f "$scratch"/witness/*
	stop QUIT
	[ $stopped -eq 0 ] || fail "nginx exits with $stopped"
	if grep -E '\[(alert|emerg|crit|error)\]' error.log >wrong; then
		fail "the log has: $(sort wrong | head -n 3)"
	fi
	[ $server != always ] || through_queue
done

finish
