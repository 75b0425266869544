#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Installs into a folder of its own and uses the library from there in every way it is offered: each
# line that begins with "ok" is one. usage: consumers.sh BUILD

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${1:?usage: consumers.sh BUILD}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
prefix=$tmp/prefix

fail() { echo "install: $*"; exit 1; }
linked_to() { readelf -d "$1" | grep -q 'NEEDED.*liblindex\.so\.0\]'; }

cmake --install "$build" --prefix "$prefix" >/dev/null
# Moved away from where it was installed: nothing may remember that place.
mv "$prefix" "$tmp/moved"
prefix=$tmp/moved

version=$(sed -nE 's/^#define LINDEX_VERSION_(MAJOR|MINOR|PATCH) +//p' "$prefix/include/lindex.h" | paste -sd.)
pc=$(find "$prefix" -name lindex.pc)
libdir=$(dirname "$(dirname "$pc")")
lib=${libdir#"$prefix"/}
programs=(lindex-tool)
[[ ! -x $build/bin/lindex-bench ]] || programs+=(lindex-bench)
diff <(cd "$prefix" && find . ! -type d | sort) <(sort <<-END
	./bin/lindex-bench
	./bin/lindex-tool
	./bin/vmmap
	./include/lindex.h
	./include/vmmap.h
	$(for name in dump.lfs fsck.lfs lfs-stat lindex-dm mkfs.lfs mount.lfs resize.lfs; do
		printf '%s\n' ./sbin/$name ./share/man/man8/$name.8
	done)
	./sbin/mount.fuse.lfs
	./share/man/man1/lindex-bench.1
	./share/man/man1/lindex-tool.1
	./share/man/man1/vmmap.1
	$(for name in lindex vmmap; do
		printf "./$lib/%s\n" cmake/$name/${name}{Config,ConfigVersion,Targets,Targets-release}.cmake \
			lib$name.{a,so,so.0,so.$version} pkgconfig/$name.pc
	done)
	END
) || fail "installed files differ from what is expected (<: there, >: expected)"
! grep -rlE "$build|$tmp" "$prefix" --include='*.pc' --include='*.cmake' || fail "paths of this machine in installed files"
echo "ok files"

for program in "${programs[@]}"; do
	[[ $("$prefix/bin/$program" --version) == "$program $version" ]] || fail "$program has another version than lindex.h"
	echo "ok $program"
done

export PKG_CONFIG_PATH=$libdir/pkgconfig
[[ $(pkg-config --modversion lindex) == "$version" ]] || fail "pkg-config has another version than lindex.h"
cc -Wall -Wextra -Werror -o "$tmp/pc" "$here/consumer.c" $(pkg-config --cflags --libs lindex)
linked_to "$tmp/pc" || fail "not linked to liblindex.so.0"
LD_LIBRARY_PATH=$libdir "$tmp/pc" || fail "pkg-config, shared: exit status $?"
echo "ok pkg-config, shared"

cc -o "$tmp/pc-static" "$here/consumer.c" $(pkg-config --cflags lindex) \
	"$libdir/liblindex.a" $(pkg-config --static --libs-only-l lindex | sed 's/-llindex//')
"$tmp/pc-static" || fail "pkg-config, static: exit status $?"
echo "ok pkg-config, static"

mkdir "$tmp/project"
cp "$here/consumer.c" "$tmp/project"
cp "$here/CMakeLists.consumer.txt" "$tmp/project/CMakeLists.txt"
cmake -G Ninja -S "$tmp/project" -B "$tmp/project/build" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$tmp/project/build" >/dev/null
linked_to "$tmp/project/build/shared" || fail "find_package: not linked to liblindex.so.0"
! linked_to "$tmp/project/build/static" || fail "find_package: static links the shared library"
"$tmp/project/build/shared" || fail "find_package, shared: exit status $?"
"$tmp/project/build/static" || fail "find_package, static: exit status $?"
echo "ok find_package, shared and static"

# The folder copied into another project and compiled without any build system.
mkdir "$tmp/copy"
cp "$here"/../../lindex/*.[ch] "$here/consumer.c" "$tmp/copy"
(cd "$tmp/copy" && cc -O2 -I. -o embedded ./*.c)
"$tmp/copy/embedded" || fail "copied folder: exit status $?"
! readelf -d "$tmp/copy/embedded" | grep -q 'NEEDED.*urcu' || fail "copied folder: needs liburcu"
echo "ok copied folder"
