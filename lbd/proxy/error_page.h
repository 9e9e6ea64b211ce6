/*
 * error_page.h - which page a client gets when lbd itself answers an error.
 *
 * That of the pool, else that of the listener, else none: then the answer is a short text.  Where all servers of the
 * pool are in maintenance, its maintenance_page goes before.
 */
#ifndef LBD_PROXY_ERROR_PAGE_H
#define LBD_PROXY_ERROR_PAGE_H

#include "lbd/proxy/exchange.h"

/* By x->status and x->termination.  NULL: none. */
const struct page_config *error_page_of_exchange(const struct exchange *);

#endif
