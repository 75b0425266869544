#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Real programs on a mounted filesystem, and what they left there after a remount. usage: programs.sh BINARIES
. ./mount.sh

tree=/usr/include/linux
[[ -d $tree ]] || tree=/usr/share/perl
make 1G
up

# cp, tar, rsync: three copies of one tree.
cp -a "$tree" "$dir/cp"
same "$tree" "$dir/cp"
tar --format=posix -cf - -C "$tree" . | (mkdir "$dir/tar" && tar xpf - -C "$dir/tar")
same "$tree" "$dir/tar"
if command -v rsync >/dev/null; then
	rsync -aH "$tree/" "$dir/rsync/"
	[[ -z $(rsync -aHin "$tree/" "$dir/rsync/" | grep -v '/$') ]] || fail 'rsync finds differences after rsync'
	same "$tree" "$dir/rsync"
fi
cp -a --sparse=always "$dir/cp" "$dir/sparse"
diff -r "$tree" "$dir/sparse" || fail 'cp --sparse=always'

# git: commits, a pack, a clone, fsck.
if command -v git >/dev/null; then
	export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t
	git init -q "$dir/repo"
	cp -r "$tree" "$dir/repo/files"
	git -C "$dir/repo" add .
	git -C "$dir/repo" commit -qm first
	for i in 1 2 3; do
		echo "line $i" >>"$dir/repo/files/log"
		git -C "$dir/repo" add .
		git -C "$dir/repo" commit -qm "change $i"
	done
	git -C "$dir/repo" gc -q
	git clone -q "$dir/repo" "$dir/clone"
	git -C "$dir/clone" fsck --no-dangling 2>&1 | grep -v '^Checking' && fail 'git fsck' || true
	[[ -z $(git -C "$dir/clone" status --short) ]] || fail 'git status after a clone'
fi

# sqlite: both journals, and its own check.
if command -v sqlite3 >/dev/null; then
	for mode in delete wal; do
		{
			echo "PRAGMA journal_mode=$mode; CREATE TABLE t(a INTEGER PRIMARY KEY, b);"
			for i in {1..60}; do echo 'INSERT INTO t(b) VALUES (hex(randomblob(200)));'; done
			echo 'UPDATE t SET b = b || b; DELETE FROM t WHERE a % 3 = 0; VACUUM;'
		} | sqlite3 "$dir/$mode.db" >/dev/null
		[[ $(sqlite3 "$dir/$mode.db" 'PRAGMA integrity_check; SELECT count(*) FROM t;' | tr '\n' ' ') == 'ok 40 ' ]] ||
			fail "sqlite3 $mode"
	done
fi

# python: mmap, random access, a zip.
python3 - "$dir/py" <<'END' || fail python3
import mmap, os, random, sys, zipfile
random.seed(7)
os.mkdir(sys.argv[1])
os.chdir(sys.argv[1])
twin = bytearray(1 << 20)
with open('random', 'w+b') as f:
    f.truncate(len(twin))
    m = mmap.mmap(f.fileno(), len(twin))
    for _ in range(2000):
        at, n = random.randrange(len(twin) - 9000), random.randrange(1, 9000)
        data = random.randbytes(n)
        twin[at:at + n] = data
        if random.random() < .5:
            m[at:at + n] = data
        else:
            os.pwrite(f.fileno(), data, at)
    assert os.pread(f.fileno(), len(twin), 0) == twin and m[:] == twin
with zipfile.ZipFile('z.zip', 'w', zipfile.ZIP_DEFLATED) as z:
    z.writestr('twin', bytes(twin))
assert zipfile.ZipFile('z.zip').read('twin') == twin and open('random', 'rb').read() == twin
END

(cd "$dir" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$tmp/sums"
list "$dir" >"$tmp/list"
"$bin/lfs-stat" --json "$dir" | python3 -c 'import json,sys; s=json.load(sys.stdin); assert s["inodes"] > 100 and s["checksum_errors"] == 0' ||
	fail lfs-stat
down
up ro
(cd "$dir" && sha256sum --quiet -c "$tmp/sums") || fail 'checksums after a remount'
list "$dir" | diff "$tmp/list" - || fail 'attributes after a remount'
touch "$dir/x" 2>/dev/null && fail 'a read-only mount was written to'
unmount "$dir"
up
rm -rf "${dir:?}"/*
[[ -z $(ls -A "$dir") ]] || fail 'rm -rf left something'
down
