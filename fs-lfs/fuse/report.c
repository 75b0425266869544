/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Figures of a live mount as JSON texts: what lfs-stat shows. Keys are the names of the structs' members.
 */
#include "server.h"

#include <jansson.h>

#define PUT(object, from, member)                                                                  \
	json_object_set_new(object, #member, json_integer((json_int_t)(from)->member))

static char *text_of(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6));

	json_decref(object);
	return text;
}

static void put_space(json_t *o, const struct lfs_stats *s, const struct lfs_statfs *fs)
{
	PUT(o, s, blocks);
	PUT(o, s, live_blocks);
	PUT(o, s, reserved_blocks);
	PUT(o, s, shared_blocks);
	PUT(o, s, segments);
	PUT(o, s, free_segments);
	PUT(o, s, pending_segments);
	PUT(o, s, inodes);
	json_object_set_new(o, "free_blocks", json_integer((json_int_t)fs->free));
	json_object_set_new(o, "available_blocks", json_integer((json_int_t)fs->avail));
}

static void put_writing(json_t *o, const struct lfs_stats *s)
{
	double user = (double)s->user_blocks_written, device = (double)s->device_blocks_written;

	PUT(o, s, user_blocks_written);
	PUT(o, s, device_blocks_written);
	PUT(o, s, device_blocks_read);
	PUT(o, s, journal_blocks);
	PUT(o, s, meta_blocks);
	PUT(o, s, cleaner_blocks);
	PUT(o, s, cleaner_blocks_read);
	PUT(o, s, segments_cleaned);
	PUT(o, s, flushes);
	PUT(o, s, commits);
	PUT(o, s, checkpoints);
	json_object_set_new(o, "write_amplification",
			    user > 0 ? json_real(device / user) : json_null());
}

static void put_memory(json_t *o, const struct lfs_stats *s)
{
	PUT(o, s, cap_bytes);
	PUT(o, s, cache_bytes);
	PUT(o, s, index_bytes);
	PUT(o, s, inode_bytes);
	PUT(o, s, buffer_bytes);
	PUT(o, s, cached_blocks);
	PUT(o, s, cached_inodes);
	PUT(o, s, references);
	PUT(o, s, cache_hits);
	PUT(o, s, cache_misses);
}

static void put_maps(json_t *o, const struct lfs_stats *s)
{
	PUT(o, s, open_maps);
	PUT(o, s, map_lookups);
	PUT(o, s, map_lookup_ns);
	PUT(o, s, map_updates);
	PUT(o, s, checksum_errors);
	PUT(o, s, read_errors);
	PUT(o, s, healed);
}

char *report_stats(struct server *server)
{
	struct lfs_stats stats = { 0 };
	struct lfs_statfs fs = { 0 };
	json_t *o = json_object();

	lfs_get_stats(server->fs, &stats);
	lfs_statfs(server->fs, &fs);
	json_object_set_new(o, "image", json_string(server->image));
	json_object_set_new(o, "block_bytes", json_integer(LFS_BLOCK_BYTES));
	json_object_set_new(o, "requests",
			    json_integer((json_int_t)atomic_load(&server->requests)));
	json_object_set_new(o, "nearly_full", json_boolean(near_full(server)));
	json_object_set_new(o, "awake_gain_percent", json_integer(awake_gain_percent()));
	put_space(o, &stats, &fs);
	put_writing(o, &stats);
	put_memory(o, &stats);
	put_maps(o, &stats);
	return text_of(o);
}

char *report_map(struct server *server, fuse_ino_t ino)
{
	struct lfs_map_stats map;
	json_t *o;

	if (lfs_get_map_stats(server->fs, ino, &map))
		return NULL;
	o = json_object();
	json_object_set_new(o, "inode", json_integer((json_int_t)ino));
	json_object_set_new(o, "inline", json_boolean(map.is_inline));
	PUT(o, &map, extents);
	PUT(o, &map, blocks);
	PUT(o, &map, disk_bytes);
	PUT(o, &map, memory_bytes);
	PUT(o, &map, nodes);
	PUT(o, &map, depth);
	PUT(o, &map, window);
	return text_of(o);
}
