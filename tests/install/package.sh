#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The Debian package has what "cmake --install" installs; unpacked into a root of its own it is there and
# works, and removed it leaves nothing. usage: package.sh BUILD

set -euo pipefail
build=${1:?usage: package.sh BUILD}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

fail() { echo "package: $*"; exit 1; }
list() { (cd "$1" && find . ! -type d | sort); }

cpack --config "$build/CPackConfig.cmake" -B "$tmp/pack" >"$tmp/log" 2>&1 || fail "cpack: $(tail -n 3 "$tmp/log")"
deb=$(ls "$tmp"/pack/lindex_*.deb)
DESTDIR=$tmp/installed cmake --install "$build" --prefix /usr >/dev/null
dpkg-deb -x "$deb" "$tmp/unpacked"
diff <(list "$tmp/installed") <(list "$tmp/unpacked") || fail "files differ from what cmake --install installs (<)"
echo "ok files: $(list "$tmp/unpacked" | wc -l)"

[[ $(dpkg-deb -f "$deb" Depends) == *libc6* ]] || ! command -v dpkg-shlibdeps >/dev/null ||
	fail "depends on \"$(dpkg-deb -f "$deb" Depends)\", without libc6"
for file in $(cd "$tmp/unpacked" && find . -type f -path '*bin/*'); do
	LD_LIBRARY_PATH=$(dirname "$(find "$tmp/unpacked" -name 'liblindex.so.0')") "$tmp/unpacked/$file" --version >/dev/null ||
		fail "$file --version: exit status $?"
done
echo "ok programs"

# Removing wants a database of packages; that of a new root, as root.
if ((EUID)); then
	echo "skipped: installing and removing wants root"
	exit 0
fi
mkdir -p "$tmp/root/var/lib/dpkg/"{info,updates,triggers}
touch "$tmp/root/var/lib/dpkg/"{status,available}
root=(dpkg --instdir="$tmp/root" --admindir="$tmp/root/var/lib/dpkg" --force-depends --force-script-chrootless --log=/dev/null)
"${root[@]}" -i "$deb" >"$tmp/log" 2>&1 || fail "dpkg -i: $(tail -n 3 "$tmp/log")"
[[ -n $(find "$tmp/root/usr" -name lindex.h) ]] || fail "lindex.h is not there after dpkg -i"
"${root[@]}" -P lindex >"$tmp/log" 2>&1 || fail "dpkg -P: $(tail -n 3 "$tmp/log")"
[[ ! -d $tmp/root/usr ]] || [[ -z $(find "$tmp/root/usr" ! -type d) ]] || fail "left behind: $(find "$tmp/root/usr" ! -type d)"
echo "ok installed and removed"
