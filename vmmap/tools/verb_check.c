/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * vmmap check: guest memory against what QEMU's MMU says of it, and every backend against both.
 */
#include "tool.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "guest.h"

static const char usage[] =
	"--qemu TLB.txt --mem MEM.bin [--cr3 X] [--levels 4|5] [--save-tables OUT] [--json]";

struct check_options {
	const char *qemu, *mem, *cr3, *levels, *save;
	bool json;
};

static int report(const struct check_options *o, const struct vmmap_guest_verdict *v, uint64_t cr3)
{
	char root[24];

	snprintf(root, sizeof(root), "0x%" PRIx64, cr3);
	if (o->json) {
		json_t *names = json_array();

		for (unsigned int i = 0; v->backends[i]; i++)
			json_array_append_new(names, json_string(v->backends[i]));
		return put_json(json_pack(
			"{s:b, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:o}", "agree", 1, "cr3", root,
			"levels", (int)v->levels, "entries", (json_int_t)v->entries, "entries_2m",
			(json_int_t)v->entries_2m, "entries_1g", (json_int_t)v->entries_1g,
			"translations", (json_int_t)v->translations, "holes", (json_int_t)v->holes,
			"backends", names));
	}
	printf("%s: %u levels from %s: %s entries (%s of 2 MiB, %s of 1 GiB) agree with QEMU's, "
	       "line by "
	       "line;\n",
	       o->mem, v->levels, root, grouped(v->entries).text, grouped(v->entries_2m).text,
	       grouped(v->entries_1g).text);
	printf("%s translations and %s holes agree on", grouped(v->translations).text,
	       grouped(v->holes).text);
	for (unsigned int i = 0; v->backends[i]; i++)
		printf(" %s", v->backends[i]);
	if (v->skipped)
		printf(" (%s has not the address bits)", v->skipped);
	putchar('\n');
	return 0;
}

static int save_tables(const struct check_options *o, const struct vmmap_guest *guest, uint64_t cr3,
		       unsigned int levels)
{
	struct vmmap_refusal why;
	struct new_file nf;
	int status = new_file_open(&nf, o->save), err;

	if (status)
		return status;
	err = vmmap_guest_save_tables(guest, cr3, levels, nf.out, &why);
	if (!err)
		return new_file_commit(&nf);
	status = err == -EIO ? complain("%s: cannot write: %s", o->save, strerror(errno)) :
			       complain_why(&why);
	new_file_abort(&nf);
	return status;
}

/* What the file says of itself, unless the command line says more. */
static int take_root(const struct check_options *o, const struct vmmap_guest *guest, uint64_t *cr3,
		     unsigned int *levels)
{
	vmmap_guest_root(guest, cr3, levels);
	if (o->cr3 && option_hex("--cr3", o->cr3, cr3))
		return STATUS_WRONG;
	if (!o->cr3 && !*levels)
		return complain("check: expected --cr3 X: %s does not say it", o->mem);
	if (o->levels && strcmp(o->levels, "4") != 0 && strcmp(o->levels, "5") != 0)
		return complain("check: expected --levels 4 or 5, found \"%s\"", o->levels);
	if (o->levels)
		*levels = (unsigned int)(o->levels[0] - '0');
	return 0;
}

static int check(const struct check_options *o, const struct vmmap_guest *guest,
		 const struct vmmap_pte_list *text)
{
	struct vmmap_guest_verdict verdict;
	struct vmmap_refusal why;
	unsigned int levels;
	uint64_t cr3;
	int status = take_root(o, guest, &cr3, &levels), err;

	if (status)
		return status;
	err = vmmap_guest_check(guest, cr3, levels, text, o->qemu, &verdict, &why);
	if (err)
		return complain_why(&why);
	if (o->save)
		status = save_tables(o, guest, cr3, verdict.levels);
	return status ? status : report(o, &verdict, cr3);
}

int verb_check(int argc, char **argv)
{
	struct check_options o = { 0 };
	const struct option_spec specs[] = {
		{ "--qemu", &o.qemu, NULL },        { "--mem", &o.mem, NULL },
		{ "--cr3", &o.cr3, NULL },          { "--levels", &o.levels, NULL },
		{ "--save-tables", &o.save, NULL }, { "--json", NULL, &o.json },
	};
	struct vmmap_pte_list text = { 0 };
	struct vmmap_guest *guest = NULL;
	struct vmmap_refusal why;
	int status = options_parse("check", usage, specs, 6, &argc, argv, 0, 0);

	if (status)
		return status;
	if (!o.qemu || !o.mem)
		return complain("check: expected %s", usage);
	if (vmmap_qemu_read(o.qemu, &text, &why) || vmmap_guest_open(o.mem, &guest, &why))
		status = complain_why(&why);
	else
		status = check(&o, guest, &text);
	vmmap_guest_free(guest);
	vmmap_pte_list_destroy(&text);
	return status;
}
