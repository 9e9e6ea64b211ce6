/*
 * body.c - the chunk decoder, RFC 9112 section 7.1, rewriting in place.
 *
 * `r` bytes of the buffer are read, `w` written; w <= r always, because what is written for each part is
 * never longer than the part.  As long as the sender writes chunks as we would, w == r and no byte moves.
 */
#include "lbd/http/body.h"

#include <sys/types.h>

#include "common/check.h"
#include "lbd/http/scan.h"
#include "lbd/http/trailer.h"

enum {
	SIZE_DIGITS_MAX = 16,
	EXTENSION_MAX = 256, /* of one chunk */
	EXTENSIONS_MAX = 16384 /* of a message */
};

_Static_assert((int)TRAILER_MAX <= (int)BODY_PENDING_MAX, "an incomplete trailer section must fit");
_Static_assert(
    SIZE_DIGITS_MAX + EXTENSION_MAX + 2 <= (int)BODY_PENDING_MAX, "a size line must fit");

enum state { AT_SIZE, IN_DATA, AFTER_DATA, AT_TRAILER };

struct cursor {
	char *p;
	size_t n, r, w;
	size_t trailers; /* written behind w */
};

void
body_init(struct body *b, enum http_framing framing, uint64_t length, enum body_output output,
    bool keep_trailers)
{
	*b = (struct body){
		.framing = framing,
		.output = output,
		.keep_trailers = keep_trailers,
		.done = framing == FRAMING_NONE || (framing == FRAMING_LENGTH && length == 0),
		.state = AT_SIZE,
		.left = framing == FRAMING_LENGTH ? length : 0,
	};
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Writes `v` and CRLF; returns the length. */
static size_t
size_format(char *out, uint64_t v)
{
	int shift = v ? (63 - __builtin_clzll(v)) & ~3 : 0;
	size_t n = 0;

	for (; shift >= 0; shift -= 4)
		out[n++] = "0123456789abcdef"[v >> shift & 15];
	out[n++] = '\r';
	out[n++] = '\n';
	return n;
}

/* The end of the extensions that start at p with ';'.  NULL: refused. */
static const char *
extension_end(const struct body *b, const char *p, const char *end)
{
	const char *q = scan_value(p, end);
	size_t n = (size_t)(q - p);

	return n > EXTENSION_MAX || b->extensions + n > EXTENSIONS_MAX ? NULL : q;
}

/*
 * A chunk-size line.  >0 eaten, 0 need more, <0 refuse.  Sizes that do not fit 63 bits are refused: few
 * servers count further.
 */
static ssize_t
size_parse(struct body *b, struct str in, uint64_t *size)
{
	const char *p = in.p, *end = in.p + in.n, *q;
	uint64_t v = 0;
	int digit;

	for (; p < end && (digit = hex_value(*p)) >= 0; p++) {
		if (p - in.p == SIZE_DIGITS_MAX || v >> 59)
			return -REFUSE_CHUNK;
		v = v << 4 | (unsigned)digit;
	}
	if (p == end)
		return 0;
	if (p == in.p || (*p != ';' && *p != '\r'))
		return *p == '\n' ? -REFUSE_LINE_END : -REFUSE_CHUNK;
	q = extension_end(b, p, end);
	if (!q)
		return -REFUSE_CHUNK;
	if (q == end || (*q == '\r' && q + 1 == end))
		return 0;
	if (*q != '\r' && *q != '\n')
		return -REFUSE_CHUNK;
	if (*q == '\n' || q[1] != '\n')
		return -REFUSE_LINE_END;
	b->extensions += (uint32_t)(q - p);
	*size = v;
	return q + 2 - in.p;
}

static ssize_t
size_step(struct body *b, struct cursor *c)
{
	uint64_t size;
	ssize_t r = size_parse(b, (struct str){ c->p + c->r, c->n - c->r }, &size);

	if (r <= 0)
		return r;
	c->r += (size_t)r;
	if (b->output == BODY_AS_IS)
		c->w += size_format(c->p + c->w, size);
	b->left = size;
	b->state = size ? IN_DATA : AT_TRAILER;
	return r;
}

static ssize_t
data_step(struct body *b, struct cursor *c)
{
	size_t n = c->n - c->r;

	if (n > b->left)
		n = (size_t)b->left;
	if (c->w != c->r)
		memmove(c->p + c->w, c->p + c->r, n);
	c->r += n;
	c->w += n;
	b->payload += n;
	b->left -= n;
	if (b->left == 0)
		b->state = AFTER_DATA;
	return (ssize_t)n;
}

static ssize_t
after_data_step(struct body *b, struct cursor *c)
{
	const char *p = c->p + c->r;
	size_t n = c->n - c->r;

	if (n == 0)
		return 0;
	if (p[0] != '\r')
		return p[0] == '\n' ? -REFUSE_LINE_END : -REFUSE_CHUNK;
	if (n == 1)
		return 0;
	if (p[1] != '\n')
		return -REFUSE_LINE_END;
	c->r += 2;
	if (b->output == BODY_AS_IS) {
		c->p[c->w++] = '\r';
		c->p[c->w++] = '\n';
	}
	b->state = AT_SIZE;
	return 2;
}

static ssize_t
trailer_step(struct body *b, struct cursor *c)
{
	struct str in = { c->p + c->r, c->n - c->r };
	ssize_t r = trailer_check(in);

	if (r <= 0)
		return r;
	in.n = (size_t)r;
	c->r += in.n;
	if (b->keep_trailers)
		c->trailers = trailer_rewrite(c->p + c->w, in, b->reserved, b->n_reserved);
	if (b->output == BODY_AS_IS) {
		c->w += c->trailers;
		c->trailers = 0;
		c->p[c->w++] = '\r';
		c->p[c->w++] = '\n';
	}
	b->done = true;
	return r;
}

static ssize_t
chunked_step(struct body *b, struct cursor *c)
{
	switch ((enum state)b->state) {
	case AT_SIZE:
		return size_step(b, c);
	case IN_DATA:
		return data_step(b, c);
	case AFTER_DATA:
		return after_data_step(b, c);
	case AT_TRAILER:
		return trailer_step(b, c);
	}
	CHECK_NEVER();
}

static struct body_step
chunked_decode(struct body *b, char *p, size_t n)
{
	struct cursor c = { .p = p, .n = n };
	ssize_t r = 1;

	while (!b->done && r > 0)
		r = chunked_step(b, &c);
	if (r < 0)
		return (struct body_step){ .refusal = (enum refusal) - r };
	return (struct body_step){ .eaten = c.r, .out = c.w, .trailers = c.trailers };
}

struct body_step
body_decode(struct body *b, char *p, size_t n)
{
	if (b->done)
		return (struct body_step){ .refusal = REFUSE_NOTHING };
	if (b->framing == FRAMING_CHUNKED)
		return chunked_decode(b, p, n);
	if (b->framing == FRAMING_LENGTH) {
		if (n > b->left)
			n = (size_t)b->left;
		b->left -= n;
		b->done = b->left == 0;
	}
	b->payload += n;
	return (struct body_step){ .eaten = n, .out = n };
}

char *
chunk_wrap(char *p, size_t n, size_t *total)
{
	char head[CHUNK_HEAD_MAX];
	size_t size = size_format(head, n);

	memcpy(p - size, head, size);
	memcpy(p + n, "\r\n", 2);
	*total = size + n + 2;
	return p - size;
}
