/*
 * test_witness_table.c - a witness of many pairs: whom it lends its vote, when it lends nothing, and
 * an attacker who keeps all that was ever sent and may send it again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/clock.h"
#include "hafailover/peer/witness_table.h"

enum { PAIRS = 3, SENT_MAX = 64 };

static const int64_t LEASE = 1333 * NS_PER_MS;

/* A node as it speaks to the witness. */
struct speaker {
	struct witness_key key;
	const char *name;
	uint64_t session, host, challenge;
	uint32_t id;
	bool has;
};

struct fixture {
	struct witness_table table;
	struct witness_pair pairs[PAIRS];
	struct witness_heard heard;
	struct witness_packet reply;
	int64_t now;
	uint8_t sent[SENT_MAX][WITNESS_WIRE_SIZE]; /* what an attacker has kept */
	unsigned n_sent;
};

static struct witness_key
key_of(const char *secret)
{
	struct witness_key k;

	assert_true(witness_key_derive(&k, str_of(secret)));
	return k;
}

static void
start(struct fixture *f, uint64_t host)
{
	static const char *const secrets[PAIRS] = { "secret of a", "secret of b", "secret of c" };
	const char *a, *b;

	for (int i = 0; i < PAIRS; i++) {
		struct witness_key key = key_of(secrets[i]);

		witness_pair_init(
		    &f->pairs[i], (const char *[]){ "a", "b", "c" }[i], &key, LEASE, f->now);
	}
	f->table = (struct witness_table){ .host = host, .pairs = f->pairs, .n = PAIRS };
	assert_true(witness_table_sort(&f->table, &a, &b));
}

/* Long ago: it lends. */
static void
setup(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->now = 1000 * NS_PER_S;
	start(f, 0xabc);
	f->now += LEASE;
}

static enum witness_result
deliver(struct fixture *f, const uint8_t *bytes, const struct witness_key *key)
{
	witness_table_hear(
	    &f->table, (struct str){ (const char *)bytes, WITNESS_WIRE_SIZE }, f->now, &f->heard);
	memset(&f->reply, 0, sizeof(f->reply));
	if (f->heard.result <= WITNESS_CHALLENGED)
		assert_int_equal(
		    witness_wire_decode(&f->reply,
			(struct str){ (const char *)f->heard.reply, WITNESS_WIRE_SIZE }, key),
		    WIRE_OK);
	return f->heard.result;
}

static enum witness_result
say(struct fixture *f, const struct speaker *s, enum witness_wish wish, int64_t lease_ns)
{
	struct witness_packet w = { .type = WITNESS_QUESTION,
		.session = s->session,
		.host = s->host,
		.challenge = s->challenge,
		.request = { s->id, wish, s->has, lease_ns } };
	uint8_t *bytes = f->sent[f->n_sent++];

	assert_true(f->n_sent <= SENT_MAX);
	memcpy(w.node, s->name, strlen(s->name));
	assert_true(witness_wire_encode(bytes, &w, &s->key));
	return deliver(f, bytes, &s->key);
}

/* As a node asks: a challenge is answered by the same question with its echo. */
static struct witness_answer
ask(struct fixture *f, struct speaker *s, enum witness_wish wish)
{
	s->id++;
	if (say(f, s, wish, LEASE) == WITNESS_CHALLENGED) {
		assert_int_equal(f->reply.type, WITNESS_CHALLENGE);
		assert_int_equal(f->reply.answer.id, s->id);
		s->host = f->reply.host;
		s->challenge = f->reply.challenge;
		say(f, s, wish, LEASE);
	}
	assert_int_equal(f->heard.result, WITNESS_ANSWERED);
	assert_int_equal(f->reply.type, WITNESS_ANSWER);
	assert_string_equal(f->reply.node, s->name);
	assert_int_equal(f->reply.answer.id, s->id);
	s->has = f->reply.answer.verdict == WITNESS_GRANTED;
	return f->reply.answer;
}

static struct speaker
speaker(const char *secret, const char *name, uint64_t session)
{
	return (struct speaker){ .key = key_of(secret), .name = name, .session = session };
}

