/*
 * election.h - who is Active: the pure state machine of one instance (a set of virtual addresses).
 *
 * (state, event, now) -> actions.  No I/O, no clock, no allocation, no log: node.c feeds events in
 * and does what comes out; tests/simulation runs millions of schedules through the same code.  RFC
 * 9568 (Initialize, Backup, Active) with Fault and Standby added; the rules are those of
 * docs/hafailover.8, and each has its function in election*.c.
 *
 * What the caller promises:
 *  - `now_ns` is CLOCK_MONOTONIC (better: CLOCK_BOOTTIME) and never falls.
 *  - One step per event, as it comes; and ELECTION_TIMER at out.timer_ns at the latest.  A step
 *    later than the peer's dead interval (or the lease) after the last one is taken for a stall:
 *    the machine releases before it looks at the event.  So call it before reading sockets.
 *  - All bits of out.todo are done before the next step, in the order of their values.
 *  - Heartbeats are sent for ELECTION_DO_SEND only: who does not run must fall silent.
 *
 * Fields are for reading (status, metrics); only election*.c writes them.
 */
#ifndef HAFAILOVER_ELECTION_ELECTION_H
#define HAFAILOVER_ELECTION_ELECTION_H

#include "hafailover/election/heartbeat.h"
#include "hafailover/election/peer_view.h"
#include "hafailover/election/witness_rule.h"

enum election_prefer { PREFER_NONE, PREFER_SELF, PREFER_PEER };

struct election_config {
	uint8_t order, peer_order; /* places of the nodes by address; they differ */
	uint8_t paths; /* 1..HEARTBEAT_PATHS_MAX */
	uint64_t digest;
	int64_t interval_ns; /* of heartbeats */
	uint32_t dead_after; /* intervals */
	int64_t lease_ns; /* 0: off, addresses stay until released */
	bool probe; /* the virtual address can be asked for; false: silence of the peer is enough */
	bool preempt; /* the higher effective priority takes over from a healthy Active */
	enum election_prefer prefer; /* that node takes over whatever the priorities */
	int64_t preempt_delay_ns; /* it must have been fit for so long; also for `prefer` */
	uint32_t moves; /* damping: after so many changes to and from Active ... */
	int64_t moves_within_ns; /* ... within so long, moves that are not needed wait; 0: off */
	int64_t handover_ns; /* a planned move is given up after so long */
	int64_t drain_ns; /* connections may take so long to end at a planned move; 0: none */
	bool witness; /* nobody is Active without two of three votes; needs a lease */
};

enum { ELECTION_MOVES_MAX = 16 }; /* limit of `moves` */

/* Of so many last heartbeats and questions to the witness it is known when they were sent. */
enum { ELECTION_SENT_MAX = 64, ELECTION_ASKED_MAX = 16 };

enum election_event_type {
	ELECTION_START, /* first of all, once */
	ELECTION_TIMER,
	ELECTION_HEARTBEAT,
	ELECTION_PROBED,
	ELECTION_TRACKED,
	ELECTION_CONFLICT, /* another station announces the virtual address */
	ELECTION_VIP_GONE, /* the kernel lost an address that we should hold */
	ELECTION_VIP_FAILED, /* ELECTION_DO_CLAIM or _REFRESH was refused by the kernel */
	ELECTION_WITNESS, /* it has answered */
	ELECTION_STALLED, /* noticed otherwise (CLOCK_BOOTTIME ahead of CLOCK_MONOTONIC) */
	ELECTION_FAILOVER, /* operator: move */
	ELECTION_STANDBY, /* operator: on or off */
	ELECTION_STOP, /* the service stops: planned move, then ELECTION_DO_STOPPED */
	ELECTION_CONNECTIONS, /* while election_counts(): how many are left */
};

struct election_start {
	uint64_t session; /* random, not 0 */
	uint64_t term; /* from the state directory; 0: none */
	bool held; /* the kernel has the addresses from a former run */
	int64_t lease_left_ns; /* if so: of the address that goes first; lease off: INT64_MAX */
	bool standby; /* was in standby */
};

