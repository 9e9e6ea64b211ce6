/*
 * process_config.c - a new configuration in the proxy process: decoded, its certificates loaded, given to the workers.
 *
 * Certificates take their time, so a thread of their own loads them and makes the workers' contexts, while the
 * main thread goes on answering.  One configuration is loaded at a time: the supervisor waits for the result.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/problems.h"
#include "common/text.h"
#include "lbd/process.h"
#include "lbd/proxy/conn_ktls.h"
#include "lbd/resolve/members.h"
#include "lbd/supervisor/log_files.h"
#include "lbd/tls/context.h"

/* On its way from CONFIG to RESULT. */
struct config_load {
	struct letter letter; /* back from the thread */
	struct process *process;
	pthread_t thread;
	bool joined; /* or never started */
	struct lbd_config *config;
	struct tls_files files;
	struct tls_shelf *shelf; /* NULL: see problems */
	struct problems problems;
	struct channel_message message; /* its number, and its descriptors */
};

static enum access_log_sink
access_sink(enum log_sink_type target)
{
	switch (target) {
	case LOG_SINK_SYSLOG:
		return ACCESS_LOG_SYSLOG;
	case LOG_SINK_JOURNAL:
		return ACCESS_LOG_JOURNAL;
	case LOG_SINK_STDERR:
	case LOG_SINK_FILE:
		break;
	}
	return ACCESS_LOG_FD;
}

static enum access_log_format
access_format(enum access_format format)
{
	switch (format) {
	case ACCESS_OFF:
		return ACCESS_LOG_OFF;
	case ACCESS_JSON:
		return ACCESS_LOG_JSON;
	case ACCESS_COMBINED:
		return ACCESS_LOG_COMBINED;
	}
	CHECK_NEVER();
}

void
process_access_log(struct process *p, const struct log_config *log, int fd)
{
	access_log_target(
	    p->access_log, access_sink(log->access_target), fd, access_format(log->access_format));
}

void
process_config_result(struct process *p, uint64_t number, const char *why_not)
{
	struct channel_message m;

	channel_message_init(&m, CHANNEL_RESULT);
	m.number = number;
	m.ok = !why_not;
	m.text = str_of(why_not);
	process_send(p, &m);
}

/* --- certificates --- */

static bool
has_tls(const struct lbd_config *config)
{
	for (uint32_t i = 0; i < config->n_listeners; i++)
		if (config->listeners[i].tls.n_certificates)
			return true;
	return false;
}

/* The supervisor has tried the same files: what is wrong now is memory.  NULL: a problem says so. */
static struct tls_shelf *
shelf_make(const struct process *p, const struct lbd_config *config, const struct tls_files *files,
    struct problems *problems)
{
	struct tls_shelf *shelf = tls_shelf_new(config, files, problems);
	struct err err;

	for (unsigned i = 0; shelf && i < p->n_workers; i++) {
		if (tls_contexts_prepare(shelf, p->workers[i]->tls, config, &err) == 0)
			continue;
		problems_add(problems, 0, "%s", err.text);
		tls_shelf_free(&shelf);
	}
	return shelf;
}

/* Once: a module that is loaded later is for the next process. */
static void
ktls_ask(struct process *p)
{
	int why;

	if (p->ktls_asked)
		return;
	p->ktls_asked = true;
	p->ktls = conn_ktls_probe(&why);
	if (p->ktls)
		log_info("kernel_tls", "aes_gcm=%s chacha20_poly1305=%s",
		    p->ktls & KTLS_AES_GCM ? "yes" : "no",
		    p->ktls & KTLS_CHACHA20_POLY1305 ? "yes" : "no");
	else
		log_info("kernel_tls", "none=\"%s\"", strerror(why));
}

/* Before a thread is started that needs them. */
static int
engines_make(struct process *p, const struct lbd_config *config, struct err *err)
{
	struct tls_engine *e;

	if (!has_tls(config))
		return 0;
	ktls_ask(p);
	for (unsigned i = 0; i < p->n_workers; i++) {
		e = worker_tls(p->workers[i], err);
		if (!e)
			return err->code;
		if (e->ktls != p->ktls) /* written once: workers read it */
			e->ktls = p->ktls;
	}
	return 0;
}

