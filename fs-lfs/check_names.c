/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Directories: a tree below the root, then every entry of every directory, both ways between entries and index.
 *
 * A directory's *own* entry is the one in the directory that it names as its parent. lfs_check_tree() walks own entries
 * from the root. What it does not reach has either been put elsewhere (a reached directory names it: it is adopted
 * there) or has no entry, or hangs in a circle: the top of such a part has lost its name.
 */
#include "checker.h"

#include <stdlib.h>
#include <sys/stat.h>

#define KEY_VARIANTS 256u
#define TREE_PASSES  64u
#define BAD_BLOCKS   64u /* of one directory that are told; behind that it is left alone */

/* An entry as it is read: bytes are a copy, place is where it stands, as readdir's cookies count. */
struct entry {
	uint64_t place;
	uint32_t ino, hash;
	uint8_t type, name_len;
	char name[LFS_NAME_MAX + 1];
};

typedef int (*entry_fn)(struct lfs_checker *ck, struct lfs_inode *dir, struct entry *entry);

/* ---- Every entry of a directory ----------------------------------------------------------------------- */

static int each_in_block(struct lfs_checker *ck, struct lfs_inode *dir, uint64_t lbn,
			 const uint8_t *bytes, entry_fn fn)
{
	struct entry entry;
	uint32_t len;
	int err = 0;

	for (uint32_t off = 0; off < LFS_BLOCK && !err; off += len) {
		const struct lfs_dirent_disk *e = (const void *)(bytes + off);

		len = lfs_from16(e->len);
		if (!e->ino)
			continue;
		entry.place = lbn * LFS_BLOCK + off;
		entry.ino = lfs_from32(e->ino);
		entry.hash = lfs_from32(e->hash);
		entry.type = e->type;
		entry.name_len = e->name_len;
		memcpy(entry.name, e->name, e->name_len);
		entry.name[e->name_len] = 0;
		err = fn(ck, dir, &entry);
	}
	return err;
}

/* A hole where a block should be: the next block that is there. */
static int over_hole(struct lfs_checker *ck, struct lfs_inode *dir, uint64_t *lbn)
{
	struct lindex_run run;
	int err = lfs_map_next(ck->fs, dir, *lbn, &run);
	uint64_t next = err || run.first >= dir->dir_blocks ? dir->dir_blocks : run.first;

	ck->blind = true;
	lfs_found(ck, false, "directory %u: blocks %llu to %llu of it are not there", dir->ino,
		  (unsigned long long)*lbn, (unsigned long long)next - 1);
	*lbn = next;
	return err == -ENOENT ? 0 : err;
}

static int each_entry(struct lfs_checker *ck, struct lfs_inode *dir, entry_fn fn)
{
	uint8_t *bytes = aligned_alloc(64, LFS_BLOCK);
	uint32_t bad = 0;
	uint64_t lbn = 0;
	int err = bytes ? 0 : -ENOMEM;

	while (!err && lbn < dir->dir_blocks && bad < BAD_BLOCKS) {
		struct lfs_cblk *blk;

		ck->last[0] = 0;
		err = lfs_dir_block(ck->fs, dir, lbn, &blk);
		if (err == -ENOENT) {
			err = over_hole(ck, dir, &lbn);
			continue;
		}
		if (!err) {
			memcpy(bytes, blk->data, LFS_BLOCK);
			lfs_cache_put(&ck->fs->cache, blk);
			err = each_in_block(ck, dir, lbn, bytes, fn);
		} else if (lfs_found_err(ck, err, "directory %u: block %llu of it", dir->ino,
					 (unsigned long long)lbn)) {
			err = 0;
			bad++;
		}
		lbn++;
	}
	free(bytes);
	return err;
}

static int in_directory(struct lfs_checker *ck, uint32_t ino, entry_fn fn)
{
	struct lfs_inode *dir;
	int err = lfs_iget(ck->fs, ino, &dir);

	if (err)
		return lfs_is_damage(err) ? 0 : err; /* told where it was found first */
	err = each_entry(ck, dir, fn);
	lfs_iput(ck->fs, dir);
	lfs_check_breathe(ck);
	return err;
}

