/*
 * load.c - the clients: one thread, epoll, one request in flight per connection; ends with JSON.
 *
 * usage: load [options] ADDR:PORT
 *   -n N        connections (64)             -c CPU      run there
 *   -d SECONDS  measure so long (1)          -w SECONDS  warm up before (0)
 *   -r N        measure N requests instead, without a warm-up
 *   -R RATE     open loop: requests per second in total; 0: closed loop, as fast as answers come
 *   -p PATH     (/128)                       -l BYTES    content expected in every answer (128)
 *   -b BYTES    POST that much               -B          a browser's head of ten more fields
 *   -C COOKIES  with that Cookie field
 *   -H N        to N hosts by turns: h00000.example.com and so on
 *   -x          a new connection for every request, which says Connection: close
 *   -T          HTTPS; -S: new connections resume the session of the last one
 *   -i          idle: one request on every connection, then print, keep all open until stdin ends,
 *               and print how many the other side closed meanwhile
 *   -a NAME=PID[,PID...]  report the CPU time of these processes in the measured window; repeatable
 *
 * Every answer is read to its end and must be 200 with the expected number of bytes, framed by our
 * own parser (message.h); anything else counts as an error and the connection is replaced.  With -x
 * the next connection is opened only when the other side has closed this one, as the request asked.
 *
 * Latency: closed loop from before the send (-x: before the connect) to the last byte of the
 * answer.  Open loop from the moment when the request was due, whether or not a connection was free
 * then: a stalled proxy is charged for all requests that it held up.  Counted are the answers that
 * end in the window; CPU time is read by this program itself at both ends of the window
 * (accounting.h).
 */
#include "common/clock.h"
#include "tests/bench/accounting.h"
#include "tests/bench/histogram.h"
#include "tests/bench/message.h"
#include "tests/bench/secure.h"
#include "tests/bench/socket.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { READ_MAX = 262144, EVENTS = 256, HEAD_MAX = 4096 };
enum { RAMP = 64 }; /* connections without an answer yet: no SYN queue overflows at the start */
enum { ACCOUNTS = 4, ERRORS_MAX = 1000 };
#define STUCK_NS (5 * NS_PER_S)

enum client_state {
	CLIENT_CLOSED,
	CLIENT_FREE, /* open, nothing in flight */
	CLIENT_BUSY, /* connecting, sending or waiting for the answer */
	CLIENT_LEAVING /* answered; waits for the other side to close */
};

struct client {
	int fd;
	SSL *ssl; /* NULL: plain */
	enum client_state state;
	bool want_write; /* EPOLLOUT is armed */
	bool fresh; /* this connection has not seen an answer yet */
	const char *request;
	size_t sent;
	int64_t started_ns;
	struct message message;
	char *head; /* the beginning of an incomplete head; NULL: nothing */
	size_t head_n;
	struct client *next_free;
};

enum load_error {
	ERROR_CONNECT,
	ERROR_BROKEN,
	ERROR_FRAMING,
	ERROR_STATUS,
	ERROR_LENGTH,
	ERROR_KINDS
};

static const char *const error_names[] = { "connect", "broken", "framing", "status", "length" };

static struct {
	unsigned connections;
	double seconds, warm_up, rate;
	uint64_t requests, expect;
	const char *path, *cookies;
	size_t body;
	unsigned hosts; /* 0: www.example.com alone */
	bool browser, close, idle, secure, resume;
	struct sockaddr_in target;
} conf = { .connections = 64, .seconds = 1, .path = "/128", .expect = 128 };

static int poll_fd;
static char buffer[READ_MAX];
static char *requests; /* one for each host, of the same length */
static size_t request_n;
static struct client *clients;
static struct client *free_first, **free_last = &free_first; /* those that may start a request */
static struct account accounts[ACCOUNTS];
static int n_accounts;

