/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * QEMU's text = our walk of the same memory = every backend, entry by entry.
 */
#include "guest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "trace_input.h"

#define PROT_CHECKED (VMMAP_PROT_READ | VMMAP_PROT_WRITE | VMMAP_PROT_EXEC | VMMAP_PROT_USER)

struct leaves {
	struct vmmap_guest_leaf *all;
	size_t n, room;
};

static int add_leaf(struct leaves *leaves, const struct vmmap_guest_leaf *leaf)
{
	if (leaves->n == leaves->room) {
		size_t room = leaves->room ? 2 * leaves->room : 1024;
		struct vmmap_guest_leaf *all = realloc(leaves->all, room * sizeof(*all));

		if (!all)
			return -ENOMEM;
		leaves->all = all;
		leaves->room = room;
	}
	leaves->all[leaves->n++] = *leaf;
	return 0;
}

/* ---- The walk and the text --------------------------------------------------------------------- */

struct comparison {
	const struct vmmap_pte_list *text;
	const char *text_name;
	struct leaves leaves;
	struct vmmap_refusal *why;
};

static int refuse_line(const struct comparison *c, size_t line, const char *expected,
		       const char *found)
{
	return refuse(c->why, EUCLEAN,
		      "%s:%zu: the walk of memory found \"%s\", the text has \"%s\"", c->text_name,
		      line + 1, expected, found);
}

static int compare_leaf(void *ctx, const struct vmmap_guest_leaf *leaf)
{
	struct comparison *c = ctx;
	const struct vmmap_pte *there = &c->text->ptes[c->leaves.n];
	char ours[VMMAP_QEMU_LINE_BYTES], theirs[VMMAP_QEMU_LINE_BYTES];

	vmmap_qemu_line(&leaf->pte, ours);
	if (c->leaves.n == c->text->n)
		return refuse_line(c, c->leaves.n, ours, "no more lines");
	vmmap_qemu_line(there, theirs);
	if (strcmp(ours, theirs) != 0)
		return refuse_line(c, c->leaves.n, ours, theirs);
	if (add_leaf(&c->leaves, leaf))
		return refuse(c->why, ENOMEM, "out of memory");
	return 0;
}

static int compare_text(struct comparison *c, const struct vmmap_guest *guest, uint64_t cr3,
			unsigned int levels)
{
	char theirs[VMMAP_QEMU_LINE_BYTES];
	int err;

	c->leaves.n = 0;
	err = vmmap_guest_walk(guest, cr3, levels, compare_leaf, c, c->why);
	if (err || c->leaves.n == c->text->n)
		return err;
	vmmap_qemu_line(&c->text->ptes[c->leaves.n], theirs);
	return refuse_line(c, c->leaves.n, "no more entries", theirs);
}

/* Only 5 levels have addresses that are not canonical in 48 bits. */
static bool needs_57(const struct vmmap_pte_list *text)
{
	for (size_t i = 0; i < text->n; i++) {
		int64_t va = (int64_t)text->ptes[i].va;

		if (va >> 47 != 0 && va >> 47 != -1)
			return true;
	}
	return false;
}

/* Where the text would fit both, it is tried both ways; the first difference told is that of the first way. */
static int compare_levels(struct comparison *c, const struct vmmap_guest *guest, uint64_t cr3,
			  unsigned int *levels)
{
	struct vmmap_refusal first;
	int err;

	if (*levels)
		return compare_text(c, guest, cr3, *levels);
	*levels = needs_57(c->text) ? 5 : 4;
	err = compare_text(c, guest, cr3, *levels);
	if (err != -EUCLEAN || *levels == 5)
		return err;
	first = *c->why;
	if (compare_text(c, guest, cr3, 5) == 0) {
		*levels = 5;
		return 0;
	}
	*c->why = first;
	return err;
}

/* ---- The backends ------------------------------------------------------------------------------ */

static struct vmmap_extent extent_of(const struct vmmap_guest_leaf *leaf)
{
	return (struct vmmap_extent){ .va = leaf->pte.va,
				      .pages = vmmap_shift_pages(leaf->shift),
				      .pfn = leaf->pte.pa >> VMMAP_PAGE_SHIFT,
				      .prot = leaf->prot,
				      .shift = leaf->shift };
}

