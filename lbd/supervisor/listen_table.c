/* listen_table.c - an array that is searched linearly; it changes only at start and reload. */
#include "lbd/supervisor/listen_table.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lbd/supervisor/tcp_listen.h"

void
listen_table_init(struct listen_table *t, unsigned workers, mode_t unix_mode)
{
	*t = (struct listen_table){ .workers = workers, .unix_mode = unix_mode };
}

static void
socket_fini(struct listen_socket *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	free(s->fds);
	unix_socket_remove(&s->file);
}

void
listen_table_fini(struct listen_table *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		socket_fini(&t->sockets[i]);
	free(t->sockets);
	listen_table_init(t, t->workers, t->unix_mode);
}

static struct listen_socket *
socket_find(const struct listen_table *t, const struct address *a)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (address_equal(&t->sockets[i].address, a))
			return &t->sockets[i];
	return NULL;
}

/* An empty, staged place for that address; NULL: out of memory. */
static struct listen_socket *
socket_new(struct listen_table *t, const struct address *a)
{
	struct listen_socket *sockets, *s;
	unsigned i, n = a->sa.sa_family == AF_UNIX ? 1 : t->workers;
	int *fds;

	sockets = realloc(t->sockets, (t->n + 1) * sizeof(*sockets));
	if (!sockets)
		return NULL;
	t->sockets = sockets;
	fds = malloc(n * sizeof(*fds));
	if (!fds)
		return NULL;
	for (i = 0; i < n; i++)
		fds[i] = -1;
	s = &sockets[t->n++];
	*s = (struct listen_socket){ .address = *a, .fds = fds, .n = n, .staged = true };
	return s;
}

/* Do we ourselves have sockets on that port?  Then the test for strangers would find them. */
static bool
port_is_ours(const struct listen_table *t, const struct address *a)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->sockets[i].fds[0] >= 0 && tcp_listen_same_port(&t->sockets[i].address, a))
			return true;
	return false;
}

static int
socket_open(struct listen_table *t, const struct address *a, struct err *err)
{
	const struct unix_socket_access who = { t->unix_mode, (gid_t)-1 };
	struct tcp_listen_options tcp = { t->workers, port_is_ours(t, a) };
	struct listen_socket *s = socket_new(t, a);

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	if (a->sa.sa_family == AF_UNIX) {
		s->fds[0] = unix_socket_listen(&s->file, str_of(a->un.sun_path), &who, err);
		return s->fds[0] < 0 ? s->fds[0] : 0;
	}
	return tcp_listen_open(a, &tcp, s->fds, err);
}

int
listen_table_open_address(struct listen_table *t, const struct address *a, struct err *err)
{
	int code = socket_find(t, a) ? 0 : socket_open(t, a, err);

	if (code)
		listen_table_rollback(t);
	return code;
}

int
listen_table_open(struct listen_table *t, const struct lbd_config *config, struct err *err)
{
	uint32_t l, b;
	int code = 0;

	for (l = 0; l < config->n_listeners && !code; l++)
		for (b = 0; b < config->listeners[l].n_bind && !code; b++)
			code = listen_table_open_address(t, &config->listeners[l].bind[b], err);
	return code;
}

int
listen_table_add(
    struct listen_table *t, const struct address *a, unsigned index, int fd, struct err *err)
{
	struct listen_socket *s = socket_find(t, a);

	if (!s)
		s = socket_new(t, a);
	if (!s || !s->staged || index >= s->n || s->fds[index] >= 0) {
		close(fd);
		return err_set(err, -EINVAL, "no place for this listening socket");
	}
	s->fds[index] = fd;
	return 0;
}

/* Keeps those for which it holds, in their order. */
static void
table_keep(struct listen_table *t, bool (*keep)(const struct listen_socket *, const void *),
    const void *data)
{
	size_t i, n = 0;

	for (i = 0; i < t->n; i++) {
		if (keep(&t->sockets[i], data))
			t->sockets[n++] = t->sockets[i];
		else
			socket_fini(&t->sockets[i]);
	}
	t->n = n;
}

static bool
is_named(const struct listen_socket *s, const void *data)
{
	const struct lbd_config *config = data;
	uint32_t l, b;

	for (l = 0; l < config->n_listeners; l++)
		for (b = 0; b < config->listeners[l].n_bind; b++)
			if (address_equal(&s->address, &config->listeners[l].bind[b]))
				return true;
	return false;
}

static bool
is_settled(const struct listen_socket *s, const void *data)
{
	(void)data;
	return !s->staged;
}

static bool
is_address(const struct listen_socket *s, const void *data)
{
	return data && address_equal(&s->address, data);
}

static void
table_settle(struct listen_table *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		t->sockets[i].staged = false;
}

void
listen_table_commit(struct listen_table *t, const struct lbd_config *config)
{
	table_keep(t, is_named, config);
	table_settle(t);
}

void
listen_table_commit_address(struct listen_table *t, const struct address *a)
{
	table_keep(t, is_address, a);
	table_settle(t);
}

void
listen_table_rollback(struct listen_table *t)
{
	table_keep(t, is_settled, NULL);
}

int
listen_table_fd(const struct listen_table *t, const struct address *a, unsigned worker)
{
	const struct listen_socket *s = socket_find(t, a);

	return s ? s->fds[worker % s->n] : -1;
}

void
listen_table_disown_files(struct listen_table *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		t->sockets[i].file.path[0] = '\0';
}