/* What tracking knows of this node.  Until the first report: not eligible. */
struct election_track {
	bool eligible;
	enum cause
	    why; /* if not: CAUSE_LBD_DOWN, _LINK_DOWN, _GATEWAYS_LOST, _SCRIPT_FAILED, ... */
	bool isolated; /* no carrier where the clients are, or no configured gateway answers */
	int64_t network_ns; /* a gateway has answered what was asked then; 0: none is configured */
	bool lbd_ready, lbd_draining;
	bool
	    steers; /* can be silent while it holds, and send on what the peer knows: election_drain.c */
	uint16_t servers_up;
	bool servers_pending; /* some may be up: their first check has not ended */
	uint16_t priority; /* effective */
};

/*
 * "Does any other station have the virtual address?"  A Backup asks by ARP/NS and then with a
 * request through it; the holder itself asks by ARP/NS alone, which its own kernel does not answer.
 */
enum election_vip {
	ELECTION_VIP_SILENT, /* no answer to several ARP/NS */
	ELECTION_VIP_NO_SERVICE, /* an answer, but no lbd behind it; for a holder: an answer */
	ELECTION_VIP_SERVES,
	ELECTION_VIP_UNKNOWN, /* could not ask */
};

enum election_target { TARGET_OTHER, TARGET_SELF, TARGET_PEER };

struct election_event {
	enum election_event_type type;
	union {
		struct election_start start;
		struct {
			uint8_t path; /* on which it came */
			struct heartbeat content;
		} heartbeat;
		struct {
			uint32_t id; /* out.probe_id; an answer to another one is ignored */
			enum election_vip result;
			bool by_peer; /* the answering station is known to be the peer (its MAC) */
		} probed;
		struct election_track tracked;
		struct {
			bool by_peer;
		} conflict;
		struct witness_answer witness;
		struct {
			enum election_target to; /* TARGET_OTHER: the one that is not Active */
			bool
			    force; /* though configurations differ, no server is up, the peer is mute */
		} failover;
		struct {
			bool on;
			bool force; /* also if nobody serves then */
		} standby;
		uint32_t connections;
	};
};

/* In this order. */
enum election_do {
	ELECTION_DO_RELEASE =
	    1 << 0, /* announcements stop, all addresses off; also if there are none */
	ELECTION_DO_CLAIM = 1 << 1, /* all addresses on with a full lease; adopt those there are */
	ELECTION_DO_REFRESH = 1 << 2, /* a full lease from now; put back what is missing */
	ELECTION_DO_HUSH =
	    1 << 3, /* no more announcements: the peer is to claim while we still hold */
	ELECTION_DO_ANNOUNCE = 1 << 4, /* begin the series of announcements (anew) */
	ELECTION_DO_SEND = 1 << 5, /* election_heartbeat() on all paths, now */
	ELECTION_DO_PROBE = 1 << 6, /* out.probe_id; answer within out.probe_budget_ns */
	ELECTION_DO_PERSIST = 1 << 7, /* election.term to the state directory; may take its time */
	ELECTION_DO_WITNESS = 1 << 8, /* send out.witness to it */
	ELECTION_DO_STOPPED = 1 << 9, /* the process may end */
};

struct election_transition {
	enum role from, to;
	enum cause cause;
};

struct election_out {
	unsigned todo; /* enum election_do */
	int64_t timer_ns; /* absolute: the next step at the latest */
	uint32_t probe_id;
	int64_t probe_budget_ns;
	struct witness_request witness;
	unsigned n_transitions;
	struct election_transition
	    transitions[4]; /* in their order; election.since_ns: of the last */
	/*
	 * ELECTION_FAILOVER and ELECTION_STANDBY are answered in the same step, or, when a move had
	 * to be begun, in a later one.  Until then the caller lets no other command in.
	 */
	bool answered;
	enum refusal refusal; /* REFUSAL_NONE: done */
};

