/*
 * witness_main.h - `hafailover --witness`: the configuration, signals and the loop around witness.h.
 */
#ifndef HAFAILOVER_WITNESS_WITNESS_MAIN_H
#define HAFAILOVER_WITNESS_WITNESS_MAIN_H

enum witness_mode { WITNESS_SERVE, WITNESS_CHECK, WITNESS_PRINT };

/* The exit status.  What is wrong is said on standard error, or in the log. */
int witness_main(const char *file, enum witness_mode);

#endif