/* --- to the workers --- */

/*
 * The workers get it; what is not the workers' follows at once.  Shelf NULL: listeners and pools are the present ones,
 * with other servers.
 */
static int
config_give(
    struct process *p, struct lbd_config *config, const struct tls_shelf *shelf, struct err *err)
{
	struct lbd_config *old = p->config;
	int code = rollout_prepare(&p->rollout, config, err);

	if (code)
		return code;
	code = prober_prepare(p->prober, config, shelf ? shelf->files : NULL, err);
	if (!code)
		code = rollout_start(&p->rollout, config, p->start->listens, shelf, err);
	if (code)
		return code;
	p->config = config_ref(config);
	prober_apply(p->prober, config);
	config_unref(&old);
	p->rolled_ns = clock_ns();
	return 0;
}

/* The same with the addresses that its names have now. */
static int
config_give_resolved(
    struct process *p, struct lbd_config *written, const struct tls_shelf *shelf, struct err *err)
{
	struct lbd_config *config = members_config(written, p->resolver);
	int code = config ? config_give(p, config, shelf, err)
			  : err_set(err, -ENOMEM, "out of memory for the names of servers");

	config_unref(&config);
	return code;
}

static int
config_use(struct process *p, struct lbd_config *written, struct tls_shelf **shelf, struct err *err)
{
	int code = config_give_resolved(p, written, *shelf, err);

	if (code)
		return code;
	config_unref(&p->written);
	p->written = config_ref(written);
	p->config_loaded_wall_ns = clock_wall_ns();
	tls_shelf_seal(*shelf);
	tls_shelf_free(&p->shelf);
	p->shelf = *shelf;
	*shelf = NULL;
	process_names_follow(p);
	return 0;
}

int
process_config_again(struct process *p, struct err *err)
{
	return config_give_resolved(p, p->written, NULL, err);
}

static void
config_refuse(struct process *p, uint64_t number, const char *why)
{
	listen_table_rollback(p->start->listens);
	process_config_result(p, number, why ? why : "out of memory");
}

/* Every problem on a line of its own. */
static void
config_refuse_all(struct process *p, uint64_t number, const struct problems *problems)
{
	struct text why;

	text_init(&why, CHANNEL_TEXT_MAX / 2);
	for (size_t i = 0; i < problems->kept; i++)
		text_printf(&why, "%s%s", i ? "\n" : "", problems->list[i].text);
	config_refuse(p, number, why.failed ? NULL : why.p);
	text_fini(&why);
}

/* admin.http of the new configuration: a new socket, the present one, or none. */
static void
admin_http_follow(struct process *p, struct channel_message *m)
{
	struct err err;

	if (m->admin_http_fd < 0 && p->config->admin.http_on)
		return;
	if (admin_listen(p->admin, m->admin_http_fd, &err) < 0)
		log_err("admin_http_failed", "reason=%s", log_quoted(str_of(err.text)).text);
	m->admin_http_fd = -1;
}

/* --- from CONFIG to RESULT --- */

static void
load_free(struct config_load **lp)
{
	struct config_load *l = *lp;

	*lp = NULL;
	tls_shelf_free(&l->shelf);
	tls_files_fini(&l->files);
	config_unref(&l->config);
	problems_fini(&l->problems);
	channel_message_fini(&l->message);
	free(l);
}

static void
config_follow(struct process *p, struct channel_message *m)
{
	struct err err;

	p->config_number = m->number;
	admin_http_follow(p, m);
	if (log_files_use(&p->config->log, m->log_fd, &err) < 0)
		log_err("log_target_failed", "reason=%s", log_quoted(str_of(err.text)).text);
	process_access_log(p, &p->config->log, m->access_log_fd);
	m->log_fd = m->access_log_fd = -1;
}

/* `why_not`: its names cannot be asked for. */
static void
load_end(void *arg, const char *why_not)
{
	struct config_load *l = arg;
	struct process *p = l->process;
	struct err err;

	p->loading = NULL;
	if (p->draining)
		config_refuse(p, l->message.number, "lbd drains");
	else if (!l->shelf)
		config_refuse_all(p, l->message.number, &l->problems);
	else if (why_not)
		config_refuse(p, l->message.number, why_not);
	else if (config_use(p, l->config, &l->shelf, &err) < 0)
		config_refuse(p, l->message.number, err.text);
	else
		config_follow(p, &l->message);
	if (!p->config_number && !p->draining)
		process_names_revert(p);
	load_free(&l);
}

