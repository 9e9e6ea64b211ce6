/*
 * simulation.c - many schedules of faults through both nodes' elections.
 *
 *	simulation [--seed N] [--schedules N | --seconds S] [--linger MS] [--trace] [--quiet]
 *
 * Seeds are 1, 2, 3 ...; --seed runs that one, with --schedules N as many from there on; --trace
 * prints what happens.  --linger is how long who has handed over keeps its addresses; longer than
 * usual is as with steering: silent to ARP and NS.  A wrong schedule is reported with its seed; the
 * exit status is then 1.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/judge.h"

enum { DEFAULT_SCHEDULES = 100000, WRONG_SHOWN = 10 };

struct options {
	uint64_t first, schedules;
	int64_t seconds, linger_ns;
	bool trace, quiet;
};

static struct world world;

static bool
run(uint64_t seed, const struct options *o, struct judge_totals *totals)
{
	struct judge judge;
	struct plan plan;

	judge_init(&judge, totals);
	world_init(&world, seed, o->linger_ns, o->trace, &judge);
	faults_plan(&world, &plan);
	world_run(&world);
	if (judge.verdict[0])
		printf("seed %llu, %.3f s: %s\n", (unsigned long long)seed,
		    (double)world.now_ns / NS_PER_S - 1000, judge.verdict);
	return !judge.verdict[0];
}

static uint64_t
number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	if (!*text || *end) {
		fprintf(stderr, "simulation: %s is not a number\n", text);
		exit(2);
	}
	return n;
}

static struct options
parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "schedules", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 's' },
		{ "linger", required_argument, NULL, 'l' },
		{ "trace", no_argument, NULL, 'v' },
		{ "quiet", no_argument, NULL, 'q' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = {
		.first = 1,
		.schedules = DEFAULT_SCHEDULES,
		.linger_ns = ELECTION_LINGER_MS * NS_PER_MS,
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 'n')
			o.schedules = number(optarg);
		else if (c == 't')
			o.seconds = (int64_t)number(optarg), o.schedules = UINT64_MAX;
		else if (c == 's')
			o.first = number(optarg), o.schedules = 1;
		else if (c == 'l')
			o.linger_ns = (int64_t)number(optarg) * NS_PER_MS;
		else if (c == 'v')
			o.trace = true;
		else if (c == 'q')
			o.quiet = true;
		else
			exit(2);
	}
	return o;
}

static void
report(const struct judge_totals *t, double seconds)
{
	unsigned i;

	printf(
	    "%llu schedules in %.1f s, %.0f a second; %llu steps; at most %u moves; settled %d ms "
	    "after the last fault; %llu of %llu commands done\n",
	    (unsigned long long)t->schedules, seconds, (double)t->schedules / seconds,
	    (unsigned long long)t->steps, t->moves_max, (int)(t->settle_max_ns / NS_PER_MS),
	    (unsigned long long)t->commands_done, (unsigned long long)t->commands);
	printf(
	    "%llu times the former one lingered; both held for at most %.1f ms then; %llu times it "
	    "drained, %llu until no connection was left\n",
	    (unsigned long long)t->lingers, (double)t->linger_max_ns / 1e6,
	    (unsigned long long)t->drains, (unsigned long long)t->emptied);
	printf("%-15s %10s %10s %12s %14s %18s\n", "cause", "changes", "claims", "two holders",
	    "at most, ms", "... once told, ms");
	for (i = 1; i < CAUSE_N; i++)
		if (t->changes[i])
			printf("%-15s %10llu %10llu %12llu %14.1f %18.1f\n",
			    cause_name((enum cause)i), (unsigned long long)t->changes[i],
			    (unsigned long long)t->claims[i], (unsigned long long)t->dual[i],
			    (double)t->dual_max_ns[i] / 1e6, (double)t->dual_told_ns[i] / 1e6);
}

int
main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	static struct judge_totals totals;
	int64_t start = clock_ns(), end = o.seconds ? start + o.seconds * NS_PER_S : INT64_MAX;
	unsigned wrongs = 0;
	uint64_t i;

	setvbuf(stdout, NULL, _IOLBF, 0); /* a long run that is ended has said what it found */
	for (i = 0; i < o.schedules && wrongs < WRONG_SHOWN; i++) {
		wrongs += !run(o.first + i, &o, &totals);
		if ((i & 255) == 255 && clock_ns() >= end)
			break;
	}
	if (!o.quiet)
		report(&totals, (double)(clock_ns() - start) / NS_PER_S);
	return wrongs != 0;
}
