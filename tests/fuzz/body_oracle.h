/*
 * body_oracle.h - what must hold for whatever bytes the body decoder is given; for fuzzing and unit tests.
 *
 * As h1_oracle.h: every check answers NULL or what is wrong, and works in blocks of exact size.
 */
#ifndef TESTS_FUZZ_BODY_ORACLE_H
#define TESTS_FUZZ_BODY_ORACLE_H

#include <stdio.h>
#include <stdlib.h>

#include "lbd/http/body.h"

/* What came of a chunked message. */
struct oracle_body {
	char *out;
	size_t n_out;
	size_t eaten;
	uint64_t payload;
	enum refusal refusal;
	bool done;
	const char *wrong;
};

static inline void *
oracle_block(const void *from, size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		abort();
	if (n)
		memcpy(p, from, n);
	return p;
}

/* One call on a block of exactly the waiting bytes; what is behind `eaten` must stay as it is. */
static inline struct body_step
oracle_step(struct oracle_body *o, struct body *b, struct str waiting)
{
	char *block = oracle_block(waiting.p, waiting.n);
	struct body_step step = body_decode(b, block, waiting.n);

	if (step.eaten > waiting.n || step.out > step.eaten)
		o->wrong = "more bytes out than in";
	else if (!step.refusal &&
	    memcmp(block + step.eaten, waiting.p + step.eaten, waiting.n - step.eaten) != 0)
		o->wrong = "bytes behind what was eaten were changed";
	else if (!step.refusal && !b->done && waiting.n - step.eaten > BODY_PENDING_MAX)
		o->wrong = "too many bytes are left waiting";
	else if (!step.refusal)
		memcpy(o->out + o->n_out, block, step.out);
	o->n_out += step.out;
	free(block);
	return step;
}

/* Decodes `in` in pieces: `cut` bytes first, then `stride` at a time; 0: all that remains. */
static inline struct oracle_body
oracle_decode(struct str in, enum body_output output, bool keep_trailers, size_t cut, size_t stride)
{
	struct oracle_body o = { .out = oracle_block(in.p, in.n) };
	size_t have = cut < in.n ? cut : in.n;
	struct body_step step;
	struct body b;

	body_init(&b, FRAMING_CHUNKED, 0, output, keep_trailers);
	for (;;) {
		step = oracle_step(&o, &b, (struct str){ in.p + o.eaten, have - o.eaten });
		o.eaten += step.eaten;
		if (step.refusal || b.done || o.wrong || have == in.n)
			break;
		have = stride && stride < in.n - have ? have + stride : in.n;
	}
	o.refusal = step.refusal;
	o.done = b.done;
	o.payload = b.payload;
	if (!o.wrong && b.done && body_decode(&b, o.out, o.n_out).eaten != 0)
		o.wrong = "eats after its end";
	return o;
}

static inline const char *
oracle_same_body(const struct oracle_body *a, const struct oracle_body *b)
{
	if (a->wrong || b->wrong)
		return a->wrong ? a->wrong : b->wrong;
	if (a->refusal != b->refusal)
		return "another verdict when cut";
	if (a->refusal)
		return NULL;
	if (a->done != b->done || a->eaten != b->eaten || a->payload != b->payload)
		return "another end when cut";
	if (a->n_out != b->n_out || memcmp(a->out, b->out, a->n_out) != 0)
		return "another output when cut";
	return NULL;
}

/* Every first cut with the rest at once, and every `stride` of pieces up to a few. */
static inline const char *
oracle_body_cuts(struct str in, enum body_output output, bool keep_trailers, size_t every)
{
	struct oracle_body whole = oracle_decode(in, output, keep_trailers, in.n, 0), part;
	const char *wrong = whole.wrong;

	for (size_t cut = 0; cut < in.n && !wrong; cut += every) {
		part = oracle_decode(in, output, keep_trailers, cut, 0);
		wrong = oracle_same_body(&whole, &part);
		free(part.out);
	}
	for (size_t stride = 1; stride < 8 && stride * 512 > in.n && !wrong; stride++) {
		part = oracle_decode(in, output, keep_trailers, stride, stride);
		wrong = oracle_same_body(&whole, &part);
		free(part.out);
	}
	free(whole.out);
	return wrong;
}

/* What we write is what we would write again, and carries the same payload. */
static inline const char *
oracle_body_again(struct str in, bool keep_trailers)
{
	struct oracle_body framed = oracle_decode(in, BODY_AS_IS, keep_trailers, in.n, 0);
	struct oracle_body bare = oracle_decode(in, BODY_PAYLOAD, keep_trailers, in.n, 0);
	struct str out = { framed.out, framed.n_out };
	struct oracle_body again = oracle_decode(out, BODY_AS_IS, keep_trailers, out.n, 0);
	struct oracle_body payload = oracle_decode(out, BODY_PAYLOAD, false, out.n, 0);
	const char *wrong = NULL;

	if (framed.wrong || bare.wrong || again.wrong || payload.wrong)
		wrong = "see oracle_step";
	else if (framed.refusal != bare.refusal || framed.eaten != bare.eaten)
		wrong = "framing is judged differently";
	else if (!framed.refusal && (again.refusal || again.done != framed.done))
		wrong = "we do not accept what we write";
	else if (framed.done &&
	    (again.eaten != out.n || again.n_out != out.n || memcmp(again.out, out.p, out.n) != 0))
		wrong = "we would write it differently the second time";
	else if (!framed.refusal &&
	    (payload.n_out != bare.n_out || memcmp(payload.out, bare.out, bare.n_out) != 0 ||
		bare.payload != bare.n_out || framed.payload != bare.payload))
		wrong = "the payload changed";
	free(framed.out);
	free(bare.out);
	free(again.out);
	free(payload.out);
	return wrong;
}

static inline const char *
oracle_body(struct str in, size_t every)
{
	const char *wrong = oracle_body_cuts(in, BODY_AS_IS, true, every);

	if (!wrong)
		wrong = oracle_body_cuts(in, BODY_AS_IS, false, every);
	if (!wrong)
		wrong = oracle_body_cuts(in, BODY_PAYLOAD, false, every);
	if (!wrong)
		wrong = oracle_body_again(in, true);
	return wrong ? wrong : oracle_body_again(in, false);
}

#endif
