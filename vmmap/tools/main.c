/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * vmmap: page tables at the command line. This file: which verb.
 */
#include "tool.h"
#include "verbs.h"

const char *const tool_name = "vmmap";

static const char help[] =
	"usage: vmmap VERB ARGUMENTS\n"
	"\n"
	"  capture PID [-o OUT]      the pages of a live process, with rights and huge pages, as "
	"runs\n"
	"  stat FILE... [--json]     runs of an address space, and what it takes in each backend\n"
	"  translate FILE VA...      addresses (hexadecimal) through an address space\n"
	"  sim --trace T --space S   replay a trace through TLBs, walk caches and caches, on each "
	"backend\n"
	"  sweep                     workloads x footprints x layouts on each backend, and the "
	"bars\n"
	"  bench                     native time of translate, map, unmap, fault-in and fork\n"
	"  check --qemu TLB --cr3 X --mem MEM\n"
	"                            page tables in a machine's memory = QEMU's \"info tlb\" = "
	"every "
	"backend\n"
	"  gen KIND -o TRACE         a workload as a trace: gups, chase, bfs, join, btree, "
	"xsbench, "
	"...\n"
	"  record [-o TRACE] -- COMMAND\n"
	"                            run a command under valgrind and keep its accesses\n"
	"\n"
	"  --help, --version\n"
	"\n"
	"An address space is a file of runs, DynamoRIO's v2p.textproto, QEMU's \"info tlb\", or "
	"proc:PID.\n"
	"A trace is plain text (R|W|X address [size]), valgrind's lackey, ChampSim's records, "
	"VA/PA "
	"records, or our\n"
	"own; or gen:KIND[,footprint=SIZE][,seed=N]. Files may be packed with zstd or gzip. See "
	"vmmap(1).\n"
	"\n"
	"Exit status: 0; 1: an address faults; 2: bad arguments or input, or a check found a "
	"difference.\n";

static const struct verb verbs[] = {
	{ "bench", verb_bench }, { "capture", verb_capture }, { "check", verb_check },
	{ "gen", verb_gen },     { "record", verb_record },   { "sim", verb_sim },
	{ "stat", verb_stat },   { "sweep", verb_sweep },     { "translate", verb_translate },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return verbs_main(verbs, help, vmmap_version(), argc, argv);
}
