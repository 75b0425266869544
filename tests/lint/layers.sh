#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Data flows downwards: who may include what.
#
#   lindex/*            lindex's own headers, nothing else; <...> only in the files named below
#   vmmap, fs-lfs       lindex.h; never each other
#   tools of these      also what every command has: words and files of lindex/tools
#   fs-lfs/fuse, tools  lfs.h, bdev.h, libfuse, the lock of an image (fuse/image.h);    vmmap/tools  vmmap.h, trace.h, sim.h, guest.h
#   kernel              lindex and <linux/...>; kernel/test anything: it runs tests/ in there
#   bench, examples     public headers; the data of bench also the readers of lindex/tools
#   tests               anything

. "$(dirname "$0")/lint.sh"

readers='(fiemap|number|pagemap|runs_text)\.h' # of lindex/tools, for the data of bench
commands='(new_file|say|verbs)\.h' # of lindex/tools, for every command
public='lindex\.h|vmmap\.h|trace\.h|lfs\.h'

# allowed FILE INCLUDE: INCLUDE with its quotes or brackets.
allowed()
{
	local file=$1 inc=$2 dir name
	dir=$(dirname "$file")
	name=${inc:1:-1}
	case $file in
	lindex/port.h)
		[[ $inc == \<* ]] ;;
	lindex/lindex.h)
		[[ $inc =~ ^\<(linux/types|linux/errno|errno|stddef|stdint)\.h\>$ ]] ;;
	lindex/examples/* | lindex/tools/*)
		[[ $inc == \<* || $name == lindex.h || -f $dir/$name ]] ;;
	lindex/simd_*.c)
		[[ $inc =~ ^\<[a-z0-9]*intrin\.h\>$ || ($inc == \"* && -f lindex/$name) ]] ;;
	lindex/*)
		[[ $inc == \"* && $name != */* && -f lindex/$name ]] ;;
	vmmap/tools/*)
		[[ $inc == \<* || $name =~ ^((vmmap|trace|sim|guest)\.h|$commands)$ || -f $dir/$name ]] ;;
	fs-lfs/tools/say.c | fs-lfs/tools/tool.h)
		[[ $inc == \<* || $name =~ ^(lfs\.h|$commands)$ || -f $dir/$name ]] ;;
	fs-lfs/fuse/* | fs-lfs/tools/*)
		[[ $inc == \<* || $name =~ ^(lfs|bdev|image)\.h$ || -f $dir/$name ]] ;;
	vmmap/* | fs-lfs/*)
		[[ ($inc == \<* && $inc != *fuse*) || $name == lindex.h || -f $dir/$name ]] ;;
	kernel/test/*)
		true ;;
	kernel/*)
		[[ $inc == \<* || $name == ../lindex/* || $name == lindex.h || -f $dir/$name ]] ;;
	bench/dataset*.c | bench/bench_main.c)
		[[ $inc == \<* || $name =~ ^($public|$readers)$ || -f $dir/$name ]] ;;
	bench/*)
		[[ $inc == \<* || $name =~ ^($public)$ || -f $dir/$name ]] ;;
	*)
		true ;;
	esac
}

while read -r file; do
	while IFS=: read -r line text; do
		inc=$(sed -E 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*([<"][^>"]*[>"]).*/\1/' <<<"$text")
		allowed "$file" "$inc" || finding "$file:$line: $inc is not below this layer"
	done < <(grep -nE '^[[:space:]]*#[[:space:]]*include' "$file" || true)
done < <(files 'lindex/*.[ch]' 'vmmap/*.[ch]' 'fs-lfs/*.[ch]' 'kernel/*.[ch]' 'bench/*.[ch]' 'bench/*.cc' 'bench/*.h')

# One door: only the two headers know that there is a kernel.
while IFS= read -r hit; do
	[[ -z $hit ]] || finding "$hit"
done < <(files 'lindex/*.[ch]' | grep -vE '^lindex/(port|lindex)\.h$|/(examples|tools)/' | xargs -r grep -nE '__KERNEL__' || true)

verdict
