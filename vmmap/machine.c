/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Machine profiles: a small text form, and three profiles in it. One setting on a line:
 *
 *     name NAME                            # a word
 *     note TEXT                            # where the figures are from
 *     l1-tlb SIZES ENTRIES WAYS CYCLES     # SIZES: 4K, 2M, 1G or several, as in 4K+2M, that share the array
 *     l2-tlb SIZES ENTRIES WAYS CYCLES
 *     walk-cache LEVEL ENTRIES WAYS CYCLES # radix: holds entries of LEVEL 5..2 (2: those that point to last-level tables)
 *     model-cache ENTRIES WAYS CYCLES      # lindex: models of at most 16 bytes
 *     cuckoo-cache SIZE ENTRIES WAYS CYCLES # ecpt: walk-table entries that tell ways; SIZE 2M or 1G
 *     model CYCLES                         # to evaluate a model: multiply, shift, add
 *     walk-start after|overlapped          # walk caches (and models) are asked after the L2 TLB, or beside it
 *     cache BYTES WAYS CYCLES              # data caches, the nearest first; BYTES as in 48K, 2M; lines of 64 bytes
 *     dram CYCLES
 *     latencies total|added                # CYCLES of a cache: all until data is there, or what this level adds
 *     radix 4|5                            # which radix table is the one to compare with
 *
 * WAYS 0 means fully associative. Fetches have an L1 TLB and an L1 cache of their own, of the same shape.
 */
#include "machine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "trace_input.h"

static const struct {
	const char *name, *text;
} profiles[] = {
	{ "virtuoso", "name virtuoso\n"
		      "note configuration published with the Virtuoso simulator\n"
		      "l1-tlb 4K 64 4 1\n"
		      "l1-tlb 2M 64 4 1\n"
		      "l2-tlb 4K+2M 2048 8 12\n"
		      "walk-cache 4 32 4 1\n"
		      "walk-cache 3 32 4 1\n"
		      "walk-cache 2 32 4 1\n"
		      "model-cache 96 0 1\n"
		      "cuckoo-cache 2M 16 0 1\n"
		      "cuckoo-cache 1G 2 0 1\n"
		      "model 4\n"
		      "walk-start overlapped\n"
		      "cache 48K 12 4\n"
		      "cache 2M 16 12\n"
		      "cache 8M 16 35\n"
		      "dram 230\n"
		      "latencies total\n"
		      "radix 4\n" },
	{ "champsim", "name champsim\n"
		      "note ChampSim's default configuration\n"
		      "l1-tlb 4K 64 4 1\n"
		      "l2-tlb 4K 1536 12 8\n"
		      "walk-cache 5 2 0 1\n"
		      "walk-cache 4 4 0 1\n"
		      "walk-cache 3 8 4 1\n"
		      "walk-cache 2 32 8 1\n"
		      "model-cache 46 0 1\n"
		      "cuckoo-cache 2M 16 0 1\n"
		      "cuckoo-cache 1G 2 0 1\n"
		      "model 4\n"
		      "walk-start overlapped\n"
		      "cache 48K 12 5\n"
		      "cache 512K 8 10\n"
		      "cache 2M 16 20\n"
		      "dram 200\n"
		      "latencies added\n"
		      "radix 5\n" },
	{ "ecpt20", "name ecpt20\n"
		    "note as recalled from the paper on elastic cuckoo page tables (2020); not "
		    "checked against it\n"
		    "l1-tlb 4K 64 4 2\n"
		    "l1-tlb 2M 32 4 2\n"
		    "l1-tlb 1G 4 0 2\n"
		    "l2-tlb 4K 1020 12 12 # of 1024: whole sets\n"
		    "l2-tlb 2M 1020 12 12 # of 1024: whole sets\n"
		    "l2-tlb 1G 16 4 12\n"
		    "walk-cache 4 32 0 4\n"
		    "walk-cache 3 32 0 4\n"
		    "walk-cache 2 32 0 4\n"
		    "model-cache 96 0 4\n"
		    "cuckoo-cache 2M 16 0 4\n"
		    "cuckoo-cache 1G 2 0 4\n"
		    "model 4\n"
		    "walk-start overlapped\n"
		    "cache 32K 8 2\n"
		    "cache 512K 8 16\n"
		    "cache 2M 16 56\n"
		    "dram 200\n"
		    "latencies total\n"
		    "radix 4\n" },
};
#define PROFILES (sizeof(profiles) / sizeof(*profiles))

