/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * vmmap translate: addresses through a space.
 */
#include "tool.h"

#include <inttypes.h>
#include <string.h>

static const char usage[] =
	"FILE|proc:PID VA... [--backend NAME] [--write] [--fetch] [--user] [--json]";

static const char *fault_name(enum vmmap_fault_kind kind)
{
	switch (kind) {
	case VMMAP_FAULT_NOT_PRESENT:
		return "not present";
	case VMMAP_FAULT_PERMISSION:
		return "permission";
	case VMMAP_FAULT_COW:
		return "copy on write";
	case VMMAP_FAULT_NONCANONICAL:
		return "not canonical";
	case VMMAP_FAULT_RESERVED:
		return "reserved bit";
	default:
		return "none";
	}
}

static const char *size_name(unsigned int shift)
{
	return shift == VMMAP_1G ? "1G" : shift == VMMAP_2M ? "2M" : "4K";
}

static void prot_text(uint32_t prot, char text[5])
{
	snprintf(text, 5, "%c%c%c%c", prot & VMMAP_PROT_READ ? 'r' : '-',
		 prot & VMMAP_PROT_WRITE ? 'w' : '-', prot & VMMAP_PROT_EXEC ? 'x' : '-',
		 prot & VMMAP_PROT_USER ? 'u' : '-');
}

/* The longest valid range around the address, or NULL where there is none. */
static json_t *answer_json(uint64_t va, int err, const struct vmmap_answer *a,
			   const struct vmmap_extent *e)
{
	char va_text[24], pa_text[24], first[24], prot[5];

	snprintf(va_text, sizeof(va_text), "0x%" PRIx64, va);
	if (err)
		return json_pack("{s:s, s:s, s:i}", "va", va_text, "fault",
				 fault_name(a->fault.kind), "code", (int)a->fault.code);
	snprintf(pa_text, sizeof(pa_text), "0x%" PRIx64, a->pa);
	snprintf(first, sizeof(first), "0x%" PRIx64, e->va);
	prot_text(a->prot, prot);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "va", va_text, "pa", pa_text, "size",
			 size_name(a->shift), "rights", prot, "range", first, "range_pages",
			 (json_int_t)e->pages);
}

static void put_answer(uint64_t va, int err, const struct vmmap_answer *a,
		       const struct vmmap_extent *e)
{
	char prot[5];

	if (err) {
		printf("%" PRIx64 " fault %s, code %" PRIu32 "\n", va, fault_name(a->fault.kind),
		       a->fault.code);
		return;
	}
	prot_text(a->prot, prot);
	printf("%" PRIx64 " %" PRIx64 " %s %s, range %" PRIx64 " + %" PRIu64 " pages\n", va, a->pa,
	       size_name(a->shift), prot, e->va, e->pages);
}

static int translate_all(struct vmmap_space *space, uint32_t access, char **vas, int n, bool json)
{
	json_t *list = json_array();
	int status = 0;

	for (int i = 0; i < n; i++) {
		struct vmmap_extent extent = { 0 };
		struct vmmap_answer a = { 0 };
		uint64_t va = 0;
		int err;

		if (option_hex("translate", vas[i], &va)) {
			json_decref(list);
			return STATUS_WRONG;
		}
		err = vmmap_translate(space, va, access, &a);
		if (!err)
			err = vmmap_translate_range(space, va, access, &extent, NULL);
		if (json)
			json_array_append_new(list, answer_json(va, err, &a, &extent));
		else
			put_answer(va, err, &a, &extent);
		status = err ? STATUS_NO : status;
	}
	if (json && put_json(list))
		return STATUS_WRONG;
	if (!json)
		json_decref(list);
	return status;
}

static int translate(const char *path, const char *backend, uint32_t access, char **vas, int n,
		     bool json)
{
	struct vmmap_snapshot snap = { 0 };
	struct vmmap_host *host = NULL;
	struct vmmap_space *space = NULL;
	struct vmmap_refusal why;
	int status = 0;

	if (vmmap_snapshot_read(path, VMMAP_SNAPSHOT_ANY, &snap, &why))
		return complain_why(&why);
	if (vmmap_host_create(NULL, &host))
		status = no_memory();
	else if (vmmap_sim_space(host, backend, &snap, &space, &why))
		status = complain("%s: %s", path, why.text);
	else
		status = translate_all(space, access, vas, n, json);
	vmmap_space_free(space);
	vmmap_host_free(host);
	vmmap_snapshot_destroy(&snap);
	return status;
}

int verb_translate(int argc, char **argv)
{
	const char *backend = "lindex";
	bool json = false, write = false, fetch = false, user = false;
	const struct option_spec specs[] = {
		{ "--backend", &backend, NULL }, { "--json", NULL, &json },
		{ "--write", NULL, &write },     { "--fetch", NULL, &fetch },
		{ "--user", NULL, &user },
	};
	int status = options_parse("translate", usage, specs, 5, &argc, argv, 2, 1 << 20);
	uint32_t access = VMMAP_PEEK;

	if (status)
		return status;
	access |= write ? VMMAP_WRITE : 0;
	access |= fetch ? VMMAP_FETCH : 0;
	access |= user ? VMMAP_USER : 0;
	return translate(argv[0], backend, access, argv + 1, argc - 1, json);
}
