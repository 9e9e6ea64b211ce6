/* descriptor_limit.c - soft limit to the hard one; the hard one to what is needed, where that is allowed. */
#include "lbd/supervisor/descriptor_limit.h"

#include <errno.h>
#include <sys/resource.h>

#include "common/log.h"

enum { DESCRIPTORS_OTHER = 256, PER_CONNECTION = 2 }; /* one to the client, one to the server */

static rlim_t
descriptors_needed(const struct lbd_config *c)
{
	rlim_t needed = DESCRIPTORS_OTHER + (rlim_t)c->limits.connections * PER_CONNECTION;
	uint32_t i;

	for (i = 0; i < c->n_listeners; i++)
		needed += (rlim_t)c->listeners[i].n_bind * c->workers;
	return needed;
}

void
descriptor_limit_raise(const struct lbd_config *c)
{
	rlim_t needed = descriptors_needed(c);
	struct rlimit now, more;

	if (getrlimit(RLIMIT_NOFILE, &now) < 0) {
		log_warning("descriptor_limit_unknown", "reason=\"%s\"", strerror(errno));
		return;
	}
	more.rlim_cur = more.rlim_max = now.rlim_max < needed ? needed : now.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &more) < 0) { /* only root may raise the hard limit */
		more.rlim_cur = more.rlim_max = now.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &more) < 0)
			more = now;
	}
	if (more.rlim_cur < needed)
		log_warning("descriptor_limit_low", "limit=%llu needed=%llu",
		    (unsigned long long)more.rlim_cur, (unsigned long long)needed);
	else
		log_info("descriptor_limit", "limit=%llu needed=%llu",
		    (unsigned long long)more.rlim_cur, (unsigned long long)needed);
}
