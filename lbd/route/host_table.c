/* host_table.c - open addressing; names are read eight bytes at a time, as far as the zeros behind them. */
#include "lbd/route/host_table.h"

#include <endian.h>

enum { WORD = 8 };

struct host {
	struct path_node paths;
	size_t n;
	char name[];
};

struct place {
	uint64_t hash;
	struct host *host; /* NULL: a free one */
};

struct host_table {
	struct place *places;
	uint64_t mask; /* places - 1, a power of two */
};

static uint64_t
word_at(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static void
word_put(char *p, uint64_t word)
{
	memcpy(p, &word, sizeof(word));
}

/* ASCII alone has cases in a host: RFC 9110 section 4.2.3.  Carries never leave a byte. */
static uint64_t
word_lower(uint64_t word)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	uint64_t low = word & 0x7f * each;
	uint64_t from_a = low + (0x80 - 'A') * each, above_z = low + (0x7f - 'Z') * each;

	return word | ((from_a & ~above_z & ~word & 0x80 * each) >> 2);
}

/*
 * The last bytes of a name, fewer than a word, and zeros.  Of a word that ends with the name those before them are the
 * low ones, and fall out.
 */
static uint64_t
word_end(struct str name)
{
	size_t left = name.n % WORD;
	char bytes[WORD] = { 0 };

	if (left == 0)
		return 0;
	if (name.n > WORD)
		return htole64(le64toh(word_at(name.p + name.n - WORD)) >> 8 * (WORD - left));
	for (size_t i = 0; i < left; i++)
		bytes[i] = name.p[i];
	return word_at(bytes);
}

bool
host_name_read(struct host_name *name, struct str host)
{
	size_t whole = host.n - host.n % WORD;

	if (host.n == 0 || host.n > HOST_SIZE_MAX)
		return false;
	name->n = host.n;
	for (size_t i = 0; i < whole; i += WORD)
		word_put(name->text + i, word_lower(word_at(host.p + i)));
	word_put(name->text + whole, word_lower(word_end(host)));
	word_put(name->text + whole + WORD, 0);
	return true;
}

static uint64_t
name_hash(const char *p, size_t n)
{
	uint64_t hash = n;

	for (const char *end = p + n; p < end; p += WORD) {
		unsigned __int128 product =
		    (unsigned __int128)(hash ^ word_at(p)) * UINT64_C(0x9e3779b97f4a7c15);

		hash = (uint64_t)product ^ (uint64_t)(product >> 64);
	}
	return hash;
}

struct host_table *
host_table_new(struct arena *a, uint32_t n)
{
	struct host_table *t = arena_alloc(a, sizeof(*t));
	uint64_t size = 4;

	while (size < n + n / 2)
		size *= 2;
	if (!t)
		return NULL;
	t->mask = size - 1;
	t->places = arena_alloc(a, size * sizeof(*t->places));
	return t->places ? t : NULL;
}

/* The place of that name, or the free one where it belongs. */
static inline struct place *
place_of(const struct host_table *t, uint64_t hash, const char *p, size_t n)
{
	for (uint64_t at = hash;; at++) {
		struct place *place = &t->places[at & t->mask];

		if (!place->host)
			return place;
		if (place->hash == hash && place->host->n == n &&
		    memcmp(place->host->name, p, n) == 0)
			return place;
	}
}

static struct host *
host_new(struct arena *a, const struct host_name *name)
{
	struct host *host = arena_alloc(a, sizeof(*host) + name->n);

	if (!host)
		return NULL;
	path_tree_init(&host->paths);
	host->n = name->n;
	memcpy(host->name, name->text, name->n);
	return host;
}

struct path_node *
host_table_add(struct host_table *t, struct arena *a, const struct host_name *name)
{
	uint64_t hash = name_hash(name->text, name->n);
	struct place *place = place_of(t, hash, name->text, name->n);

	if (!place->host)
		*place = (struct place){ hash, host_new(a, name) };
	return place->host ? &place->host->paths : NULL;
}

const struct path_node *
host_table_find(const struct host_table *t, const struct host_name *name, size_t from)
{
	const char *p = name->text + from;
	size_t n = name->n - from;
	const struct host *host = place_of(t, name_hash(p, n), p, n)->host;

	return host ? &host->paths : NULL;
}