static int in_directories(struct lfs_checker *ck, const roaring_bitmap_t *dirs, const char *phase,
			  entry_fn fn)
{
	uint64_t done = 0, total = roaring_bitmap_get_cardinality(dirs);
	roaring_bitmap_t *copy = roaring_bitmap_copy(dirs);
	roaring_uint32_iterator_t it;
	int err = copy ? 0 : -ENOMEM;

	if (err)
		return err;
	for (roaring_init_iterator(copy, &it); it.has_value && !err;
	     roaring_advance_uint32_iterator(&it)) {
		lfs_check_progress(ck, phase, done++, total);
		err = in_directory(ck, it.current_value, fn);
	}
	roaring_bitmap_free(copy);
	return err;
}

/* ---- The tree ----------------------------------------------------------------------------------------- */

static int parent_of(struct lfs_checker *ck, uint32_t ino, uint32_t *parent)
{
	struct lfs_inode *dir;
	int err = lfs_iget(ck->fs, ino, &dir);

	*parent = 0;
	if (err)
		return lfs_is_damage(err) ? 0 : err;
	*parent = dir->parent;
	lfs_iput(ck->fs, dir);
	return 0;
}

static bool unreached_dir(const struct lfs_checker *ck, uint32_t ino)
{
	return roaring_bitmap_contains(ck->dirs, ino) && !roaring_bitmap_contains(ck->reached, ino);
}

/* An own entry leads on. */
static int reach_child(struct lfs_checker *ck, struct lfs_inode *dir, struct entry *entry)
{
	uint32_t parent;
	int err;

	if (!unreached_dir(ck, entry->ino))
		return 0;
	err = parent_of(ck, entry->ino, &parent);
	if (!err && parent == dir->ino) {
		roaring_bitmap_add(ck->reached, entry->ino);
		roaring_bitmap_add(ck->todo, entry->ino);
	}
	return err;
}

static int adopt_child(struct lfs_checker *ck, struct lfs_inode *dir, struct entry *entry)
{
	if (!unreached_dir(ck, entry->ino) || ck->nadopt == LFS_ADOPT_MAX)
		return 0;
	ck->adopt[ck->nadopt++] = (struct lfs_adopt){ .child = entry->ino, .dir = dir->ino };
	roaring_bitmap_add(ck->reached, entry->ino);
	roaring_bitmap_add(ck->todo, entry->ino);
	return 0;
}

/* An own entry that is itself not reached: its directory is not the top. */
static int note_child(struct lfs_checker *ck, struct lfs_inode *dir, struct entry *entry)
{
	uint32_t parent;
	int err;

	if (!unreached_dir(ck, entry->ino))
		return 0;
	err = parent_of(ck, entry->ino, &parent);
	if (!err && parent == dir->ino)
		roaring_bitmap_add(ck->todo, entry->ino);
	return err;
}

/* Everything below the directories in ck->todo. */
static int walk_down(struct lfs_checker *ck)
{
	int err = 0;

	while (!err && !roaring_bitmap_is_empty(ck->todo)) {
		uint32_t ino = roaring_bitmap_minimum(ck->todo);

		roaring_bitmap_remove(ck->todo, ino);
		err = in_directory(ck, ino, reach_child);
	}
	return err;
}

/* Tops among those that are not reached: they have lost their names. In a circle each will do. */
static int lose_tops(struct lfs_checker *ck, const roaring_bitmap_t *unreached)
{
	roaring_bitmap_t *tops;
	int err = in_directories(ck, unreached, "tree", note_child);

	tops = err ? NULL : roaring_bitmap_andnot(unreached, ck->todo);
	if (!tops)
		return err ? err : -ENOMEM;
	if (roaring_bitmap_is_empty(tops))
		roaring_bitmap_add(tops, roaring_bitmap_minimum(unreached));
	roaring_bitmap_or_inplace(ck->lost, tops);
	roaring_bitmap_or_inplace(ck->reached, tops);
	roaring_bitmap_free(ck->todo);
	ck->todo = tops;
	return 0;
}