const char *vmmap_machine_name(unsigned int i)
{
	return i < PROFILES ? profiles[i].name : NULL;
}

const char *vmmap_machine_text(const char *name)
{
	for (size_t i = 0; i < PROFILES; i++)
		if (strcmp(profiles[i].name, name) == 0)
			return profiles[i].text;
	return NULL;
}

/* ---- One line ---------------------------------------------------------------------------------- */

#define MOST_CYCLES  100000u
#define MOST_ENTRIES (1u << 24)
#define MOST_BYTES   (UINT64_C(1) << 32)

/* Each returns NULL, or what was expected. */
typedef const char *take_setting(struct vmmap_machine *m, struct cursor *c);

static bool is_word(struct cursor word, const char *text)
{
	return (size_t)(word.end - word.at) == strlen(text) &&
	       memcmp(word.at, text, strlen(text)) == 0;
}

static bool take_number(struct cursor *c, uint64_t most, uint32_t *n)
{
	uint64_t wide;

	if (!word_dec(take_word(c), &wide) || wide > most)
		return false;
	*n = (uint32_t)wide;
	return true;
}

static const char *take_shape(struct cursor *c, struct vmmap_machine_array *a)
{
	if (!take_number(c, MOST_ENTRIES, &a->entries) || !a->entries)
		return "ENTRIES, a number from 1 to 16777216";
	if (!take_number(c, MOST_ENTRIES, &a->ways))
		return "WAYS, a number; 0: fully associative";
	if (a->ways > a->entries || (a->ways && a->entries % a->ways))
		return "WAYS that divide ENTRIES";
	if (!take_number(c, MOST_CYCLES, &a->cycles))
		return "CYCLES, a number up to 100000";
	return NULL;
}

static const char *take_sizes(struct cursor *c, uint8_t *sizes)
{
	struct cursor word = take_word(c);

	*sizes = 0;
	while (word.end - word.at >= 2) {
		struct cursor one = { word.at, word.at + 2 };

		if (is_word(one, "4K"))
			*sizes |= VMMAP_MACHINE_4K;
		else if (is_word(one, "2M"))
			*sizes |= VMMAP_MACHINE_2M;
		else if (is_word(one, "1G"))
			*sizes |= VMMAP_MACHINE_1G;
		else
			break;
		word.at += 2;
		if (word.at == word.end)
			return NULL;
		if (*word.at++ != '+')
			break;
	}
	return "page sizes: 4K, 2M, 1G, joined by +";
}

static const char *take_tlb(struct vmmap_machine *m, struct cursor *c, uint8_t level)
{
	struct vmmap_machine_array *a = &m->tlbs[m->n_tlbs];
	const char *problem;

	if (m->n_tlbs == VMMAP_MACHINE_TLBS)
		return "at most 8 TLBs";
	problem = take_sizes(c, &a->sizes);
	if (!problem)
		problem = take_shape(c, a);
	if (problem)
		return problem;
	for (unsigned int i = 0; i < m->n_tlbs; i++)
		if (m->tlbs[i].level == level && m->tlbs[i].sizes & a->sizes)
			return "each page size once for each level of TLB";
	a->level = level;
	m->n_tlbs++;
	return NULL;
}

static const char *take_l1_tlb(struct vmmap_machine *m, struct cursor *c)
{
	return take_tlb(m, c, 1);
}