/* What is wrong now; node.c logs the bits that came and went. */
enum election_alarm {
	ALARM_PEER_SILENT = 1 << 0, /* not heard on any path */
	ALARM_PATH_SILENT = 1 << 1, /* not heard on some path */
	ALARM_PEER_DEAF = 1 << 2, /* heard, but it does not hear us */
	ALARM_VIP_SERVES = 1 << 3, /* peer silent, yet the address serves: heartbeats are cut off */
	ALARM_DUAL_ACTIVE = 1 << 4, /* both are Active, unplanned */
	ALARM_CONFLICT = 1 << 5, /* another station has the address; ends after a minute without */
	ALARM_DAMPED = 1 << 6, /* too many moves */
	ALARM_CONFIG_DIFFERS = 1 << 7,
	ALARM_NOBODY_ACTIVE = 1 << 8, /* and none can be */
	ALARM_ACTIVE_UNFIT = 1 << 9, /* Active here, not eligible, and the peer is no better */
	ALARM_WITNESS_SILENT = 1 << 10,
	ALARM_WITNESS_REFUSES = 1 << 11, /* it does not lend for as long as our lease needs */
	ALARM_NO_VOTE = 1 << 12, /* would serve, and has no second vote */
	ALARM_VIP_FAILED = 1 << 13, /* the kernel refuses an address that should be here */
};
enum { ELECTION_ALARMS = 14 };

/* "peer_silent", ...: of one bit. */
const char *election_alarm_name(enum election_alarm);

struct election {
	struct election_config config;
	uint64_t session, sequence; /* of the last heartbeat made */
	uint64_t fresh_from; /* heartbeats that have heard less are from before the stall */

	enum role role;
	enum cause cause;
	int64_t since_ns;
	uint64_t term;
	bool holding;
	bool owner; /* was the last Active, as far as known; ... */
	uint64_t owner_term; /* ... with this term */
	bool planned; /* Active by agreement: the former one knows and is about to release */
	bool standby, stopping, stopped;

	struct election_track track;
	bool tracked; /* reported at least once */
	int64_t fit_since_ns; /* eligible since */
	int64_t unfit_since_ns;
	struct peer_view peer;

	int64_t stepped_ns; /* the last step */
	int64_t unread_ns; /* that one was late: silence is not believed before */
	int64_t send_ns, refresh_ns, refreshed_ns; /* due, due, last */
	bool listening, ask; /* ask: the next heartbeat wants an answer */
	int64_t listen_from_ns, listen_until_ns;
	int64_t broken_until_ns; /* the kernel refused: no claim before */

	struct {
		uint32_t id; /* of the last */
		bool pending;
		int64_t started_ns, due_ns;
		unsigned silent; /* in a row */
		unsigned bad; /* in a row: anything but service */
		int64_t served_ns; /* last seen to serve since the peer fell silent; 0: not */
		enum election_vip last;
	} probe;

	struct {
		bool asked; /* TAKE is in our heartbeats, once this is over: */
		bool empties; /* connections end first, for want of steering; */
		int64_t empties_until_ns; /* not longer */
		enum cause cause;
		uint32_t id;
		int64_t until_ns, again_ns; /* again: not before, after one that failed */
		bool command; /* an operator waits for its end */
		bool standby, forced; /* what to do at its end */
	} handover;
	struct {
		uint64_t session; /* the last TAKE that we followed */
		uint32_t id;
		uint64_t from; /* it must have heard this heartbeat of ours; 0: not asked to take */
		bool refused; /* answering one with no */
		uint32_t refused_id;
		enum refusal why;
	} take;

