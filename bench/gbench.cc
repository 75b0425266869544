/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "gbench.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <vector>

namespace
{

/* The figures are kept, paired by round and printed in report.c. */
class Silent : public benchmark::BenchmarkReporter
{
      public:
	bool ReportContext(const Context &) override { return true; }
	void ReportRuns(const std::vector<Run> &) override {}
};

} // namespace

void gbench_init(int *argc, char **argv)
{
	static char shuffled[] = "--benchmark_enable_random_interleaving=true";
	std::vector<char *> args(argv, argv + *argc);

	args.insert(args.begin() + 1, shuffled); /* in front: an option of the user's wins */
	int left = static_cast<int>(args.size());
	benchmark::Initialize(&left, args.data());
	std::copy_n(args.begin(), left, argv);
	*argc = left;
}

void gbench_add(const char *name, gbench_fn fn, void *state)
{
	auto body = [fn, state](benchmark::State &st) {
		for (auto _ : st)
			st.SetIterationTime(fn(state));
	};

	benchmark::RegisterBenchmark(name, body)->Iterations(1)->UseManualTime();
}

void gbench_round(void)
{
	Silent silent;

	benchmark::RunSpecifiedBenchmarks(&silent);
}

void gbench_clear(void)
{
	benchmark::ClearRegisteredBenchmarks();
}
