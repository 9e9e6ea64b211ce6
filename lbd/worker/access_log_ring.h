/*
 * access_log_ring.h - records on their way from one worker to the log thread: a ring of bytes.
 *
 * One producer, one consumer, no locks.  A record lies in one piece, with the bytes of its slices
 * behind it, so that the consumer uses it where it is.
 */
#ifndef LBD_WORKER_ACCESS_LOG_RING_H
#define LBD_WORKER_ACCESS_LOG_RING_H

#include "lbd/worker/access_log.h"
#include "lbd/worker/stats_counter.h"

struct access_ring {
	unsigned char *bytes;
	size_t size; /* a power of two; positions count on without end */
	_Alignas(64) _Atomic size_t head; /* the producer's */
	size_t tail_seen;
	bool dirty; /* something was put since the last access_ring_publish */
	counter dropped;
	_Alignas(64) _Atomic size_t tail; /* the consumer's */
};

/* `size` is rounded up to a power of two.  0 or -ENOMEM. */
int access_ring_init(struct access_ring *, size_t size);
void access_ring_fini(struct access_ring *);

/* Producer.  Without room the record is dropped and counted. */
void access_ring_put(struct access_ring *, const struct access_record *);

/*
 * Producer: true when something was put since the last call; it is then seen before what follows.
 */
bool access_ring_publish(struct access_ring *);
bool access_ring_half_full(const struct access_ring *);

/*
 * Consumer: where the ring ends now; the oldest record before `end` or NULL; done with that
 * record.
 */
size_t access_ring_end(const struct access_ring *);
const struct access_record *access_ring_first(struct access_ring *, size_t end);
void access_ring_pop(struct access_ring *);
bool access_ring_empty(const struct access_ring *);

#endif