static struct {
	uint64_t sent, answered, bytes, reopened, errors[ERROR_KINDS], n_errors;
	unsigned fresh; /* connections that are */
	bool measuring, done, stuck;
	int64_t began_ns, window_ns, ended_ns, progress_ns;
	struct histogram latency;
} run;

/* ---- the request ---- */

static size_t
request_write(char *request, size_t room, const char *host)
{
	static const char tool[] = "User-Agent: load/1.0\r\nAccept: */*\r\n";
	static const char browser[] =
	    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
	    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"
	    "Accept-Language: en-US,en;q=0.5\r\n"
	    "Accept-Encoding: gzip, deflate, br\r\n"
	    "Referer: http://www.example.com/articles/2026/01/\r\n"
	    "Cookie: session=6f1c2a9be07d4c55a3e8; theme=dark; consent=yes\r\n"
	    "Upgrade-Insecure-Requests: 1\r\n"
	    "Sec-Fetch-Mode: navigate\r\n"
	    "Sec-Fetch-Site: same-origin\r\n"
	    "Cache-Control: max-age=0\r\n";
	size_t n = (size_t)snprintf(request, room, "%s %.1024s HTTP/1.1\r\nHost: %s\r\n%s%s",
	    conf.body ? "POST" : "GET", conf.path, host, conf.browser ? browser : tool,
	    conf.close ? "Connection: close\r\n" : "");

	if (conf.cookies)
		n += (size_t)snprintf(request + n, room - n, "Cookie: %.1024s\r\n", conf.cookies);
	if (conf.body)
		n += (size_t)snprintf(request + n, room - n,
		    "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n", conf.body);
	memcpy(request + n, "\r\n", 2);
	memset(request + n + 2, 'x', conf.body);
	return n + 2 + conf.body;
}

static void
requests_build(void)
{
	size_t room = conf.body + 4096;
	char *first = malloc(room), host[32] = "www.example.com";
	unsigned n = conf.hosts ? conf.hosts : 1;

	if (conf.hosts)
		strcpy(host, "h00000.example.com");
	if (!first)
		err(1, "malloc");
	request_n = request_write(first, room, host);
	if (!(requests = malloc(n * request_n + room)))
		err(1, "malloc");
	for (unsigned i = 0; i < n; i++) {
		if (conf.hosts)
			snprintf(host, sizeof(host), "h%05u.example.com", i);
		request_write(requests + i * request_n, room, host);
	}
	free(first);
}

/* ---- one connection ---- */

static void
client_release(struct client *c)
{
	c->next_free = NULL;
	*free_last = c;
	free_last = &c->next_free;
}

static void
client_settle(struct client *c)
{
	run.fresh -= c->fresh;
	c->fresh = false;
}

static void
client_close(struct client *c)
{
	if (c->state == CLIENT_CLOSED)
		return;
	SSL_free(c->ssl);
	c->ssl = NULL;
	close(c->fd);
	free(c->head);
	c->head = NULL;
	c->head_n = 0;
	c->state = CLIENT_CLOSED;
	client_settle(c);
}

static void
client_error(struct client *c, enum load_error kind)
{
	bool listed = c->state == CLIENT_FREE;

	run.errors[kind]++;
	if (++run.n_errors >= ERRORS_MAX)
		run.done = true;
	client_close(c);
	if (!listed)
		client_release(c);
}

