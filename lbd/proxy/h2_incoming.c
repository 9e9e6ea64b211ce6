/* h2_incoming.c - out of a buffer, into scratch memory, in chunks if need be. */
#include "lbd/proxy/h2_incoming.h"

#include <errno.h>
#include <string.h>

#include "lbd/http/body.h"

static void
scratch_add(struct span *data, const char *p, size_t n)
{
	memcpy(data->p + data->n, p, n);
	data->n += n;
}

/* The last chunk and what follows it. */
static void
read_end(struct h2_incoming *in, struct span *data)
{
	in->end_read = true;
	scratch_add(data, "0\r\n", 3);
	if (in->trailers)
		scratch_add(data, in->trailers->data, in->trailers->end);
	scratch_add(data, "\r\n", 2);
}

static void
read_piece(struct h2_incoming *in, struct worker *w, struct span *data, size_t n)
{
	memcpy(data->p, in->body->data + in->body->start, n);
	data->n = n;
	in->body->start += (uint32_t)n;
	if (in->body->start == in->body->end)
		buffer_put(&w->buffers, &in->body);
	if (in->chunked)
		data->p = chunk_wrap(data->p, n, &data->n);
}

ssize_t
h2_incoming_read(
    struct h2_incoming *in, struct worker *w, struct span *data, size_t most, size_t *taken)
{
	size_t n = buffer_used(in->body);

	*data = (struct span){ w->scratch, 0 };
	*taken = n < most ? n : most;
	if (n == 0 && !in->ended)
		return -EAGAIN;
	if (n)
		read_piece(in, w, data, *taken);
	if (in->chunked && in->ended && !in->body && !in->end_read)
		read_end(in, data);
	if (data->n == 0)
		in->end_read = true;
	return (ssize_t)data->n;
}

void
h2_incoming_fini(struct h2_incoming *in, struct worker *w)
{
	buffer_put(&w->buffers, &in->body);
	buffer_put(&w->buffers, &in->trailers);
}
