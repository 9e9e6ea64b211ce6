#!/bin/bash
# run-fuzz.sh - run libFuzzer harnesses for SECONDS each, as many side by side as there are CPUs.
#
#	[MERGE=1] run-fuzz.sh SECONDS HARNESS...
#
# Starts from tests/fuzz/corpus/NAME and from what earlier runs kept beside the harness (fuzz_NAME.found).
# With MERGE=1, inputs that reach code which the corpus does not are copied into it, to be committed.  A
# finding stays beside the harness as fuzz_NAME-crash-*.  The last line is `N passed, N failed`, counting
# harnesses.
set -u

seconds=$1
shift
export seconds ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

# Edges alone: with counters, every loop count would be a reason to keep another file.
merge() {
	[ -z "${MERGE:-}" ] || "$1" -merge=1 -use_counters=0 "$2" "$3"
}

fuzz_one() {
	local binary=$1 name log corpus found
	name=$(basename "$binary")
	log=$binary.log
	found=$binary.found
	corpus=tests/fuzz/corpus/${name#fuzz_}
	mkdir -p "$corpus" "$found"
	if ! "$binary" -max_total_time="$seconds" -print_final_stats=1 -timeout=10 -rss_limit_mb=2048 \
		-artifact_prefix="$binary-" "$found" "$corpus" >"$log" 2>&1 ||
		! merge "$binary" "$corpus" "$found" >>"$log" 2>&1; then
		echo "FAILED $name"
		grep -m 1 -A 20 -E 'ERROR|runtime error|CHECK' "$log"
		tail -n 12 "$log"
		return 1
	fi
	awk -v name="$name" '
		/^stat::number_of_executed_units/ { runs = $2 }
		/^stat::peak_rss_mb/ { rss = $2 }
		match($0, /cov: [0-9]+/) { cov = substr($0, RSTART + 5, RLENGTH - 5) }
		END { printf "ok     %-24s %d runs, %d edges, %d MiB\n", name, runs, cov, rss }' "$log"
}

failed=0 running=0
reap() {
	wait -n || failed=$((failed + 1))
	running=$((running - 1))
}

for binary in "$@"; do
	[ $running -lt "$(nproc)" ] || reap
	fuzz_one "$binary" &
	running=$((running + 1))
done
while [ $running -gt 0 ]; do
	reap
done
echo "$(($# - failed)) passed, $failed failed"
[ $# -gt 0 ] && [ $failed -eq 0 ]
