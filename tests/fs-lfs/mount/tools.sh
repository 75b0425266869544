#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The tools as their users meet them: help, good input, bad input. usage: tools.sh BINARIES
. ./mount.sh
man=$PWD/../../../fs-lfs/tools
cd "$tmp"

# try STATUS PROGRAM ARGS...: leaves "out" and "err".
try()
{
	local expected=$1 program=$2 status=0
	shift 2
	timeout 60 "$bin/$program" "$@" >out 2>err || status=$?
	[[ $status == "$expected" ]] || fail "$program $*: exit status $status, expected $expected: $(head -c 300 out err)"
}
says() { grep -qF -- "$1" out || fail "expected on stdout: $1; found: $(head -c 300 out)"; }
# complains PROGRAM TEXT: one line on stderr, with TEXT; nothing on stdout.
complains()
{
	[[ ! -s out ]] || fail "$1: something on stdout: $(head -c 300 out)"
	[[ $(wc -l <err) == 1 ]] || fail "$1: expected one line on stderr, found: $(head -c 500 err)"
	grep -q -- "^$1: .*$2" err || fail "$1: expected on stderr: $2; found: $(head -c 300 err)"
}
json() { python3 -c "import json; d = json.load(open('out')); assert $1, d" || fail "JSON: $1"; }

for program in mkfs.lfs fsck.lfs dump.lfs resize.lfs lfs-stat mount.lfs; do
	try 0 "$program" --help
	says "usage: $program"
	try 0 "$program" --version
	grep -qE "^$program [0-9]+\.[0-9]+\.[0-9]+$" out || fail "$program --version: $(cat out)"
	page=$man/$program.8
	[[ $program != mount.lfs ]] || page=$man/../fuse/mount.lfs.8
	grep -q '^\.SH SYNOPSIS' "$page" || fail "no man page: $page"
done

# ---- mkfs.lfs ------------------------------------------------------------------------------------
try 0 mkfs.lfs -s 64M -L hello -U 01234567-89ab-cdef-0123-456789abcdef image
says 'label "hello"'
try 1 mkfs.lfs image
complains mkfs.lfs 'an fs-lfs filesystem already; -f'
try 0 mkfs.lfs -f --json -s 64M -L hello -U 01234567-89ab-cdef-0123-456789abcdef image
json 'd["label"] == "hello" and d["uuid"] == "01234567-89ab-cdef-0123-456789abcdef" and d["size_bytes"] == 64 << 20'
try 1 mkfs.lfs nothing
complains mkfs.lfs 'expected -s SIZE'
[[ ! -e nothing ]] || fail 'mkfs.lfs made a file that it refused'
try 1 mkfs.lfs -s 4097 nothing
complains mkfs.lfs 'expected a multiple of 4096'
try 1 mkfs.lfs -s 8K nothing
complains mkfs.lfs 'too small'
[[ ! -e nothing ]] || fail 'mkfs.lfs left a file behind'
try 1 mkfs.lfs -s 64M -S 3M nothing
complains mkfs.lfs 'power of two'
try 1 mkfs.lfs -s 64M -U xyz nothing
complains mkfs.lfs 'hexadecimal'
try 1 mkfs.lfs -s 64M -L 0123456789012345678901234567890123 nothing
complains mkfs.lfs 'at most 31 bytes'
try 1 mkfs.lfs -s 64M "$dir"
complains mkfs.lfs 'directory'
head -c 1M /dev/urandom >precious
cp precious twin
try 1 mkfs.lfs precious
complains mkfs.lfs 'not ours; -f'
try 1 mkfs.lfs -s 32M precious
cmp precious twin || fail 'a refused mkfs.lfs changed the file'
truncate -s 64M zeroes
try 0 mkfs.lfs zeroes