static bool
client_open(struct client *c)
{
	c->fd = socket_new();
	socket_option(c->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (connect(c->fd, (struct sockaddr *)&conf.target, sizeof(conf.target)) < 0 &&
	    errno != EINPROGRESS) {
		close(c->fd);
		return false;
	}
	c->ssl = conf.secure ? secure_new(c->fd) : NULL;
	c->want_write = false;
	c->fresh = true;
	run.fresh++;
	socket_watch(poll_fd, EPOLL_CTL_ADD, c->fd, EPOLLIN, c);
	return true;
}

static void
client_send(struct client *c)
{
	ssize_t n = secure_send(c->ssl, c->fd, c->request + c->sent, request_n - c->sent);
	bool rest;

	if (n < 0 && errno != EAGAIN) {
		client_error(c, c->sent || !c->fresh ? ERROR_BROKEN : ERROR_CONNECT);
		return;
	}
	c->sent += n > 0 ? (size_t)n : 0;
	rest = c->sent < request_n && !(c->ssl && SSL_want_read(c->ssl));
	if (rest != c->want_write) {
		c->want_write = rest;
		socket_watch(poll_fd, EPOLL_CTL_MOD, c->fd, rest ? EPOLLIN | EPOLLOUT : EPOLLIN, c);
	}
}

/* Sends the next request, whose time counts from `since_ns`. */
static void
client_start(struct client *c, int64_t since_ns)
{
	c->request = requests + (conf.hosts ? run.sent % conf.hosts * request_n : 0);
	run.sent++;
	message_start(&c->message);
	c->started_ns = since_ns;
	c->sent = 0;
	if (c->state == CLIENT_CLOSED && !client_open(c)) {
		client_error(c, ERROR_CONNECT);
		return;
	}
	c->state = CLIENT_BUSY;
	client_send(c);
}

static void
client_answered(struct client *c)
{
	int64_t now = clock_ns();

	run.progress_ns = now;
	run.answered++;
	if (run.measuring)
		histogram_add(&run.latency, now - c->started_ns);
	client_settle(c);
	if (conf.close) {
		c->state = CLIENT_LEAVING;
		return;
	}
	c->state = CLIENT_FREE;
	if (c->message.close) {
		run.reopened++;
		client_close(c);
	}
	if (!conf.idle)
		client_release(c);
}

/* Keeps an incomplete head for the next read. */
static void
client_keep(struct client *c, size_t n)
{
	if (n > HEAD_MAX) {
		client_error(c, ERROR_FRAMING);
		return;
	}
	if (!c->head && !(c->head = malloc(HEAD_MAX)))
		err(1, "malloc");
	memcpy(c->head, buffer, n);
	c->head_n = n;
}

/* The answer so far: n bytes of `buffer`. */
static void
client_take(struct client *c, size_t n)
{
	struct message *m = &c->message;
	size_t eaten = message_eat(m, buffer, n);

	c->head_n = 0;
	if (m->stage == MESSAGE_HEAD)
		client_keep(c, n);
	else if (m->stage == MESSAGE_BAD || (m->stage == MESSAGE_DONE && eaten < n))
		client_error(c, ERROR_FRAMING);
	else if (m->stage != MESSAGE_DONE)
		return;
	else if (m->status != 200)
		client_error(c, ERROR_STATUS);
	else if (m->body != conf.expect)
		client_error(c, ERROR_LENGTH);
	else
		client_answered(c);
}

/* The other side closed, or the connection broke. */
static void
client_ended(struct client *c)
{
	switch (c->state) {
	case CLIENT_LEAVING:
		client_close(c);
		client_release(c);
		break;
	case CLIENT_FREE: /* allowed, but it costs, so it is reported */
		run.reopened++;
		client_close(c);
		break;
	case CLIENT_BUSY:
		client_error(c, c->fresh && !c->sent ? ERROR_CONNECT : ERROR_BROKEN);
		break;
	case CLIENT_CLOSED:
		break;
	}
}

/* False: there was nothing. */
static bool
client_read(struct client *c)
{
	ssize_t n;

	if (c->head_n)
		memcpy(buffer, c->head, c->head_n);
	n = secure_recv(c->ssl, c->fd, buffer + c->head_n, READ_MAX - c->head_n);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		client_ended(c);
		return true;
	}
	if (c->state != CLIENT_BUSY) { /* nobody asked for this */
		client_error(c, ERROR_FRAMING);
		return true;
	}
	run.bytes += run.measuring ? (uint64_t)n : 0;
	client_take(c, c->head_n + (size_t)n);
	return true;
}

