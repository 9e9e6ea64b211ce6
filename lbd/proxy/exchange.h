/*
 * exchange.h - one request and its response: from a client's head to the record in the log.
 *
 * It pins the snapshot it started with, chooses a server, sends the request on, streams both bodies with
 * back-pressure and decides what happens when something breaks: another try, an answer of our own, or a
 * cut that nobody can take for a complete message.
 *
 *   exchange.c  start, timers, end            try.c     a server, another server, none
 *   request.c   the request's body            tunnel.c  after 101
 *   response.c  the response's head and body  answer.c  answers of lbd's own, the record
 *   affinity.c  which server it asks for
 */
#ifndef LBD_PROXY_EXCHANGE_H
#define LBD_PROXY_EXCHANGE_H

#include "lbd/http/body.h"
#include "lbd/http/h1_format.h"
#include "lbd/proxy/circuit.h"
#include "lbd/proxy/client.h"
#include "lbd/proxy/queue.h"
#include "lbd/proxy/relay.h"
#include "lbd/proxy/retry.h"
#include "lbd/proxy/upstream.h"
#include "lbd/worker/termination.h"

enum { EXCHANGE_MAGIC = 0x1bd30ddd, REQUEST_ID_SIZE = 32, INTERIM_MAX = 64 };

enum { STICKY_NONE = -1 /* no cookie */, STICKY_UNKNOWN = -2 /* one that is nobody's */ };

struct exchange {
	uint32_t magic;
	struct client *client; /* never NULL */
	struct h2_stream *stream; /* of that client, with HTTP/2; else NULL */
	struct upstream *upstream; /* NULL: none yet, or no more */
	struct h2_call *call; /* on that, with HTTP/2; else NULL */
	struct snapshot *snapshot;
	struct pool *pool; /* NULL: lbd answers itself */
	const struct listener_config *listener;
	const struct route_config *route; /* NULL: none, the listener's pool serves it */
	const struct server_config *server; /* the present or last choice; NULL: none */
	char named[CLIENT_ADDRESS_MAX]; /* whom a trusted proxy speaks for */
	uint8_t named_n; /* 0: nobody, it is the client's own */

	/* which server it asks for; affinity.h */
	uint64_t hash; /* with hash algorithms */
	int32_t sticky; /* the server of its cookie, an index in its pool, or STICKY_NONE .. */

	/* the request */
	struct buffer *request; /* its head, as sent on */
	struct formatted sent; /* slices of `request` */
	struct buffer
	    *held; /* body bytes that follow the head: not sent yet, or to be sent again */
	struct span piece; /* the same, still in scratch memory: during exchange_start alone */
	struct body request_body;
	enum http_method method;
	uint8_t minor;
	bool keep_alive; /* the client would like to go on */
	bool wants_upgrade;
	bool http1_tunnel; /* not as a stream to the server */
	bool te_trailers;
	bool expects_continue;
	bool replayable; /* `request` and `held` are all that was sent */
	bool fresh; /* no idle connection for the next try: one just failed */
	bool holds_active; /* counted in servers->active */
	struct waiter waiter; /* in its pool's queue */

	/* the response */
	struct body response_body;
	struct buffer *head; /* its head, to leave with what else comes in this turn; HTTP/2 */
	bool responding; /* its head went to the client */
	bool wrap; /* the server ends by closing, the client gets chunks */
	bool until_close; /* the client sees the end by our closing */
	bool server_keep_alive;
	bool response_done;
	bool tunnel;
	bool relayed; /* the tunnel is between two connections, and `relay` is started */
	uint16_t status; /* what the client got; 0: nothing */
	uint32_t retry_after; /* seconds, for a request that came too soon; else 0 */
	uint16_t interim; /* 1xx answers so far */
	enum termination termination;

	/* tries */
	struct balance_tried tried;
	uint16_t retries;
	bool retrying; /* the next choice of a server is another try */
	enum termination failed_why; /* the try before */
	uint32_t slot; /* of `server` */
	uint64_t probe; /* the present try probes it, circuit.h; 0: it does not */

	/* times, ns */
	int64_t started; /* first byte of the request */
	int64_t tried_at; /* the present try */
	int64_t sent_at; /* its request: when it had a connection */
	int64_t try_by; /* the head of its answer must come; TIMER_NEVER: by no time of its own */
	int64_t
	    take_by; /* the client must take some of what waits for it; TIMER_NEVER: nothing does */
	int64_t body_by; /* its body is looked at again; TIMER_NEVER: it is not its turn to send */
	int64_t body_since; /* the request's body has been waited for since; for its minimum rate */
	uint64_t body_base; /* payload bytes that had come by then */
	int64_t body_last; /* when some of it came last */
	int64_t connect_ns, response_ns; /* -1: none */
	uint64_t bytes_in; /* of the client's, head included */
	uint64_t sent_before; /* bytes its connection had been sent when this exchange started */
	struct relay relay;
};

