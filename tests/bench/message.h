/*
 * message.h - where does an HTTP/1.1 message end?  For backend.c (requests) and load.c (answers).
 *
 * Deliberately not lbd's parser: the bench must notice when that one frames an answer wrongly.  It
 * reads what our own three programs and the proxies write, not what an attacker would.  An
 * incomplete head is not eaten: the caller keeps it and offers it again with more; a body is eaten
 * as it comes.
 */
#ifndef BENCH_MESSAGE_H
#define BENCH_MESSAGE_H

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum message_stage {
	MESSAGE_HEAD,
	MESSAGE_LENGTH, /* `left` bytes of body to come */
	MESSAGE_CHUNK_SIZE,
	MESSAGE_CHUNK_DATA, /* `left` bytes of this chunk to come */
	MESSAGE_CHUNK_END, /* the line end after a chunk */
	MESSAGE_TRAILER,
	MESSAGE_UNTIL_EOF,
	MESSAGE_DONE,
	MESSAGE_BAD
};

struct message {
	enum message_stage stage;
	bool close; /* the sender wants the connection closed afterwards */
	bool chunked, sized;
	int status; /* of an answer; 0: this is a request */
	uint64_t left, body; /* `body`: bytes of content seen so far */
	size_t line_n; /* bytes of the current chunk or trailer line */
	char target[32]; /* of a request, cut off if longer */
};

static inline void
message_start(struct message *m)
{
	memset(m, 0, sizeof(*m));
}

static inline void
message_start_line(struct message *m, const char *p, const char *end)
{
	const char *space = memchr(p, ' ', (size_t)(end - p));
	const char *stop;
	size_t n;

	if (!space || end - space < 4) {
		m->stage = MESSAGE_BAD;
		return;
	}
	if (!strncmp(p, "HTTP/1.", 7)) {
		m->status = atoi(space + 1);
		m->close = p[7] == '0';
		return;
	}
	stop = memchr(space + 1, ' ', (size_t)(end - space - 1));
	n = (size_t)((stop ? stop : end) - space - 1);
	if (n >= sizeof(m->target))
		n = sizeof(m->target) - 1;
	memcpy(m->target, space + 1, n);
	m->target[n] = '\0';
	m->close = end[-1] == '0';
}

/* One field line, without its line end; a NUL or CR always follows in the buffer. */
static inline void
message_field(struct message *m, const char *p, size_t n)
{
	if (n > 15 && !strncasecmp(p, "content-length:", 15)) {
		m->sized = true;
		m->left = strtoull(p + 15, NULL, 10);
	} else if (n > 18 && !strncasecmp(p, "transfer-encoding:", 18)) {
		m->chunked = true;
	} else if (n > 11 && !strncasecmp(p, "connection:", 11)) {
		p += 11;
		p += *p == ' ';
		if (!strncasecmp(p, "close", 5))
			m->close = true;
		else if (!strncasecmp(p, "keep-alive", 10))
			m->close = false;
	}
}

static inline enum message_stage
message_framing(const struct message *m)
{
	if (m->status == 204 || m->status == 304)
		return MESSAGE_DONE;
	if (m->chunked)
		return m->sized ? MESSAGE_BAD : MESSAGE_CHUNK_SIZE;
	if (m->sized)
		return m->left ? MESSAGE_LENGTH : MESSAGE_DONE;
	return m->status ? MESSAGE_UNTIL_EOF : MESSAGE_DONE;
}

/* The length of the head, 0 while it is incomplete. */
static inline size_t
message_head(struct message *m, const char *p, size_t n)
{
	const char *blank = memmem(p, n, "\r\n\r\n", 4);
	const char *line, *end;

	if (!blank)
		return 0;
	end = memchr(p, '\r', n);
	message_start_line(m, p, end);
	while (end != blank && m->stage != MESSAGE_BAD) {
		line = end + 2;
		end = memchr(line, '\r', n - (size_t)(line - p));
		message_field(m, line, (size_t)(end - line));
	}
	if (m->stage != MESSAGE_BAD)
		m->stage = message_framing(m);
	return (size_t)(blank - p) + 4;
}

/* One byte of the lines between and after chunks. */
static inline void
message_chunk_line(struct message *m, char byte)
{
	if (byte == '\r')
		return;
	if (byte != '\n') {
		m->line_n++;
		if (m->stage == MESSAGE_CHUNK_SIZE && isxdigit((unsigned char)byte))
			m->left = m->left << 4 |
			    (unsigned)(byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10);
		else if (m->stage != MESSAGE_TRAILER)
			m->stage = MESSAGE_BAD;
		return;
	}
	if (m->stage == MESSAGE_CHUNK_END) {
		m->stage = MESSAGE_CHUNK_SIZE;
		m->left = 0;
	} else if (m->stage == MESSAGE_CHUNK_SIZE) {
		m->stage = !m->line_n ? MESSAGE_BAD
		    : m->left         ? MESSAGE_CHUNK_DATA
				      : MESSAGE_TRAILER;
	} else if (!m->line_n) {
		m->stage = MESSAGE_DONE;
	}
	m->line_n = 0;
}

static inline size_t
message_content(struct message *m, size_t n, enum message_stage next)
{
	if (n > m->left)
		n = (size_t)m->left;
	m->left -= n;
	m->body += n;
	if (!m->left)
		m->stage = next;
	return n;
}

/* How many bytes belong to this message; it ends in MESSAGE_DONE or MESSAGE_BAD. */
static inline size_t
message_eat(struct message *m, const char *p, size_t n)
{
	size_t at = 0, head;

	while (at < n) {
		switch (m->stage) {
		case MESSAGE_HEAD:
			if (!(head = message_head(m, p + at, n - at)))
				return at;
			at += head;
			break;
		case MESSAGE_LENGTH:
			at += message_content(m, n - at, MESSAGE_DONE);
			break;
		case MESSAGE_CHUNK_DATA:
			at += message_content(m, n - at, MESSAGE_CHUNK_END);
			break;
		case MESSAGE_CHUNK_SIZE:
		case MESSAGE_CHUNK_END:
		case MESSAGE_TRAILER:
			message_chunk_line(m, p[at++]);
			break;
		case MESSAGE_UNTIL_EOF:
			m->body += n - at;
			return n;
		case MESSAGE_DONE:
		case MESSAGE_BAD:
			return at;
		}
	}
	return at;
}

#endif
