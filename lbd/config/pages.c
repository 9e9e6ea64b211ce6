/* pages.c - finds pages. */
#include "lbd/config/pages.h"

#include <stddef.h>

const struct page_config *
page_find(const struct pages_config *pages, unsigned status)
{
	for (uint32_t i = 0; i < pages->n; i++)
		if (pages->list[i].status == status)
			return &pages->list[i];
	return NULL;
}
