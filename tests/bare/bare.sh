#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A bare machine: a fresh Debian root in a folder, where nothing is installed, and in it a clone of this checkout
# (what is committed) and one command. Says how long it took and what was installed. Needs root, debootstrap, a
# mirror. usage: bare.sh FOLDER ./dev VERB...
#
#   BARE_USER=1   as an ordinary user who may use sudo
#   BARE_SUITE, BARE_MIRROR   default bookworm, http://deb.debian.org/debian

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
(($# >= 2)) || { sed -nE 's/^# ?//; 3,9p' "${BASH_SOURCE[0]}"; exit 2; }
folder=$1
shift
suite=${BARE_SUITE:-bookworm} mirror=${BARE_MIRROR:-http://deb.debian.org/debian}

say() { printf 'bare: %s\n' "$*"; }
((EUID == 0)) || { say "needs root"; exit 2; }
command -v debootstrap >/dev/null || { say "needs debootstrap: apt-get install debootstrap"; exit 2; }

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
root=$folder/root
leave()
{
	local where
	for where in tmp dev/shm dev/pts dev sys proc; do
		! mountpoint -q "$root/$where" || umount -l "$root/$where"
	done
}
trap leave EXIT
leave
rm -rf --one-file-system "$root"

# The bare root is kept as an archive: making it takes a minute and a mirror.
if [[ ! -f $folder/$suite.tar ]]; then
	say "making a root of $suite"
	debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$folder/debootstrap.log" 2>&1 ||
		{ say "debootstrap: $(tail -n 1 "$folder/debootstrap.log")"; exit 1; }
	tar -C "$root" -cf "$folder/$suite.tar" .
else
	mkdir -p "$root"
	tar -C "$root" -xf "$folder/$suite.tar"
fi

mount -t proc proc "$root/proc"
mount -t sysfs sys "$root/sys"
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev"
mount -t tmpfs -o size=8g,mode=1777 tmp "$root/tmp"
cp /etc/resolv.conf "$root/etc/resolv.conf"
echo "deb $mirror $suite main" >"$root/etc/apt/sources.list"

git -c safe.directory='*' clone -q --no-hardlinks "$here" "$root/root/checkout"
enter=(env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LANG=C.UTF-8 chroot "$root")
packages() { "${enter[@]}" dpkg-query -W -f='${Package}\n' | sort; }
packages >"$folder/before"
command=(bash -c 'cd /root/checkout && exec "$@"' bash "$@")
if [[ -n ${BARE_USER:-} ]]; then
	"${enter[@]}" bash -c 'apt-get -qq update && apt-get -qq install -y sudo >/dev/null 2>&1
		useradd -m user && echo "user ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/user
		mv /root/checkout /home/user/checkout && chown -R user: /home/user/checkout'
	command=(su - user -c "cd checkout && exec $*")
fi

begun=$(date +%s) status=0
"${enter[@]}" "${command[@]}" 2>&1 | tee "$folder/transcript" || status=${PIPESTATUS[0]}
packages >"$folder/after"
say "$* in a bare $suite: exit status $status, $(($(date +%s) - begun)) s," \
	"$(comm -13 "$folder/before" "$folder/after" | wc -l) packages installed; transcript: $folder/transcript"
exit "$status"
