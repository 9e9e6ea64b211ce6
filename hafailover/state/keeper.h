/*
 * keeper.h - a thread that writes to the state directory, so that heartbeats never wait for a disk.
 *
 * The newest term wins over those not yet written; lines of the history are written in their order,
 * as many as fit.  What fails is logged, once until it works again.
 */
#ifndef HAFAILOVER_STATE_KEEPER_H
#define HAFAILOVER_STATE_KEEPER_H

#include "common/str.h"
#include "hafailover/state/term.h"

struct keeper;

/* `directory` is copied.  NULL: see err. */
struct keeper *keeper_start(const char *directory, struct err *);

/* Writes what is left and ends the thread. */
void keeper_stop(struct keeper **);

void keeper_term(struct keeper *, const struct term *);
void keeper_history(struct keeper *, struct str line);

#endif
