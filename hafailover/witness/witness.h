/*
 * witness.h - `hafailover --witness`: sockets, log and metrics around witness_table.h.
 *
 * One process, one thread, one libev loop; it writes nothing to disk.  What comes is read in
 * batches, and answered from the address that was asked, to where it came from.  What is not sealed
 * with the secret of a pair is not answered.
 */
#ifndef HAFAILOVER_WITNESS_WITNESS_H
#define HAFAILOVER_WITNESS_WITNESS_H

#include <ev.h>

#include "hafailover/config/witness_config.h"

struct witness;

/* Takes *config over, also on failure.  `file` is read again at a reload; borrowed.  NULL: see err. */
struct witness *
witness_start(struct ev_loop *, struct witness_config **config, const char *file, struct err *);
void witness_free(struct witness **);

/* Reads the file again.  What is wrong with it is logged, and changes nothing. */
void witness_reload(struct witness *);

/* The log file was renamed: a new one is begun. */
void witness_log_reopen(struct witness *);

/* The secrets of all pairs can be read, and are not the same.  0 or -errno with a reason. */
int witness_config_check(const struct witness_config *, struct err *);

#endif