struct backend_check {
	const char *name;
	const struct leaves *leaves;
	struct vmmap_space *space;
	struct vmmap_guest_verdict *verdict;
	struct vmmap_refusal *why;
};

static int compare_translation(const struct backend_check *b, const struct vmmap_guest_leaf *leaf,
			       uint64_t offset)
{
	uint64_t va = leaf->pte.va + offset, pa = leaf->pte.pa + offset;
	struct vmmap_answer a;
	int err = vmmap_translate(b->space, va, VMMAP_READ | VMMAP_PEEK, &a);

	b->verdict->translations++;
	if (!err && a.pa == pa && a.shift == leaf->shift && (a.prot & PROT_CHECKED) == leaf->prot)
		return 0;
	return refuse(b->why, EUCLEAN,
		      "%s: %" PRIx64 ": expected %" PRIx64 " (size 2^%u, rights %x), found %" PRIx64
		      " (size 2^%u, rights %x, fault %d)",
		      b->name, va, pa, leaf->shift, leaf->prot, err ? 0 : a.pa, err ? 0 : a.shift,
		      err ? 0 : a.prot, err ? (int)a.fault.kind : 0);
}

static int compare_hole(const struct backend_check *b, uint64_t va)
{
	struct vmmap_answer a;
	int err = vmmap_translate(b->space, va, VMMAP_READ | VMMAP_PEEK, &a);

	b->verdict->holes++;
	if (err == -EFAULT &&
	    (a.fault.kind == VMMAP_FAULT_NOT_PRESENT || a.fault.kind == VMMAP_FAULT_NONCANONICAL))
		return 0;
	return refuse(b->why, EUCLEAN, "%s: %" PRIx64 ": expected a fault, found %" PRIx64, b->name,
		      va, err ? 0 : a.pa);
}

/* Neighbours: the byte below a page and the byte above, where no other page is. */
static int compare_neighbours(const struct backend_check *b, size_t i)
{
	const struct vmmap_guest_leaf *leaf = &b->leaves->all[i];
	const struct vmmap_guest_leaf *below = i ? leaf - 1 : NULL;
	const struct vmmap_guest_leaf *above = i + 1 < b->leaves->n ? leaf + 1 : NULL;
	uint64_t end = leaf->pte.va + (UINT64_C(1) << leaf->shift);
	int err = 0;

	if (leaf->pte.va &&
	    (!below || below->pte.va + (UINT64_C(1) << below->shift) != leaf->pte.va))
		err = compare_hole(b, leaf->pte.va - 1);
	if (!err && end && (!above || above->pte.va != end))
		err = compare_hole(b, end);
	return err;
}

static int compare_translations(const struct backend_check *b)
{
	int err = 0;

	for (size_t i = 0; i < b->leaves->n && !err; i++) {
		const struct vmmap_guest_leaf *leaf = &b->leaves->all[i];

		err = compare_translation(b, leaf, 0);
		if (!err)
			err = compare_translation(b, leaf, (UINT64_C(1) << leaf->shift) - 1);
		if (!err)
			err = compare_neighbours(b, i);
	}
	return err;
}

/* ---- Radix tables, dumped and walked again ----------------------------------------------------- */

static int add_page(void *ctx, vmmap_pfn_t pfn, const uint64_t *entries)
{
	return vmmap_guest_add(ctx, pfn << VMMAP_PAGE_SHIFT, entries);
}

struct again {
	const struct backend_check *b;
	size_t at;
};

static int compare_again(void *ctx, const struct vmmap_guest_leaf *leaf)
{
	struct again *again = ctx;
	const struct backend_check *b = again->b;
	const struct vmmap_guest_leaf *there = again->at < b->leaves->n ?
						       &b->leaves->all[again->at++] :
						       NULL;

	if (there && leaf->pte.va == there->pte.va && leaf->pte.pa == there->pte.pa &&
	    leaf->shift == there->shift && leaf->prot == there->prot)
		return 0;
	return refuse(b->why, EUCLEAN,
		      "%s: its own tables, walked again: expected %" PRIx64 " -> %" PRIx64
		      ", found %" PRIx64 " -> %" PRIx64,
		      b->name, there ? there->pte.va : 0, there ? there->pte.pa : 0, leaf->pte.va,
		      leaf->pte.pa);
}

