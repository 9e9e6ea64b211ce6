/*
 * vrrp_election_private.h - what the vrrp_election*.c files share.  For nobody else.
 *
 * vrrp_election.c        a step: roles, advertisements, timers
 * vrrp_election_move.c   planned moves: failover, standby, stop
 * vrrp_election_rule.c   priorities, times and conditions: they change nothing
 */
#ifndef HAFAILOVER_ELECTION_VRRP_ELECTION_PRIVATE_H
#define HAFAILOVER_ELECTION_VRRP_ELECTION_PRIVATE_H

#include "hafailover/election/vrrp_election.h"

enum { VRRP_OWNER = 255, VRRP_LIFTED_MAX = 254 };

/* vrrp_election.c */
void
vrrp_election_let_go(struct vrrp_election *, enum cause, int64_t now_ns, struct election_out *);
void vrrp_election_take_over(
    struct vrrp_election *, uint8_t lifted, int64_t now_ns, struct election_out *);

/* vrrp_election_move.c */
void vrrp_election_begin_yield(
    struct vrrp_election *, enum cause, int64_t now_ns, struct election_out *);
/* Somebody else was heard. */
void vrrp_election_yield_done(struct vrrp_election *, struct election_out *);
void vrrp_election_yield_failed(struct vrrp_election *, int64_t now_ns, struct election_out *);
void vrrp_election_failover(
    struct vrrp_election *, const struct election_event *, int64_t now_ns, struct election_out *);
void vrrp_election_stand_by(
    struct vrrp_election *, const struct election_event *, int64_t now_ns, struct election_out *);
/* To the operator who waits for the end of a planned move, if there is one. */
void vrrp_election_answer(struct vrrp_election *, enum refusal, struct election_out *);

/* vrrp_election_rule.c */
bool vrrp_election_fit(const struct vrrp_election *, int64_t now_ns);
enum cause vrrp_election_unfit_why(const struct vrrp_election *, int64_t now_ns);
enum role vrrp_election_rest(const struct vrrp_election *, int64_t now_ns);
/* The RFC's Priority of this node while it may serve. */
uint8_t vrrp_election_rank(const struct vrrp_election *);
int64_t vrrp_election_skew_ns(const struct vrrp_election *);
unsigned vrrp_election_alarms(const struct vrrp_election *, int64_t now_ns);

#endif
