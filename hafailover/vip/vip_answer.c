/* vip_answer.c - two tables, and a comparison. */
#include "hafailover/vip/vip_answer.h"

#include "common/check.h"

enum election_vip
vip_answer_of(enum probe_verdict verdict, bool holder, bool blind)
{
	switch (verdict) {
	case PROBE_SILENT:
		return ELECTION_VIP_SILENT;
	case PROBE_ANSWERS:
		return blind && !holder ? ELECTION_VIP_SERVES : ELECTION_VIP_NO_SERVICE;
	case PROBE_SERVES:
		return ELECTION_VIP_SERVES;
	case PROBE_FAILED:
		return ELECTION_VIP_UNKNOWN;
	}
	CHECK_NEVER();
}

/* What tells more against a claim is more. */
static unsigned
weight(enum election_vip v)
{
	switch (v) {
	case ELECTION_VIP_UNKNOWN:
		return 0;
	case ELECTION_VIP_SILENT:
		return 1;
	case ELECTION_VIP_NO_SERVICE:
		return 2;
	case ELECTION_VIP_SERVES:
		return 3;
	}
	CHECK_NEVER();
}

void
vip_answer_add(struct vip_answer *a, enum election_vip v, bool by_peer)
{
	if (weight(v) > weight(a->result))
		*a = (struct vip_answer){ v, by_peer };
}
