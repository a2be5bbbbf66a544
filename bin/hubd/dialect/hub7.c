/* What a message means: control types go to their handler, all others into a session's log, or to
 * the clients they name. */
#include "dialect/hub7.h"

#include <stdio.h>
#include <string.h>

#include "json/json.h"
#include "wire/blob.h"
#include "wire/id.h"

#define WHY_MAX 256 /* bytes of an error's message */

/* --- to some clients */

struct delivery {
	struct session *session;
	struct blob *blob;
	unsigned delivered;
	enum hub_code code; /* of the last receiver that could not be reached */
	char why[WHY_MAX];
};

static void deliver_one(struct span id, void *arg)
{
	struct delivery *d = arg;
	enum hub_code code = member_direct(d->session, id, d->blob);
	size_t len = strlen(d->why);

	if (code == HUB_OK) {
		d->delivered++;
		return;
	}
	d->code = code;
	snprintf(d->why + len, sizeof(d->why) - len, "%s%.*s", len ? ", " : "", (int)id.len, id.p);
}

/* A message with `to`: only those clients get it, and it is not logged. HUB_OK where anybody got
 * it. */
static enum hub_code send_direct(struct conn *c, const struct envelope *e, struct session *s,
				 struct span text)
{
	struct delivery d = {.session = s, .blob = blob_new(text.p, text.len)};
	enum hub_code code;
	char why[WHY_MAX];

	if (!d.blob)
		return hub7_fail(c, e, HUB_INTERNAL, "out of memory");
	code = envelope_to(e, deliver_one, &d, why, sizeof(why));
	blob_unref(d.blob);
	if (code != HUB_OK)
		return hub7_fail(c, e, code, why);
	counter_add(&c->worker->counters, direct, d.delivered > 0);
	if (d.code == HUB_OK)
		return HUB_OK;
	snprintf(why, sizeof(why), "%s %.64s: %.150s",
		 d.code == HUB_NOT_MEMBER ? "not in session"
		 : d.code == HUB_HUB_FULL ? "too many are under way in session"
					  : "out of memory in session",
		 s->id, d.why);
	hub7_fail(c, e, d.code, why);
	return d.delivered ? HUB_OK : d.code;
}

static enum hub_code on_direct(struct conn *c, const struct envelope *e, struct seat *seat,
			       struct buf *record, const struct slot *tags)
{
	struct session *s = seat->m.session;
	enum hub_code code;
	struct buf *b;

	if (!(tags->acked && session_knows(s, tags->msg))) {
		if (buf_puts(record, "}") < 0)
			return hub7_fail(c, e, HUB_INTERNAL, "out of memory");
		code = send_direct(c, e, s, (struct span){record->data, record->len});
		if (code != HUB_OK)
			return code;
		if (tags->acked)
			session_remember(s, tags->msg);
	}
	if (tags->acked) {
		b = worker_scratch(c->worker);
		conn_send_scratch(c, b, hub7_ack(b, s->id, 0, e->msg_id));
	}
	return HUB_OK;
}

/* --- into the log */

/* Where the record has a value of the message, for its tags. */
static void note(const struct envelope *e, struct span value, uint32_t *at, uint16_t *len)
{
	*at = (uint32_t)envelope_record_at(e, value.p);
	*len = (uint16_t)value.len;
}

static enum hub_code on_record(struct conn *c, const struct envelope *e, struct seat *seat,
			       struct span body, struct slot *tags)
{
	struct publication p = {.body = body, .type = e->type};
	char room[ENVELOPE_KEY_MAX];
	struct span written = {0};
	const char *why = NULL;
	enum hub_code code;
	uint16_t type_len;

	switch (keys_find(c->worker->hub7->keys, e, room, &p.key, &written)) {
	case KEY_BAD:
		return hub7_fail(c, e, HUB_BAD_FIELD,
				 "the state's key must be Unicode text of 256 bytes at most");
	case KEY_SET:
		tags->class = RECORD_SET;
		break;
	case KEY_DELETE:
		tags->class = RECORD_DELETE;
		break;
	case KEY_NONE:
		break;
	}
	note(e, e->type_written, &tags->type_at, &type_len);
	tags->type_len = (unsigned)type_len & 0x3fffU;
	if (written.len)
		note(e, written, &tags->key_at, &tags->key_len);
	p.tags = *tags;
	code = member_publish(seat, &p, e->msg_id, &why);
	return code == HUB_OK ? code : hub7_fail(c, e, code, why);
}

/* A message of a member: into the log, or to the clients it names. */
static enum hub_code on_message(struct conn *c, const struct envelope *e)
{
	enum hub_code code = HUB_OK;
	struct seat *seat = hub7_seat(c, e, &code);
	struct slot tags = {.sender = c->id, .acked = e->msg_id.p != NULL};
	char from[ID_LEN + 1];
	struct buf *b;

	if (!seat)
		return code;
	if (tags.acked)
		tags.msg = dedup_hash(c->worker->hub7->secret, c->id, e->msg_id);
	id_text(c->id, from);
	b = worker_scratch(c->worker);
	if (envelope_record(e, b, (struct span){seat->m.session->id, seat->m.session->id_len},
			    worker_wall_ms(c->worker), (struct span){from, ID_LEN}) < 0)
		code = hub7_fail(c, e, HUB_INTERNAL, "out of memory");
	else if (e->to.p)
		code = on_direct(c, e, seat, b, &tags);
	else
		code = on_record(c, e, seat, (struct span){b->data, b->len}, &tags);
	worker_scratch_done(c->worker, b);
	return code;
}

/* --- the table */

static const struct {
	const char *type;
	size_t len;
	enum hub_code (*handle)(struct conn *c, const struct envelope *e);
} handlers[] = {
#define ON(type, handle)                       \
	{                                      \
		type, sizeof(type) - 1, handle \
	}
    ON("ping", hub7_on_ping),
    ON("heartbeat", hub7_on_ping),
    ON("session_associate", hub7_on_associate),
    ON("session_leave", hub7_on_leave),
    ON("presence", hub7_on_presence),
    ON("session_list", hub7_on_session_list),
    ON("client_info", hub7_on_client_info),
    ON("version_check", hub7_on_version_check),
    ON("authenticate", hub7_on_authenticate),
#undef ON
};

static enum hub_code take(struct conn *c, const char *text, size_t len)
{
	struct envelope e;
	char why[WHY_MAX];
	enum hub_code code = envelope_parse(&e, text, len, why, sizeof(why));
	size_t i;

	if (code != HUB_OK)
		return hub7_fail(c, &e, code, why);
	for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (e.type.len == handlers[i].len &&
		    memcmp(e.type.p, handlers[i].type, e.type.len) == 0)
			return handlers[i].handle(c, &e);
	return on_message(c, &e);
}

const struct dialect hub7_dialect = {
    .take = take,
    .joined = hub7_joined,
    .error = hub7_error,
    .ack = hub7_ack,
    .gap = hub7_gap,
    .presence = hub7_presence,
    .status = hub7_status,
    .left = hub7_left,
    .sessions = hub7_sessions,
};
