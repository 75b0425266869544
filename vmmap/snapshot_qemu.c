/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * QEMU's "info tlb" for x86-64: one leaf of the page tables on a line,
 *
 *     0000000000400000: 000000000455d000 X---A--U-
 *     virtual           physical         |||||||||
 *                       no execute, Global, huge (P), Dirty, Accessed, Cache off (C), write-Through, User, Write
 *
 * Flags are those of the leaf alone: rights that upper levels take away still show.
 */
#include "snapshot_format.h"
#include "trace_format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS   16u
#define LINE_LEN (DIGITS + 2 + DIGITS + 1 + FLAGS)
#define FLAGS    9u
#define IN_PAGE  (UINT64_C(0xfff))
#define IN_1G    ((UINT64_C(1) << VMMAP_SHIFT_1G) - 1)
#define IN_2M    ((UINT64_C(1) << VMMAP_SHIFT_2M) - 1)

static const struct {
	char letter;
	uint64_t bit;
} flags[FLAGS] = {
	{ 'X', VMMAP_PTE_NX }, { 'G', VMMAP_PTE_G }, { 'P', VMMAP_PTE_P },
	{ 'D', VMMAP_PTE_D },  { 'A', VMMAP_PTE_A }, { 'C', VMMAP_PTE_C },
	{ 'T', VMMAP_PTE_T },  { 'U', VMMAP_PTE_U }, { 'W', VMMAP_PTE_W },
};

void vmmap_qemu_line(const struct vmmap_pte *pte, char line[VMMAP_QEMU_LINE_BYTES])
{
	int at = snprintf(line, VMMAP_QEMU_LINE_BYTES, "%016" PRIx64 ": %016" PRIx64 " ", pte->va,
			  pte->pa);

	for (unsigned int i = 0; i < FLAGS; i++)
		line[at++] = pte->flags & flags[i].bit ? flags[i].letter : '-';
	line[at] = 0;
}

/* ---- Lines ------------------------------------------------------------------------------------- */

static bool parse(const char *line, size_t len, struct vmmap_pte *pte)
{
	const char *at = line + 2 * DIGITS + 3;

	if (len != LINE_LEN || line[DIGITS] != ':' || line[DIGITS + 1] != ' ' || at[-1] != ' ' ||
	    !word_hex((struct cursor){ line, line + DIGITS }, &pte->va) ||
	    !word_hex((struct cursor){ line + DIGITS + 2, at - 1 }, &pte->pa))
		return false;
	pte->flags = 0;
	for (unsigned int i = 0; i < FLAGS; i++) {
		if (at[i] == flags[i].letter)
			pte->flags |= flags[i].bit;
		else if (at[i] != '-')
			return false;
	}
	return true;
}

static bool matches(const unsigned char *bytes, size_t len)
{
	struct cursor line = trace_first_line(bytes, len);
	struct vmmap_pte pte;

	return trace_is_text(bytes, len) && parse(line.at, (size_t)(line.end - line.at), &pte);
}

/* NULL: nothing is wrong. */
static const char *problem_of(const struct vmmap_pte *pte, const struct vmmap_pte *last)
{
	struct vmmap_span page = { vpn_of(pte->va), pte->pa >> VMMAP_SHIFT_4K, 1, VMMAP_SHIFT_4K,
				   0 };

	if ((pte->va | pte->pa) & (pte->flags & VMMAP_PTE_P ? IN_2M : IN_PAGE))
		return "addresses aligned to the page size";
	if (last && pte->va <= last->va)
		return "a higher address than on the line before";
	return span_problem(&page);
}

static int list_add(struct vmmap_pte_list *list, const struct vmmap_pte *pte)
{
	if (list->n == list->room) {
		size_t room = list->room ? 2 * list->room : 1024;
		struct vmmap_pte *ptes = realloc(list->ptes, room * sizeof(*ptes));

		if (!ptes)
			return -ENOMEM;
		list->ptes = ptes;
		list->room = room;
	}
	list->ptes[list->n++] = *pte;
	return 0;
}

