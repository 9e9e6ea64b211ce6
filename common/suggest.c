/*
 * suggest.c - edit distance with transpositions (optimal string alignment) over three rows.
 *
 * Words longer than WORD_MAX are never close to anything.  Close is a third of the longer word,
 * so that short words need to be nearly right.
 */
#include "common/suggest.h"

enum { WORD_MAX = 64 };

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t
distance(struct str a, struct str b)
{
	size_t rows[3][WORD_MAX + 1] = { 0 };

	for (size_t j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *row = rows[i % 3], *up = rows[(i - 1) % 3], *up2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			bool same = a.p[i - 1] == b.p[j - 1];

			row[j] = least(least(up[j], row[j - 1]) + 1, up[j - 1] + !same);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
				row[j] = least(row[j], up2[j - 2] + 1);
		}
	}
	return rows[a.n % 3][b.n];
}

void
suggest_offer(struct suggestion *s, struct str typed, struct str candidate)
{
	size_t longer = typed.n > candidate.n ? typed.n : candidate.n;
	size_t d;

	if (longer > WORD_MAX)
		return;
	d = distance(typed, candidate);
	if (d > (longer + 1) / 3 || (s->word.p && d >= s->distance))
		return;
	*s = (struct suggestion){ candidate, d };
}
