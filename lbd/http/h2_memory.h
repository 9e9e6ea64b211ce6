/*
 * h2_memory.h - memory for nghttp2, counted and bounded: an allocation beyond the bound fails, and with it the
 * connection.
 */
#ifndef LBD_HTTP_H2_MEMORY_H
#define LBD_HTTP_H2_MEMORY_H

#include <nghttp2/nghttp2.h>

struct h2_memory {
	size_t used, most;
};

/* For a session that borrows the counter. */
nghttp2_mem h2_memory_functions(struct h2_memory *);

#endif
