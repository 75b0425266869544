#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The filesystem at work on real files: format, mount, copy a tree in, git, sqlite3, unmount, check, remount, compare,
# figures; then a quick contest. Everything happens in one private directory in memory, which goes away at the end.
# usage: demo.sh BINARIES [TREE]

set -euo pipefail
bin=${1:?usage: demo.sh BINARIES [TREE]}
tree=${2:-/usr/include}
memory=/dev/shm
[[ -w $memory ]] || memory=${TMPDIR:-/tmp}

say() { printf '\n-- %s\n' "$*"; }
stop() { echo "fs-lfs: $*"; exit 0; }
[[ -c /dev/fuse && -r /dev/fuse ]] || stop 'no /dev/fuse here: the filesystem cannot be mounted (its engine is tested all the same)'
((EUID == 0)) || command -v fusermount3 >/dev/null || stop 'neither root nor fusermount3 here: nothing can be mounted'

tmp=$(mktemp -d "$memory/lfs-demo.XXXXXX")
img=$tmp/image
dir=$tmp/mnt
mkdir "$dir"

unmount() { if ((EUID)); then fusermount3 -u "$@"; else umount "$@"; fi; }
cleanup()
{
	local place
	cd /
	for place in $(awk -v under="$tmp/" 'index($2, under) == 1 { print $2 }' /proc/self/mounts); do
		unmount "$place" 2>/dev/null || unmount -l "$place" 2>/dev/null || unmount -z "$place" || true
	done
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# seconds COMMAND...: how long it took, in $took.
seconds()
{
	local began=$EPOCHREALTIME
	"$@"
	took=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }')
}

# At most 12,000 files of the tree, so that this stays short.
(cd "$tree" && find . -type f -readable 2>/dev/null || true) >"$tmp/all"
head -n 12000 "$tmp/all" >"$tmp/files"
pack() { tar cf - -C "$tree" -T "$1" 2>/dev/null; }
copy_in() { pack "$tmp/files" | tar xf - -C "$1"; }
sums() { (cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum); }

say "mkfs.lfs and mount.lfs: an image of 2 GiB in $memory"
"$bin/mkfs.lfs" -s 2G -L demo "$img"
"$bin/mount.lfs" "$img" "$dir"
grep " $dir " /proc/self/mounts

say "copy $tree in"
mkdir "$dir/tree"
seconds copy_in "$dir/tree"
echo "$(find "$dir/tree" -type f | wc -l) files, $(du -sh --apparent-size "$dir/tree" | cut -f1), $took s"

if command -v git >/dev/null; then
	say 'git: init, add, commit, gc, fsck'
	work_with_git()
	{
		local g=(git -C "$dir/repo" -c user.name=demo -c user.email=demo@localhost)
		git init -q "$dir/repo"
		cp -r "$dir/tree/$(cd "$dir/tree" && ls | sed 1q)" "$dir/repo/" 2>/dev/null || true
		cp -r "$dir"/tree/linux "$dir/repo/" 2>/dev/null || true
		"${g[@]}" add . && "${g[@]}" commit -qm 'all of it'
		"${g[@]}" gc -q
		"${g[@]}" fsck --no-progress
	}
	seconds work_with_git
	echo "$(git -C "$dir/repo" ls-files | wc -l) files in a pack, $took s"
fi

if command -v sqlite3 >/dev/null; then
	say 'sqlite3: 300 transactions, then its integrity check'
	transactions()
	{
		{
			echo 'CREATE TABLE t(a INTEGER PRIMARY KEY, b);'
			for _ in {1..300}; do echo 'INSERT INTO t(b) VALUES (hex(randomblob(100)));'; done
			echo 'PRAGMA integrity_check;'
		} | sqlite3 "$dir/demo.db"
	}
	seconds transactions
	echo "$took s"
fi

say 'figures of the live mount (lfs-stat)'
"$bin/lfs-stat" "$dir"

