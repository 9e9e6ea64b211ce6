/*
 * arena.h - memory that is freed all at once: one arena per configuration snapshot.
 *
 * Not for the request path.  Everything handed out is zeroed, aligned to 16 bytes and lives until
 * arena_free.  Out of memory aborts neither: arena_alloc returns NULL and arena_failed stays true, so
 * that a loader may check once at its end.
 */
#ifndef COMMON_ARENA_H
#define COMMON_ARENA_H

#include "common/str.h"

struct arena;

struct arena *arena_new(void); /* NULL: out of memory */
void arena_free(struct arena **);
void *arena_alloc(struct arena *, size_t n);
/* Copies and adds a NUL, so that `.p` can also be handed to C libraries.  {NULL, 0} on failure. */
struct str arena_str(struct arena *, struct str);
bool arena_failed(const struct arena *);

#endif
