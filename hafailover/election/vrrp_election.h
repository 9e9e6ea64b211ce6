/*
 * vrrp_election.h - who is Active among VRRP routers: the state machine of RFC 9568, pure.
 *
 * It takes the events of election.h and answers with the same actions, so that node*.c does the same
 * for either machine; only advertisements come by a function of their own.  What the caller promises
 * there holds here.  RFC 3768 (version 2) differs in Skew_Time alone.
 *
 * What the RFC leaves open, and how it is filled:
 *  - Tracking.  Who must not serve is not a router of the group (Fault).  An Active that becomes
 *    unfit advertises priority 0, "I stop", and goes on serving until somebody else advertises; with
 *    no server up it has priority 1.
 *  - A planned move is the same priority 0: the addresses stay until the other one is heard.  If it
 *    is not heard in time, the move has failed and nothing else has happened.
 *  - Who was moved away from keeps priority 1 until the other one is silent, so that preemption
 *    does not undo what the operator wanted.  Who is told to take over advertises one more than the
 *    present Active for as long as it is Active.
 *  - A process that did not run for as long as others wait before they claim is not Active any
 *    more.  One that is started again sooner than that goes on as Active.
 *  - Accept_Mode is always true: a proxy is of no use otherwise.
 *
 * An Active hears nobody in VRRP: of its peer nothing is known, and nothing is made up.
 */
#ifndef HAFAILOVER_ELECTION_VRRP_ELECTION_H
#define HAFAILOVER_ELECTION_VRRP_ELECTION_H

#include "hafailover/election/election.h"
#include "hafailover/election/standing.h"

struct vrrp_election_config {
	uint8_t version; /* 2 or 3 */
	int64_t interval_ns; /* Advertisement_Interval */
	int64_t lease_ns; /* 0: off */
	bool preempt; /* Preempt_Mode */
	int64_t preempt_delay_ns; /* a lower priority was Active for so long before */
};

struct vrrp_heard {
	uint8_t priority;
	int64_t interval_ns; /* Max Advertise Interval */
	bool sender_higher; /* its address is higher than ours */
	bool addresses_differ; /* from what we would advertise */
};

struct vrrp_election {
	struct vrrp_election_config config;
	enum role role;
	enum cause cause;
	int64_t since_ns;
	bool started, stopping, stopped;
	bool holding;
	bool standby;

	struct election_track track;
	bool tracked; /* reported at least once */
	int64_t broken_until_ns; /* the kernel refused: not fit before */
	int64_t stepped_ns; /* the last step */

	int64_t send_ns; /* Adver_Timer */
	int64_t down_ns; /* Active_Down_Timer */
	int64_t active_interval_ns; /* Active_Adver_Interval */
	bool unread; /* it ran out; what waits to be read comes first */
	enum cause claim; /* why, when it runs out */
	int64_t lower_since_ns; /* Backup: the Active has a lower priority since; 0: it has not */

	struct {
		bool known;
		struct vrrp_heard last;
		int64_t heard_ns;
	} peer;

	bool yielded; /* an operator moved the service away */
	uint8_t lifted; /* an operator moved it here: this priority; 0: not so */
	struct {
		bool on; /* a planned move: somebody else is to be heard */
		enum cause cause;
		int64_t until_ns;
		bool command; /* an operator waits for its end */
		bool forced; /* standby even if nobody takes over */
	} yield;

	unsigned alarms; /* enum election_alarm */
	int64_t conflict_ns; /* last seen; 0: never */
	int64_t announced_ns; /* against another Active, last */
	int64_t dual_since_ns, dual_total_ns; /* another Active is heard, since; 0: not */
};

/* Not started: the first step is ELECTION_START. */
void vrrp_election_init(struct vrrp_election *, const struct vrrp_election_config *);
void vrrp_election_configure(struct vrrp_election *, const struct vrrp_election_config *);

struct election_out
vrrp_election_step(struct vrrp_election *, const struct election_event *, int64_t now_ns);

/* An advertisement of another router of the group. */
struct election_out
vrrp_election_hear(struct vrrp_election *, const struct vrrp_heard *, int64_t now_ns);

/* For ELECTION_DO_SEND: what to advertise; 0 when this node is not Active or wants to be no more. */
uint8_t vrrp_election_advertises(const struct vrrp_election *, int64_t now_ns);

/* Nobody claims sooner after the last advertisement than this. */
int64_t vrrp_election_dead_ns(const struct vrrp_election *);
/* Active_Down_Interval of this node. */
int64_t vrrp_election_down_ns(const struct vrrp_election *);

/* Another Active was heard within Active_Down_Interval. */
bool vrrp_election_hears(const struct vrrp_election *, int64_t now_ns);

struct standing vrrp_election_standing(const struct vrrp_election *, int64_t now_ns);

/* For ELECTION_DO_RELEASE, as election_may_linger. */
bool vrrp_election_may_linger(const struct vrrp_election *, const struct election_out *);

#endif
