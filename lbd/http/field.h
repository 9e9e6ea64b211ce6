/*
 * field.h - what is true of a field by its name alone; field_id_of is in head.h.
 */
#ifndef LBD_HTTP_FIELD_H
#define LBD_HTTP_FIELD_H

#include "lbd/http/head.h"

#define FIELD_BIT(id) (UINT32_C(1) << (id))
_Static_assert(FIELD_ID_COUNT <= 32, "ids must fit a set of bits");

static inline bool
field_among(enum field_id id, uint32_t bits)
{
	return bits >> id & 1;
}

/*
 * Never forwarded as received: RFC 9110 7.6.1, and what the formatters write themselves (framing, Host,
 * Expect).
 */
enum {
	FIELDS_ONE_HOP = FIELD_BIT(FIELD_CONNECTION) | FIELD_BIT(FIELD_CONTENT_LENGTH) |
	    FIELD_BIT(FIELD_EXPECT) | FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_HTTP2_SETTINGS) |
	    FIELD_BIT(FIELD_KEEP_ALIVE) | FIELD_BIT(FIELD_PROXY_CONNECTION) | FIELD_BIT(FIELD_TE) |
	    FIELD_BIT(FIELD_TRANSFER_ENCODING) | FIELD_BIT(FIELD_UPGRADE)
};

/* May Connection name it, to have it dropped?  Not what framing, routing and tracing depend on. */
bool field_droppable(enum field_id);

/* May it stand in a trailer section?  RFC 9110 6.5.1. */
bool field_in_trailer(struct str name);

#endif
