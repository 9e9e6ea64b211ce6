/* daemon.c - connects when first asked; explains why when it cannot. */
#include "hafailover/hactl/daemon.h"

#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"

/* The reason of the connect, in the operator's words. */
static void
unreachable_explain(const struct daemon *d, struct err *err)
{
	switch (err->code) {
	case -EACCES:
	case -EPERM:
		err_set(err, err->code,
		    "%s is not reachable: no permission for %s; root and members of the group "
		    "lbpair have it",
		    d->name, d->path);
		break;
	case -ENOENT:
		err_set(err, err->code, "%s is not reachable: there is no socket %s; does it run?",
		    d->name, d->path);
		break;
	case -ECONNREFUSED:
		err_set(err, err->code, "%s is not reachable: nobody listens on %s; it has ended",
		    d->name, d->path);
		break;
	default: {
		struct err why = *err;

		err_set(err, why.code, "%s is not reachable: %s", d->name, why.text);
	}
	}
}

static int
daemon_connect(struct daemon *d, int64_t deadline_ns, struct err *err)
{
	if (d->client)
		return 0;
	d->client = control_client_open(d->path, deadline_ns, err);
	if (d->client)
		return 0;
	unreachable_explain(d, err);
	return err->code;
}

/* The connection has failed: no more of it. */
static int
daemon_fail(struct daemon *d, int code, const struct err *why, struct err *err)
{
	daemon_close(d);
	return err_set(err, code, "%s at %s: %s", d->name, d->path, why->text);
}

static int
line_send(struct daemon *d, const char *request, int64_t deadline_ns, struct err *err)
{
	struct err why;
	int code = daemon_connect(d, deadline_ns, err);

	if (code)
		return code;
	code = control_client_send(d->client, str_of(request), deadline_ns, &why);
	return code ? daemon_fail(d, code, &why, err) : 0;
}

/* p NULL: none. */
static int
line_read(struct daemon *d, const struct daemon_patience *p, struct str *line, int64_t deadline_ns,
    struct err *err)
{
	for (;;) {
		int64_t now = clock_ns(), next = p ? now + p->every_ns : deadline_ns;
		int code = control_client_read(
		    d->client, line, next < deadline_ns ? next : deadline_ns, err);

		if (code != -ETIMEDOUT || next >= deadline_ns)
			return code;
		if (p->waiting(p->owner))
			deadline_ns = clock_ns() + d->timeout_ns;
	}
}

static int
line_ask(struct daemon *d, const struct daemon_patience *p, const char *request, struct str *line,
    struct err *err)
{
	int64_t deadline_ns = clock_ns() + d->timeout_ns;
	struct err why;
	int code = line_send(d, request, deadline_ns, err);

	if (code)
		return code;
	code = line_read(d, p, line, deadline_ns, &why);
	return code ? daemon_fail(d, code, &why, err) : 0;
}

/* What the daemon refuses with may hold anything: it is cleaned where it is printed. */
static enum daemon_result
answer_judge(const struct daemon *d, const struct answer *answer, struct err *err)
{
	const json_t *ok = json_object_get(answer->json, "ok");
	const char *error = json_string_value(json_object_get(answer->json, "error"));

	if (json_is_true(ok))
		return DAEMON_OK;
	if (json_is_false(ok) && error)
		err_set(err, -EPROTO, "%s: %s", d->name, error);
	else
		err_set(err, -EPROTO, "%s at %s: its answer makes no sense", d->name, d->path);
	return DAEMON_REFUSED;
}

static enum daemon_result
answer_parse(const struct daemon *d, struct str line, struct answer *answer, struct err *err)
{
	enum daemon_result result;

	answer->json = json_loadb(line.p, line.n, JSON_ALLOW_NUL, NULL);
	answer->line = strndup(line.p, line.n);
	if (!answer->line) {
		err_set(err, -ENOMEM, "out of memory");
		result = DAEMON_REFUSED;
	} else {
		result = answer_judge(d, answer, err);
	}
	if (result != DAEMON_OK)
		answer_fini(answer);
	return result;
}

enum daemon_result
daemon_ask(struct daemon *d, json_t *request, struct answer *answer, struct err *err)
{
	return daemon_ask_patiently(d, NULL, request, answer, err);
}

enum daemon_result
daemon_ask_patiently(struct daemon *d, const struct daemon_patience *p, json_t *request,
    struct answer *answer, struct err *err)
{
	char *text = json_dumps(request, JSON_COMPACT);
	struct str line;
	int code;

	*answer = (struct answer){ 0 };
	json_decref(request);
	if (!text) {
		err_set(err, -ENOMEM, "out of memory, or an argument is not UTF-8");
		return DAEMON_REFUSED;
	}
	code = line_ask(d, p, text, &line, err);
	free(text);
	if (code == -EMSGSIZE || code == -ENOMEM)
		return DAEMON_REFUSED;
	return code ? DAEMON_UNREACHABLE : answer_parse(d, line, answer, err);
}

enum daemon_result
daemon_send(struct daemon *d, const char *line, struct err *err)
{
	return line_send(d, line, clock_ns() + d->timeout_ns, err) ? DAEMON_UNREACHABLE : DAEMON_OK;
}

enum daemon_result
daemon_hear(struct daemon *d, struct answer *answer, struct err *err)
{
	enum daemon_result result = DAEMON_OK;
	struct str line;
	struct err why;
	int code = 0;

	*answer = (struct answer){ 0 };
	while (result == DAEMON_OK) {
		code = control_client_read(d->client, &line, 0, &why);
		if (code)
			break;
		answer_fini(answer);
		result = answer_parse(d, line, answer, err);
	}
	if (code == 0 || code == -ETIMEDOUT)
		return result;
	answer_fini(answer);
	daemon_fail(d, code, &why, err);
	return DAEMON_UNREACHABLE;
}

int
daemon_fd(const struct daemon *d)
{
	return d->client ? control_client_fd(d->client) : -1;
}

void
daemon_close(struct daemon *d)
{
	control_client_close(&d->client);
}

void
answer_fini(struct answer *answer)
{
	json_decref(answer->json);
	free(answer->line);
	*answer = (struct answer){ 0 };
}
