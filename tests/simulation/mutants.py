#!/usr/bin/python3
"""mutants.py - does anything notice when a rule of the election or of the witness is broken?

Each mutant breaks one rule on purpose; the simulation must find a wrong schedule, or, where that is too rare, one of the
unit tests of these rules must fail.  Run by hand:

    tests/simulation/mutants.py [--schedules N] [WORD]     only mutants with WORD in their name
"""
import argparse
import glob
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FLAGS = ["-O2", "-std=c17", "-D_GNU_SOURCE", "-I."]
RULES = ["common/check.c"]

# name, file, what stands there, what the mutant has instead
MUTANTS = [
    ("claims whether the address serves or not", "claim", "!e->config.probe || e->probe.silent >= PROBES_NEEDED", "true"),
    ("claims though it may be cut off", "claim", " || is_cut_off(e)", ""),
    ("a gateway that answered too early counts", "claim", "network_ns < missed_from(e)", "network_ns <= election_quiet_since(e)"),
    ("dual active: nothing when the other has given way", "election", "(back || gave_way(&before, p))", "back"),
    ("dual active: nothing when the other is back", "election", "(back || gave_way(&before, p))", "gave_way(&before, p)"),
    ("one silent probe is enough", "claim", "PROBES_NEEDED = 2", "PROBES_NEEDED = 1"),
    ("no service: without the second dead interval", "claim", "silence >= 2 * dead && ", ""),
    ("never claims where nothing serves", "claim", "e->probe.bad >= PROBES_NEEDED &&", "false &&"),
    ("a claim does not raise the term", "claim", "e->term++;", ";"),
    ("vacant: needs no answer", "claim", "else if (answered(e, e->vacant_from))", "else"),
    ("vacant: the lesser node claims as well", "claim", "if (!election_better(&self, p, e->config.preempt))", "if (false)"),
    ("vacant: never the lesser node", "claim", "VACANT_DEADS = 3", "VACANT_DEADS = 3000"),
    ("TAKE: needs no answer", "claim", "e->take.from && answered(e, e->take.from)", "e->take.from"),
    ("TAKE: by a node that is not ready", "claim", "} else if (why != REFUSAL_NONE) {", "} else if (false) {"),
    ("preempts without being asked to", "claim", "e->config.prefer == PREFER_NONE && e->config.preempt &&", ""),
    ("prefer is forgotten", "claim", "e->config.prefer == PREFER_SELF", "false"),
    ("two Actives: nobody yields", "yield", "if (election_beats(&e->peer.last, &self)) {", "if (false) {"),
    ("two Actives: the lower term wins", "rule", "return a->term > b->term;", "return a->term < b->term;"),
    ("two Actives: the term does not count", "rule", "if (a->term != b->term)", "if (false)"),
    ("two Actives: unheard, and stays", "yield", "if (deaf && now - deaf >= election_dead_ns(e)) {", "if (false) {"),
    ("two Actives: no yielding to an address that is seen", "yield", "if (by_peer && conflict_lost(e, now))", "if (false)"),
    ("the unfit one does not yield to an address that is seen", "yield",
     "		return true;\n	return e->config.order", "		return false;\n	return e->config.order"),
    ("yields to what is left of a dead peer", "yield", " && !may_be_left_over(e, now)", ""),
    ("planned: releases before the peer has it", "yield", "e->handover.until_ns = now + e->config.handover_ns;",
     "e->handover.until_ns = now + e->config.handover_ns; election_end_handover(e, REFUSAL_NONE, now, out);"
     " election_let_go(e, cause, false, now, out); return;"),
    ("planned: never given up", "yield", "else if (now >= e->handover.until_ns)", "else if (false)"),
    ("unfit: never yields", "yield", "if (e->tracked && !election_fit(e, now))\n\t\treturn damped_hold",
     "if (false)\n\t\treturn damped_hold"),
    ("lingers whatever the cause", "yield", "is_left_serving(t->cause) &&", ""),
    ("lingers though the peer claimed before", "yield", " && e->peer.last.term > e->owner_term;", ";"),
    ("lingers without lbd", "yield", "e->track.lbd_ready && election_peer_active", "election_peer_active"),
    ("drain: over before connections are", "drain", "e->counted && !e->connections && now", "e->counted && now"),
    ("drain: longer than its time", "drain", "e->drain.until_ns = now + e->config.drain_ns;",
     "e->drain.until_ns = now + 3 * e->config.drain_ns;"),
    ("drain: though the peer cannot steer", "drain", "e->track.steers && e->peer.last.steers", "e->track.steers"),
    ("drain: through a stall", "election", "else if (e->holding || e->drain.on)", "else if (e->holding)"),
    ("drain: nobody steers", "drain", "e->steer.on = peer_has_more(e, now) && both_steer(e);", "e->steer.on = false;"),
    ("steers for ever", "drain", "e->steer.on = peer_has_more(e, now) && both_steer(e);", "e->steer.on = both_steer(e);"),
    ("steers, and is no longer Active", "drain", "	if (e->role != ROLE_ACTIVE) {\n		e->steer.on", "	if (false) {\n		e->steer.on"),
    ("connections that end first: waits for ever", "drain", "now < e->handover.empties_until_ns &&", ""),
    ("no servers: moves the wrong way", "rule", "return !e->track.servers_up && e->peer.last.servers_up;",
     "return e->track.servers_up;"),
    ("isolated: stays", "yield", "else if (isolated(e, now))", "else if (false)"),
    ("a stall is not noticed", "election", "now - e->stepped_ns > election_stall_ns(e)", "false"),
    ("after a stall it stays Active", "election", "election_let_go(e, CAUSE_STALL, true, now, out);", ";"),
    ("does not listen at start", "election", "LISTEN_DEADS = 3", "LISTEN_DEADS = 0"),
    ("the term of the peer is not learned", "election", "if (term <= e->term)", "if (true)"),
    ("terms fall", "election", "if (term <= e->term)", "if (term == e->term)"),
    ("the lease is not refreshed", "election", "out->todo |= ELECTION_DO_REFRESH;\n}", ";\n}"),
    ("released addresses stay", "election", "out->todo |= ELECTION_DO_RELEASE;", ";"),
    ("a claim without its addresses", "election", "ELECTION_DO_CLAIM | ELECTION_DO_ANNOUNCE;\n}", "ELECTION_DO_ANNOUNCE;\n}"),
    ("claims before tracking has reported", "rule", "e->tracked && e->track.eligible", "(!e->tracked || e->track.eligible)"),
    ("a Backup in standby claims", "rule", "return ROLE_STANDBY;", "return ROLE_BACKUP;"),
    ("a stop never ends", "election", "ELECTION_DO_SEND | ELECTION_DO_STOPPED", "ELECTION_DO_SEND"),
    ("an old heartbeat is news", "peer_view", "h->sequence > v->last.sequence", "true"),
    ("witness: claims with its own vote lent", "vote", "return now >= e->vote.given_until_ns;", "return true;"),
    ("witness: who starts has promised nothing", "vote", "e->vote.given_until_ns = now + vote_ns(e);", ";"),
    ("witness: adopts though its vote may be lent", "vote", "e->vote.want != CAUSE_NONE && is_still_counted(e)",
     "e->vote.want != CAUSE_NONE"),
    ("witness: a vote counts from when it came", "vote", "counted(sent, lent)", "counted(now, lent)"),
    ("witness: a grant counts from when it came", "vote", "counted(e->vote.asked_ns[id % ELECTION_ASKED_MAX], vote_ns(e))",
     "counted(now, 2 * vote_ns(e))"),
    ("witness: votes for an earlier want count", "vote", "p->heard < e->vote.want_from ||", ""),
    ("witness: addresses outlive the votes", "vote", "lent_until(e) >= now + e->config.lease_ns", "lent_until(e) >= now"),
    ("witness: without votes it stays", "vote", "return now >= e->refreshed_ns + e->config.lease_ns ||", "return false &&"),
    ("witness: stays though its vote is lent and nothing is heard", "vote",
     "(!own_is_free(e, now) && !election_peer_reachable(e, now))", "false"),
    ("witness: an Active lends its vote unasked", "vote", "return e->handover.asked && !e->handover.empties && p->want != CAUSE_NONE;", "return true;"),
    ("witness: votes are void too early", "vote", "if (p->role != ROLE_ACTIVE && p->want == CAUSE_NONE && !p->holding)",
     "if (p->role != ROLE_ACTIVE)"),
    ("witness: votes are never void", "vote", "if (p->role != ROLE_ACTIVE && p->want == CAUSE_NONE && !p->holding)", "if (false)"),
    ("witness: no vote for the peer", "vote", "	if (!gives(e, now))", "	if (true)"),
    ("witness: it does not matter", "vote", "return (own_is_free(e, now) || agreed || adopts(e)) && election_vote_covers(e, now);", "return true;"),
    ("witness: an Active is not asked to move", "vote", "return cause == CAUSE_OPERATOR ||", "return false &&"),
    ("witness: an unfit Active keeps it from a fit one", "vote", "now < e->vote.witness_until_ns && e->vote.answer.wanted", "false"),
    ("witness: lends to both", "witness_rule", "	if ((a.verdict == WITNESS_HELD && !a.yours) ||", "	if ("),
    ("witness: forgets what it lent", "witness_rule", "if (now < t->quiet_until_ns)", "if (false)"),
    ("witness: nobody keeps it while it is quiet", "witness_rule", "a.verdict == WITNESS_QUIET && !r->has", "a.verdict == WITNESS_QUIET"),
    ("witness: any session is believed", "witness_table", "return w->host == t->host && w->challenge == p->challenge;",
     "return true;"),
    ("witness: challenges stay", "witness_table", "p->challenge++;", ";"),
    ("witness: replays within a session", "witness_table", "w->request.id <= n->seen", "false"),
    ("witness: more nodes than two", "witness_table", "!n[i].name[0] || is_gone(p, &n[i], now)", "true"),
    ("witness: nothing is given back", "witness_rule", "(r->wish == WITNESS_GIVE_BACK && l->holder == who)", "false"),
    ("hears itself heard for ever", "peer_view", "v->deaf_since_ns = now_ns;", ";"),
]


