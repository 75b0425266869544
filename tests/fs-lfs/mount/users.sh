#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Who may do what: modes, groups, ACLs, sticky and set-gid directories, tried as several users. usage: users.sh BINARIES
. ./mount.sh
((EUID == 0)) || skip 'needs root, to become other users'
command -v setpriv >/dev/null || skip 'needs setpriv'

as() { local who=$1 group=$2; shift 2; setpriv --reuid "$who" --regid "$group" --clear-groups "$@"; }
may() { "$@" >/dev/null 2>&1 || fail "expected to be allowed: $*"; }
may_not() { "$@" >/dev/null 2>&1 && fail "expected to be refused: $*" || true; }

make 64M
up
cd "$dir"
chmod 755 .

echo secret >private
chown 5001:5001 private
chmod 600 private
may as 5001 5001 cat private
may_not as 5002 5001 cat private
chmod 640 private
may as 5002 5001 cat private
may_not as 5002 5002 cat private
may_not as 5002 5001 sh -c 'echo x >>private'
may_not as 5002 5002 chmod 777 private
may_not as 5002 5002 chown 5002 private
may as 5001 5001 chmod 644 private
may as 5002 5002 cat private
may setpriv --reuid 5003 --regid 5003 --groups 5001 sh -c 'chmod 640 private 2>/dev/null; cat private'

# Names below a directory that may not be searched stay hidden, cached or not.
mkdir hidden
echo x >hidden/file
chmod 700 hidden
cat hidden/file >/dev/null
may_not as 5001 5001 cat hidden/file
may_not as 5001 5001 ls hidden
may_not as 5001 5001 touch hidden/new
chmod 711 hidden
may as 5001 5001 cat hidden/file
may_not as 5001 5001 ls hidden

# Sticky: only owners remove.
mkdir sticky
chmod 1777 sticky
as 5001 5001 touch sticky/one
may_not as 5002 5002 rm -f sticky/one
may_not as 5002 5002 mv sticky/one sticky/two
may as 5001 5001 rm sticky/one

# New files belong to their maker; the umask is theirs; a set-gid directory hands its group on.
mkdir open
chmod 777 open
as 5001 5002 sh -c 'umask 027; touch open/f; mkdir open/d'
[[ $(stat -c '%u:%g %a' open/f open/d | tr '\n' ' ') == '5001:5002 640 5001:5002 750 ' ]] ||
	fail "owner, group, umask: $(stat -c '%u:%g %a' open/f open/d)"
chgrp 5009 open
chmod 2777 open
as 5001 5002 mkdir open/sub
[[ $(stat -c '%g %A' open/sub) == '5009 drwxr-sr-x' ]] || fail "set-gid directory: $(stat -c '%g %A' open/sub)"

# ACLs: named users, the mask, inheritance.
if command -v setfacl >/dev/null; then
	echo acl >acl
	chmod 600 acl
	may_not as 5001 5001 cat acl
	setfacl -m u:5001:r acl
	may as 5001 5001 cat acl
	may_not as 5001 5001 sh -c 'echo x >>acl'
	[[ $(stat -c %a acl) == 640 ]] || fail "the ACL's mask as group bits: $(stat -c %a acl)"
	chmod 600 acl
	may_not as 5001 5001 cat acl
	mkdir heirs
	setfacl -d -m u:5001:rwx heirs
	(umask 077; echo y >heirs/file; mkdir heirs/dir)
	getfacl -cp heirs/file | grep -q '^user:5001:rwx' || fail 'the default ACL was not inherited by a file'
	getfacl -cp heirs/dir | grep -q '^default:user:5001:rwx' || fail 'the default ACL was not inherited by a directory'
	may as 5001 5001 cat heirs/file
	getfacl -R -p . >"$tmp/acls"
fi

cd /
down
up
[[ ! -s $tmp/acls ]] || (cd "$dir" && getfacl -R -p . | diff "$tmp/acls" -) || fail 'ACLs after a remount'

# Nobody else gets in with noallow_other.
unmount "$dir"
up noallow_other
may_not as 5001 5001 ls "$dir"
down