/* One vote: who has it keeps it, until it gives it back or time is up. */
static void
test_one_holder(void **state)
{
	struct fixture f;
	struct speaker one = speaker("secret of a", "lb1", 1),
		       two = speaker("secret of a", "lb2", 2);
	struct witness_answer a;

	(void)state;
	setup(&f);
	assert_int_equal(ask(&f, &one, WITNESS_LOOK).verdict, WITNESS_FREE);
	assert_null(witness_pair_holder(f.heard.pair, f.now));
	a = ask(&f, &one, WITNESS_TAKE);
	assert_int_equal(a.verdict, WITNESS_GRANTED);
	assert_true(a.yours && !a.wanted && a.left_ns == LEASE && f.heard.lent);
	assert_string_equal(witness_pair_holder(f.heard.pair, f.now)->name, "lb1");
	f.now += LEASE / 2;
	a = ask(&f, &two, WITNESS_TAKE);
	assert_int_equal(a.verdict, WITNESS_HELD);
	assert_true(!a.yours && !f.heard.lent && llabs(a.left_ns - LEASE / 2) <= NS_PER_MS);
	a = ask(&f, &two, WITNESS_GIVE_BACK); /* of another's */
	assert_int_equal(a.verdict, WITNESS_HELD);
	a = ask(&f, &one, WITNESS_TAKE); /* renews, and hears that the other one waits */
	assert_int_equal(a.verdict, WITNESS_GRANTED);
	assert_true(a.yours && a.wanted && !f.heard.lent);
	f.now += LEASE - 1;
	assert_int_equal(ask(&f, &two, WITNESS_TAKE).verdict, WITNESS_HELD);
	f.now++;
	assert_int_equal(ask(&f, &two, WITNESS_TAKE).verdict, WITNESS_GRANTED);
	assert_true(f.heard.lent);
	assert_int_equal(ask(&f, &one, WITNESS_TAKE).verdict, WITNESS_HELD);
	assert_int_equal(ask(&f, &two, WITNESS_GIVE_BACK).verdict, WITNESS_FREE);
	assert_true(f.heard.ended);
	a = ask(&f, &one, WITNESS_TAKE);
	assert_int_equal(a.verdict, WITNESS_GRANTED);
	assert_false(a.wanted);
}

/* For a while after its start nothing new is lent; who has it goes on. */
static void
test_grace(void **state)
{
	struct fixture f;
	struct speaker one = speaker("secret of a", "lb1", 1),
		       two = speaker("secret of a", "lb2", 2);
	struct witness_answer a;

	(void)state;
	setup(&f);
	assert_int_equal(ask(&f, &one, WITNESS_TAKE).verdict, WITNESS_GRANTED);
	f.now += LEASE / 4;
	start(&f, 0xdef); /* anew, with nothing in mind */
	a = ask(&f, &two, WITNESS_TAKE);
	assert_int_equal(a.verdict, WITNESS_QUIET);
	assert_true(!a.yours && llabs(a.left_ns - LEASE) <= NS_PER_MS);
	assert_int_equal(ask(&f, &one, WITNESS_TAKE).verdict, WITNESS_GRANTED);
	assert_int_equal(ask(&f, &two, WITNESS_TAKE).verdict, WITNESS_HELD);
	start(&f, 0x123);
	f.now += LEASE - 1;
	assert_int_equal(ask(&f, &two, WITNESS_TAKE).verdict, WITNESS_QUIET);
	f.now++;
	assert_int_equal(ask(&f, &two, WITNESS_TAKE).verdict, WITNESS_GRANTED);
}

static void
test_too_long(void **state)
{
	struct fixture f;
	struct speaker one = speaker("secret of a", "lb1", 1);

	(void)state;
	setup(&f);
	ask(&f, &one, WITNESS_LOOK);
	one.id++;
	say(&f, &one, WITNESS_TAKE, LEASE + NS_PER_MS);
	assert_int_equal(f.reply.answer.verdict, WITNESS_TOO_LONG);
	one.id++;
	say(&f, &one, WITNESS_TAKE, 0);
	assert_int_equal(f.reply.answer.verdict, WITNESS_TOO_LONG);
	assert_null(witness_pair_holder(f.heard.pair, f.now));
	one.id++;
	say(&f, &one, WITNESS_TAKE, LEASE);
	assert_int_equal(f.reply.answer.verdict, WITNESS_GRANTED);
}

/* Pairs know nothing of each other, and their nodes may have the same names. */
static void
test_many_pairs(void **state)
{
	static const char *const secrets[PAIRS] = { "secret of a", "secret of b", "secret of c" };
	struct fixture f;

	(void)state;
	setup(&f);
	for (unsigned i = 0; i < PAIRS; i++) {
		struct speaker one = speaker(secrets[i], "lb1", 1);

		assert_int_equal(ask(&f, &one, WITNESS_TAKE).verdict, WITNESS_GRANTED);
		assert_true(f.heard.pair->name[0] == "abc"[i]);
	}
	struct speaker nobody = speaker("secret of nobody", "lb1", 1);

	nobody.id = 1;
	assert_int_equal(say(&f, &nobody, WITNESS_TAKE, LEASE), WITNESS_UNKNOWN);
	assert_int_equal(f.table.lost[WITNESS_UNKNOWN], 1);
	nobody.key.pair = key_of("secret of a").pair;
	assert_int_equal(say(&f, &nobody, WITNESS_TAKE, LEASE), WITNESS_FORGED);
	assert_int_equal(f.heard.pair->count[WITNESS_FORGED], 1);
}

