#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A full image: errors where they belong, no acknowledged write lost, and a way back. usage: full.sh BINARIES
. ./mount.sh

# What was acknowledged before the disk was full must be there, after a remount too.
python=$(cat <<'END'
import errno, os, sys, zlib
how, path = sys.argv[1:3]
flags = {'write-only': os.O_WRONLY, 'cached': os.O_RDWR, 'sync': os.O_RDWR | os.O_SYNC}[how]
fd = os.open(path, flags | os.O_CREAT)
block, n = os.urandom(65536), 0
try:
    while n < 65536:
        if os.write(fd, block) != len(block):
            break
        n += 1
    else:
        sys.exit('the image never becomes full')
except OSError as e:
    if e.errno != errno.ENOSPC:
        raise
try:
    os.fsync(fd)
    os.close(fd)
except OSError as e:
    sys.exit('acknowledged writes were lost: %s' % e)
fd = os.open(path, os.O_RDONLY)
for i in range(n):
    assert os.read(fd, len(block)) == block, i
print(n)
END
)

# A removed file gives its blocks back when the kernel has forgotten it, which rm does not wait for.
await_mib() {
	for _ in {1..200}; do
		(($(stat -f -c '%a * %S' "$dir") >= $1 << 20)) && return
		sleep 0.05
	done
	fail "less than $1 MiB free"
}

for options in writeback nowriteback; do
	for how in write-only cached $([[ $options == writeback ]] || echo sync); do
		make 72M
		up "$options"
		echo before >"$dir/before"
		written=$(timeout 120 python3 -c "$python" "$how" "$dir/big") || { fail "$options, $how"; unmount "$dir"; continue; }
		((written * 64 > 72 * 1024 * 2 / 3)) || fail "$options, $how: full after $((written * 64)) KiB of 72 MiB"
		[[ $(cat "$dir/before") == before ]] || fail "$options, $how: another file on a full disk"
		sum=$(sha256sum <"$dir/big")
		down
		up "$options"
		[[ $(sha256sum <"$dir/big") == "$sum" ]] || fail "$options, $how: not the same after a remount"
		rm "$dir/big" || fail "$options, $how: rm on a full disk"
		await_mib 30
		head -c 20M /dev/zero >"$dir/again" || fail "$options, $how: no space after rm"
		down
	done
done

# The same while others take what is left past the cache: nothing that was promised is lost.
race=$(cat <<'END'
import errno, mmap, os, sys, threading
dir, unit, mib = sys.argv[1], 65536, 1 << 20
def until_full(step):
    try:
        while step():
            pass
    except OSError as e:
        if e.errno != errno.ENOSPC:
            raise
def direct():
    fd, page, at = os.open(dir + '/direct', os.O_RDWR | os.O_CREAT | os.O_DIRECT), mmap.mmap(-1, mib), [0]
    def step():
        at[0] += os.pwrite(fd, page, at[0])
        return True
    until_full(step)
def reserve():
    fd, end = os.open(dir + '/reserved', os.O_RDWR | os.O_CREAT), [0]
    def step(n):
        os.posix_fallocate(fd, end[0], n)
        end[0] += n
        return True
    for n in (32 * mib, 8 * mib, mib):
        until_full(lambda: step(n))
threads = [threading.Thread(target=f) for f in (direct, reserve)]
fd, n = os.open(dir + '/cached', os.O_RDWR | os.O_CREAT), [0]
def step():
    done = os.pwrite(fd, n[0].to_bytes(8, 'little') * (unit // 8), n[0] * unit) == unit
    n[0] += done
    if n[0] == 64:
        for t in threads:
            t.start()
    return done
until_full(step)
for t in threads:
    t.join()
os.fsync(fd)
for i in range(n[0]):
    assert os.pread(fd, unit, i * unit) == i.to_bytes(8, 'little') * (unit // 8), i
END
)
make 256M
up writeback
for i in 1 2 3; do
	timeout 120 python3 -c "$race" "$dir" || fail "race $i for the last blocks"
	rm "$dir"/*
	await_mib 200
done
down

# Many small files until nothing fits; then all of them go. A small image has no writeback cache, the other one has.
fill=$(cat <<'END'
import errno, os, sys
block = os.urandom(1500)
for i in range(20000):
    try:
        with open('%s/f%d' % (sys.argv[1], i), 'wb', buffering=0) as f:
            f.write(block)
    except OSError as e:
        if e.errno != errno.ENOSPC:
            raise
        print(i)
        sys.exit()
sys.exit(1)
END
)
for size in 72M 16M; do
	make $size
	up
	i=$(python3 -c "$fill" "$dir") || fail "$size: small files never fill the image"
	((i > 1000)) || fail "$size: full after $i small files"
	find "$dir" -name 'f*' -delete || fail "$size: removing small files from a full disk"
	await_mib 9
	head -c 4M /dev/zero >"$dir/again" || fail "$size: no space after small files are gone"
	down
done

# A larger image, while mounted and not.
up
before=$(stat -f -c %b "$dir")
"$bin/resize.lfs" "$dir" 32M >/dev/null || fail 'resize.lfs of a mount'
(($(stat -f -c %b "$dir") > before)) || fail 'the mount is no larger after resize.lfs'
head -c 20M /dev/zero >"$dir/more" || fail 'no room after resize.lfs'
down
"$bin/resize.lfs" "$img" +16M >/dev/null || fail 'resize.lfs of an image'
check_image --scrub
up
head -c 34M /dev/zero >"$dir/more" || fail 'no room after resize.lfs of the image'
down
