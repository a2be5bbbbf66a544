/* Messages whose type has a file of rules: hub7's words for them. */
#include <stdio.h>

#include "dialect/act.h"
#include "dialect/hub7_impl.h"

enum hub_code hub7_on_event(struct conn *c, const struct envelope *e, const struct rules_file *f)
{
	struct act_event event = {.file = f,
				  .event = e->type,
				  .own_fields = true,
				  .msg_id = e->msg_id,
				  .acked = e->msg_id.p != NULL};
	enum hub_code code = HUB_OK;
	struct seat *seat;
	const char *why;
	struct buf *b;

	if (event.acked)
		event.msg = dedup_hash(c->worker->hub7->secret, c->id, e->msg_id);
	/* It need be in no session, but where it says one it is there. */
	seat = e->session_id.p ? hub7_seat(c, e, &code) : seat_find(c, e->session_id);
	if (code != HUB_OK)
		return code;
	code = member_may(c, RIGHT_TYPES, (struct span){0}, e->type, &why);
	if (code != HUB_OK)
		return hub7_fail(c, e, code, why);
	if (seat && seat->held && e->msg_id.p)
		return hub7_fail(c, e, HUB_HELD, "an earlier message was refused for now");
	if (seat)
		event.session = session_name(seat->m.session);
	b = worker_scratch(c->worker);
	if (envelope_strip(e, b) < 0) {
		code = hub7_fail(c, e, HUB_INTERNAL, "out of memory");
	} else {
		event.args = (struct span){b->data, b->len};
		code = act_on(c, &event);
	}
	worker_scratch_done(c->worker, b);
	/* The seat may have gone by what the rule did. */
	seat = e->session_id.p ? seat_find(c, e->session_id) : c->seats;
	if (seat && seat->ordered && hub_code_passes(code))
		seat->held = true;
	return code;
}

void hub7_opened(struct conn *c)
{
	if (conn_identity(c) != &identity_none)
		act_opened(c);
}
