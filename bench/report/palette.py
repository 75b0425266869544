# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Colours and marks: told apart without colours, too. After Okabe and Ito, and Tol's muted ones."""

MARKS = ("circle", "square", "up", "down", "diamond")
GNUPLOT_MARK = {"circle": 7, "square": 5, "up": 9, "down": 11, "diamond": 13}

# The contestants keep their looks on all plots; ours is the one that stands out.
KNOWN = {
    "lindex": ("#d55e00", "circle"),
    "absl": ("#000000", "square"),
    "absl-locked": ("#000000", "square"),
    "std-map": ("#888888", "down"),
    "judy": ("#e69f00", "up"),
    "sorted-array": ("#56b4e9", "diamond"),
    "s-tree": ("#0072b2", "up"),
    "bptree": ("#009e73", "square"),
    "extent-tree": ("#cc79a7", "diamond"),
    "radix4": ("#0072b2", "square"),
    "radix5": ("#882255", "diamond"),
    "btree": ("#009e73", "up"),
    "ecpt": ("#e69f00", "down"),
    "ideal": ("#444444", "circle"),
    "radix64": ("#882255", "down"),
    "maple-tree": ("#44aa99", "circle"),
    "xarray": ("#999933", "up"),
    "limit": ("#b0b0b0", "circle"),
    "fs-lfs": ("#d55e00", "circle"),
    "fs-lfs-nowriteback": ("#e69f00", "up"),
    "passthrough": ("#009e73", "diamond"),
    "fuse2fs": ("#0072b2", "square"),
}
OTHERS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#882255", "#999933", "#444444")


def looks(names):
    """name -> (colour, mark); one that is not known takes the next that is free."""
    free = [c for c in OTHERS if c not in {KNOWN[n][0] for n in names if n in KNOWN}] or list(OTHERS)
    found = {}
    for name in names:
        at = len(found)
        found[name] = KNOWN.get(name) or (free[at % len(free)], MARKS[at % len(MARKS)])
    return found


def is_ours(name):
    return name.startswith(("lindex", "fs-lfs"))
