#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A reader of fs-lfs images, written from fs-lfs/FORMAT.md alone: section numbers below are its.

    read_image.py IMAGE     one line for each name: type and mode, links, size, hash of the contents, path

The image must have been unmounted. Every block that is read is verified, and at the end what was reached must be what
the books call live. Exit status 1 and one line on stderr if anything is not as FORMAT.md says.
"""
import ctypes
import ctypes.util
import struct
import sys

BLOCK = 4096
MASK = (1 << 64) - 1
NO_SEGMENT = 0xFFFFFFFF
XATTR = 1 << 46

xxhash = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
xxhash.XXH3_64bits_withSeed.restype = ctypes.c_uint64
xxhash.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]


def xxh3(data, seed=0):
    return xxhash.XXH3_64bits_withSeed(bytes(data), len(data), seed)


def check(condition, *what):
    if not condition:
        raise SystemExit("read_image.py: " + " ".join(str(w) for w in what))


def u(data, at, size):
    return int.from_bytes(data[at : at + size], "little")


def seed(place, seq):  # 1
    return (place * 0x9E3779B97F4A7C15 & MASK) ^ ((seq * 0xC2B2AE3D27D4EB4F + (seq >> 32)) & MASK)


def csum(data, hole, place, seq=0):
    """With the 8 bytes at hole taken as zero."""
    return xxh3(data[:hole] + bytes(8) + data[hole + 8 :], seed(place, seq))


class Image:
    def __init__(self, path):
        self.file = open(path, "rb")
        self.superblock()
        self.checkpoint()
        self.groups()
        self.tables = {}
        self.used = set()

    def raw(self, place, count=1):
        self.file.seek(place * BLOCK)
        data = self.file.read(count * BLOCK)
        check(len(data) == count * BLOCK, "place", place, "is behind the end of the image")
        return data

    def newer_copy(self, places, magic, order):
        found = [self.raw(p) for p in places]
        sound = [d for d, p in zip(found, places) if u(d, 0, 8) == magic and u(d, 8, 8) == csum(d, 8, p)]
        check(sound, "no sound copy at places", places)
        return max(sound, key=lambda d: u(d, order, 8))

    def superblock(self):  # 3
        d = self.newer_copy((0, 24), 0x3158444953464CFF, 40)
        check(u(d, 16, 4) == 1, "version", u(d, 16, 4))
        self.segment_blocks, self.gdir_blocks, self.ginfo_blocks = struct.unpack_from("<III", d, 20)
        self.blocks = u(d, 32, 8)
        self.hash_seed = u(d, 112, 8)
        self.per_group = 65536 // self.segment_blocks
        self.segments = self.blocks // self.segment_blocks
        check(self.ginfo_blocks == -(-(64 + 16 * self.per_group + 8192) // BLOCK), "blocks of a group's info")

    def checkpoint(self):  # 4
        d = self.newer_copy((8, 16), 0x54504B4353464C43, 16)
        check(u(d, 32, 4) & 1, "not unmounted: the chain would have to be replayed")
        self.roots = struct.unpack_from("<4Q", d, 144)
        self.next_seq, self.next_ino = u(d, 184, 8), u(d, 192, 8)
        self.reserved, self.inodes, self.orphans = struct.unpack_from("<3Q", d, 208)
        self.live_blocks = u(d, 240, 8)
        self.gdirs = struct.unpack_from("<264Q", d, 256)

    def groups(self):  # 5
        self.seq, self.state, self.live = {}, {}, set()
        for g in range(-(-self.segments // self.per_group)):
            word = self.gdirs[g // 254]
            if not word:
                continue
            at = 32 + (word & 1) * self.gdir_blocks + g // 254
            d = self.raw(at)
            check(csum(d, 8, at) & ~1 == word & ~1, "group directory", g // 254)
            want, live, free, copy = struct.unpack_from("<QIHB", d, 32 + 16 * (g % 254))
            if copy != 0xFF:
                self.group(g, copy, want, live)

    def group(self, g, copy, want, live):
        at = (g * 65536 if g else 32 + 2 * self.gdir_blocks) + copy * self.ginfo_blocks
        d = self.raw(at, self.ginfo_blocks)
        check(csum(d, 8, at) == want, "info of group", g)
        check(u(d, 0, 8) == 0x554F524753464C47 and u(d, 16, 8) == g, "info of group", g)
        for i in range(self.per_group):
            seq, _, state = struct.unpack_from("<QHB", d, 64 + 16 * i)
            self.seq[g * self.per_group + i], self.state[g * self.per_group + i] = seq, state
            check(seq < self.next_seq, "sequence number of segment", g * self.per_group + i)
        bits = d[64 + 16 * self.per_group :][:8192]
        mine = {g * 65536 + b for b in range(65536) if bits[b // 8] >> (b % 8) & 1}
        check(len(mine) == live, "live blocks of group", g)
        self.live |= mine

    def table(self, segment):  # 6
        if segment not in self.tables:
            seq, at = self.seq[segment], (segment + 1) * self.segment_blocks - 3
            d = self.raw(at)
            check(u(d, 0, 4) == 0x4C424154 and u(d, 8, 8) == seq, "table of segment", segment)
            check(csum(d, 16, at, seq) == u(d, 16, 8), "checksum of the table of segment", segment)
            self.tables[segment] = struct.unpack_from("<509Q", d, 24)
        return self.tables[segment]

    def block(self, place):
        """A block of the log, verified; it is used by one thing only."""
        segment = place // self.segment_blocks
        check(segment < self.segments and self.state.get(segment) in (2, 5), "place", place, "in no closed segment")
        d = self.raw(place)
        want = self.table(segment)[place % self.segment_blocks]
        check(xxh3(d, seed(place, self.seq[segment])) == want, "checksum of place", place)
        return d

    def claim(self, place):
        check(place not in self.used, "place", place, "is named twice")
        self.used.add(place)


# ---- 7: maps -------------------------------------------------------------------------------------------


def bits(node, at, width):
    return int.from_bytes(node[at // 8 : (at + width + 7) // 8], "little") >> (at % 8) & ((1 << width) - 1)


class Map:
    """All runs of a map in pages: (first, last, value, tag, step)."""

    def __init__(self, image, root, owner):
        self.image, self.runs = image, []
        if not root:
            return
        d = image.block(root)
        image.claim(root)
        check(u(d, 0, 4) == 0x544F4F52 and u(d, 8, 8) == (6 << 56) + owner, "root of a map at place", root)
        self.pages = {}
        for i in range(480):
            self.slots(u(d, 144 + 8 * i, 8), u(d, 4, 4), i)
        self.leaf_bytes = 256 if owner == 18 << 48 else 512
        self.tree(d[16:144])

    def slots(self, place, levels, first):
        if not place:
            return
        self.image.claim(place)
        if not levels:
            self.pages[first] = place
            return
        d = self.image.block(place)
        for i in range(512):
            self.slots(u(d, 8 * i, 8), levels - 1, first * 512 + i)

    def tree(self, root):
        if not any(root):
            return
        check(struct.unpack_from("<III", root) == (0x3158444C, 16, self.leaf_bytes), "root of a lindex")
        word, n = u(root, 16, 8), u(root, 24, 4)
        if word >> 40:
            self.runs = [self.run(root, 32 + 32 * i) for i in range(n)]
        else:
            self.cache = {}
            self.node(word & 0xFFFFFFFF, word >> 32)
            del self.cache

    @staticmethod
    def run(d, at):
        return struct.unpack_from("<QQQHB", d, at)

    def node(self, ref, level):
        page = ref // 64
        if page not in self.cache:
            check(page in self.pages, "page", page, "has no place")
            self.cache[page] = self.image.block(self.pages[page])
        at = 64 * (ref % 64)
        d = self.cache[page][at : at + 64 * self.cache[page][at + 1]]
        check(d[12] == level, "level of node", ref)
        (None, self.inner, self.lines, self.sparse, self.dense, self.presence)[d[0]](d)

    def inner(self, d):
        n, refs, nterm, level = u(d, 2, 2), u(d, 38, 2), u(d, 40, 2), d[12]
        terms = (refs + 4 * n + 7) // 8 * 8
        for i in range(n):
            ref = u(d, refs + 4 * i, 4)
            if ref >> 31:
                check(ref & 0x7FFFFFFF < nterm, "terminal run")
                self.runs.append(self.run(d, terms + 32 * (ref & 0x7FFFFFFF)))
            else:
                self.node(ref, level - 1)

    def lines(self, d):
        base, vbase, end, tagbase = u(d, 16, 8), u(d, 24, 8), u(d, 32, 8), u(d, 40, 2)
        vw, cap, tw, sw, kw, dw = d[42:48]
        lines, aux = d[14], u(d, 14, 2)
        directory, first = (48, 64) if dw == 2 else (64, 64 + (lines * dw + 63) // 64 * 64)
        entries = []
        for i in range(lines):
            line = d[first + 64 * i : first + 64 * i + 64]
            start = base + u(d, directory + dw * i, dw)
            for j in range(cap):
                key = u(line, kw * j, kw)
                if key == (1 << 8 * kw) - 1:
                    break
                at = cap * kw * 8 + j * (vw + tw + sw)
                step = bits(line, at + vw + tw, 1) if sw else aux >> 8 & 1
                entries.append((start + key, bits(line, at, vw), tagbase + bits(line, at + vw, tw), step))
        for i, (key, code, tag, step) in enumerate(entries):
            last = entries[i + 1][0] - 1 if i + 1 < len(entries) else end
            if code:
                self.runs.append((key, last, vbase + code - 1, tag, step))

    def sparse(self, d):
        base, vbase, tagbase = u(d, 16, 8), u(d, 24, 8), u(d, 32, 2)
        kw, lw, vw, tw, sw, step = d[34:40]
        for i in range(u(d, 2, 2)):
            at = 56 * 8 + i * (kw + lw + vw + tw + sw)
            first = base + bits(d, at, kw)
            last = first + bits(d, at + kw, lw)
            value = vbase + bits(d, at + kw + lw, vw)
            tag = tagbase + bits(d, at + kw + lw + vw, tw)
            self.runs.append((first, last, value, tag, bits(d, at + kw + lw + vw + tw, 1) if sw else step))

    @staticmethod
    def line(d, i):
        v = i * u(d, 40, 4) >> d[37]
        return u(d, 24, 8) + (-v if d[36] else v)

    def dense(self, d):
        for i in range(u(d, 2, 2)):
            code = bits(d, 64 * 8 + i * d[35], d[35])
            if code:
                self.one(d, u(d, 16, 8) + i, self.line(d, i) + code - 1)

    def presence(self, d):
        n, stride, rank = u(d, 2, 2), u(d, 44, 4), 0
        codes = 64 + (n + 63) // 64 * 8 + ((n + 255) // 256 * 2 + 7) // 8 * 8
        for i in range(n):
            if d[64 + i // 8] >> (i % 8) & 1:
                residual = bits(d, codes * 8 + rank * d[35], d[35])
                self.one(d, u(d, 16, 8) + i * stride, self.line(d, i * stride) + residual)
                rank += 1

    def one(self, d, key, value):
        self.runs.append((key, key, value & MASK, u(d, 32, 2), d[34]))

    def keys(self):
        return {k: v + (k - f) * s for f, l, v, t, s in self.runs for k in range(f, l + 1)}


# ---- 8, 9: inodes and directories -----------------------------------------------------------------------


class Filesystem:
    def __init__(self, image):
        self.image = image
        imap, shared, refs, reverse = (Map(image, image.roots[i], 16 + i << 48) for i in range(4))
        self.shared, self.refs = shared.keys(), refs.keys()
        self.owners = dict.fromkeys(self.shared, 0)
        self.reserved, self.names, self.subdirs = 0, {}, {}
        for place in self.shared.values():
            image.claim(place)
        check({p: v for v, p in self.shared.items()} == reverse.keys(), "SHARED and REVERSE differ")
        self.table = {}
        for index, place in imap.keys().items():
            image.claim(place)
            d = image.block(place)
            for i in range(16):
                if u(d, 256 * i, 2):
                    self.table[16 * index + i] = Inode(self, 16 * index + i, d[256 * i : 256 * i + 256])

    def walk(self, ino, path):
        inode = self.table[ino]
        subdirs = 0
        for name, child in inode.entries():
            check(child in self.table, path + name, "has no inode")
            self.names[child] = self.names.get(child, 0) + 1
            yield path + name, self.table[child]
            if self.table[child].is_dir():
                subdirs += 1
                check(self.table[child].parent == ino, path + name, "has another parent")
                yield from self.walk(child, path + name + "/")
        check(inode.links == 2 + subdirs, path, "links", inode.links)

    def finish(self):
        image = self.image
        for ino, inode in self.table.items():
            check(ino < image.next_ino, "inode", ino)
            if not inode.is_dir() and ino != 2:
                check(inode.links == self.names.get(ino, 0), "inode", ino, "links", inode.links)
        check(self.owners == self.refs, "REFS")
        check(self.reserved == image.reserved, "reserved", image.reserved, "counted", self.reserved)
        check(image.used == image.live and len(image.live) == image.live_blocks, "live blocks:",
              len(image.live), "used:", len(image.used))
        check(len(self.table) - (2 in self.table) == image.inodes, "inodes")


class Inode:
    def __init__(self, fs, ino, d):
        self.fs, self.ino, self.raw = fs, ino, d
        self.mode, self.flags, self.links = struct.unpack_from("<HHI", d, 0)
        self.size, self.blocks = struct.unpack_from("<QQ", d, 16)
        self.parent, self.count, self.nruns, self.inline, self.dir_blocks = struct.unpack_from("<IIHHI", d, 112)
        self.map = {}
        blocks = 0
        for first, last, value, tag, step in self.runs():
            blocks += last - first + 1 if first < XATTR else 0
            if tag == 2:
                fs.reserved += last - first + 1
            for key in range(first, last + 1) if tag != 2 else ():
                self.map[key] = self.place(tag, value + key - first)
        check(blocks == self.blocks, "inode", ino, "blocks", self.blocks)
        self.index = Map(fs.image, u(d, 104, 8), (1 << 48) + ino).keys() if self.flags & 4 else None
        self.xattrs()

    def is_dir(self):
        return self.mode >> 12 == 4

    def runs(self):
        if self.flags & 2:
            return Map(self.fs.image, u(self.raw, 96, 8), self.ino).runs
        runs = []
        for i in range(0 if self.flags & 1 else self.nruns):
            first, length, word = struct.unpack_from("<IIQ", self.raw, 128 + 16 * i)
            first |= word >> 48 << 32
            runs.append((first, first + length - 1, word & 0xFFFFFFFFFF, word >> 40 & 0xFF, 1))
        return runs

    def place(self, tag, value):
        if tag == 0:
            self.fs.image.claim(value)
            return value
        check(tag == 1 and value in self.fs.shared, "inode", self.ino, "shared address", value)
        self.fs.owners[value] += 1
        return self.fs.shared[value]

    def block(self, lbn):
        return self.fs.image.block(self.map[lbn]) if lbn in self.map else bytes(BLOCK)

    def data(self):
        if self.flags & 1:
            return (self.raw[128 : 128 + self.inline] + bytes(self.size))[: self.size]
        return b"".join(self.block(i) for i in range(-(-self.size // BLOCK)))[: self.size]

    def xattrs(self):
        size = u(self.raw, 92, 4)
        d = b"".join(self.block(XATTR + i) for i in range(-(-size // BLOCK)))[:size]
        out = {}
        while d:
            name, _, value = struct.unpack_from("<HHI", d, 0)
            out[d[8 : 8 + name].decode()] = d[8 + name : 8 + name + value]
            d = d[8 + name + value :]
        return out

    def entries(self):  # 9
        found = {}
        for lbn in range(self.dir_blocks):
            check(lbn in self.map, "directory", self.ino, "block", lbn)
            d, at = self.block(lbn), 0
            while at < BLOCK:
                ino, low, length, name_len, _ = struct.unpack_from("<IIHBB", d, at)
                check(length >= 12 and length % 4 == 0, "directory", self.ino, "record")
                if ino:
                    name = d[at + 12 : at + 12 + name_len]
                    h = xxh3(name, self.fs.image.hash_seed)
                    check(low == h & 0xFFFFFFFF and name not in found, "directory", self.ino, name)
                    found[name] = (h >> 24, lbn * 1024 + at // 4, ino)
                at += length
        if self.index is not None:
            keys = sorted((key >> 8, value) for key, value in self.index.items())
            check(keys == sorted((h, p) for h, p, _ in found.values()), "index of directory", self.ino)
        check(len(found) == self.count, "directory", self.ino, "entries", self.count)
        return sorted((name.decode(), ino) for name, (_, _, ino) in found.items())


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    fs = Filesystem(Image(sys.argv[1]))
    for path, inode in sorted(fs.walk(1, "/"), key=lambda f: f[0].encode()):
        data = b"" if inode.is_dir() else inode.data()
        attributes = "".join(f" {k}={v.decode()}" for k, v in sorted(inode.xattrs().items()))
        print(f"{inode.mode:06o} {inode.links} {0 if inode.is_dir() else inode.size} {xxh3(data):016x} {path}{attributes}")
    fs.finish()


main()