/* All but the names of its servers is there. */
static void
load_loaded(struct config_load *l)
{
	struct process *p = l->process;

	if (l->config && l->shelf && !p->draining) {
		p->loading = l;
		process_names_await(p, l->config, load_end, l);
	} else {
		load_end(l, NULL);
	}
}

static void
load_join(struct config_load *l)
{
	if (!l->joined)
		pthread_join(l->thread, NULL);
	l->joined = true;
}

static void
open_loaded(struct letter *letter, void *owner)
{
	struct config_load *l = (struct config_load *)letter;

	(void)owner;
	load_join(l);
	load_loaded(l);
}

static void *
load_thread(void *arg)
{
	struct config_load *l = arg;

	l->shelf = shelf_make(l->process, l->config, &l->files, &l->problems);
	l->letter.open = open_loaded;
	mailbox_post(&l->process->inbox, &l->letter);
	return NULL;
}

static int
thread_start(struct config_load *l)
{
	sigset_t all, before;
	int code;

	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&l->thread, NULL, load_thread, l);
	l->joined = code != 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -code;
}

/* Where there is nothing to load, there is nothing to wait for. */
static void
load_start(struct config_load *l)
{
	struct process *p = l->process;
	struct err err;

	if (engines_make(p, l->config, &err) < 0) {
		problems_add(&l->problems, 0, "%s", err.text);
		load_loaded(l);
	} else if (has_tls(l->config) && thread_start(l) == 0) {
		p->loading = l;
	} else {
		l->shelf = shelf_make(p, l->config, &l->files, &l->problems);
		load_loaded(l);
	}
}

/* Takes descriptors and files over. */
static struct config_load *
load_new(struct process *p, struct channel_message *m)
{
	struct config_load *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->process = p;
	l->joined = true;
	channel_message_init(&l->message, m->type);
	l->message.number = m->number;
	l->message.log_fd = m->log_fd;
	l->message.access_log_fd = m->access_log_fd;
	l->message.admin_http_fd = m->admin_http_fd;
	m->log_fd = m->access_log_fd = m->admin_http_fd = -1;
	l->files = p->files;
	p->files = (struct tls_files){ 0 };
	return l;
}

void
process_config_take(struct process *p, struct channel_message *m)
{
	struct config_load *l = load_new(p, m);

	CHECK(!p->loading);
	if (!l) {
		config_refuse(p, m->number, NULL);
		return;
	}
	if (!p->draining)
		l->config = config_load(m->text, &p->start->options, &l->problems);
	if (l->config && tls_files_give(&l->files, l->config) < 0)
		config_unref(&l->config);
	if (l->config)
		load_start(l);
	else
		load_loaded(l);
}

/* Without them the configuration that follows is refused. */
void
process_config_files(struct process *p, struct channel_message *m)
{
	tls_files_fini(&p->files);
	if (tls_files_parse(&p->files, m->text) < 0)
		log_err("channel_files_bad", "bytes=%zu", m->text.n);
	OPENSSL_cleanse((void *)(uintptr_t)m->text.p, m->text.n);
}

int
process_config_first(struct process *p, struct err *err)
{
	struct tls_files *files = p->start->files;
	struct problems problems = { 0 };
	struct tls_shelf *shelf = NULL;
	int code = engines_make(p, p->start->config, err);

	if (!code)
		shelf = shelf_make(p, p->start->config, files, &problems);
	if (shelf)
		code = config_use(p, p->start->config, &shelf, err);
	else if (!code)
		code = err_set(err, -EINVAL, "%s",
		    problems.kept ? problems.list[0].text : "out of memory for TLS");
	tls_shelf_free(&shelf);
	problems_fini(&problems);
	tls_files_fini(files); /* this process's copy of the keys */
	return code;
}

void
process_config_wait(struct process *p)
{
	if (p->loading)
		load_join(p->loading);
}
