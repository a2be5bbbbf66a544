/* What a message means: control types go to their handler, all others into a session's log, or to
 * the clients they name. */
#include "dialect/act.h"
#include "dialect/hub7_impl.h"
#include "dialect/message.h"
#include "json/json.h"
#include "session/publish.h"
#include "wire/id.h"

#define WHY_MAX 256 /* bytes of an error's message */

/* --- to some clients */

static enum hub_code on_direct(struct conn *c, const struct envelope *e, struct seat *seat,
			       struct buf *record, const struct slot *tags)
{
	struct session *s = seat->m.session;
	bool delivered = false;
	char why[WHY_MAX];
	enum hub_code code;
	struct buf *b;

	if (!(tags->acked && session_knows(s, tags->msg))) {
		if (buf_puts(record, "}") < 0)
			return hub7_fail(c, e, HUB_INTERNAL, "out of memory");
		code = message_direct(c, e, s, (struct span){record->data, record->len}, &delivered,
				      why, sizeof(why));
		if (code != HUB_OK)
			hub7_fail(c, e, code, why);
		if (!delivered)
			return code;
		if (tags->acked)
			session_remember(s, tags->sender, tags->msg);
	}
	if (tags->acked) {
		b = worker_scratch(c->worker);
		counter_add(&c->worker->counters, acks, 1);
		conn_send_scratch(c, b, hub7_ack(b, s->id, 0, e->msg_id));
	}
	return HUB_OK;
}

/* --- into the log */

static enum hub_code on_record(struct conn *c, const struct envelope *e, struct seat *seat,
			       struct span body, const struct slot *tags)
{
	struct publication p = {.body = body, .tags = *tags};
	char room[ENVELOPE_KEY_MAX];
	const char *why = NULL;
	enum hub_code code = message_record(c->worker, e, room, &p, &why);

	if (code == HUB_OK)
		code = member_publish(seat, &p, e->msg_id, &why);
	if (code != HUB_OK)
		message_refused(c, code, why, p.current, e->msg_id);
	return code;
}

/* A message of a member: into the log, or to the clients it names. */
static enum hub_code on_message(struct conn *c, struct envelope *e)
{
	enum hub_code code = HUB_OK;
	const struct rules *rules = c->worker->hub7->rules;
	const struct rules_file *f = rules ? rules_find(rules, e->type) : NULL;
	struct seat *seat;
	struct slot tags = {.sender = c->id, .acked = e->msg_id.p != NULL};
	const struct identity *id = conn_identity(c);
	char from[ID_LEN + 1], text[WHY_MAX];
	const char *why;
	struct buf *b;

	if (f)
		return hub7_on_event(c, e, f);
	seat = hub7_seat(c, e, &code);
	if (!seat)
		return code;
	/* Where there are users, nobody but the hub says who one is. */
	if (c->worker->hub7->auth && e->has_user &&
	    (code = envelope_own_user(e, text, sizeof(text))) != HUB_OK)
		return hub7_fail(c, e, code, text);
	if (e->to.p && (code = member_may(c, RIGHT_PUBLISH, session_name(seat->m.session), e->type,
					  &why)) != HUB_OK)
		return hub7_fail(c, e, code, why);
	if (seat->held && tags.acked)
		return hub7_fail(c, e, HUB_HELD, "an earlier message was refused for now");
	if (tags.acked)
		tags.msg = dedup_hash(c->worker->hub7->secret, c->id, e->msg_id);
	id_text(c->id, from);
	b = worker_scratch(c->worker);
	if (envelope_record(e, b, session_name(seat->m.session), worker_wall_ms(c->worker),
			    (struct span){from, ID_LEN}, identity_user(id)) < 0)
		code = hub7_fail(c, e, HUB_INTERNAL, "out of memory");
	else if (e->to.p)
		code = on_direct(c, e, seat, b, &tags);
	else
		code = on_record(c, e, seat, (struct span){b->data, b->len}, &tags);
	worker_scratch_done(c->worker, b);
	if (seat->ordered && hub_code_passes(code))
		seat->held = true;
	return code;
}

/* --- the table */

static enum hub_code (*const handlers[CONTROLS])(struct conn *c, const struct envelope *e) = {
#define ON(type, about) [CONTROL_##type] = hub7_on_##about,
    ENVELOPE_CONTROLS(ON)
#undef ON
};

/* Of a control type, but the object in `record` makes it a message for the members. */
static bool carries_record(struct conn *c, const struct envelope *e)
{
	struct json_member f[HUB7_FIELDS];

	hub7_read_fields(c, e, f);
	return f[FIELD_RECORD].type == JSON_OBJECT;
}

bool hub7_is_control(struct conn *c, const struct envelope *e)
{
	return envelope_control_type(e->type) && !carries_record(c, e);
}

static enum hub_code take(struct conn *c, const char *text, size_t len)
{
	struct envelope e;
	char why[WHY_MAX];
	enum hub_code code = envelope_parse(&e, text, len, why, sizeof(why));
	enum control control;

	if (code != HUB_OK)
		return hub7_fail(c, &e, code, why);
	control = envelope_control(e.type);
	/* All that is taken from who has shown no token yet. */
	if (conn_identity(c) == &identity_none && control != CONTROL_authenticate)
		return hub7_fail(c, &e, HUB_UNAUTHENTICATED,
				 "authenticate first: no token was shown");
	return control != CONTROL_NONE && !carries_record(c, &e) ? handlers[control](c, &e)
								 : on_message(c, &e);
}

const struct dialect hub7_dialect = {
    .take = take,
    .joined = hub7_joined,
    .refused = hub7_refused,
    .opened = hub7_opened,
    .ending = act_ending,
    .error = hub7_error,
    .conflict = hub7_conflict,
    .ack = hub7_ack,
    .reply = hub7_reply,
    .error_named = hub7_error_named,
    .gap = hub7_gap,
    .skipped = hub7_skipped,
    .ahead = hub7_ahead,
    .area_left = hub7_area_left,
    .area_entered = hub7_area_entered,
    .presence = hub7_presence,
    .status = hub7_status,
    .left = hub7_left,
    .expiring = hub7_expiring,
    .resume = hub7_resume,
    .sessions = hub7_sessions,
};
