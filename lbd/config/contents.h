/*
 * contents.h - what stands in the files that a configuration names, as far as the configuration holds it.
 *
 * Like keys, pages are read by the supervisor (lbd/tls/files.h).  Whoever loaded a configuration puts in what was read
 * before anybody uses it: pages get their bodies, and the digest covers all that both nodes should have alike:
 * certificates, authorities, lists of revoked ones, secrets of tickets and cookies, pages.  Not private keys, which
 * belong to their certificates, nor OCSP responses, which each node fetches for itself.
 */
#ifndef LBD_CONFIG_CONTENTS_H
#define LBD_CONFIG_CONTENTS_H

#include "lbd/config/config.h"

/* `find` knows contents by paths.  Once for a configuration.  0 or -ENOMEM. */
int config_contents_take(
    struct lbd_config *, struct str (*find)(const void *files, struct str path), const void *files);

#endif
