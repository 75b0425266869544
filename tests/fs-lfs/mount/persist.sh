#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What is still there: after a remount, after kill -9 of the server, after SIGTERM, after five seconds without fsync.
# usage: persist.sh BINARIES
. ./mount.sh

# The server: whoever has our image open.
server()
{
	local fd
	for fd in /proc/[0-9]*/fd/*; do
		[[ $fd -ef $img ]] && { fd=${fd#/proc/}; echo "${fd%%/*}"; return; }
	done 2>/dev/null
	return 1
}

wait_gone() { local i; for ((i = 0; i < 200; i++)); do kill -0 "$1" 2>/dev/null || return 0; sleep 0.05; done; return 1; }

make 256M
up commit=3600
for i in {1..20}; do
	mkdir "$dir/d$i"
	head -c "$((i * 7777))" /dev/urandom >"$dir/d$i/file"
	setfattr -n user.n -v "$i" "$dir/d$i" 2>/dev/null || true
	ln "$dir/d$i/file" "$dir/l$i"
	ln -s "d$i/file" "$dir/s$i"
done
python3 - "$dir" <<'END'
import os, sys
for i in range(1, 21):
    fd = os.open('%s/d%d/file' % (sys.argv[1], i), os.O_RDWR)
    os.fsync(fd)
    os.close(fd)
END
cp -a "$dir" "$tmp/copy"

# kill -9: what was fsynced is there; the mount says so until it is taken away; then everything works again.
pid=$(server)
kill -9 "$pid"
wait_gone "$pid" || fail 'the server survives kill -9'
touch "$dir/x" 2>"$tmp/err" && fail 'a mount without a server answers'
"$bin/mount.lfs" "$img" "$dir" 2>"$tmp/err" && fail 'a mount over a dead server'
grep -q 'umount it first' "$tmp/err" || fail "mount over a dead server says: $(cat "$tmp/err")"
unmount "$dir"
up commit=0.2
same "$tmp/copy" "$dir"

# Under load.
for round in 1 2 3; do
	(cd "$dir" && for ((i = 0; i < 100000; i++)); do echo "$round $i" >"load$((i % 50))" && sync "load$((i % 50))"; done) 2>/dev/null &
	load=$!
	sleep 0.5
	pid=$(server)
	kill -9 "$pid"
	wait_gone "$pid" || fail 'the server survives kill -9 under load'
	kill "$load" 2>/dev/null || true
	wait "$load" || true
	unmount "$dir"
	check_image
	up commit=0.2
	rm -f "$dir"/load*
	same "$tmp/copy" "$dir"
done

# Without fsync, after the commit interval.
echo timed >"$dir/timed"
for ((i = 0; i < 100; i++)); do
	sleep 0.1
	(($("$bin/lfs-stat" --json "$dir" | python3 -c 'import json,sys; print(json.load(sys.stdin)["commits"])') > 0)) && break
done
sleep 0.5
pid=$(server)
kill -9 "$pid"
wait_gone "$pid"
unmount "$dir"
up
[[ $(cat "$dir/timed") == timed ]] || fail 'the commit timer'

# SIGTERM: a clean unmount. A busy one leaves the tree all the same.
echo last >"$dir/last"
pid=$(server)
kill "$pid"
wait_gone "$pid" || fail 'the server survives SIGTERM'
mountpoint -q "$dir" && fail 'still mounted after SIGTERM'
check_image --scrub
up
[[ $(cat "$dir/last") == last ]] || fail 'a change before SIGTERM'
exec 9<"$dir/last"
pid=$(server)
kill "$pid"
wait_gone "$pid" || fail 'the server survives SIGTERM while a file is open'
exec 9<&-
check_image

# In the foreground, and as mount(8) would start it.
"$bin/mount.lfs" -f "$img" "$dir" 2>"$tmp/err" &
pid=$!
for ((i = 0; i < 100; i++)); do mountpoint -q "$dir" && break; sleep 0.05; done
[[ $(cat "$dir/last") == last ]] || fail 'mounted with -f'
unmount "$dir"
wait "$pid" || fail "mount.lfs -f: exit status $?: $(cat "$tmp/err")"
ln -s "$bin/mount.lfs" "$tmp/mount.fuse.lfs"
"$tmp/mount.fuse.lfs" "$img" "$dir" -s -n -o rw,nosuid,_netdev -t fuse.lfs || fail 'as a helper of mount(8)'
grep -q " $dir fuse.lfs .*nosuid" /proc/self/mounts || fail "options: $(grep " $dir " /proc/self/mounts)"
unmount "$dir"

# A read-only image can be mounted ro, and nothing is written.
check_image # which waits for the last checkpoint
sum=$(sha256sum <"$img")
up ro
[[ $(cat "$dir/last") == last ]] || fail 'mounted ro'
touch "$dir/x" 2>/dev/null && fail 'a read-only mount was written to'
unmount "$dir"
check_image
[[ $(sha256sum <"$img") == "$sum" ]] || fail 'a read-only mount changed the image'
