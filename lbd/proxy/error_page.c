/* error_page.c - looks for it. */
#include "lbd/proxy/error_page.h"

/* By the operator's word, whatever the checks say. */
static bool
in_maintenance(const struct pool_config *p, const struct server_table *t)
{
	for (uint32_t i = 0; i < p->n_servers; i++)
		if (atomic_load_explicit(&t->shared[p->servers[i].slot].admin,
			memory_order_relaxed) != ADMIN_MAINTENANCE)
			return false;
	return true;
}

const struct page_config *
error_page_of_exchange(const struct exchange *x)
{
	const struct pool_config *p = x->pool ? x->pool->conf : NULL;
	const struct page_config *page = NULL;

	if (p && x->termination == END_NO_SERVER && p->maintenance_page.path.n &&
	    in_maintenance(p, exchange_worker(x)->servers))
		return &p->maintenance_page;
	if (p)
		page = page_find(&p->error_pages, x->status);
	return page ? page : page_find(&x->listener->error_pages, x->status);
}