def build(folder):
    sources = glob.glob("hafailover/election/*.c", root_dir=folder) + glob.glob("tests/simulation/*.c", root_dir=folder)
    sources += RULES
    return subprocess.run([os.environ.get("CC", "cc"), *FLAGS, "-o", "simulation", *sources], cwd=folder,
                          capture_output=True, text=True)


def file_of(word):
    if word == "witness_table":
        return f"peer/{word}.c"
    whole = ("election", "peer_view", "witness_rule")
    return f"election/{word}.c" if word in whole else f"election/election_{word}.c"


def copy(folder):
    for part in ("hafailover", "tests/simulation", "tests/unit", "common"):
        shutil.copytree(os.path.join(ROOT, part), os.path.join(folder, part))


def failing_test(folder):
    """The first unit test that notices; None if none does."""
    tests = glob.glob("tests/unit/test_election*.c", root_dir=folder) + ["tests/unit/test_witness_table.c"]
    sources = glob.glob("hafailover/election/*.c", root_dir=folder) + RULES
    sources += ["hafailover/peer/witness_table.c", "hafailover/peer/witness_wire.c"]
    for test in sorted(tests, key=lambda name: "vote" not in name and "witness" not in name):
        built = subprocess.run([os.environ.get("CC", "cc"), *FLAGS, "-O0", "-o", "unit", test, *sources, "-lcmocka", "-lcrypto"],
                               cwd=folder, capture_output=True, text=True)
        if built.returncode:
            return "does not compile: " + built.stderr[:300]
        ran = subprocess.run(["./unit"], cwd=folder, capture_output=True, text=True, timeout=60)
        if ran.returncode:
            failed = [line.split()[-1] for line in ran.stderr.splitlines() + ran.stdout.splitlines() if "FAILED  ] test" in line]
            return f"caught: {os.path.basename(test)}: {' '.join(sorted(set(failed)))}"
    return None


