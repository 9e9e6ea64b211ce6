/*
 * admin_request.h - reads the one request that a connection to admin_http may carry.
 *
 * Pure.  Strict, and deliberately not lbd's parser: common/ knows no HTTP rooms, and a page of counters needs
 * only a method and a path.
 */
#ifndef COMMON_ADMIN_REQUEST_H
#define COMMON_ADMIN_REQUEST_H

#include "common/str.h"

struct admin_request {
	bool head; /* HEAD: the response has no body */
	struct str path, query; /* point into the input */
};

/* Length of the head with its empty line, 0 while it is not complete. */
size_t admin_request_length(struct str input);

/* 200, or the status that refuses it: 400, 405, 505.  `head` is what admin_request_length measured. */
int admin_request_parse(struct str head, struct admin_request *);

#endif