static int read_lines(struct input *in, struct vmmap_pte_list *list, struct vmmap_refusal *why)
{
	const char *line;
	size_t len;
	int got;

	while ((got = input_line(in, &line, &len, why)) > 0) {
		struct vmmap_pte pte;
		const char *problem;

		if (!parse(line, len, &pte))
			return input_refuse_line(
				in, why, EINVAL,
				"expected a line of \"info tlb\" (16 digits, :, 16 "
				"digits, XGPDACTUW or -), found %s",
				shown(line, len).text);
		problem = problem_of(&pte, list->n ? &list->ptes[list->n - 1] : NULL);
		if (problem)
			return input_refuse_line(in, why, EINVAL, "expected %s, found %s", problem,
						 shown(line, len).text);
		if (list_add(list, &pte))
			return refuse(why, ENOMEM, "%s: out of memory", in->name);
	}
	return got;
}

int vmmap_qemu_read(const char *path, struct vmmap_pte_list *list, struct vmmap_refusal *why)
{
	struct input in;
	int err = input_open_path(&in, path, why);

	if (err)
		return err;
	*list = (struct vmmap_pte_list){ 0 };
	err = read_lines(&in, list, why);
	if (!err && !list->n)
		err = refuse(why, EINVAL, "%s: expected lines of \"info tlb\", found none", path);
	input_close(&in);
	if (err)
		vmmap_pte_list_destroy(list);
	return err;
}

void vmmap_pte_list_destroy(struct vmmap_pte_list *list)
{
	free(list->ptes);
	*list = (struct vmmap_pte_list){ 0 };
}

/* ---- As a snapshot ----------------------------------------------------------------------------- */

static uint8_t span_flags(uint64_t pte)
{
	unsigned int bits = VMMAP_SPAN_R;

	bits |= pte & VMMAP_PTE_W ? VMMAP_SPAN_W : 0;
	bits |= pte & VMMAP_PTE_NX ? 0 : VMMAP_SPAN_X;
	bits |= pte & VMMAP_PTE_U ? VMMAP_SPAN_U : 0;
	bits |= pte & VMMAP_PTE_A ? VMMAP_SPAN_A : 0;
	bits |= pte & VMMAP_PTE_D ? VMMAP_SPAN_D : 0;
	return (uint8_t)bits;
}

static bool is_1g_away(const struct vmmap_pte *low, const struct vmmap_pte *high)
{
	return high->flags & VMMAP_PTE_P && low->flags & VMMAP_PTE_P &&
	       high->va - low->va == IN_1G + 1 && ((low->va | low->pa | high->pa) & IN_1G) == 0;
}

static uint8_t shift_of(const struct vmmap_pte_list *list, size_t i)
{
	const struct vmmap_pte *pte = &list->ptes[i];

	if (!(pte->flags & VMMAP_PTE_P))
		return VMMAP_SHIFT_4K;
	if ((i + 1 < list->n && is_1g_away(pte, pte + 1)) || (i && is_1g_away(pte - 1, pte)))
		return VMMAP_SHIFT_1G;
	return VMMAP_SHIFT_2M;
}

static int read_qemu(struct input *in, struct vmmap_snapshot *snap, struct vmmap_refusal *why)
{
	struct vmmap_pte_list list = { 0 };
	int err = read_lines(in, &list, why);

	for (size_t i = 0; i < list.n && !err; i++) {
		const struct vmmap_pte *pte = &list.ptes[i];
		uint8_t shift = shift_of(&list, i);
		struct vmmap_span span = { .vpn = vpn_of(pte->va),
					   .pfn = pte->pa >> VMMAP_SHIFT_4K,
					   .pages = UINT64_C(1) << (shift - VMMAP_SHIFT_4K),
					   .shift = shift,
					   .flags = span_flags(pte->flags) };

		err = snapshot_add(snap, &span, why);
	}
	vmmap_pte_list_destroy(&list);
	return err;
}

const struct snapshot_reader snapshot_qemu = { "qemu", matches, read_qemu };
