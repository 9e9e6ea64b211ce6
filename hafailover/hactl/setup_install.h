/*
 * setup_install.h - the files of a pair into their directory: all of them, checked by the daemons, or none.
 */
#ifndef HAFAILOVER_HACTL_SETUP_INSTALL_H
#define HAFAILOVER_HACTL_SETUP_INSTALL_H

#include "hafailover/hactl/hactl.h"
#include "hafailover/hactl/setup_bundle.h"

/* Says which are written, or complains. */
enum ending setup_install(struct hactl *, const char *directory, const struct setup_bundle *);

#endif