static roaring_bitmap_t *unreached_dirs(const struct lfs_checker *ck)
{
	roaring_bitmap_t *rest = roaring_bitmap_andnot(ck->dirs, ck->reached);

	if (rest) /* removed while open: nobody names them, and that is right */
		roaring_bitmap_andnot_inplace(rest, ck->fs->orphans);
	return rest;
}

static int reach_rest(struct lfs_checker *ck, const roaring_bitmap_t *rest)
{
	uint32_t before = ck->nadopt;
	int err = in_directories(ck, ck->reached, "tree", adopt_child);

	if (!err && ck->nadopt == before)
		err = lose_tops(ck, rest);
	return err ? err : walk_down(ck);
}

/** lfs_check_tree() - Which directories hang where; ck->reached, ck->lost and ck->adopt are known then. */
int lfs_check_tree(struct lfs_checker *ck)
{
	int err;

	if (!roaring_bitmap_contains(ck->dirs, LFS_ROOT_INO)) {
		lfs_found(ck, false, "the root directory (inode %u) is not there", LFS_ROOT_INO);
		ck->blind = true;
		return 0;
	}
	roaring_bitmap_add(ck->reached, LFS_ROOT_INO);
	roaring_bitmap_add(ck->todo, LFS_ROOT_INO);
	err = walk_down(ck);
	for (uint32_t pass = 0; pass < TREE_PASSES && !err; pass++) {
		roaring_bitmap_t *rest = unreached_dirs(ck);
		bool done = !rest || roaring_bitmap_is_empty(rest);

		err = !rest ? -ENOMEM : done ? 0 : reach_rest(ck, rest);
		if (rest)
			roaring_bitmap_free(rest);
		if (done)
			break;
	}
	return err;
}

/* ---- Changing entries --------------------------------------------------------------------------------- */

static bool is_adopted(const struct lfs_checker *ck, uint32_t child, uint32_t *dir)
{
	for (uint32_t i = 0; i < ck->nadopt; i++) {
		if (ck->adopt[i].child != child)
			continue;
		*dir = ck->adopt[i].dir;
		return true;
	}
	return false;
}

enum edit { EDIT_DROP, EDIT_TYPE, EDIT_HASH };

static int edit_entry(struct lfs_checker *ck, struct lfs_inode *dir, const struct entry *entry,
		      enum edit edit, uint32_t value)
{
	struct lfs_dirent_disk *e;
	struct lfs_cblk *blk;
	int err = lfs_check_writable(ck);

	if (!err)
		err = lfs_dir_block(ck->fs, dir, entry->place / LFS_BLOCK, &blk);
	if (err)
		return err;
	e = (struct lfs_dirent_disk *)(void *)(blk->data + entry->place % LFS_BLOCK);
	if (edit == EDIT_DROP)
		e->ino = 0;
	else if (edit == EDIT_TYPE)
		e->type = (uint8_t)value;
	else
		e->hash = lfs_to32(value);
	lfs_cache_dirty(&ck->fs->cache, blk);
	lfs_cache_put(&ck->fs->cache, blk);
	lfs_inode_dirty(dir);
	return 0;
}

/* Put the entry's place into the index, under the first key of its name that is free. */
static int index_entry(struct lfs_checker *ck, struct lfs_inode *dir, const struct entry *entry)
{
	struct lindex_run run,
		add = { .value = entry->place / LFS_BLOCK << 10 | (entry->place % LFS_BLOCK) / 4 };
	uint32_t hash;
	uint64_t first = lfs_dir_key(ck->fs, entry->name, entry->name_len, &hash), key = first;
	int err = lfs_check_writable(ck);

	while (!err && !(err = lfs_pindex_lookup(dir->dir->names, key, &run)))
		if (++key == first + KEY_VARIANTS)
			return -ENOSPC;
	if (err != -ENOENT)
		return err;
	add.first = add.last = key;
	lfs_inode_dirty(dir);
	return lfs_pindex_insert(dir->dir->names, &add);
}