/* A request's head is in worker->head; `rest`, in scratch memory, follows it (HTTP/1). */
void exchange_start(struct client *, struct h2_stream *, size_t head_size, struct span rest);

/*
 * No exchange comes of it: a head that is refused, or none in time.  Answers, records and closes the
 * connection, or the stream.
 */
void exchange_refuse(struct client *, struct h2_stream *, enum termination);

/* The same of a connection, whose client may come again after so many seconds. */
void exchange_refuse_for(struct client *, enum termination, unsigned retry_after_s);

/* The same without an answer, and the connection stays: there is no stream to answer, or no HTTP yet. */
void exchange_refuse_silently(struct client *, enum termination);

/* What happens to the client's connection. */
void exchange_client_readable(struct exchange *);
void exchange_client_writable(struct exchange *);
void exchange_client_expired(struct exchange *);
void exchange_client_gone(struct exchange *); /* the client is being closed; frees the exchange */

/* What happens to the server's. */
void exchange_connected(struct exchange *); /* or it failed: the first send tells */
void exchange_reconnect(struct exchange *); /* its connection is for somebody else: another one */
void exchange_upstream_head(struct exchange *); /* HTTP/2: a head is in the worker's */
void exchange_upstream_readable(struct exchange *);
void exchange_upstream_quiet(struct exchange *); /* HTTP/2: nothing else has come in this turn */
void exchange_upstream_writable(struct exchange *);
void exchange_upstream_expired(struct exchange *);

/* --- between the files of the exchange --- */

/* try.c: the first choice of a server, or the queue. */
void exchange_try_first(struct exchange *);

/* try.c: the present try failed before any byte of a response: another try, or an answer. */
void exchange_try_failed(struct exchange *, enum try_failure, enum termination);

/* try.c: this final status came; true if another try was started instead. */
bool exchange_retry_status(struct exchange *, unsigned status, bool has_retry_after);

/* try.c: its pool's circuit breaker hears how the present try went. */
void exchange_tell(struct exchange *, enum circuit_result);

/* try.c: gives the server up; `reusable` keeps the connection. */
void exchange_release_server(struct exchange *, bool reusable);

/*
 * exchange.c: nothing more comes for the client.  What waits for it is sent first; then the exchange is
 * recorded and freed, and the client goes on or ends.
 */
void exchange_complete(struct exchange *);

/* exchange.c: sets the client's timer by take_by and body_by. */
void exchange_client_timer(struct exchange *);

/* exchange.c: something waits for the client, or it took some of it: it has this long to take more. */
void exchange_await_reader(struct exchange *);

/* exchange.c: it took all of it. */
void exchange_reader_came(struct exchange *);

/* exchange.c: ends at once; the client must see that the message is not complete. */
void exchange_cut(struct exchange *, enum termination);

/* answer.c: lbd's own response, which ends the exchange; the reason decides its status. */
void exchange_answer(struct exchange *, enum termination);

/* answer.c: what the listener or a route says instead of a server, which ends the exchange. */
void exchange_answer_own(struct exchange *);

/* answer.c: the access log and the counters. */
void exchange_record(struct exchange *);

/* request.c */
enum termination request_start(struct exchange *, struct span rest); /* END_OK, or it is over */
int request_hold(struct exchange *); /* out of scratch memory; 0 or -ENOMEM */
int request_send(struct exchange *); /* head and held body; <0: broken and nothing was sent */
void request_readable(struct exchange *);
void request_resume(struct exchange *); /* the server may get more */
void request_expired(struct exchange *); /* the client's timer */
/* The client holds its body back until 100 (Continue), which has not come. */
bool request_awaits_continue(const struct exchange *);

/* response.c */
void response_readable(struct exchange *);
void response_resume(struct exchange *); /* the client may get more */

/* tunnel.c */
void tunnel_start(struct exchange *, struct span rest);
void tunnel_client_readable(struct exchange *);
void tunnel_server_readable(struct exchange *);
void tunnel_client_writable(struct exchange *);
void tunnel_server_writable(struct exchange *);
void tunnel_expired(struct exchange *);
void tunnel_gone(struct exchange *); /* it ends with its client's side */

static inline struct worker *
exchange_worker(const struct exchange *x)
{
	return x->client->conn.worker;
}

static inline const struct timeouts_config *
exchange_timeouts(const struct exchange *x)
{
	return &x->snapshot->config->timeouts;
}

#endif
