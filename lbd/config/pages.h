/*
 * pages.h - what lbd says when it answers an error itself: files, by status, and one for maintenance.
 *
 * Part of config.h.  The configuration names the files; what they hold comes from contents.h.
 */
#ifndef LBD_CONFIG_PAGES_H
#define LBD_CONFIG_PAGES_H

#include "common/str.h"

enum { PAGE_SIZE_MAX = 64 * 1024, PAGES_MAX = 32 /* of a listener or a pool */ };

struct page_config {
	struct str path; /* empty: there is none */
	uint16_t status;
	struct str content_type; /* by the end of its name */
	struct str body; /* empty until config_contents_take */
};

struct pages_config {
	struct page_config *list;
	uint32_t n;
};

/* NULL: there is none for that status. */
const struct page_config *page_find(const struct pages_config *, unsigned status);

#endif