def fate(folder, mutant, schedules):
    """What became of it: "caught: ..." or why not."""
    name, word, old, new = mutant
    path = os.path.join(folder, "hafailover", file_of(word))
    with open(path) as f:
        text = f.read()
    if text.count(old) != 1:
        return "its text stands %d times in %s" % (text.count(old), path)
    with open(path, "w") as f:
        f.write(text.replace(old, new))
    try:
        built = build(folder)
        if built.returncode:
            return "does not compile: " + built.stderr[:300]
        try:
            ran = subprocess.run(["./simulation", "--quiet", "--schedules", str(schedules)], cwd=folder,
                                 capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            return "hangs"
        if ran.returncode == 0:
            return failing_test(folder) or "survives"
        lines = (ran.stdout + ran.stderr).splitlines()
        return "caught: " + (lines[0] if lines else "exit %d" % ran.returncode)
    finally:
        with open(path, "w") as f:
            f.write(text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--schedules", type=int, default=20000)
    parser.add_argument("word", nargs="?", default="")
    options = parser.parse_args()
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        copy(folder)
        for mutant in MUTANTS:
            if options.word not in mutant[0]:
                continue
            became = fate(folder, mutant, options.schedules)
            survivors += not became.startswith("caught")
            print("%-55s %s" % (mutant[0], became), flush=True)
    print("%d not caught" % survivors)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
