/* handover_view.c - one sentence, from the phase that hafailover/admin/status.c names. */
#include "hafailover/hactl/handover_view.h"

#include "hafailover/hactl/display.h"
#include "hafailover/hactl/member.h"

static const json_t *
handover(const json_t *status)
{
	return json_object_get(status, "handover");
}

static bool
is_phase(const json_t *status, const char *phase)
{
	return str_eq(member_text(handover(status), "phase"), str_of(phase));
}

bool
handover_view_waits(const json_t *status)
{
	return is_phase(status, "emptying") || is_phase(status, "draining") ||
	    is_phase(status, "steering");
}

static void
connections_add(const json_t *o, struct text *out)
{
	json_int_t n = member_integer(o, "connections");

	if (!member_has(o, "connections"))
		text_append(out, STR("connections"));
	else
		text_printf(out, "%lld connection%s", (long long)n, n == 1 ? "" : "s");
}

void
handover_view_progress(const json_t *status, struct text *out)
{
	const json_t *o = handover(status);
	bool steering = is_phase(status, "steering");

	connections_add(o, out);
	if (is_phase(status, "emptying")) {
		text_append(out, STR(" to end before the move"));
		return;
	}
	text_append(out, STR(" left on "));
	display_clean(out,
	    steering ? member_text(json_object_get(status, "peer"), "name")
		     : member_text(status, "node"));
	if (steering)
		text_printf(
		    out, ", %lld packets steered", (long long)member_integer(o, "packets_steered"));
}

static void
prospect_add(const json_t *o, struct text *out)
{
	if (member_is(o, "steering")) {
		text_append(out, STR("connections stay where they are"));
	} else {
		text_append(out, STR("connections end before it, for want of steering: "));
		display_clean(out, member_text(o, "no_steering"));
	}
}

void
handover_view_print(const json_t *status, struct text *out)
{
	const json_t *o = handover(status);

	if (!json_is_object(o))
		return;
	text_append(out, STR("planned move: "));
	if (handover_view_waits(status))
		handover_view_progress(status, out);
	else if (json_is_false(json_object_get(json_object_get(status, "peer"), "reachable")))
		text_append(out, STR("not possible, for the peer is not heard"));
	else if (member_integer(o, "drain_ms") == 0)
		text_append(out, STR("connections are not waited for"));
	else
		prospect_add(o, out);
	text_append(out, STR("\n"));
}