	struct {
		int64_t given_until_ns; /* ours is lent to the peer */
		enum cause want; /* claims for that when it has another */
		int64_t want_ns; /* since */
		uint64_t want_from; /* the peer's counts if it heard this heartbeat */
		bool sought; /* in this step */
		int64_t peer_until_ns, witness_until_ns; /* theirs are lent to us */
		int64_t sent_ns[ELECTION_SENT_MAX]; /* heartbeats, by number */
		int64_t asked_ns[ELECTION_ASKED_MAX]; /* questions to the witness, by number */
		uint32_t ask_id, ask_from, answered_id; /* last; first that counts; last answered */
		bool takes; /* the last asked for its vote */
		int64_t ask_ns; /* the next is due */
		int64_t answered_ns, left_until_ns;
		struct witness_answer answer; /* the last */
	} vote;
	int64_t adopt_until_ns; /* so long the kernel keeps what was there at start */
	int64_t order_until_ns; /* an operator waits for us to claim; 0: none */
	/* The end of a planned move, and its other side; see election_drain.c. */
	struct {
		bool on; /* not Active, yet holding, silently, for connections that are left */
		int64_t since_ns, until_ns;
	} drain;
	uint32_t connections; /* as counted last, while election_counts() */
	bool counted;
	struct {
		bool on; /* Active, and what is not known here is the peer's */
		bool agreed; /* and it has not said yet that it drains */
	} steer;

	int64_t better_since_ns; /* could preempt since; 0: could not */
	int64_t richer_since_ns; /* the peer has servers, we have none, since; 0: not so */
	int64_t vacant_since_ns; /* the peer is heard and nobody is Active, since; 0: not so */
	uint64_t vacant_from; /* the peer must have heard this heartbeat of ours; 0: it is better */
	int64_t moved_ns[ELECTION_MOVES_MAX]; /* ring of changes to and from Active */
	unsigned n_moved;

	unsigned alarms; /* enum election_alarm */
	int64_t conflict_ns; /* last seen; 0: never */
	int64_t dual_since_ns; /* 0: not dual */
	uint64_t dual_session; /* the peer's, then */
	bool dual_certain; /* it has heard us as Active: this is no late packet of one that died */
	uint64_t active_from; /* our first heartbeat as Active */
	int64_t dual_total_ns, dual_from_ns, dual_to_ns; /* all; the last one from and to */
};

/* Not started: the first step is ELECTION_START. */
void election_init(struct election *, const struct election_config *);

/* A new configuration at run time; follow it with an ELECTION_TIMER step. */
void election_configure(struct election *, const struct election_config *);

struct election_out election_step(struct election *, const struct election_event *, int64_t now_ns);

/* The peer is taken for dead after so long: by the slower heartbeat interval of the two. */
int64_t election_dead_ns(const struct election *);
bool election_peer_reachable(const struct election *, int64_t now_ns);

/* With a witness: the addresses must be gone from the kernel by then.  INT64_MAX: no such limit. */
int64_t election_vote_bound(const struct election *);
bool election_witness_answers(const struct election *, int64_t now_ns);

/* Which of the three votes this node has: its own if it has not lent it.  Two make an Active. */
struct election_votes {
	bool own, peer, witness;
};
enum { ELECTION_VOTES_NEEDED = 2 };
struct election_votes election_votes(const struct election *, int64_t now_ns);

/* For ELECTION_DO_SEND: once, the same content on all paths. */
struct heartbeat election_heartbeat(struct election *, int64_t now_ns);

/*
 * For ELECTION_DO_RELEASE: may the addresses stay for a little while, unannounced, for what is under
 * way?  The peer has claimed by agreement, and this node served until now.  Whatever else is done
 * then, a stall or the next claim or release, ends that.
 */
enum { ELECTION_LINGER_MS = 100 };
bool election_may_linger(const struct election *, const struct election_out *, int64_t now_ns);

/*
 * Has the peer claimed by agreement, and do connections go on here?  Then the addresses stay, and
 * nobody learns them from this node.  The caller looks after each step, before it does out.todo:
 * that a drain has ended is said with ELECTION_DO_RELEASE or _CLAIM.
 */
bool election_drains(const struct election *);
/* Is what this node does not know to be sent on to the peer? */
bool election_steers(const struct election *);
/* Is lbd to end its connections, and ELECTION_CONNECTIONS wanted? */
bool election_counts(const struct election *);

/* Would `hactl failover` be accepted now?  Changes nothing. */
enum refusal
election_check_failover(const struct election *, enum election_target, bool force, int64_t now_ns);

#endif
