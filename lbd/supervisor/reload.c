/*
 * reload.c - a new configuration, all of it or nothing.
 *
 * Read and checked here first; then sockets and log files are opened, and text and descriptors go to the proxy
 * process.  Only when that one has taken it, nothing can fail any more: commit.  In every other case all that
 * was opened is closed again and the old configuration stays, with the reason in the log and in the answer to
 * whoever asked.  A request that comes while one runs is done afterwards; several become one.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/problems.h"
#include "common/sd_notify.h"
#include "common/text.h"
#include "lbd/supervisor/state.h"
#include "lbd/tls/context.h"

enum { ANSWER_SILENCES = 3 }; /* an answer may take that many times the silence that is a hang */

static void reload_begin(struct supervisor *);

static void
answer_send(struct supervisor *s, uint64_t waiter, bool ok, struct str text)
{
	struct channel_message m;
	struct err err;

	channel_message_init(&m, CHANNEL_RELOAD_RESULT);
	m.number = waiter;
	m.ok = ok;
	m.text = text;
	if (child_send(&s->proxy, &m, &err) < 0)
		log_debug("answer_lost", "reason=%s", log_quoted(str_of(err.text)).text);
}

/* Gives up what was prepared. */
static void
prepared_drop(struct supervisor *s)
{
	struct reload *r = &s->reload;

	listen_table_rollback(&s->listens);
	listen_table_rollback(&s->admin);
	log_files_close(&r->files);
	tls_files_fini(&r->tls);
	config_unref(&r->config);
}

static void
reload_finish(struct supervisor *s, bool ok, struct str text)
{
	struct reload *r = &s->reload;
	struct reload_request done = r->now;
	unsigned i;

	ev_timer_stop(s->loop, &r->deadline);
	r->state = RELOAD_IDLE;
	free(r->text);
	r->text = NULL;
	if (!ok)
		prepared_drop(s);
	if (ok)
		log_notice("reload_done", "digest=%s", s->config->digest);
	else
		log_err("reload_refused", "reason=%s", log_quoted(text).text);
	if (s->was_ready && !s->draining) {
		sd_notify_ready();
		sd_notify_status("serving, configuration %s%s", s->config->digest,
		    ok ? "" : "; the last reload was refused");
	}
	r->now = r->next;
	r->next = (struct reload_request){ 0 };
	for (i = 0; i < done.n; i++)
		answer_send(s, done.waiters[i], ok, text);
	if (r->now.of)
		reload_begin(s);
}

/* Refuses with everything that is wrong, each in a line. */
static void
reload_refuse(struct supervisor *s, const struct problems *problems)
{
	struct text text;
	size_t i;

	text_init(&text, CHANNEL_TEXT_MAX);
	for (i = 0; i < problems->kept; i++) {
		log_err(
		    "config_problem", "text=%s", log_quoted(str_of(problems->list[i].text)).text);
		text_printf(&text, "%s%s", i ? "\n" : "", problems->list[i].text);
	}
	if (problems->n > problems->kept)
		text_printf(&text, "\nand %zu more", problems->n - problems->kept);
	reload_finish(s, false,
	    text.failed || !text.p ? STR("out of memory") : (struct str){ text.p, text.n });
	text_fini(&text);
}

/* What only a restart can change. */
static void
fixed_check(const struct lbd_config *old, const struct lbd_config *new, struct problems *problems)
{
	if (new->workers != old->workers)
		problems_add(problems, 0,
		    "workers: a reload cannot change it (running with %u, now %u); restart lbd",
		    old->workers, new->workers);
	if (!str_eq(new->user, old->user))
		problems_add(problems, 0,
		    "user: a reload cannot change it (running as \"%.*s\", now \"%.*s\"); restart "
		    "lbd",
		    STR_ARG(old->user), STR_ARG(new->user));
	if (!str_eq(new->admin.socket, old->admin.socket))
		problems_add(problems, 0,
		    "admin.socket: a reload cannot change it (now open: \"%.*s\", asked for: "
		    "\"%.*s\"); restart lbd",
		    STR_ARG(old->admin.socket), STR_ARG(new->admin.socket));
}