static void
test_third_name(void **state)
{
	struct fixture f;
	struct speaker one = speaker("secret of a", "lb1", 1),
		       two = speaker("secret of a", "lb2", 2);
	struct speaker third = speaker("secret of a", "lb3", 3);

	(void)state;
	setup(&f);
	ask(&f, &one, WITNESS_TAKE);
	ask(&f, &two, WITNESS_LOOK);
	third.id = 1;
	assert_int_equal(say(&f, &third, WITNESS_TAKE, LEASE), WITNESS_STRANGER);
	f.now += LEASE - 1;
	ask(&f, &one, WITNESS_TAKE);
	assert_int_equal(say(&f, &third, WITNESS_TAKE, LEASE), WITNESS_STRANGER);
	f.now++;
	assert_int_equal(ask(&f, &third, WITNESS_TAKE).verdict, WITNESS_HELD); /* in lb2's place */
	assert_int_equal(say(&f, &two, WITNESS_TAKE, LEASE), WITNESS_STRANGER);
	f.now += LEASE;
	assert_int_equal(ask(&f, &two, WITNESS_TAKE).verdict, WITNESS_GRANTED); /* in lb1's */
	assert_int_equal(ask(&f, &third, WITNESS_TAKE).verdict, WITNESS_HELD);
}

/* Nothing that was ever sent is believed again, whoever has started anew meanwhile. */
static void
replay_all(struct fixture *f, const struct witness_key *key)
{
	unsigned n = f->n_sent;

	for (unsigned i = 0; i < n; i++) {
		enum witness_result r = deliver(f, f->sent[i], key);

		assert_true(r == WITNESS_OLD || r == WITNESS_CHALLENGED);
	}
}

static void
test_replays(void **state)
{
	struct fixture f;
	struct speaker one = speaker("secret of a", "lb1", 1),
		       two = speaker("secret of a", "lb2", 2);

	(void)state;
	setup(&f);
	ask(&f, &one, WITNESS_TAKE);
	ask(&f, &two, WITNESS_TAKE);
	ask(&f, &one, WITNESS_GIVE_BACK);
	replay_all(&f, &one.key);
	one = speaker("secret of a", "lb1", 11); /* starts again */
	assert_int_equal(ask(&f, &one, WITNESS_TAKE).verdict, WITNESS_GRANTED);
	replay_all(&f, &one.key);
	start(&f, 0xdef); /* the witness does */
	replay_all(&f, &one.key);
	f.now += LEASE;
	replay_all(&f, &one.key);
	assert_int_equal(ask(&f, &two, WITNESS_TAKE).verdict, WITNESS_GRANTED);
	replay_all(&f, &one.key);
	assert_string_equal(
	    witness_pair_holder(&f.pairs[f.heard.pair - f.pairs], f.now)->name, "lb2");
}

/* A node that has started again still has the vote: its addresses may be there, to be adopted. */
static void
test_node_restarts(void **state)
{
	struct fixture f;
	struct speaker one = speaker("secret of a", "lb1", 1),
		       two = speaker("secret of a", "lb2", 2);
	struct witness_answer a;

	(void)state;
	setup(&f);
	ask(&f, &two, WITNESS_LOOK);
	ask(&f, &one, WITNESS_TAKE);
	one = speaker("secret of a", "lb1", 11);
	a = ask(&f, &one, WITNESS_LOOK);
	assert_int_equal(a.verdict, WITNESS_HELD);
	assert_true(a.yours);
	assert_false(ask(&f, &two, WITNESS_LOOK).yours);
}

/* A new configuration: pairs that stay go on, others begin with their grace. */
static void
test_inherit(void **state)
{
	struct fixture f;
	struct speaker one = speaker("secret of a", "lb1", 1),
		       new = speaker("secret of d", "lb1", 2);
	struct witness_pair pairs[2];
	struct witness_table next = { .host = 5, .pairs = pairs, .n = 2 };
	struct witness_key ka = key_of("secret of a"), kd = key_of("secret of d");
	const char *a, *b;

	(void)state;
	setup(&f);
	ask(&f, &one, WITNESS_TAKE);
	witness_pair_init(&pairs[0], "renamed", &ka, 2 * LEASE, f.now);
	witness_pair_init(&pairs[1], "d", &kd, 2 * LEASE, f.now);
	assert_true(witness_table_sort(&next, &a, &b));
	witness_table_inherit(&next, &f.table, 2 * LEASE);
	f.table = next;
	assert_int_equal(ask(&f, &one, WITNESS_TAKE).verdict, WITNESS_GRANTED);
	assert_string_equal(f.heard.pair->name, "renamed");
	assert_false(f.heard.lent);
	assert_int_equal(f.heard.pair->terms.longest_ns, 2 * LEASE);
	assert_int_equal(ask(&f, &new, WITNESS_TAKE).verdict, WITNESS_QUIET);
	f.now += 2 * LEASE;
	assert_int_equal(ask(&f, &new, WITNESS_TAKE).verdict, WITNESS_GRANTED);
	witness_pair_init(&pairs[0], "x", &ka, LEASE, f.now);
	witness_pair_init(&pairs[1], "y", &ka, LEASE, f.now);
	assert_false(witness_table_sort(&next, &a, &b));
	assert_true(*a + *b == 'x' + 'y');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_holder),
		cmocka_unit_test(test_grace),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_many_pairs),
		cmocka_unit_test(test_third_name),
		cmocka_unit_test(test_replays),
		cmocka_unit_test(test_node_restarts),
		cmocka_unit_test(test_inherit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