static const char *take_l2_tlb(struct vmmap_machine *m, struct cursor *c)
{
	return take_tlb(m, c, 2);
}

static const char *take_walk_cache(struct vmmap_machine *m, struct cursor *c)
{
	uint32_t level;

	if (!take_number(c, 5, &level) || level < 2)
		return "LEVEL, 2 to 5";
	return take_shape(c, &m->walk_caches[level]);
}

static const char *take_model_cache(struct vmmap_machine *m, struct cursor *c)
{
	return take_shape(c, &m->model_cache);
}

static const char *take_cuckoo_cache(struct vmmap_machine *m, struct cursor *c)
{
	uint8_t sizes;
	const char *problem = take_sizes(c, &sizes);

	if (problem || (sizes != VMMAP_MACHINE_2M && sizes != VMMAP_MACHINE_1G))
		return "SIZE, 2M or 1G";
	return take_shape(c, &m->cuckoo_caches[sizes == VMMAP_MACHINE_2M ? 2 : 3]);
}

static const char *take_model(struct vmmap_machine *m, struct cursor *c)
{
	return take_number(c, MOST_CYCLES, &m->model_cycles) ? NULL :
							       "CYCLES, a number up to 100000";
}

static const char *take_walk_start(struct vmmap_machine *m, struct cursor *c)
{
	struct cursor word = take_word(c);

	m->walk_overlapped = is_word(word, "overlapped");
	return m->walk_overlapped || is_word(word, "after") ? NULL : "after or overlapped";
}

static bool take_bytes(struct cursor word, uint64_t *bytes)
{
	unsigned int shift = 0;

	if (word.at < word.end && word.end[-1] == 'K')
		shift = 10;
	else if (word.at < word.end && word.end[-1] == 'M')
		shift = 20;
	word.end -= shift != 0;
	if (!word_dec(word, bytes) || *bytes > MOST_BYTES >> shift)
		return false;
	*bytes <<= shift;
	return *bytes != 0;
}

static const char *take_cache(struct vmmap_machine *m, struct cursor *c)
{
	struct vmmap_machine_array *a = &m->caches[m->n_caches];
	uint64_t bytes, sets;

	if (m->n_caches == VMMAP_MACHINE_CACHES)
		return "at most 4 caches";
	if (!take_bytes(take_word(c), &bytes) || bytes % VMMAP_MACHINE_LINE)
		return "BYTES, as in 48K or 2M, whole lines of 64 bytes";
	a->entries = (uint32_t)(bytes / VMMAP_MACHINE_LINE);
	if (!take_number(c, 64, &a->ways) || !a->ways || a->entries % a->ways)
		return "WAYS, 1 to 64, that divide the lines";
	sets = a->entries / a->ways;
	if (sets & (sets - 1))
		return "a number of sets (BYTES / 64 / WAYS) that is a power of two";
	if (!take_number(c, MOST_CYCLES, &a->cycles))
		return "CYCLES, a number up to 100000";
	m->n_caches++;
	return NULL;
}

static const char *take_dram(struct vmmap_machine *m, struct cursor *c)
{
	return take_number(c, MOST_CYCLES, &m->dram_cycles) ? NULL :
							      "CYCLES, a number up to 100000";
}

static const char *take_latencies(struct vmmap_machine *m, struct cursor *c)
{
	struct cursor word = take_word(c);

	m->latencies_add = is_word(word, "added");
	return m->latencies_add || is_word(word, "total") ? NULL : "total or added";
}

static const char *take_radix(struct vmmap_machine *m, struct cursor *c)
{
	return take_number(c, 5, &m->radix_levels) && m->radix_levels >= 4 ? NULL : "4 or 5";
}

static const char *take_text(struct cursor *c, char *text, size_t room)
{
	size_t len;

	skip_blanks(c);
	len = (size_t)(c->end - c->at);
	if (!len || len >= room)
		return "a text of at most 95 characters";
	memcpy(text, c->at, len);
	text[len] = 0;
	c->at = c->end;
	return NULL;
}