/* Opens what the new configuration needs. */
static void
prepared_open(struct supervisor *s, struct problems *problems)
{
	struct reload *r = &s->reload;
	const struct address *admin = supervisor_admin_address(r->config);
	struct err err;

	if (listen_table_open(&s->listens, r->config, &err) < 0)
		problems_add(problems, 0, "%s", err.text);
	if (admin && listen_table_open_address(&s->admin, admin, &err) < 0)
		problems_add(problems, 0, "admin.http: %s", err.text);
	if (log_files_open(&r->files, &r->config->log, &err) < 0)
		problems_add(problems, 0, "%s", err.text);
	tls_files_load(&r->tls, r->config, &s->files, problems);
	if (tls_files_give(&r->tls, r->config) < 0)
		problems_add(problems, 0, "out of memory for the configuration");
}

static int
files_send(struct supervisor *s, struct err *err)
{
	_Static_assert((int)TLS_FILES_MAX < (int)CHANNEL_TEXT_MAX, "what was read can be sent");
	struct channel_message m;
	struct text text;
	int code;

	text_init(&text, CHANNEL_TEXT_MAX);
	tls_files_format(&s->reload.tls, &text);
	channel_message_init(&m, CHANNEL_FILES);
	m.text = (struct str){ text.p, text.n };
	code = text.failed ? err_set(err, -ENOMEM, "out of memory for the certificates")
			   : child_send(&s->proxy, &m, err);
	if (text.p)
		OPENSSL_cleanse(text.p, text.n);
	text_fini(&text);
	return code;
}

static int
sockets_send(struct supervisor *s, const struct listen_socket *socket, struct err *err)
{
	struct channel_message m;
	char text[ADDRESS_TEXT_MAX];
	unsigned i;
	int code = 0;

	channel_message_init(&m, CHANNEL_SOCKETS);
	m.text = (struct str){ text, address_format(&socket->address, text) };
	for (i = 0; i < socket->n && !code; i += m.n_sockets) {
		m.number = i;
		m.n_sockets = socket->n - i;
		if (m.n_sockets > CHANNEL_SOCKETS_MAX)
			m.n_sockets = CHANNEL_SOCKETS_MAX;
		memcpy(m.sockets, socket->fds + i, m.n_sockets * sizeof(int));
		code = child_send(&s->proxy, &m, err);
	}
	return code;
}

/* The socket for admin.http, if it is a new one. */
static int
admin_staged(const struct supervisor *s)
{
	size_t i;

	for (i = 0; i < s->admin.n; i++)
		if (s->admin.sockets[i].staged)
			return s->admin.sockets[i].fds[0];
	return -1;
}

static int
config_send(struct supervisor *s, struct err *err)
{
	struct reload *r = &s->reload;
	struct channel_message m;
	size_t i;
	int code = 0;

	for (i = 0; i < s->listens.n && !code; i++)
		if (s->listens.sockets[i].staged)
			code = sockets_send(s, &s->listens.sockets[i], err);
	if (!code && r->tls.n)
		code = files_send(s, err);
	if (code)
		return code;
	channel_message_init(&m, CHANNEL_CONFIG);
	m.number = ++r->number;
	m.text = (struct str){ r->text, r->text_n };
	m.log_fd = r->files.log_fd;
	m.access_log_fd = r->files.access_fd;
	m.admin_http_fd = admin_staged(s);
	return child_send(&s->proxy, &m, err);
}

static void
prepared_commit(struct supervisor *s)
{
	struct reload *r = &s->reload;
	struct err err;

	listen_table_commit(&s->listens, r->config);
	listen_table_commit_address(&s->admin, supervisor_admin_address(r->config));
	if (log_files_use(&r->config->log, r->files.log_fd, &err) < 0)
		log_err("log_target_failed", "reason=%s", log_quoted(str_of(err.text)).text);
	r->files.log_fd = -1;
	if (s->access_log_fd >= 0)
		close(s->access_log_fd);
	s->access_log_fd = r->files.access_fd;
	r->files.access_fd = -1;
	tls_files_fini(&s->files);
	s->files = r->tls;
	r->tls = (struct tls_files){ 0 };
	free(s->text);
	s->text = r->text;
	s->text_n = r->text_n;
	r->text = NULL;
	config_unref(&s->config);
	s->config = r->config;
	r->config = NULL;
}

