/* head.c - looking things up in a message head. */
#include "lbd/http/head.h"

const struct http_field *
head_field(const struct http_head *head, enum field_id id)
{
	for (unsigned i = 0; i < head->n_fields; i++)
		if (head->fields[i].id == id)
			return &head->fields[i];
	return NULL;
}
