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

for options in writeback nowriteback; do
	for how in write-only cached $([[ $options == writeback ]] || echo sync); do
		make 40M
		up "$options"
		echo before >"$dir/before"
		written=$(timeout 120 python3 -c "$python" "$how" "$dir/big") || { fail "$options, $how"; unmount "$dir"; continue; }
		((written * 64 > 40 * 1024 * 2 / 3)) || fail "$options, $how: full after $((written * 64)) KiB of 40 MiB"
		[[ $(cat "$dir/before") == before ]] || fail "$options, $how: another file on a full disk"
		sum=$(sha256sum <"$dir/big")
		down
		up "$options"
		[[ $(sha256sum <"$dir/big") == "$sum" ]] || fail "$options, $how: not the same after a remount"
		rm "$dir/big" || fail "$options, $how: rm on a full disk"
		head -c 20M /dev/zero >"$dir/again" || fail "$options, $how: no space after rm"
		down
	done
done

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
for size in 40M 16M; do
	make $size
	up
	i=$(python3 -c "$fill" "$dir") || fail "$size: small files never fill the image"
	((i > 1000)) || fail "$size: full after $i small files"
	find "$dir" -name 'f*' -delete || fail "$size: removing small files from a full disk"
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
