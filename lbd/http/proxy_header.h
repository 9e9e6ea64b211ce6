/*
 * proxy_header.h - the PROXY protocol: a few bytes before all others that say whose connection this is.
 *
 * Version 1 (a line of text) and version 2 (binary), as HAProxy's proxy-protocol.txt has them.  Pure.  Whether there
 * is a header is for the configuration to say and never to be guessed: any client could claim any address else.
 *
 * Reading: collect bytes until proxy_header_parse says something other than 0; PROXY_HEADER_MAX bytes are always
 * enough.  What follows those that it ate is the connection's own.  Writing: what proxy_header_format wrote goes out
 * before anything else, also before TLS.  For connections of workers both are done in lbd/proxy/proxied.h.
 */
#ifndef LBD_HTTP_PROXY_HEADER_H
#define LBD_HTTP_PROXY_HEADER_H

#include <sys/types.h>

#include "common/str.h"

enum {
	PROXY_HEADER_MAX = 4096, /* of one that is read */
	PROXY_FORMAT_MAX = 1024, /* of one that is written */
	PROXY_NAME_MAX = 255 /* longer names are not told */
};

/* Why one is refused: the `reason` of lbpair_proxy_protocol_failures_total. */
enum proxy_fault {
	PROXY_NO_FAULT,
	PROXY_MISSING, /* something else came */
	PROXY_LINE, /* version 1: not "PROXY TCP4|TCP6|UNKNOWN ..." in 107 bytes with CRLF at the end */
	PROXY_ADDRESS, /* version 1: not two addresses of that family and two ports */
	PROXY_VERSION, /* neither version 2 nor a command of it */
	PROXY_FAMILY, /* version 2: an address family or transport that is not assigned */
	PROXY_LENGTH, /* version 2: too short for its addresses, or longer than PROXY_HEADER_MAX */
	PROXY_EXTENSION, /* version 2: type, length and value do not fill what is left */
	PROXY_CHECKSUM, /* version 2: it was damaged */
	PROXY_TIMEOUT, /* it did not come in time */
	PROXY_CLOSED, /* the peer went away in the middle */
	PROXY_FAULTS
};

/* "missing", "line", ... */
const char *proxy_fault_name(enum proxy_fault);

/* One end of a TCP connection. */
struct proxy_end {
	uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint16_t port;
};

enum proxy_kind {
	PROXY_LOCAL, /* of nobody else: the connection's own addresses hold (LOCAL, UNKNOWN, UNSPEC) */
	PROXY_TCP,
	PROXY_UNIX /* of unix sockets, which have no addresses */
};

struct proxy_header {
	enum proxy_kind kind;
	struct proxy_end source, destination; /* of PROXY_TCP */
};

/* What version 2 can tell of a client's TLS; empty texts are not told. */
struct proxy_tls {
	struct str version; /* "TLSv1.3" */
	struct str alpn; /* the protocol that was agreed on */
	struct str authority; /* the name that the client asked for */
	struct str common_name; /* of its certificate */
	bool certificate; /* it has shown one, which was verified */
	bool resumed; /* in an earlier connection of the same session */
};

/* >0: so many bytes were eaten; 0: more must come; <0: a negated enum proxy_fault. */
ssize_t proxy_header_parse(struct str, struct proxy_header *);

/* `version` 1 or 2; `tls` NULL: plain, or version 1, which cannot tell.  The bytes that it takes. */
size_t proxy_header_format(const struct proxy_header *, unsigned version, const struct proxy_tls *,
    char room[PROXY_FORMAT_MAX]);

#endif
