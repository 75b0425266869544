# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""fs-lfs and its peers: how each is made and mounted, and a mount that does not outlive its block."""

import gzip
import os
import pathlib
import resource
import shutil
import subprocess
import time

EXAMPLES = pathlib.Path("/usr/share/doc/libfuse3-dev/examples")
START_SECONDS, STOP_SECONDS = 20, 120
OPEN_FILES = 1_000_000 # the passthrough holds a descriptor for each inode that the kernel remembers


class Missing(Exception):
    """A filesystem that cannot be had here; the text says what it wants."""


class Failed(Exception):
    """Something that should have worked; the text says what."""


def call(words, what, seconds=60):
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired) as why:
        raise Failed(f"{what}: {why}") from None
    if done.returncode:
        raise Failed(f"{what}: exit status {done.returncode}: {last_line(done.stderr or done.stdout)}")
    return done.stdout


def last_line(text):
    return (text.strip().splitlines() or ["nothing said"])[-1][:300]


# ---- Filesystems ----------------------------------------------------------------------------------

class Lfs:
    def __init__(self, name, tools, size, options=()):
        self.name, self.tools, self.size, self.options = name, tools, size, options
        if not (tools / "mount.lfs").exists():
            raise Missing(f"{tools}/mount.lfs: not built (libfuse3-dev?)")

    def make(self, place):
        owner = f"--root-owner={os.geteuid()}:{os.getegid()}"
        call([self.tools / "mkfs.lfs", "-q", owner, "-s", self.size, place / "image"], "mkfs.lfs")

    def daemon(self, place, at):
        options = ["-o", ",".join(self.options)] if self.options else []
        return [self.tools / "mount.lfs", "-f", *options, place / "image", at]

    def counters(self, at):
        """What lfs-stat says, or nothing."""
        return call([self.tools / "lfs-stat", "--json", at], "lfs-stat")


class Passthrough:
    """libfuse's example hands every request on to the directory below: the ceiling of a usual FUSE server."""

    def __init__(self, name, program, options):
        self.name, self.program, self.options = name, program, options

    def make(self, place):
        (place / "below").mkdir()

    def daemon(self, place, at):
        return [self.program, "-f", "-o", f"source={place}/below,clone_fd,{self.options}", at]


class Fuse2fs:
    def __init__(self, name, size):
        self.name, self.size = name, size
        if not (shutil.which("fuse2fs") and shutil.which("mkfs.ext4")):
            raise Missing("no fuse2fs (Debian: fuse2fs, e2fsprogs)")

    def make(self, place):
        call(["truncate", "-s", self.size, place / "image"], "truncate")
        call(["mkfs.ext4", "-q", "-F", place / "image"], "mkfs.ext4")

    def daemon(self, place, at):
        others = ",allow_other" if os.geteuid() == 0 else ""
        return ["fuse2fs", place / "image", at, "-f", "-o", "rw,fakeroot" + others]


def compile_passthrough(place):
    """Debian's example, compiled; a packed one is unpacked first."""
    folder = place / "example"
    folder.mkdir()
    for name in ("passthrough_ll.c", "passthrough_helpers.h"):
        plain, packed = EXAMPLES / name, EXAMPLES / (name + ".gz")
        if plain.exists():
            shutil.copy(plain, folder)
        elif packed.exists():
            (folder / name).write_bytes(gzip.decompress(packed.read_bytes()))
        else:
            raise Missing(f"no {plain} (Debian: libfuse3-dev)")
    try:
        flags = call(["pkg-config", "--cflags", "--libs", "fuse3"], "pkg-config").split()
        program = folder / "passthrough_ll"
        call(["cc", "-O2", "-w", "-o", program, folder / "passthrough_ll.c", *flags], "cc passthrough_ll.c")
    except Failed as why:
        raise Missing(str(why)) from None
    return program


# ---- Mounts ---------------------------------------------------------------------------------------

def is_mounted(at):
    """By the kernel's list: to look at the directory would wait for its daemon."""
    with open("/proc/self/mounts", encoding="utf-8") as lines:
        return any(line.split()[1] == str(at) for line in lines)


def unmount(at, *lazily):
    words = ["umount", *lazily, at] if os.geteuid() == 0 else ["fusermount3", "-u", *["-z" for _ in lazily], at]
    return subprocess.run(words, stderr=subprocess.DEVNULL, timeout=60, check=False).returncode == 0


def open_files():
    """Descriptors that a daemon of ours may have."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return OPEN_FILES if most == resource.RLIM_INFINITY else most


def raise_limits():
    """Ours, and so those of all daemons: as many descriptors as wanted, if that is allowed, else as many as it is."""
    most = open_files()
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, max(OPEN_FILES, most)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, most), most))


class Mounted:
    """@filesystem made and mounted in @place, with its daemon as our child: "with" ends both, whatever happens."""

    def __init__(self, filesystem, place):
        self.filesystem, self.place, self.at = filesystem, place, place / "mnt"
        self.process = None

    def __enter__(self):
        self.at.mkdir(parents=True)
        try:
            self.filesystem.make(self.place)
            self.up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.down()
        except Failed:
            pass # it has been killed; what was measured is not touched by that
        shutil.rmtree(self.place, ignore_errors=True)

    def up(self):
        words = ["setpriv", "--pdeathsig", "KILL", *self.filesystem.daemon(self.place, self.at)]
        with open(self.place / "log", "ab") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + START_SECONDS
        while not is_mounted(self.at):
            if self.process.poll() is not None or time.monotonic() > end:
                said = (self.place / "log").read_text(errors="replace")
                raise Failed(f"{self.filesystem.name}: not mounted: {last_line(said)}")
            time.sleep(0.01)

    def down(self):
        """Returns when the daemon is gone, and with it all that it had in memory."""
        if not self.process:
            return
        process, self.process = self.process, None
        for lazily in ((), (), (), ("-l",)):
            if not is_mounted(self.at) or unmount(self.at, *lazily):
                break
            time.sleep(0.2) # somebody still looks at it
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Failed(f"{self.filesystem.name}: still there {STOP_SECONDS} s after it was unmounted") from None

    def again(self):
        """Neither the kernel nor the daemon remembers anything after this."""
        self.down()
        self.up()