static void
client_event(struct client *c, uint32_t events)
{
	if ((events & EPOLLOUT || c->ssl) && c->state == CLIENT_BUSY && c->sent < request_n)
		client_send(c);
	if (!(events & ~(uint32_t)EPOLLOUT))
		return;
	while (c->state != CLIENT_CLOSED && client_read(c))
		if (!c->ssl || !SSL_has_pending(c->ssl))
			break;
}

/* ---- the run ---- */

/* When the next request is due: in an open loop by the schedule, else at once. */
static int64_t
due_ns(int64_t now)
{
	return conf.rate > 0 ? run.began_ns + (int64_t)((double)run.sent * 1e9 / conf.rate) : now;
}

static bool
more_wanted(void)
{
	return !run.done && (!conf.requests || run.sent < conf.requests + run.n_errors);
}

/* Starts what is due on the connections that are free, the longest free first. */
static void
dispatch(void)
{
	struct client *c;
	int64_t now = clock_ns(), since;

	while ((c = free_first) && more_wanted() && (since = due_ns(now)) <= now) {
		if (c->state == CLIENT_CLOSED && run.fresh >= RAMP)
			return;
		if (!(free_first = c->next_free))
			free_last = &free_first;
		client_start(c, since);
	}
}

static void
window_open(int64_t now)
{
	int i;

	run.measuring = true;
	run.window_ns = now;
	for (i = 0; i < n_accounts; i++)
		account_start(&accounts[i]);
}

static void
window_close(int64_t now)
{
	int i;

	if (!run.measuring) /* too many errors to get that far */
		window_open(now);
	for (i = 0; i < n_accounts; i++)
		account_stop(&accounts[i]);
	run.ended_ns = now;
	run.done = true;
}

/* Opens and closes the window when it is time; what comes next, and when. */
static int64_t
window_step(int64_t now)
{
	int64_t opens = run.began_ns + (int64_t)(conf.warm_up * 1e9);
	int64_t closes = opens + (int64_t)(conf.seconds * 1e9);

	if (!run.measuring && now >= opens)
		window_open(now);
	run.stuck = now - run.progress_ns > STUCK_NS;
	if (run.stuck || (conf.requests ? run.answered >= conf.requests : now >= closes))
		window_close(now);
	if (conf.requests)
		return now + NS_PER_S;
	if (!run.measuring)
		return opens;
	return closes < now + NS_PER_S ? closes : now + NS_PER_S; /* to notice when it is stuck */
}

static void
run_load(void)
{
	struct epoll_event events[EVENTS];
	struct timespec timeout;
	int64_t now, next;
	int i, n;

	run.began_ns = run.progress_ns = clock_ns();
	for (;;) {
		dispatch();
		now = clock_ns();
		next = window_step(now);
		if (run.done)
			break;
		if (conf.rate > 0 && free_first && due_ns(now) < next)
			next = due_ns(now);
		next = next > now ? next - now : 0;
		timeout = (struct timespec){ next / NS_PER_S, next % NS_PER_S };
		n = epoll_pwait2(poll_fd, events, EVENTS, &timeout, NULL);
		if (n < 0 && errno != EINTR)
			err(1, "epoll_pwait2");
		for (i = 0; i < n; i++) {
			client_event(events[i].data.ptr, events[i].events);
			dispatch();
		}
	}
	if (!run.ended_ns)
		window_close(clock_ns());
}

/* ---- the result ---- */

static double
latency_us(double share)
{
	return histogram_quantile(&run.latency, share) / 1e3;
}

