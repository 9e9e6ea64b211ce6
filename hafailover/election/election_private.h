/*
 * election_private.h - what the election*.c files share.  For nobody else.
 *
 * election.c         a step: stall, event, decision, what is due; roles and their changes
 * election_claim.c   a Backup: when may it claim?  Probing, vacancy, preemption, TAKE
 * election_yield.c   an Active: when must it go?  Two Actives, planned moves, isolation
 * election_vote.c    with a witness: who has whose vote?
 * election_drain.c   the connections of a planned move: they stay, or end before it
 * election_rule.c    comparisons and conditions: they change nothing
 */
#ifndef HAFAILOVER_ELECTION_ELECTION_PRIVATE_H
#define HAFAILOVER_ELECTION_ELECTION_PRIVATE_H

#include "hafailover/election/election.h"

/* election.c */
void election_become_active(
    struct election *, enum cause, bool planned, int64_t now_ns, struct election_out *);
/* Active no more, or no longer about to adopt: releases.  `keep`: stays the owner. */
void
election_let_go(struct election *, enum cause, bool keep, int64_t now_ns, struct election_out *);
void election_adopt_term(struct election *, uint64_t term, struct election_out *);
void election_answer(struct election_out *, enum refusal);
struct heartbeat election_describe(const struct election *, int64_t now_ns);

/* election_claim.c */
void election_decide_claim(struct election *, int64_t now_ns, struct election_out *);
void election_asked_to_take(struct election *, int64_t now_ns, struct election_out *);
void election_order_end(struct election *, enum refusal, struct election_out *);
void election_operator_claims(struct election *, int64_t now_ns, struct election_out *);
void election_forget_probes(struct election *);
void election_probed(
    struct election *, const struct election_event *, int64_t now_ns, struct election_out *);
void election_upkeep_probe(struct election *, int64_t now_ns, struct election_out *);
/*
 * What the kernel still has from a former run: the peer was heard since, or the network says that nobody
 * else has it; or that somebody does.
 */
bool election_may_adopt(const struct election *);
bool election_vip_is_taken(const struct election *);
/* The next moment at which waiting for the next heartbeat to be sent would be too late. */
int64_t election_claim_deadline(const struct election *, int64_t now_ns);

/* election_yield.c */
void election_decide_yield(struct election *, int64_t now_ns, struct election_out *);
void election_peer_answered(struct election *, int64_t now_ns, struct election_out *);
/* Two were Active and are no more: for the record, and the neighbours are told again. */
void election_settle_dual(struct election *, int64_t now_ns, struct election_out *);
void election_begin_handover(struct election *, enum cause, int64_t now_ns, struct election_out *);
/* Ends a planned move, whatever came of it; REFUSAL_NONE: the peer has claimed. */
void election_end_handover(struct election *, enum refusal, int64_t now_ns, struct election_out *);
void election_conflict(struct election *, bool by_peer, int64_t now_ns, struct election_out *);

/* election_vote.c; without a witness nothing is wanted, lost or asked for, and all is covered */
bool
election_vote_seek(struct election *, enum cause, int64_t now_ns, struct election_out *); /* may */
bool election_vote_covers(const struct election *, int64_t now_ns); /* addresses renewed now */
bool election_vote_lost(const struct election *, int64_t now_ns); /* by an Active */
bool election_vote_wanted(const struct election *, int64_t now_ns); /* the peer waits for it */
enum cause election_vote_asked(const struct election *, int64_t now_ns); /* an Active to move */
void election_vote_start(struct election *, int64_t now_ns);
void election_vote_heard(struct election *, int64_t now_ns);
void election_vote_send(struct election *, struct heartbeat *, int64_t now_ns);
void election_vote_claimed(struct election *);
void election_vote_drop(struct election *, int64_t now_ns, struct election_out *);
void election_vote_upkeep(struct election *, int64_t now_ns, struct election_out *);
int64_t election_vote_deadline(const struct election *, int64_t now_ns);
unsigned election_vote_alarms(const struct election *, int64_t now_ns);
void election_witnessed(struct election *, const struct witness_answer *, int64_t now_ns);
/* election_drain.c */
/* What is to be released may stay for its connections: then it is not. */
void election_begin_drain(struct election *, int64_t now_ns, struct election_out *);
void election_upkeep_drain(struct election *, int64_t now_ns, struct election_out *);
void election_upkeep_steer(struct election *, int64_t now_ns, struct election_out *);
/* Before TAKE; does nothing when connections can stay. */
void election_begin_emptying(struct election *, int64_t now_ns);
void election_upkeep_emptying(struct election *, int64_t now_ns, struct election_out *);
void election_count(struct election *, uint32_t connections);
int64_t election_drain_deadline(const struct election *);

/* election_rule.c */
bool election_fit(const struct election *, int64_t now_ns);
enum cause election_unfit_why(const struct election *, int64_t now_ns);
enum role election_rest(const struct election *, int64_t now_ns);
bool election_damped(const struct election *, int64_t now_ns);
bool election_peer_active(const struct election *, int64_t now_ns);
int64_t election_silence_ns(const struct election *, int64_t now_ns);
int64_t election_quiet_since(const struct election *);
bool election_beats(const struct heartbeat *, const struct heartbeat *);
bool election_better(const struct heartbeat *, const struct heartbeat *, bool preempt);
enum refusal election_peer_unready(const struct election *, int64_t now_ns);
enum refusal election_self_unready(const struct election *, int64_t now_ns);
int64_t election_stall_ns(const struct election *);
bool election_poorer(const struct election *);
bool election_poorer_peer(const struct election *);
bool election_move_is_planned(const struct heartbeat *, int64_t recent_ns);
unsigned election_alarms(const struct election *, int64_t now_ns);

#endif