say 'a file in pieces: 20,000 random overwrites of 4 KiB, and its learned map'
python3 - "$dir/pieces" <<'END' 2>/dev/null || true
import os, random, sys
random.seed(1)
fd = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
os.pwrite(fd, bytes(80 << 20), 0)
os.fsync(fd)
for _ in range(20000):
    os.pwrite(fd, random.randbytes(16) * 256, random.randrange(20480) * 4096)
os.fsync(fd)
END
"$bin/lfs-stat" "$dir/pieces" | tail -n 1

say 'unmount, fsck.lfs --scrub, mount again, compare every file'
sums "$dir" >"$tmp/sums"
seconds unmount "$dir"
"$bin/fsck.lfs" -n --scrub "$img"
seconds "$bin/mount.lfs" "$img" "$dir"
echo "mounted in $took s"
(cd "$dir" && sha256sum --quiet -c "$tmp/sums")
echo "$(wc -l <"$tmp/sums") files have the checksums that they had before"
unmount "$dir"

# ---- Contest ---------------------------------------------------------------------------------------------
say 'a quick contest on this machine, seconds (less is better; one round, so take it as a rough figure)'
head -n 2000 "$tmp/files" >"$tmp/sample"
pack "$tmp/sample" >"$tmp/sample.tar"

figures()
{
	local name=$1 m=$2 row
	mkdir "$m/contest"
	row=$(printf '%-28s' "$name")
	seconds tar xf "$tmp/sample.tar" -C "$m/contest"; row+=$(printf '%9s' "$took")
	seconds sh -c "tar cf - -C '$m/contest' . | cat >/dev/null"; row+=$(printf '%9s' "$took")
	seconds dd if=/dev/zero of="$m/contest/big" bs=1M count=200 conv=fsync status=none; row+=$(printf '%9s' "$took")
	seconds python3 -c '
import os, random, sys
random.seed(2)
fd = os.open(sys.argv[1], os.O_RDWR)
for _ in range(3000):
    os.pwrite(fd, b"x" * 4096, random.randrange(51200) * 4096)
    os.fdatasync(fd)' "$m/contest/big"; row+=$(printf '%9s' "$took")
	seconds rm -r "$m/contest"; row+=$(printf '%9s' "$took")
	echo "$row"
}

printf '%-28s%9s%9s%9s%9s%9s\n' '' 'tar x' 'tar c' '200 MiB' '3k fsync' 'rm -r'
"$bin/mkfs.lfs" -q -f -s 2G "$img"
"$bin/mount.lfs" "$img" "$dir"
figures fs-lfs "$dir"
unmount "$dir"

# The passthrough example does nothing but hand requests on to the directory below: the ceiling of a usual server.
example=/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c
if [[ -r $example || -r $example.gz ]] && pkg-config --exists fuse3 2>/dev/null; then
	mkdir "$tmp/example" "$tmp/below"
	cp "$(dirname "$example")"/passthrough* "$tmp/example/"
	gunzip -f "$tmp"/example/*.gz 2>/dev/null || true
	if (cd "$tmp/example" && eval "cc -O2 -w passthrough_ll.c $(pkg-config --cflags --libs fuse3) -o passthrough_ll"); then
		for cache in auto always,writeback; do
			"$tmp/example/passthrough_ll" -o "source=$tmp/below,clone_fd,cache=$cache" "$dir"
			figures "passthrough_ll ($cache)" "$dir"
			unmount "$dir"
		done
	fi
fi
if command -v fuse2fs >/dev/null && command -v mkfs.ext4 >/dev/null; then
	truncate -s 2G "$tmp/ext4"
	mkfs.ext4 -q -F "$tmp/ext4"
	if fuse2fs "$tmp/ext4" "$dir" -o rw,fakeroot >/dev/null 2>&1 && mountpoint -q "$dir"; then
		figures fuse2fs "$dir"
		unmount "$dir"
	fi
fi
