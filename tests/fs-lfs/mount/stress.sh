#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Many programs at once; the cleaner at work beneath them; two mounts that want one image. usage: stress.sh BINARIES
. ./mount.sh
seed=${LINDEX_SEED:-1}

make 128M
up commit=0.2,cap=16M
mkdir "$dir/s"
timeout 120 "$bin/mount_stress" "$dir/s" 6 600 "$seed" || fail "stress, seed $seed"
rm -rf "$dir/s"

# Overwrites until the log has gone round the image several times.
python3 - "$dir/hot" "$seed" <<'END' || fail 'overwrites'
import os, random, sys, zlib
random.seed(int(sys.argv[2]))
blocks, sums = 12000, {}
fd = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
for i in range(40000):
    b = random.randrange(blocks)
    data = random.randbytes(16) * 256
    sums[b] = zlib.crc32(data)
    os.pwrite(fd, data, b * 4096)
    if i % 4000 == 0:
        os.fsync(fd)
for b, s in sums.items():
    assert zlib.crc32(os.pread(fd, 4096, b * 4096)) == s, b
END

# One image, one mount.
mkdir "$tmp/second"
"$bin/mount.lfs" "$img" "$tmp/second" 2>"$tmp/err" && fail 'a second mount of the image'
grep -q "mounted on $dir" "$tmp/err" || fail "a second mount says: $(cat "$tmp/err")"
"$bin/mkfs.lfs" -f -s 128M "$img" 2>"$tmp/err" && fail 'mkfs of a mounted image'
"$bin/fsck.lfs" -y "$img" 2>"$tmp/err" && fail 'fsck -y of a mounted image'
down
