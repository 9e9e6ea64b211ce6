/*
 * edit.h - header fields that listeners and routes remove, set and add; those of the listener first.
 */
#ifndef LBD_PROXY_EDIT_H
#define LBD_PROXY_EDIT_H

#include "lbd/proxy/exchange.h"

/*
 * Both change the head in the worker; its new values live until the next head is edited.  False: there is no room
 * for them, or no memory.  *host is what the server is told instead of the client's, or empty.
 */
bool edit_request(struct exchange *, struct str request_id, struct str *host);
bool edit_response(struct exchange *);

#endif
