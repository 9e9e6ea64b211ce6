/*
 * field.h - what is true of a field by its name alone.
 */
#ifndef LBD_HTTP_FIELD_H
#define LBD_HTTP_FIELD_H

#include "lbd/http/head.h"

/*
 * Never forwarded as received: RFC 9110 7.6.1, and what the formatters write themselves (framing, Host,
 * Expect).
 */
bool field_one_hop(enum field_id);

/* May Connection name it, to have it dropped?  Not what framing, routing and tracing depend on. */
bool field_droppable(enum field_id, struct str name);

/* "Content_Length", "Transfer.Encoding": not the field itself, but some servers would think so. */
bool field_resembles_framing(struct str name);

/* X-Forwarded-anything, X-Request-Id and spellings that a server may take for them. */
bool field_resembles_forwarding(struct str name);

/* May it stand in a trailer section?  RFC 9110 6.5.1. */
bool field_in_trailer(struct str name);

#endif
