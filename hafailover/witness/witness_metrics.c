/*
 * witness_metrics.c - one function per family.  Names of pairs are checked by the configuration;
 * those of nodes come by packets, sealed by a pair's secret: what a label cannot hold is left out.
 */
#include "hafailover/witness/witness_metrics.h"

#include "common/log.h"

static void
results_write(struct text *t, const char *pair, const uint64_t *count)
{
	for (unsigned i = 0; i < WITNESS_RESULTS; i++)
		text_printf(t, "lbpair_witness_packets_total{pair=\"%s\",result=\"%s\"} %llu\n",
		    pair, witness_result_name((enum witness_result)i),
		    (unsigned long long)count[i]);
}

static void
packets_write(const struct witness_table *w, struct text *t)
{
	text_printf(t,
	    "# HELP lbpair_witness_packets_total Packets by pair (\"\": of none) and what became "
	    "of them.\n# TYPE lbpair_witness_packets_total counter\n");
	for (size_t i = 0; i < w->n; i++)
		results_write(t, w->pairs[i].name, w->pairs[i].count);
	results_write(t, "", w->lost);
}

static void
votes_write(const struct witness_table *w, int64_t now, struct text *t)
{
	text_printf(t,
	    "# HELP lbpair_witness_vote 1 for the node that has the vote of this witness.\n"
	    "# TYPE lbpair_witness_vote gauge\n");
	for (size_t i = 0; i < w->n; i++) {
		const struct witness_node *holder = witness_pair_holder(&w->pairs[i], now);

		for (unsigned j = 0; j < 2; j++) {
			const struct witness_node *n = &w->pairs[i].nodes[j];
			struct log_value name = log_quoted(str_of(n->name));

			if (n->name[0] && name.text[0] != '"')
				text_printf(t, "lbpair_witness_vote{pair=\"%s\",node=\"%s\"} %d\n",
				    w->pairs[i].name, name.text, n == holder);
		}
	}
}

static void
grants_write(const struct witness_table *w, struct text *t)
{
	text_printf(t,
	    "# HELP lbpair_witness_grants_total Votes lent and lent for longer.\n"
	    "# TYPE lbpair_witness_grants_total counter\n");
	for (size_t i = 0; i < w->n; i++)
		text_printf(t, "lbpair_witness_grants_total{pair=\"%s\"} %llu\n", w->pairs[i].name,
		    (unsigned long long)w->pairs[i].granted);
}

void
witness_metrics_write(const struct witness_table *w, int64_t now, struct text *t)
{
	packets_write(w, t);
	grants_write(w, t);
	votes_write(w, now, t);
}
