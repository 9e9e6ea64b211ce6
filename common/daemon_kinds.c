/* daemon_kinds.c - one function per direction. */
#include "common/daemon_kinds.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/address.h"
#include "common/log.h"

static struct str
value_str(const json_t *value)
{
	return (struct str){ json_string_value(value), json_string_length(value) };
}

static const char *const sinks[] = {
	[LOG_SINK_STDERR] = "stderr",
	[LOG_SINK_SYSLOG] = "syslog",
	[LOG_SINK_JOURNAL] = "journal",
};

static void
log_sink_decode(
    struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	struct str s = value_str(at->value), *path = json_config_beside(f, to);
	enum log_sink_type *type = to;

	for (enum log_sink_type t = LOG_SINK_STDERR; s.p && t <= LOG_SINK_JOURNAL; t++) {
		if (str_eq(s, str_of(sinks[t]))) {
			*type = t;
			return;
		}
	}
	if (!s.p || !str_starts(s, STR("file:/"))) {
		json_config_mistyped(d, at, f);
		return;
	}
	*type = LOG_SINK_FILE;
	*path = arena_str(d->arena, str_skip(s, 5));
}

static json_t *
log_sink_encode(const struct json_field *f, const void *from)
{
	const struct str *path = json_config_beside_const(f, from);
	enum log_sink_type type = *(const enum log_sink_type *)from;

	if (type == LOG_SINK_FILE)
		return json_sprintf("file:%.*s", STR_ARG(*path));
	return json_string(sinks[type]);
}

static void
log_sink_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "\"stderr\", \"syslog\", \"journal\" or \"file:/PATH\"");
}

const struct json_kind json_kind_log_sink = { log_sink_decode, log_sink_encode, log_sink_describe };

static void
listen_decode(
    struct json_decoder *d, const struct json_at *at, const struct json_field *f, void *to)
{
	bool *on = json_config_beside(f, to);

	*on = !str_eq(value_str(at->value), STR("off"));
	if (*on)
		json_kind_address.decode(d, at, f, to);
}

static json_t *
listen_encode(const struct json_field *f, const void *from)
{
	const bool *on = json_config_beside_const(f, from);

	return *on ? json_kind_address.encode(f, from) : json_string("off");
}

static void
listen_describe(const struct json_field *f, char *text, size_t size)
{
	(void)f;
	snprintf(text, size, "\"ADDRESS:PORT\", \"[IPV6]:PORT\", \"unix:/PATH\" or \"off\"");
}

const struct json_kind json_kind_listen_or_off = { listen_decode, listen_encode, listen_describe };

const char *
check_absolute_path(struct str s)
{
	return s.p[0] == '/' ? NULL : "is not an absolute path";
}

/* A stream remembers that it failed; json_dumps leaves out pieces and says nothing. */
char *
json_text(const json_t *document, size_t flags, const char *end)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	bool failed;

	if (!f)
		return NULL;
	failed = json_dumpf(document, f, flags) < 0 || fputs(end, f) < 0 || ferror(f);
	if (fclose(f) == 0 && !failed)
		return text;
	free(text);
	return NULL;
}