static int compare_dump(const struct backend_check *b, struct vmmap_guest *memory)
{
	struct again again = { .b = b };
	vmmap_pa_t cr3 = 0;
	int err = vmmap_memory(b->space, add_page, memory, &cr3);

	if (err == -EOPNOTSUPP)
		return 0;
	if (err)
		return refuse(b->why, -err, "%s: cannot dump its tables: %s", b->name,
			      strerror(-err));
	err = vmmap_guest_walk(memory, cr3, strcmp(b->name, "radix5") == 0 ? 5 : 4, compare_again,
			       &again, b->why);
	if (!err && again.at != b->leaves->n)
		return refuse(b->why, EUCLEAN,
			      "%s: its own tables, walked again: expected %zu entries, found %zu",
			      b->name, b->leaves->n, again.at);
	return err;
}

/* ---- All of it --------------------------------------------------------------------------------- */

static int load(struct backend_check *b, const struct vmmap_extent *extents, size_t n)
{
	size_t bad = 0;
	int err = vmmap_load(b->space, extents, n, &bad);

	if (!err)
		return 0;
	return refuse(b->why, -err, "%s: cannot map %" PRIx64 ": %s", b->name,
		      bad < n ? extents[bad].va : 0, strerror(-err));
}

static int check_one(struct vmmap_host *host, const char *name, unsigned int levels,
		     struct comparison *c, const struct vmmap_extent *extents,
		     struct vmmap_guest_verdict *verdict)
{
	struct vmmap_space_config cfg = { .backend = name,
					  .phys_bits = 50,
					  .va_bits = levels == 5 ? 57 : 0 };
	struct backend_check b = {
		.name = name, .leaves = &c->leaves, .verdict = verdict, .why = c->why
	};
	struct vmmap_guest *memory = NULL;
	int err = vmmap_space_create(host, &cfg, &b.space);

	if (err)
		return refuse(c->why, -err, "%s: cannot make a space: %s", name, strerror(-err));
	err = load(&b, extents, c->leaves.n);
	if (!err)
		err = compare_translations(&b);
	if (!err)
		err = vmmap_guest_create(name, &memory);
	if (!err)
		err = compare_dump(&b, memory);
	vmmap_guest_free(memory);
	vmmap_space_free(b.space);
	return err;
}

static int check_backends(struct comparison *c, unsigned int levels,
			  struct vmmap_guest_verdict *verdict)
{
	struct vmmap_extent *extents = calloc(c->leaves.n + 1, sizeof(*extents));
	struct vmmap_host *host = NULL;
	unsigned int done = 0;
	const char *name;
	int err = extents ? vmmap_host_create(NULL, &host) : -ENOMEM;

	if (err) {
		free(extents);
		return refuse(c->why, ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < c->leaves.n; i++)
		extents[i] = extent_of(&c->leaves.all[i]);
	for (unsigned int i = 0; (name = vmmap_backend_name(i)) && !err; i++) {
		if (levels == 5 && strcmp(name, "radix4") == 0) {
			verdict->skipped = name;
			continue;
		}
		err = check_one(host, name, levels, c, extents, verdict);
		verdict->backends[done++] = name;
	}
	verdict->backends[done] = NULL;
	vmmap_host_free(host);
	free(extents);
	return err;
}

int vmmap_guest_check(const struct vmmap_guest *guest, uint64_t cr3, unsigned int levels,
		      const struct vmmap_pte_list *text, const char *text_name,
		      struct vmmap_guest_verdict *verdict, struct vmmap_refusal *why)
{
	struct comparison c = { .text = text, .text_name = text_name, .why = why };
	int err = compare_levels(&c, guest, cr3, &levels);

	*verdict = (struct vmmap_guest_verdict){ .levels = levels, .entries = c.leaves.n };
	for (size_t i = 0; i < c.leaves.n; i++) {
		verdict->entries_2m += c.leaves.all[i].shift == VMMAP_2M;
		verdict->entries_1g += c.leaves.all[i].shift == VMMAP_1G;
	}
	if (!err)
		err = check_backends(&c, levels, verdict);
	free(c.leaves.all);
	return err;
}
