/* metrics_text.c - one line a sample; numbers are exact, never rounded through a double. */
#include "lbd/admin/metrics_text.h"

#include "common/check.h"
#include "common/clock.h"

void
metrics_family(struct metrics_text *m, const char *name, const char *type, const char *help)
{
	m->family = name;
	text_printf(m->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static struct str
escape_of(char c)
{
	switch (c) {
	case '\\':
		return STR("\\\\");
	case '"':
		return STR("\\\"");
	case '\n':
		return STR("\\n");
	}
	return (struct str){ NULL, 0 };
}

static void
label_value(struct text *out, struct str value)
{
	size_t plain = 0;

	for (size_t i = 0; i < value.n; i++) {
		struct str escape = escape_of(value.p[i]);

		if (!escape.n)
			continue;
		text_append(out, (struct str){ value.p + plain, i - plain });
		text_append(out, escape);
		plain = i + 1;
	}
	text_append(out, str_skip(value, plain));
}

/* Name, suffix and labels; a value must follow. */
static void
sample(struct metrics_text *m, const char *suffix, const struct metric_labels *labels)
{
	text_printf(m->out, "%s%s", m->family, suffix);
	for (unsigned i = 0; labels && i < labels->n; i++) {
		text_printf(m->out, "%c%s=\"", i ? ',' : '{', labels->list[i].key);
		label_value(m->out, labels->list[i].value);
		text_append(m->out, STR("\""));
	}
	text_append(m->out, labels ? STR("} ") : STR(" "));
}

static void
count_value(struct metrics_text *m, uint64_t n)
{
	text_printf(m->out, "%llu\n", (unsigned long long)n);
}

static void
seconds_value(struct metrics_text *m, uint64_t ns)
{
	text_printf(m->out, "%llu.%09llu\n", (unsigned long long)(ns / NS_PER_S),
	    (unsigned long long)(ns % NS_PER_S));
}

void
metrics_count(struct metrics_text *m, const struct metric_labels *labels, uint64_t n)
{
	sample(m, "", labels);
	count_value(m, n);
}

void
metrics_integer(struct metrics_text *m, const struct metric_labels *labels, int64_t n)
{
	sample(m, "", labels);
	text_printf(m->out, "%lld\n", (long long)n);
}

void
metrics_seconds(struct metrics_text *m, const struct metric_labels *labels, int64_t ns)
{
	sample(m, "", labels);
	seconds_value(m, (uint64_t)ns);
}

void
metrics_histogram(
    struct metrics_text *m, const struct metric_labels *labels, const struct histogram_sum *sum)
{
	uint64_t seen = 0;

	CHECK(labels->n < METRIC_LABELS_MAX);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		const char *le = i < HISTOGRAM_BOUNDS ? histogram_bounds[i].seconds : "+Inf";
		struct metric_labels bucket = metric_and(*labels, "le", str_of(le));

		seen += sum->buckets[i];
		sample(m, "_bucket", &bucket);
		count_value(m, seen);
	}
	sample(m, "_sum", labels);
	seconds_value(m, sum->sum_ns);
	sample(m, "_count", labels);
	count_value(m, seen);
}
