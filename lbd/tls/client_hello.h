/*
 * client_hello.h - what name does a client ask for, before anybody answers it?  Pure.
 *
 * Reads the first message of a TLS connection (RFC 8446 4.1.2, 5.1), for those who pass it on untouched.  It may be
 * spread over records, and come in pieces.  What is no TLS at all has no name and is no fault; what begins as a
 * ClientHello and then breaks the rules is refused, for the server may read it otherwise.
 */
#ifndef LBD_TLS_CLIENT_HELLO_H
#define LBD_TLS_CLIENT_HELLO_H

#include <sys/types.h>

#include "common/str.h"

enum {
	CLIENT_HELLO_MAX = 16384, /* bytes, record headers included: those of browsers have 2000 */
	CLIENT_HELLO_REFUSED = -1
};

/*
 * `in`: all that has come so far.  >0: *name is what it asks for, empty if nothing; it lies in `in` or in `room`,
 * which has CLIENT_HELLO_MAX bytes.  0: more must come.  CLIENT_HELLO_REFUSED.
 */
ssize_t client_hello_name(struct str in, char *room, struct str *name);

#endif
