/* service.c - the log is used from the next line on; the old one is closed then. */
#include "hafailover/admin/service.h"

#include <errno.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sd_notify.h"
#include "common/unix_socket.h"

enum { HTTP_BACKLOG = 64 };

int
service_log_use(const struct ha_log_config *c, struct err *err)
{
	struct log_sink sink;
	int code =
	    log_sink_open(&sink, c->target, c->target == LOG_SINK_FILE ? c->path.p : NULL, err);

	if (code)
		return code;
	log_set_level(c->level);
	log_use(&sink);
	return 0;
}

static int
tcp_listen(const struct address *a)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;
	int code;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &a->sa, a->len) == 0 && listen(fd, HTTP_BACKLOG) == 0)
		return fd;
	code = -errno;
	close(fd);
	return code;
}

int
service_http_open(const struct address *a, struct err *err)
{
	const struct unix_socket_access access = { 0660, (gid_t)-1 };
	static struct unix_socket_file file;
	char text[ADDRESS_TEXT_MAX];
	int fd;

	if (a->sa.sa_family == AF_UNIX)
		return unix_socket_listen(&file, str_of(a->un.sun_path), &access, err);
	fd = tcp_listen(a);
	if (fd >= 0)
		return fd;
	address_format(a, text);
	return err_set(err, fd, "admin.http: cannot listen on %s: %s", text, strerror(-fd));
}

static void
on_second(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)timer;
	(void)revents;
	log_flush();
}

static void
on_watchdog(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)timer;
	(void)revents;
	sd_notify_watchdog();
}

void
service_timers_start(struct service_timers *t, struct ev_loop *loop)
{
	double watchdog_s = (double)sd_notify_watchdog_ns() / NS_PER_S / 2;

	ev_timer_init(&t->second, on_second, 1., 1.);
	ev_timer_init(&t->watchdog, on_watchdog, 0., watchdog_s);
	ev_timer_start(loop, &t->second);
	if (watchdog_s > 0)
		ev_timer_start(loop, &t->watchdog);
}

void
service_timers_stop(struct service_timers *t, struct ev_loop *loop)
{
	ev_timer_stop(loop, &t->second);
	ev_timer_stop(loop, &t->watchdog);
}
