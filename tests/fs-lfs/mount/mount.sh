# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What the scripts here share; each begins with ". ./mount.sh". Afterwards
#
#   $tmp        is a private directory in memory, $img an image in it that is not there yet, $dir where to mount it
#   make SIZE [OPTION...]    formats $img;   up [OPTIONS]  mounts it;   down  unmounts it and checks the image
#   fail WORDS  notes a failure and goes on; the script's status is 1 then
#
# and at the end, of whatever kind, mounts and files are gone.

set -euo pipefail
bin=${1:?usage: $0 BINARIES}
failures=0
tmp=

skip() { echo "SKIPPED: $*"; exit 77; }
[[ -c /dev/fuse && -r /dev/fuse ]] || skip "no /dev/fuse here"
((EUID == 0)) || command -v fusermount3 >/dev/null || skip "neither root nor fusermount3 here"

fail() { echo "FAIL: $*"; failures=$((failures + 1)); }

unmount()
{
	if ((EUID)); then fusermount3 -u "$@"; else umount "$@"; fi
}

cleanup()
{
	local status=$? place
	trap - EXIT
	cd /
	for place in $(awk -v under="$tmp/" 'index($2, under) == 1 { print $2 }' /proc/self/mounts); do
		unmount "$place" 2>/dev/null || unmount -l "$place" 2>/dev/null || unmount -z "$place" || true
	done
	rm -rf "$tmp"
	((status == 0 && failures == 0)) || { echo "$0: exit status $status, $failures failures"; exit 1; }
}

memory=/dev/shm
[[ -w $memory ]] || memory=${TMPDIR:-/tmp}
tmp=$(mktemp -d "$memory/lfs-mount.XXXXXX")
trap cleanup EXIT
trap 'exit 1' INT TERM
img=$tmp/image
dir=$tmp/mnt
mkdir "$dir"
chmod 755 "$tmp"

make() { rm -f "$img"; "$bin/mkfs.lfs" -q -s "$@" "$img"; }

up()
{
	timeout 60 "$bin/mount.lfs" "$img" "$dir" ${1:+-o "$1"} || { fail "mount.lfs $*"; exit 1; }
	mountpoint -q "$dir" || fail "mount.lfs came back and nothing is mounted"
}

check_image()
{
	"$bin/fsck.lfs" -n "$@" "$img" >"$tmp/fsck" 2>&1 || fail "fsck.lfs: $(cat "$tmp/fsck")"
}

down()
{
	unmount "$dir"
	check_image --scrub
}

# same A B: two trees, with modes, owners, times and links.
same()
{
	diff <(list "$1") <(list "$2") >"$tmp/diff" || fail "$1 and $2 differ: $(head -5 "$tmp/diff")"
	diff -r --no-dereference "$1" "$2" >"$tmp/diff" || fail "$1 and $2 differ: $(head -5 "$tmp/diff")"
}

list() { (cd "$1" && find . -mindepth 1 \( -type d -printf '%p %m %U:%G %T@\n' -o -printf '%p %m %U:%G %T@ %n %s %l\n' \) | sort); }
