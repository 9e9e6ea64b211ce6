/* client_hello.c - records to a message, the message to its fields, one field to a name. */
#include "lbd/tls/client_hello.h"

#include <stdbool.h>

#include "lbd/tls/server_name.h"

enum {
	RECORD_HEADER = 5,
	RECORD_MAX = 16384,
	RECORD_HANDSHAKE = 22,
	MESSAGE_HEADER = 4,
	MESSAGE_CLIENT_HELLO = 1,
	VERSION_AND_RANDOM = 2 + 32,
	SESSION_ID_MAX = 32,
	EXTENSION_SERVER_NAME = 0
};

/* What is left of a message.  `bad`: it was shorter than it said. */
struct rest {
	const unsigned char *p;
	size_t n;
	bool bad;
};

static struct rest
take(struct rest *r, size_t n)
{
	struct rest taken = { r->p, n, false };

	if (r->bad || n > r->n) {
		r->bad = true;
		return (struct rest){ NULL, 0, true };
	}
	r->p += n;
	r->n -= n;
	return taken;
}

static size_t
take_number(struct rest *r, unsigned bytes)
{
	struct rest taken = take(r, bytes);
	size_t v = 0;

	for (size_t i = 0; i < taken.n; i++)
		v = v << 8 | taken.p[i];
	return v;
}

/* Behind its length, of so many bytes. */
static struct rest
take_vector(struct rest *r, unsigned bytes)
{
	size_t n = take_number(r, bytes);

	return take(r, n);
}

/* Each extension stands once; RFC 8446 4.2.  False: these do not add up. */
static bool
extensions_read(struct rest all, struct str *name)
{
	bool seen = false;

	while (all.n && !all.bad) {
		size_t type = take_number(&all, 2);
		struct rest data = take_vector(&all, 2);

		if (type != EXTENSION_SERVER_NAME || all.bad)
			continue;
		*name = tls_server_name((struct str){ (const char *)data.p, data.n });
		if (seen || name->n == 0)
			return false;
		seen = true;
	}
	return !all.bad;
}

static bool
hello_read(struct rest hello, struct str *name)
{
	struct rest session, suites, compression, extensions;

	*name = (struct str){ NULL, 0 };
	take(&hello, VERSION_AND_RANDOM);
	session = take_vector(&hello, 1);
	suites = take_vector(&hello, 2);
	compression = take_vector(&hello, 1);
	if (hello.bad || session.n > SESSION_ID_MAX || suites.n < 2 || suites.n % 2 ||
	    compression.n == 0)
		return false;
	if (hello.n == 0) /* of TLS 1.2 and before: there need be none */
		return true;
	extensions = take_vector(&hello, 2);
	return !hello.bad && hello.n == 0 && extensions_read(extensions, name);
}

static bool
is_record_header(const unsigned char *p)
{
	return p[0] == RECORD_HANDSHAKE && p[1] == 3;
}

/* Is that, as far as it has come, the beginning of something else? */
static bool
is_no_tls(struct str in)
{
	const unsigned char *p = (const unsigned char *)in.p;

	return (in.n > 0 && p[0] != RECORD_HANDSHAKE) || (in.n > 1 && p[1] != 3) ||
	    (in.n > RECORD_HEADER && p[RECORD_HEADER] != MESSAGE_CLIENT_HELLO);
}

/*
 * The records' contents, one behind the other, as far as they have come: the first where it lies, more of them in
 * `room`.  False: what follows the first is no record of the same kind.
 */
static bool
records_join(struct str in, char *room, struct rest *message)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t at = 0, n, whole;

	*message = (struct rest){ NULL, 0, false };
	for (; in.n - at > RECORD_HEADER; at += RECORD_HEADER + n) {
		if (!is_record_header(p + at))
			return false;
		whole = (size_t)p[at + 3] << 8 | p[at + 4];
		if (whole == 0 || whole > RECORD_MAX)
			return false;
		n = in.n - at - RECORD_HEADER < whole ? in.n - at - RECORD_HEADER : whole;
		if (at == 0) {
			*message = (struct rest){ p + RECORD_HEADER, n, false };
		} else {
			if (message->p != (const unsigned char *)room)
				memcpy(room, message->p, message->n);
			memcpy(room + message->n, p + at + RECORD_HEADER, n);
			message->p = (const unsigned char *)room;
			message->n += n;
		}
		if (message->n >= MESSAGE_HEADER) {
			struct rest header = *message;

			take(&header, 1);
			if (take_number(&header, 3) <= header.n)
				return true; /* what follows is another message */
		}
	}
	return true;
}

ssize_t
client_hello_name(struct str in, char *room, struct str *name)
{
	struct str head = in.n > CLIENT_HELLO_MAX ? (struct str){ in.p, CLIENT_HELLO_MAX } : in;
	struct rest message, hello;
	size_t n;

	*name = (struct str){ NULL, 0 };
	if (is_no_tls(head))
		return (ssize_t)in.n;
	if (!records_join(head, room, &message))
		return CLIENT_HELLO_REFUSED;
	take(&message, 1);
	n = take_number(&message, 3);
	if (!message.bad && n > CLIENT_HELLO_MAX)
		return CLIENT_HELLO_REFUSED;
	if (message.bad || message.n < n)
		return in.n < CLIENT_HELLO_MAX ? 0 : CLIENT_HELLO_REFUSED;
	hello = take(&message, n);
	if (hello_read(hello, name))
		return (ssize_t)in.n;
	*name = (struct str){ NULL, 0 };
	return CLIENT_HELLO_REFUSED;
}