static void
prepared_hand_over(struct supervisor *s)
{
	struct reload *r = &s->reload;
	struct err err;

	if (!s->proxy.pid) { /* it waits to be started again: then with this one */
		prepared_commit(s);
		reload_finish(s, true, STR(""));
		watch_restart(s);
	} else if (config_send(s, &err) < 0) {
		/* it may hold half of the sockets: only a new process is sure to hold none */
		child_kill(&s->proxy, SIGABRT);
		reload_finish(s, false, str_of(err.text));
	} else {
		r->state = RELOAD_HANDS_OVER;
		ev_timer_set(&r->deadline,
		    ANSWER_SILENCES * (double)s->options.silence_ns / (double)NS_PER_S, 0.);
		ev_timer_start(s->loop, &r->deadline);
	}
}

static void
reload_try(struct supervisor *s)
{
	struct reload *r = &s->reload;
	struct problems problems;

	problems_init(&problems);
	r->config = config_load((struct str){ r->text, r->text_n }, &s->options.config, &problems);
	if (r->config)
		fixed_check(s->config, r->config, &problems);
	if (!problems.n)
		prepared_open(s, &problems);
	if (problems.n)
		reload_refuse(s, &problems);
	else
		prepared_hand_over(s);
	problems_fini(&problems);
}

/* The text of the configuration in force. */
static int
text_again(struct supervisor *s, struct err *err)
{
	struct reload *r = &s->reload;

	r->text = malloc(s->text_n ? s->text_n : 1);
	if (!r->text)
		return err_set(err, -ENOMEM, "out of memory for the configuration");
	memcpy(r->text, s->text, s->text_n);
	r->text_n = s->text_n;
	return 0;
}

static int
text_read(struct supervisor *s, struct err *err)
{
	struct reload *r = &s->reload;
	const char *file = s->options.config.file;

	if (r->now.of == RELOAD_FILES) {
		log_notice("renew_started", "digest=%s", s->config->digest);
		return text_again(s, err);
	}
	log_notice("reload_started", "file=%s", log_quoted(str_of(file)).text);
	return file_read(file, CONFIG_SIZE_MAX, &r->text, &r->text_n, err);
}

static void
reload_begin(struct supervisor *s)
{
	struct err err;

	sd_notify_reloading();
	if (text_read(s, &err) == 0)
		reload_try(s);
	else
		reload_finish(s, false, str_of(err.text));
}

void
reload_ask(struct supervisor *s, enum reload_of of, const uint64_t *waiter)
{
	struct reload *r = &s->reload;
	struct reload_request *request = r->state == RELOAD_IDLE ? &r->now : &r->next;

	if (s->draining || (waiter && request->n == RELOAD_WAITERS_MAX)) {
		if (waiter)
			answer_send(s, *waiter, false,
			    s->draining ? STR("lbd is shutting down")
					: STR("too many reloads are waiting"));
		return;
	}
	request->of = of > request->of ? of : request->of;
	if (waiter)
		request->waiters[request->n++] = *waiter;
	if (r->state == RELOAD_IDLE)
		reload_begin(s);
}

void
reload_result(struct supervisor *s, const struct channel_message *m)
{
	struct reload *r = &s->reload;

	if (r->state != RELOAD_HANDS_OVER || m->number != r->number)
		return; /* of a reload that was given up */
	if (m->ok)
		prepared_commit(s);
	reload_finish(s, m->ok, m->text);
}

void
reload_proxy_died(struct supervisor *s)
{
	struct reload *r = &s->reload;

	r->now.n = r->next.n = 0; /* whoever waited has lost its connection */
	if (r->state == RELOAD_HANDS_OVER)
		reload_finish(
		    s, false, STR("the proxy process died before it took the new configuration"));
}

void
reload_abort(struct supervisor *s)
{
	struct str why = STR("lbd is shutting down");
	struct reload_request next = s->reload.next;
	unsigned i;

	s->reload.next = (struct reload_request){ 0 };
	for (i = 0; i < next.n; i++)
		answer_send(s, next.waiters[i], false, why);
	if (s->reload.state != RELOAD_IDLE)
		reload_finish(s, false, why);
}

/* It may or may not have taken it: a new process with the old one is certain. */
static void
on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct supervisor *s = w->data;

	(void)loop;
	(void)revents;
	if (s->reload.state != RELOAD_HANDS_OVER)
		return;
	log_crit("proxy_hangs", "pid=%d reason=\"no answer to a reload\"", (int)s->proxy.pid);
	child_kill(&s->proxy, SIGABRT);
}

void
reload_init(struct supervisor *s)
{
	struct reload *r = &s->reload;

	r->files = (struct log_files){ -1, -1 };
	ev_timer_init(&r->deadline, on_deadline, 0., 0.);
	r->deadline.data = s;
}