# ---- Images that are none ------------------------------------------------------------------------
cp image short
truncate -s 1M short
head -c 8M /dev/urandom >noise
: >empty
for file in noise empty; do
	try 1 mount.lfs "$file" "$dir"
	complains mount.lfs 'no fs-lfs filesystem'
	try 8 fsck.lfs -n "$file"
	complains fsck.lfs 'no fs-lfs filesystem'
	try 1 dump.lfs "$file"
	complains dump.lfs 'no fs-lfs filesystem'
	try 1 resize.lfs "$file" 128M
	complains resize.lfs 'no fs-lfs filesystem'
done
try 1 mount.lfs short "$dir"
complains mount.lfs 'truncated'
try 8 fsck.lfs -n short
complains fsck.lfs 'truncated'
for file in /nowhere/image nowhere; do
	try 1 mount.lfs "$file" "$dir"
	complains mount.lfs 'No such file'
	try 8 fsck.lfs "$file"
	complains fsck.lfs 'No such file'
	try 1 dump.lfs "$file"
	complains dump.lfs 'No such file'
	try 1 resize.lfs "$file" 1G
	complains resize.lfs 'No such file'
	try 1 lfs-stat "$file"
	complains lfs-stat 'No such file'
done
try 1 mount.lfs image image
complains mount.lfs 'expected a directory'
try 1 mount.lfs image "$dir" -o frobnicate
complains mount.lfs 'frobnicate'
try 1 mount.lfs image "$dir" -o commit=never
complains mount.lfs 'expected a number'
try 1 lfs-stat "$tmp"
complains lfs-stat 'no fs-lfs filesystem is mounted here'

# ---- fsck.lfs, dump.lfs, resize.lfs on a good image ------------------------------------------------
img=$tmp/image
up
mkdir "$dir/sub"
for i in {1..300}; do echo "$i" >"$dir/sub/$i"; done
head -c 3M /dev/urandom >"$dir/large"
try 0 lfs-stat "$dir"
says 'amplification'
try 0 lfs-stat --json "$dir/large"
json 'd["map"]["extents"] >= 1 and d["blocks"] > 1000 and d["image"].endswith("/image")'
try 1 mkfs.lfs -f -s 64M image
complains mkfs.lfs "mounted on $dir"
try 8 fsck.lfs -y image
complains fsck.lfs "mounted on $dir"
inode=$(stat -c %i "$dir/large")
unmount "$dir"

try 0 fsck.lfs -n image
says 'sound'
try 0 fsck.lfs -y --scrub image
says 'verified'
try 0 fsck.lfs --json image
json 'd["verdict"] == "sound" and d["inodes"] >= 302 and d["findings"] == 0'
try 16 fsck.lfs
complains fsck.lfs 'expected one IMAGE'
try 16 fsck.lfs -n -y image
complains fsck.lfs 'found both'
for what in super checkpoint 'segment 0' "inode $inode" 'inode /large' 'map /large' 'dir /sub' 'dir 1'; do
	try 0 dump.lfs image $what
	[[ -s out ]] || fail "dump.lfs $what says nothing"
	try 0 dump.lfs --json image $what
	json 'd'
done
try 0 dump.lfs --json image dir /sub
grep -q '"300"' out || fail 'dump.lfs dir does not have all names'
try 1 dump.lfs image frobnicate
complains dump.lfs 'frobnicate'
try 1 dump.lfs image inode
complains dump.lfs 'an inode number or a path'
try 1 dump.lfs image inode /no/such
complains dump.lfs 'No such file'
try 1 dump.lfs image segment 99999
complains dump.lfs 'no such thing'
try 1 resize.lfs image 32M
complains resize.lfs 'cannot become smaller'
try 0 resize.lfs --json image 96M
json 'd["size_bytes"] == 96 << 20'
try 0 fsck.lfs image

# ---- A read-only image ----------------------------------------------------------------------------
if ((EUID)); then
	chmod 400 image
	try 1 mount.lfs image "$dir"
	complains mount.lfs 'ermission denied'
	chmod 600 image
fi
