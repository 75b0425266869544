/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How the tools talk to a live mount: extended attributes that no file has. They are not listed.
 */
#ifndef CONTROL_H
#define CONTROL_H

#define CONTROL_STATS                                                                              \
	"system.lfs.stats" /* get, any inode: struct lfs_stats and more, as a JSON object */
#define CONTROL_MAP                                                                                \
	"system.lfs.map" /* get, a file or directory: struct lfs_map_stats as a JSON object */
#define CONTROL_GROW                                                                               \
	"system.lfs.grow" /* set, root or who mounted: bytes as decimal text; "0": all of the device */
#define CONTROL_SYNC "system.lfs.sync" /* set, root or who mounted, any value: a checkpoint now */

#endif
