/*
 * json_places.h - on which line does each value of a JSON text stand?
 *
 * jansson keeps no positions.  This reads a text that jansson has accepted already (so it need
 * not judge) and notes a line per value in the order of the text: that of its key for a member,
 * else its own.  jansson iterates objects in the order of insertion and refuses duplicate keys
 * (JSON_REJECT_DUPLICATES), so walking both side by side finds each value's line: the first
 * child is at + 1, the next at places[child].after.
 */
#ifndef COMMON_JSON_PLACES_H
#define COMMON_JSON_PLACES_H

#include "common/str.h"

struct json_place {
	uint32_t line; /* from 1 */
	uint32_t after; /* index of the first value that is not inside this one */
};

struct json_places {
	struct json_place *list;
	uint32_t n, size;
};

/* 0 or -ENOMEM.  `valid` must be what json_loadb took as a whole. */
int json_places_init(struct json_places *, struct str valid);
void json_places_fini(struct json_places *);

#endif
