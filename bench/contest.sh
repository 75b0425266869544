#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# contest.sh BUILD OUT [--quick] [--all]: every contest on every data, one file of figures for each step in OUT, and the
# report of all files there; with --all also page tables, filesystems and the kernel: every figure that there is.
# Prints its plan first. A step that takes far longer than planned is stopped, and what it would have written is missing
# in the report; one that ends with 77 wants something that is not there. Exit status: 0; 1: a step failed; the others
# have run.

set -euo pipefail
build=$(readlink -f "${1:?contest.sh wants the build folder}") out=$(readlink -m "${2:?contest.sh wants a folder for the figures}")
quick='' all=''
for word in "${@:3}"; do
	case $word in
	--quick) quick=--quick ;;
	--all) all=--all ;;
	*) printf 'bench: expected --quick or --all, found "%s"\n' "$word" >&2; exit 2 ;;
	esac
done
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bench=$build/bin/lindex-bench
failed=0

say() { printf 'bench: %s\n' "$*" >&2; }

# What exists of the structures that are contestants, not variants of one: the kernel's may be missing.
contestants()
{
	"$bench" --help | sed -nE 's/^  ([a-z0-9-]+) .*/\1/p' |
		grep -xE 'lindex|std-map|judy|sorted-array|s-tree|bptree|extent-tree|maple-tree' | paste -sd,
}

every=$(contestants)
few=${every//,std-map/}
spaces=()
for file in bench/data/*.runs.zst; do
	spaces+=(--data "$file")
done

# NAME MINUTES COMMAND, one a line. MINUTES: about so many on two cores of 2022.
plan_full()
{
	local million=(--data gen:lfs-aged:1M --data gen:hotspot:1M --structures "$every" --rounds 7)
	local more=(--data gen:lfs-aged:16M --data gen:hotspot:16M --structures "$few" --rounds 7)
	local live=(--data fiemap:/ "${spaces[@]}" --structures "$few" --rounds 7)
	cat <<-END
		bars 7 $build/bin/lindex-bars --json $out/bars.json
		lookup 3 $bench lookup ${million[*]}
		update 2 $bench update ${million[*]}
		build 1 $bench build ${million[*]}
		memory 1 $bench memory ${million[*]}
		lookup-16m 3 $bench lookup ${more[*]}
		live 5 $bench lookup ${live[*]}
		live-update 1 $bench update --data fiemap:/ --structures $few --rounds 7
		scale 2 $bench scale --max 10M --structures $few --rounds 5
		concurrent 1 $bench concurrent --rounds 7
		epsilon 1 $bench epsilon --data gen:lfs-aged:1M --data gen:adversary:exponential:10k --rounds 7
		lines 1 $bench lines --data gen:lfs-aged:1M
		disk 1 $bench disk --data gen:lfs-aged:1M --data gen:hotspot:1M
	END
}

plan_quick()
{
	cat <<-END
		bars 4 $build/bin/lindex-bars --quick --json $out/bars.json
		all 1 $bench all --quick --data gen:lfs-aged:50k --data bench/data/memcached_4k.runs.zst --structures $every
	END
}

# The other parts; each writes its own file.
plan_others()
{
	local minutes=(40 20 25)
	[[ -z $quick ]] || minutes=(1 3 10)
	cat <<-END
		vmmap ${minutes[0]} bench/vmmap.sh $build $out $quick
		fs ${minutes[1]} python3 bench/fs $build $out $quick
		kernel ${minutes[2]} kernel/bench/bench.sh $out $quick
	END
}

# step NAME MINUTES COMMAND...
step()
{
	local name=$1 minutes=$2 start=$SECONDS json=() status=0
	shift 2
	[[ $1 != "$bench" ]] || json=(--json "$out/contest-$name.json")
	printf '\n==== %s\n\n' "$*"
	timeout $((minutes * 300)) "$@" "${json[@]}" || status=$?
	case $status in
	0) say "$name: $((SECONDS - start)) s" ;;
	77) say "$name: left out" ;;
	*)
		say "$name: exit status $status, after $((SECONDS - start)) s; planned: $minutes min"
		failed=1
		;;
	esac
	find "$out" -name '*.json' -empty -delete # what was stopped had nothing to say
}

plan=$(
	if [[ $quick ]]; then plan_quick; else plan_full; fi
	[[ -z $all ]] || plan_others
)
mkdir -p "$out"
rm -f "$out"/bars.json "$out"/contest-*.json
[[ -z $all ]] || rm -f "$out"/vmmap.json "$out"/fs.json "$out"/kernel.json
say "plan, with minutes; $(awk '{ n += $2 } END { print n }' <<<"$plan") in all:"
sed -E 's/^([a-z0-9-]+) ([0-9]+) .*/\1 \2/; s/^/  /' <<<"$plan" >&2
while read -r name minutes command; do
	read -ra words <<<"$command"
	step "$name" "$minutes" "${words[@]}"
done <<<"$plan"
python3 bench/report "$out"
exit "$failed"