static void
print_result(void)
{
	double seconds = (double)(run.ended_ns - run.window_ns + 1) / 1e9; /* never 0 */
	double due = conf.rate * (double)(run.ended_ns - run.began_ns) / 1e9;
	double late = due - (double)run.sent;
	int i;

	printf("{\"requests\": %lu, \"seconds\": %.6f, \"rps\": %.1f, \"bytes\": %lu, "
	       "\"reopened\": %lu, \"late\": %.0f, \"stuck\": %s, \"handshakes\": %lu, "
	       "\"resumed\": %lu, ",
	    run.latency.total, seconds, (double)run.latency.total / seconds, run.bytes,
	    run.reopened, late > 0 ? late : 0, run.stuck ? "true" : "false", secure.handshakes,
	    secure.resumed);
	printf("\"latency_us\": {\"p50\": %.2f, \"p90\": %.2f, \"p99\": %.2f, \"p999\": %.2f, "
	       "\"max\": %.2f}, \"cpu_s\": {",
	    latency_us(.5), latency_us(.9), latency_us(.99), latency_us(.999), latency_us(1));
	for (i = 0; i < n_accounts; i++)
		printf("%s\"%s\": %.9f", i ? ", " : "", accounts[i].name,
		    (double)accounts[i].spent_ns / 1e9);
	printf("}, \"errors\": {");
	for (i = 0; i < ERROR_KINDS; i++)
		printf("%s\"%s\": %lu", i ? ", " : "", error_names[i], run.errors[i]);
	puts("}}");
	fflush(stdout);
}

/* Holds all connections until stdin ends, then tells how many the other side closed. */
static void
hold_idle(void)
{
	unsigned i, closed = 0;
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	for (i = 0; i < conf.connections; i++)
		closed += clients[i].state != CLIENT_FREE ||
		    recv(clients[i].fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
	printf("{\"closed\": %u}\n", closed);
}

/* ---- start ---- */

static void
options_parse(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "n:c:d:w:r:R:p:l:b:C:H:BxTSia:")) != -1) {
		switch (opt) {
		case 'n':
			conf.connections = (unsigned)atoi(optarg);
			break;
		case 'c':
			process_pin(atoi(optarg));
			break;
		case 'd':
			conf.seconds = atof(optarg);
			break;
		case 'w':
			conf.warm_up = atof(optarg);
			break;
		case 'r':
			conf.requests = strtoull(optarg, NULL, 10);
			break;
		case 'R':
			conf.rate = atof(optarg);
			break;
		case 'p':
			conf.path = optarg;
			break;
		case 'l':
			conf.expect = strtoull(optarg, NULL, 10);
			break;
		case 'b':
			conf.body = strtoul(optarg, NULL, 10);
			break;
		case 'C':
			conf.cookies = optarg;
			break;
		case 'H':
			conf.hosts = (unsigned)atoi(optarg);
			if (conf.hosts < 1 || conf.hosts > 100000)
				errx(2, "-H takes 1 to 100000");
			break;
		case 'B':
			conf.browser = true;
			break;
		case 'x':
			conf.close = true;
			break;
		case 'T':
			conf.secure = true;
			break;
		case 'S':
			conf.resume = true;
			break;
		case 'i':
			conf.idle = true;
			break;
		case 'a':
			if (n_accounts == ACCOUNTS)
				errx(2, "more than %d accounts", ACCOUNTS);
			account_parse(&accounts[n_accounts++], optarg);
			break;
		default:
			exit(2);
		}
	}
	if (optind != argc - 1 || !conf.connections)
		errx(2, "usage: load [options] ADDR:PORT; see the head of load.c");
	conf.target = socket_parse(argv[optind]);
	if (conf.idle)
		conf.requests = conf.connections;
	if (conf.requests)
		conf.warm_up = 0;
}

int
main(int argc, char **argv)
{
	unsigned i;

	options_parse(argc, argv);
	process_raise_files();
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_TIMERSLACK, 1); /* an open loop must not add its own lateness */
	requests_build();
	if (conf.secure)
		secure_init(conf.resume);
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	clients = calloc(conf.connections, sizeof(*clients));
	if (poll_fd < 0 || !clients)
		err(1, "cannot start");
	for (i = 0; i < conf.connections; i++)
		client_release(&clients[i]);
	run_load();
	print_result();
	if (conf.idle)
		hold_idle();
	return run.stuck || run.n_errors;
}
