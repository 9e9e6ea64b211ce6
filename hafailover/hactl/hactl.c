/* hactl.c - asking, printing, complaining: what all commands do alike. */
#include "hafailover/hactl/hactl.h"

#include <stdarg.h>

#include "common/clock.h"
#include "hafailover/hactl/live.h"

enum { PAGE_MAX = 1 << 24 };

void
hactl_complain(const char *format, ...)
{
	char line[2048];
	struct text clean;
	struct str rest;
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	rest = str_of(line);
	while (rest.n) {
		const char *end = memchr(rest.p, '\n', rest.n);
		size_t n = end ? (size_t)(end - rest.p) : rest.n;

		text_init(&clean, 10 * sizeof(line));
		display_clean(&clean, (struct str){ rest.p, n });
		fprintf(stderr, "hactl: %s\n", clean.p ? clean.p : "");
		text_fini(&clean);
		rest = str_skip(rest, n + (end ? 1 : 0));
	}
}

enum ending
hactl_refuse(const struct err *err)
{
	hactl_complain("%s", err->text);
	return ENDING_REFUSED;
}

enum ending
hactl_ending(enum daemon_result result)
{
	switch (result) {
	case DAEMON_OK:
		return ENDING_DONE;
	case DAEMON_REFUSED:
		return ENDING_REFUSED;
	case DAEMON_UNREACHABLE:
		return ENDING_UNREACHABLE;
	}
	return ENDING_REFUSED;
}

enum ending
hactl_ask(struct daemon *daemon, json_t *request, struct answer *answer)
{
	return hactl_ask_patiently(daemon, NULL, request, answer);
}

enum ending
hactl_ask_patiently(
    struct daemon *daemon, const struct daemon_patience *p, json_t *request, struct answer *answer)
{
	struct err err;
	enum daemon_result result = daemon_ask_patiently(daemon, p, request, answer, &err);

	if (result != DAEMON_OK)
		hactl_complain("%s", err.text);
	return hactl_ending(result);
}

static enum ending
out_check(struct hactl *h)
{
	if (fflush(h->out) == 0 && !ferror(h->out))
		return ENDING_DONE;
	hactl_complain("cannot write to standard output");
	return ENDING_REFUSED;
}

enum ending
hactl_print(struct hactl *h, struct text *page)
{
	bool failed = page->failed;

	if (!failed && page->n)
		fwrite(page->p, 1, page->n, h->out);
	text_fini(page);
	if (!failed)
		return out_check(h);
	hactl_complain("out of memory");
	return ENDING_REFUSED;
}

enum ending
hactl_print_json(struct hactl *h, const struct answer *answer)
{
	fprintf(h->out, "%s\n", answer->line);
	return out_check(h);
}

enum ending
hactl_once(struct hactl *h, hactl_page *make, void *context)
{
	struct text page;
	struct err err;
	enum ending ending;

	text_init(&page, PAGE_MAX);
	ending = make(h, context, &page, &err);
	if (ending == ENDING_DONE)
		return hactl_print(h, &page);
	text_fini(&page);
	hactl_complain("%s", err.text);
	return ending;
}

/* A daemon that is being restarted is no reason to leave. */
static void
draw(struct hactl *h, hactl_page *make, void *context)
{
	struct text page;
	struct err err;

	h->look.width = live_columns(fileno(h->out));
	text_init(&page, PAGE_MAX);
	if (make(h, context, &page, &err) != ENDING_DONE) {
		text_fini(&page);
		display_clean(&page, str_of(err.text));
		text_append(&page, STR("\n"));
	}
	text_append(&page, STR("\nq ends\n"));
	live_draw((struct str){ page.p, page.n });
	text_fini(&page);
}

enum ending
hactl_watch(struct hactl *h, hactl_page *make, void *context, int64_t interval_ns)
{
	if (!h->terminal || !live_open())
		return hactl_once(h, make, context);
	do
		draw(h, make, context);
	while (live_wait(interval_ns, NULL, 0));
	live_close();
	return ENDING_DONE;
}

bool
hactl_may_follow(const struct hactl *h)
{
	return h->terminal && live_possible();
}

/* All of them; when the next one is due.  False: one of them is still to be heard for the first time. */
static bool
follow_all(struct follow *f, size_t n, int64_t *due_ns)
{
	int64_t now = clock_ns();
	bool complete = true;

	*due_ns = INT64_MAX;
	for (size_t i = 0; i < n; i++) {
		complete = follow_step(&f[i], now) && complete;
		if (follow_due_ns(&f[i]) < *due_ns)
			*due_ns = follow_due_ns(&f[i]);
	}
	return complete;
}

static bool
follow_wait(const struct follow *f, size_t n, int64_t due_ns)
{
	int fds[LIVE_FDS_MAX];

	for (size_t i = 0; i < n; i++)
		fds[i] = daemon_fd(f[i].daemon);
	return live_wait(due_ns - clock_ns(), fds, n);
}

enum ending
hactl_follow(struct hactl *h, hactl_page *make, void *context, struct follow *f, size_t n)
{
	int64_t due_ns;

	if (!live_open())
		return ENDING_REFUSED;
	do
		if (follow_all(f, n, &due_ns))
			draw(h, make, context);
	while (follow_wait(f, n, due_ns));
	live_close();
	for (size_t i = 0; i < n; i++)
		follow_end(&f[i]);
	return ENDING_DONE;
}
