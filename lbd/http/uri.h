/*
 * uri.h - a Location is a URI whatever the client sent.  Pure.
 */
#ifndef LBD_HTTP_URI_H
#define LBD_HTTP_URI_H

#include "lbd/http/h1_format.h"

/* RFC 3986 appendix A: whatever may not stand in a URI is escaped; a '%' is the client's own escape. */
void uri_write(struct writer *, struct str);

#endif
