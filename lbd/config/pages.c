/* pages.c - finds pages, and fills them. */
#include "lbd/config/pages.h"

#include <errno.h>

#include "lbd/config/config.h"

const struct page_config *
page_find(const struct pages_config *pages, unsigned status)
{
	for (uint32_t i = 0; i < pages->n; i++)
		if (pages->list[i].status == status)
			return &pages->list[i];
	return NULL;
}

struct source {
	struct arena *arena;
	struct str (*find)(const void *files, struct str path);
	const void *files;
};

static void
page_fill(const struct source *from, struct page_config *page)
{
	if (page->path.n)
		page->body = arena_str(from->arena, from->find(from->files, page->path));
}

static void
pages_fill(const struct source *from, const struct pages_config *pages)
{
	for (uint32_t i = 0; i < pages->n; i++)
		page_fill(from, &pages->list[i]);
}

int
config_pages_fill(
    struct lbd_config *c, struct str (*find)(const void *files, struct str path), const void *files)
{
	const struct source from = { c->arena, find, files };

	for (uint32_t i = 0; i < c->n_listeners; i++)
		pages_fill(&from, &c->listeners[i].error_pages);
	for (uint32_t i = 0; i < c->n_pools; i++) {
		pages_fill(&from, &c->pools[i].error_pages);
		page_fill(&from, &c->pools[i].maintenance_page);
	}
	return arena_failed(c->arena) ? -ENOMEM : 0;
}
