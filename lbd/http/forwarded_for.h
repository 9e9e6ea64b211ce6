/*
 * forwarded_for.h - whom proxies name in X-Forwarded-For or Forwarded, read from the right.  Pure.
 *
 * Each proxy adds whom it heard: so the last one is named by who connected, each other one by the one behind it, and
 * what stands before somebody who is not trusted is only what that one said.  Who is trusted is for the caller to know.
 */
#ifndef LBD_HTTP_FORWARDED_FOR_H
#define LBD_HTTP_FORWARDED_FOR_H

#include "lbd/http/head.h"

struct forwarded_walk {
	const struct http_head *head;
	enum field_id id;
	unsigned fields; /* so many of the head's are still to be read ... */
	struct str list; /* ... and this of the one behind them */
};

/* `id`: FIELD_X_FORWARDED_FOR or FIELD_FORWARDED, RFC 7239. */
struct forwarded_walk forwarded_walk(const struct http_head *, enum field_id id);

/* The next address, IPv4 as ::ffff:a.b.c.d.  False, and ip is as it was: nobody is named, or not by an address. */
bool forwarded_next(struct forwarded_walk *, uint8_t ip[16]);

#endif
