/*
 * maglev.c - permutations are not stored: place k on a member's list is (first + k * skip) mod
 * MAGLEV_SIZE.
 */
#include "lbd/balance/maglev.h"

#include <errno.h>
#include <stdlib.h>

#include "common/check.h"

enum { NOBODY = 65535 };

struct maglev_member {
	uint64_t hash; /* of its name */
	uint32_t member;
	uint32_t place, skip; /* the next place on its list */
	uint32_t credit; /* towards its next turn */
};

int
maglev_init(struct maglev *m, uint32_t n)
{
	CHECK(n < NOBODY);
	*m = (struct maglev){ .n = n };
	m->table = calloc(MAGLEV_SIZE, sizeof(*m->table));
	m->members = calloc(n + 1, sizeof(*m->members));
	return m->table && m->members ? 0 : -ENOMEM;
}

void
maglev_fini(struct maglev *m)
{
	free(m->table);
	free(m->members);
}

void
maglev_name(struct maglev *m, uint32_t member, struct str name)
{
	m->members[member] =
	    (struct maglev_member){ .hash = balance_hash(name.p, name.n), .member = member };
}

static int
member_compare(const void *a, const void *b)
{
	const struct maglev_member *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->member < y->member ? -1 : x->member > y->member;
}

/* The first place on the member's list that nobody has. */
static void
place_take(struct maglev *m, struct maglev_member *w)
{
	while (m->table[w->place] != NOBODY) {
		w->place += w->skip;
		if (w->place >= MAGLEV_SIZE)
			w->place -= MAGLEV_SIZE;
	}
	m->table[w->place] = (uint16_t)w->member;
}

/* Everybody starts one turn's worth ahead, so that the lightest gets a place too. */
static uint32_t
members_begin(struct maglev *m, const uint32_t *weights)
{
	uint32_t i, heaviest = 0;
	struct maglev_member *w;

	for (i = 0; i < m->n; i++)
		heaviest = weights[i] > heaviest ? weights[i] : heaviest;
	for (i = 0; i < m->n; i++) {
		w = &m->members[i];
		w->place = (uint32_t)hash_scale(w->hash, MAGLEV_SIZE);
		w->skip = (uint32_t)hash_scale(hash_mix(w->hash), MAGLEV_SIZE - 1) + 1;
		w->credit = heaviest - weights[w->member];
	}
	return heaviest;
}

void
maglev_build(struct maglev *m, const uint32_t *weights)
{
	uint32_t i, left = MAGLEV_SIZE, heaviest;
	struct maglev_member *w;

	qsort(m->members, m->n, sizeof(*m->members), member_compare);
	memset(m->table, 0xff, MAGLEV_SIZE * sizeof(*m->table));
	heaviest = members_begin(m, weights);
	CHECK(heaviest > 0);
	for (i = 0; left > 0; i = i + 1 < m->n ? i + 1 : 0) {
		w = &m->members[i];
		if (weights[w->member] == 0)
			continue;
		w->credit += weights[w->member];
		if (w->credit < heaviest)
			continue;
		w->credit -= heaviest;
		place_take(m, w);
		left--;
	}
}