static const char *take_name(struct vmmap_machine *m, struct cursor *c)
{
	struct cursor word = take_word(c);

	return word.end - word.at < 32 ? take_text(&word, m->name, sizeof(m->name)) :
					 "a word of at most 31 characters";
}

static const char *take_note(struct vmmap_machine *m, struct cursor *c)
{
	return take_text(c, m->note, sizeof(m->note));
}

static const struct {
	const char *name;
	take_setting *take;
} settings[] = {
	{ "name", take_name },
	{ "note", take_note },
	{ "l1-tlb", take_l1_tlb },
	{ "l2-tlb", take_l2_tlb },
	{ "walk-cache", take_walk_cache },
	{ "model-cache", take_model_cache },
	{ "cuckoo-cache", take_cuckoo_cache },
	{ "model", take_model },
	{ "walk-start", take_walk_start },
	{ "cache", take_cache },
	{ "dram", take_dram },
	{ "latencies", take_latencies },
	{ "radix", take_radix },
};

static int take_line(const struct input *in, struct cursor c, struct vmmap_machine *m,
		     struct vmmap_refusal *why)
{
	struct cursor line = c, name = take_word(&c), rest;
	const char *problem = "a setting (l1-tlb, l2-tlb, walk-cache, model-cache, cuckoo-cache, "
			      "model, walk-start, cache, dram, latencies, radix, name, note)";

	if (name.at == name.end)
		return 0;
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		if (is_word(name, settings[i].name))
			problem = settings[i].take(m, &c);
	rest = take_word(&c);
	if (!problem && rest.at < rest.end)
		problem = "the end of the line";
	if (!problem)
		return 0;
	return input_refuse_line(in, why, EINVAL, "expected %s, found %s", problem,
				 shown(line.at, (size_t)(line.end - line.at)).text);
}

/* ---- Whole profiles ---------------------------------------------------------------------------- */

static const char *what_is_missing(const struct vmmap_machine *m)
{
	uint8_t sizes = 0;

	for (unsigned int i = 0; i < m->n_tlbs; i++)
		sizes |= m->tlbs[i].level == 1 ? m->tlbs[i].sizes : 0;
	if (!(sizes & VMMAP_MACHINE_4K))
		return "an l1-tlb for 4K";
	if (!m->n_caches)
		return "a cache";
	if (!m->dram_cycles)
		return "dram";
	return NULL;
}

static int read_profile(struct input *in, struct vmmap_machine *m, struct vmmap_refusal *why)
{
	const char *line, *missing;
	size_t len;
	int got;

	*m = (struct vmmap_machine){ .name = "unnamed", .radix_levels = 4 };
	while ((got = input_line(in, &line, &len, why)) > 0) {
		int err = take_line(in, (struct cursor){ line, line + len }, m, why);

		if (err)
			return err;
	}
	if (got)
		return got;
	missing = what_is_missing(m);
	return missing ? refuse(why, EINVAL, "%s: expected %s, found none", in->name, missing) : 0;
}

int vmmap_machine_read(const char *what, struct vmmap_machine *m, struct vmmap_refusal *why)
{
	const char *text = vmmap_machine_text(what);
	struct input in;
	int err;

	if (text) {
		/* fmemopen() wants room to write; it is opened for reading only. */
		FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");

		err = file ? input_open(&in, file, what, why) :
			     refuse(why, ENOMEM, "out of memory");
	} else {
		err = input_open_path(&in, what, why);
		if (err == -ENOENT)
			return refuse(why, ENOENT,
				      "expected a machine (virtuoso, champsim, ecpt20, or a file), "
				      "found %s",
				      shown(what, strlen(what)).text);
	}
	if (err)
		return err;
	err = read_profile(&in, m, why);
	input_close(&in);
	return err;
}