static int drop(struct lfs_checker *ck, struct lfs_inode *dir, const struct entry *entry)
{
	return lfs_unfixed(ck, edit_entry(ck, dir, entry, EDIT_DROP, 0),
			   "directory %u, name \"%s\"", dir->ino, entry->name);
}

/* ---- Judging entries ---------------------------------------------------------------------------------- */

#define SAYS(fixable, text, ...)                                                                   \
	lfs_found(ck, fixable, "directory %u, name \"%s\": " text, dir->ino, entry->name,          \
		  ##__VA_ARGS__)

static bool name_sound(const struct entry *entry)
{
	uint32_t len;

	return strlen(entry->name) == entry->name_len && !lfs_name_check(entry->name, &len);
}

/* Is this the entry by which a directory hangs in the tree? */
static int judge_directory(struct lfs_checker *ck, struct lfs_inode *dir, struct entry *entry,
			   struct lfs_inode *child, bool *keep)
{
	uint32_t home = child->parent;

	is_adopted(ck, child->ino, &home);
	*keep = home == dir->ino && child->ino != LFS_ROOT_INO &&
		!roaring_bitmap_contains(ck->lost, child->ino) &&
		!lfs_tally_get(&ck->names, child->ino);
	if (!*keep) {
		if (!SAYS(true, "directory %u has its place elsewhere", child->ino))
			return 0;
		return drop(ck, dir, entry);
	}
	if (child->parent != dir->ino &&
	    SAYS(true, "directory %u says that its parent is %u", child->ino, child->parent)) {
		child->parent = dir->ino;
		lfs_inode_dirty(child);
	}
	return 0;
}

/* What the entry names. *keep: it counts as a name. */
static int judge_child(struct lfs_checker *ck, struct lfs_inode *dir, struct entry *entry,
		       bool *keep)
{
	struct lfs_inode *child;
	int err = entry->ino == LFS_ORPHANS_INO ? -ESTALE : lfs_iget(ck->fs, entry->ino, &child);
	uint8_t type;

	*keep = err != -ESTALE;
	if (err == -ESTALE)
		return SAYS(true, "inode %u is not there", entry->ino) ? drop(ck, dir, entry) : 0;
	if (err && lfs_is_damage(err))
		return 0; /* told with the inode table */
	if (err)
		return err;
	type = lfs_type_of(child->mode);
	if (type != entry->type &&
	    SAYS(true, "type of inode %u: expected %u, found %u", child->ino, type, entry->type))
		err = lfs_unfixed(ck, edit_entry(ck, dir, entry, EDIT_TYPE, type), "directory %u",
				  dir->ino);
	if (!err && S_ISDIR(child->mode))
		err = judge_directory(ck, dir, entry, child, keep);
	lfs_iput(ck->fs, child);
	return err;
}

/* The index is gone: begin it anew. Entries come into it one by one, as they are found missing. */
static int index_anew(struct lfs_checker *ck, struct lfs_inode *dir)
{
	struct lfs_map_id id = { dir->ino, LFS_WHICH_NAMES };
	struct lfs_pindex *names;
	int err = lfs_check_writable(ck);

	if (!err && !dir->dir)
		dir->dir = calloc(1, sizeof(*dir->dir));
	if (!err && !dir->dir)
		err = -ENOMEM;
	if (!err)
		err = lfs_pindex_open(ck->fs, id, 0, &names);
	if (err)
		return err;
	lfs_pindex_close(dir->dir->names);
	dir->dir->names = names;
	dir->names_root = 0;
	lfs_inode_dirty(dir);
	return 0;
}

/* Its name leads to the entry, and nowhere else. *keep: it is not the second one with this name. */
static int judge_way(struct lfs_checker *ck, struct lfs_inode *dir, struct entry *entry, bool *keep)
{
	uint64_t at = 0;
	uint32_t ino;
	int err;

	ck->last[0] = 0;
	err = lfs_dir_find(ck->fs, dir, entry->name, entry->name_len, &ino, NULL, &at);
	if (!err && at == entry->place)
		return 0;
	if (!err) {
		*keep = false;
		return SAYS(true, "there is another entry with this name") ? drop(ck, dir, entry) :
									     0;
	}
	if (err != -ENOENT && lfs_is_damage(err)) {
		bool fix = lfs_found(ck, dir->flags & LFS_DI_NAMES,
				     "directory %u: its index of names cannot be used: %s",
				     dir->ino, ck->last);

		err = fix ? index_anew(ck, dir) : -ENODATA;
		ck->anew = !err;
		if (err == -ENODATA)
			return 0;
	}
	if (err && err != -ENOENT)
		return err;
	if (!ck->anew && !SAYS(true, "not found in the index"))
		return 0;
	if (!dir->dir || !dir->dir->names)
		return 0;
	return lfs_unfixed(ck, index_entry(ck, dir, entry), "directory %u, name \"%s\"", dir->ino,
			   entry->name);
}

static int judge_entry(struct lfs_checker *ck, struct lfs_inode *dir, struct entry *entry)
{
	uint32_t hash;
	bool keep;
	int err;

	if (!name_sound(entry))
		return SAYS(true, "no name that can be") ? drop(ck, dir, entry) : 0;
	err = judge_child(ck, dir, entry, &keep);
	if (err || !keep)
		return err;
	lfs_dir_key(ck->fs, entry->name, entry->name_len, &hash);
	if (hash != entry->hash) {
		if (!SAYS(true, "hash expected %08x, found %08x", hash, entry->hash))
			goto count;
		err = lfs_unfixed(ck, edit_entry(ck, dir, entry, EDIT_HASH, hash), "directory %u",
				  dir->ino);
	}
	if (!err)
		err = judge_way(ck, dir, entry, &keep);
	if (err || !keep)
		return err;
count:
	ck->nentries++;
	lfs_tally_add(&ck->names, entry->ino, 1);
	if (roaring_bitmap_contains(ck->dirs, entry->ino))
		lfs_tally_add(&ck->subdirs, dir->ino, 1);
	return 0;
}

/* ---- The index, the other way: each key has an entry --------------------------------------------------- */

/* Does an entry begin at this place whose name has this key? */
static int key_has_entry(struct lfs_checker *ck, struct lfs_inode *dir, uint64_t key,
			 uint64_t value, bool *has)
{
	uint32_t want = (uint32_t)(value & 0x3ff) * 4, off = 0, hash;
	const struct lfs_dirent_disk *e;
	struct lfs_cblk *blk;
	int err;

	*has = false;
	if (value >> 10 >= dir->dir_blocks)
		return 0;
	err = lfs_dir_block(ck->fs, dir, value >> 10, &blk);
	if (err)
		return err == -ENOENT ? 0 : err;
	for (; off < want; off += lfs_from16(e->len))
		e = (const void *)(blk->data + off);
	e = (const void *)(blk->data + want);
	if (off == want && e->ino)
		*has = lfs_dir_key(ck->fs, e->name, e->name_len, &hash) >> 8 == key >> 8;
	lfs_cache_put(&ck->fs->cache, blk);
	return 0;
}

static int check_key(struct lfs_checker *ck, struct lfs_inode *dir, uint64_t key, uint64_t value)
{
	bool has;
	int err = key_has_entry(ck, dir, key, value, &has);

	if (err || has)
		return err && lfs_is_damage(err) ? 0 : err;
	if (!lfs_found(ck, true, "directory %u: key %012llx of its index leads to no entry",
		       dir->ino, (unsigned long long)key))
		return 0;
	err = lfs_check_writable(ck);
	if (!err)
		err = lfs_pindex_remove(dir->dir->names, key, key);
	lfs_inode_dirty(dir);
	return lfs_unfixed(ck, err, "directory %u, key %012llx", dir->ino, (unsigned long long)key);
}

/* More keys in one run than names can have: nothing that was ever stored. */
static int check_long_run(struct lfs_checker *ck, struct lfs_inode *dir,
			  const struct lindex_run *run)
{
	int err;

	if (!lfs_found(ck, true, "directory %u: keys %012llx to %012llx of its index are one run",
		       dir->ino, (unsigned long long)run->first, (unsigned long long)run->last))
		return 0;
	err = lfs_check_writable(ck);
	if (!err)
		err = lfs_pindex_remove(dir->dir->names, run->first, run->last);
	lfs_inode_dirty(dir);
	return lfs_unfixed(ck, err, "directory %u", dir->ino);
}

/* Each key of the index; *keys: how many. @judge: look at each. */
static int each_key(struct lfs_checker *ck, struct lfs_inode *dir, bool judge, uint64_t *keys)
{
	struct lindex_run run;
	uint64_t at = 0;
	int err = 0;

	*keys = 0;
	while (!err && !(err = lfs_pindex_next(dir->dir->names, at, &run))) {
		uint64_t n = run.last - run.first + 1;

		*keys += n;
		if (judge && run.last - run.first >= KEY_VARIANTS)
			err = check_long_run(ck, dir, &run);
		else
			for (uint64_t i = 0; judge && i < n && !err; i++)
				err = check_key(ck, dir, run.first + i,
						lindex_value(&run, run.first + i));
		if (run.last == UINT64_MAX)
			break;
		at = run.last + 1;
	}
	return err == -ENOENT ? 0 : err;
}

static int check_index(struct lfs_checker *ck, struct lfs_inode *dir)
{
	uint64_t keys;
	int err;

	if (!dir->dir || !dir->dir->names)
		return 0;
	ck->last[0] = 0;
	err = each_key(ck, dir, false, &keys);
	/* Every entry is in it with its own place: as many keys as entries, then no key is left over. */
	if (!err && keys != ck->nentries)
		err = each_key(ck, dir, true, &keys);
	if (err && lfs_is_damage(err)) /* told when the map was walked; anew in the next round */
		err = 0;
	return err;
}

static int judge_directory_whole(struct lfs_checker *ck, uint32_t ino)
{
	struct lfs_inode *dir;
	bool seen;
	int err = lfs_iget(ck->fs, ino, &dir);

	if (err)
		return lfs_is_damage(err) ? 0 : err;
	ck->nentries = 0;
	ck->anew = false;
	seen = ck->blind;
	ck->blind = false;
	err = each_entry(ck, dir, judge_entry);
	if (!err)
		err = check_index(ck, dir);
	if (!err && !ck->blind && dir->entries != ck->nentries &&
	    lfs_found(ck, true, "directory %u: count of entries: expected %llu, found %u", ino,
		      (unsigned long long)ck->nentries, dir->entries)) {
		dir->entries = (uint32_t)ck->nentries;
		lfs_inode_dirty(dir);
	}
	ck->blind |= seen;
	lfs_iput(ck->fs, dir);
	lfs_check_breathe(ck);
	return err;
}

/** lfs_check_entries() - Every entry of every directory; ck->names and ck->subdirs are known then. */
int lfs_check_entries(struct lfs_checker *ck)
{
	roaring_bitmap_t *dirs = roaring_bitmap_andnot(ck->dirs, ck->fs->orphans);
	uint64_t done = 0, total = dirs ? roaring_bitmap_get_cardinality(dirs) : 0;
	roaring_uint32_iterator_t it;
	int err = dirs ? 0 : -ENOMEM;

	if (err)
		return err;
	for (roaring_init_iterator(dirs, &it); it.has_value && !err;
	     roaring_advance_uint32_iterator(&it)) {
		lfs_check_progress(ck, "names", done++, total);
		err = judge_directory_whole(ck, it.current_value);
	}
	roaring_bitmap_free(dirs);
	return err;
}
