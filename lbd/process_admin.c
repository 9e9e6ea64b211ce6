/* process_admin.c - answers admin: the state, reloads through the supervisor, lists from the workers. */
#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "lbd/process.h"
#include "lbd/proxy/connection_list.h"
#include "lbd/proxy/upstream.h"

/* --- state --- */

static const char *
not_ready(const struct process *p)
{
	if (!p->ready)
		return "starting";
	return p->draining ? "draining" : NULL;
}

static void
admin_get_state(void *owner, struct admin_state *state)
{
	struct process *p = owner;

	*state = (struct admin_state){
		.config = p->config,
		.config_file = p->start->options.file,
		.config_loaded_wall_ns = p->config_loaded_wall_ns,
		.certificates = p->shelf,
		.not_ready = not_ready(p),
		.draining = p->draining,
		.yielding = atomic_load(&p->workers_shared.yielding),
	};
}

static const char *
admin_check_reason(void *owner, uint32_t slot)
{
	struct process *p = owner;

	return prober_reason(p->prober, slot);
}

static int64_t
admin_checked(void *owner, uint32_t slot)
{
	struct process *p = owner;

	return prober_checked_wall_ns(p->prober, slot);
}

static void
admin_yield(void *owner, bool on, int64_t idle_ns, int64_t for_ns)
{
	process_yield(owner, on, idle_ns, for_ns);
}

/* --- reload --- */

struct reload_wait {
	struct reload_wait *next;
	uint64_t number;
	struct control_token *token;
};

static void
admin_reload(void *owner, struct control_token *token, bool renew)
{
	struct process *p = owner;
	struct reload_wait *wait = malloc(sizeof(*wait));
	struct channel_message m;
	struct err err;

	if (!wait) {
		admin_reload_answer(token, "out of memory");
		return;
	}
	channel_message_init(&m, renew ? CHANNEL_RENEW : CHANNEL_RELOAD);
	m.number = ++p->last_reload;
	if (channel_send(p->start->channel_fd, &m, &err) < 0) {
		free(wait);
		admin_reload_answer(token, err.text);
		return;
	}
	*wait = (struct reload_wait){ p->reloads, m.number, token };
	p->reloads = wait;
}

void
process_reload_done(struct process *p, uint64_t number, const char *why_not)
{
	struct reload_wait **wp = &p->reloads, *wait;

	while (*wp && (*wp)->number != number)
		wp = &(*wp)->next;
	wait = *wp;
	if (!wait)
		return;
	*wp = wait->next;
	admin_reload_answer(wait->token, why_not);
	free(wait);
}

/* --- connections --- */

/* A question to one worker, and its answer. */
struct listing_part {
	struct letter letter;
	struct listing *listing;
	struct connection_row *rows;
	uint32_t n, max;
};

struct listing {
	struct process *process;
	struct admin_listing *answer;
	unsigned pending;
	struct listing_part parts[];
};

static void
row_add(struct process *p, struct admin_listing *answer, unsigned worker,
    const struct connection_row *row)
{
	struct admin_connection c = {
		.client = { row->client, row->client_n },
		.listener = stats_listener_name(p->names, row->listener),
		.state = str_of(row->state),
		.pool = stats_pool_name(p->names, row->pool),
		.server = stats_server_name(p->names, row->server),
		.worker = worker,
		.age_ns = row->age_ns,
		.requests = row->requests,
		.bytes_in = row->bytes_in,
		.bytes_out = row->bytes_out,
	};

	admin_listing_add(answer, &c);
}

static void
open_listed(struct letter *l, void *owner)
{
	struct listing_part *part = (struct listing_part *)l;
	struct listing *listing = part->listing;
	struct process *p = owner;

	for (uint32_t i = 0; i < part->n && admin_listing_wants(listing->answer) > 0; i++)
		row_add(p, listing->answer, (unsigned)(part - listing->parts), &part->rows[i]);
	free(part->rows);
	if (--listing->pending > 0)
		return;
	admin_listing_answer(&listing->answer);
	free(listing);
}

/* Worker's thread. */
static void
open_list(struct letter *l, void *owner)
{
	struct listing_part *part = (struct listing_part *)l;
	struct worker *w = owner;
	uint32_t n = w->proxy->n_clients < part->max ? w->proxy->n_clients : part->max;

	part->rows = calloc(n ? n : 1, sizeof(*part->rows));
	if (part->rows)
		part->n = connection_list(w, part->rows, n);
	l->open = open_listed;
	mailbox_post(&part->listing->process->inbox, l);
}

static void
admin_list(void *owner, struct admin_listing *answer)
{
	struct process *p = owner;
	struct listing *listing =
	    calloc(1, sizeof(*listing) + p->n_workers * sizeof(*listing->parts));

	if (!listing) {
		admin_listing_answer(&answer);
		return;
	}
	*listing = (struct listing){ p, answer, p->n_workers };
	for (unsigned i = 0; i < p->n_workers; i++) {
		listing->parts[i] = (struct listing_part){
			.letter = { .open = open_list },
			.listing = listing,
			.max = admin_listing_wants(answer),
		};
		mailbox_post(&p->workers[i]->inbox, &listing->parts[i].letter);
	}
}

/* --- idle connections --- */

/* Worker's thread. */
static void
idle_end(struct worker *w, uint32_t slot)
{
	upstream_close_idle_at(w->proxy, slot);
}

/* Without memory they end by their time-out. */
static void
admin_close_idle(void *owner, uint32_t slot)
{
	(void)process_tell_workers(owner, idle_end, slot);
}

/* --- start and end --- */

int
process_admin_start(struct process *p, struct err *err)
{
	struct admin_source source = {
		.owner = p,
		.state = admin_get_state,
		.reload = admin_reload,
		.yield = admin_yield,
		.list_connections = admin_list,
		.close_idle = admin_close_idle,
		.check_reason = admin_check_reason,
		.checked_wall_ns = admin_checked,
		.resolver = p->resolver,
		.servers = &p->servers,
		.names = p->names,
		.access_log = p->access_log,
		.started_ns = clock_ns(),
		.started_wall_ns = clock_wall_ns(),
		.generation = p->start->generation,
	};

	p->stats = calloc(p->n_workers, sizeof(struct stats *));
	if (!p->stats)
		return err_set(err, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < p->n_workers; i++)
		p->stats[i] = p->workers[i]->stats;
	source.stats = (struct stats_blocks){ p->stats, p->n_workers };
	p->admin = admin_start(p->loop, &source, p->start->control_fd, err);
	if (!p->admin)
		return err->code;
	return admin_listen(p->admin, p->start->admin_http_fd, err);
}

void
process_admin_stop(struct process *p)
{
	while (p->reloads)
		process_reload_done(p, p->reloads->number, "lbd ends");
	admin_stop(&p->admin);
	free(p->stats);
}
