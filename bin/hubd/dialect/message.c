#include "dialect/message.h"

#include <stdio.h>
#include <string.h>

#include "dialect/hub7.h"
#include "json/keys.h"
#include "json/terms.h"
#include "member/member.h"
#include "session/publish.h"
#include "wire/blob.h"

/* --- records */

/* Where the record has a value of the message, for its tags. */
static void note(const struct envelope *e, struct span value, uint32_t *at, uint16_t *len)
{
	*at = (uint32_t)envelope_record_at(e, value.p);
	*len = (uint16_t)value.len;
}

/* What state is bound to is told of by its key, in a message that anybody could send. */
static bool can_end(struct span key)
{
	for (size_t i = 0; i < key.len; i++)
		if ((unsigned char)key.p[i] < 0x20 || key.p[i] == 0x7f)
			return false;
	return key.len > 0;
}

static enum hub_code read_terms(struct worker *w, const struct envelope *e, struct publication *p,
				const char **why)
{
	struct terms *t = &p->terms;
	enum hub_code code = e->has_terms ? terms_read(e, worker_wall_ms(w), t, why) : HUB_OK;

	if (code != HUB_OK)
		return code;
	if (p->tags.class == RECORD_DELETE) {
		t->own = false;
		t->ttl_ms = 0;
	}
	if ((t->own || t->ttl_ms) && !can_end(p->key)) {
		*why = "own and ttl are for state with a key without control characters";
		return HUB_BAD_FIELD;
	}
	p->tags.owned = t->own;
	p->tags.timed = t->ttl_ms != 0;
	return HUB_OK;
}

enum hub_code message_record(struct worker *w, const struct envelope *e,
			     char room[ENVELOPE_KEY_MAX], struct publication *p, const char **why)
{
	struct span written = {0};
	uint32_t type_at, key_at = 0;
	uint16_t type_len;

	p->type = e->type;
	switch (keys_find(w->hub7->keys, e, room, &p->key, &written, &p->tags.area)) {
	case KEY_BAD:
		*why = "the state's key must be Unicode text of 256 bytes at most";
		return HUB_BAD_FIELD;
	case KEY_OWN:
		p->terms.any = p->terms.own = true;
		p->tags.class = RECORD_SET;
		break;
	case KEY_SET:
		p->tags.class = RECORD_SET;
		break;
	case KEY_DELETE:
		p->tags.class = RECORD_DELETE;
		break;
	case KEY_NONE:
		break;
	}
	note(e, e->type_written, &type_at, &type_len);
	p->tags.type_at = type_at & 0x3fffffffU;
	p->tags.type_len = (unsigned)type_len & 0xfffU;
	if (written.len)
		note(e, written, &key_at, &p->tags.key_len);
	p->tags.key_at = key_at;
	if (p->tags.class != RECORD_PLAIN && (e->has_terms || p->terms.any))
		return read_terms(w, e, p, why);
	return HUB_OK;
}

void message_refused(struct conn *c, enum hub_code code, const char *why, uint64_t current,
		     struct span msg_id)
{
	struct buf *b;

	if (code != HUB_CONFLICT) {
		conn_error(c, code, why, msg_id);
		return;
	}
	b = worker_scratch(c->worker);
	conn_error_made(c, code, b, c->door->dialect->conflict(b, current, msg_id));
}

/* --- to some clients */

struct delivery {
	struct session *session;
	struct blob *blob;
	unsigned delivered;
	enum hub_code code; /* of the last receiver that could not be reached */
	char names[256];    /* of those */
};

static void deliver_one(struct span id, void *arg)
{
	struct delivery *d = arg;
	enum hub_code code = member_direct(d->session, id, d->blob);
	size_t len = strlen(d->names);

	if (code == HUB_OK) {
		d->delivered++;
		return;
	}
	d->code = code;
	snprintf(d->names + len, sizeof(d->names) - len, "%s%.*s", len ? ", " : "", (int)id.len,
		 id.p);
}

enum hub_code message_direct(struct conn *c, const struct envelope *e, struct session *s,
			     struct span text, bool *delivered, char *why, size_t cap)
{
	struct delivery d = {.session = s, .blob = blob_new(text.p, text.len)};
	enum hub_code code;

	*delivered = false;
	if (!d.blob) {
		snprintf(why, cap, "out of memory");
		return HUB_INTERNAL;
	}
	code = envelope_to(e, deliver_one, &d, why, cap);
	blob_unref(d.blob);
	if (code != HUB_OK)
		return code;
	*delivered = d.delivered > 0;
	counter_add(&c->worker->counters, direct, *delivered);
	counter_add(&c->worker->counters, refused_share, d.code == HUB_RATE_LIMITED);
	if (d.code != HUB_OK)
		snprintf(why, cap, "%s %.64s: %.150s",
			 d.code == HUB_NOT_MEMBER     ? "not in session"
			 : d.code == HUB_HUB_FULL     ? "too many are under way in session"
			 : d.code == HUB_RATE_LIMITED ? "has not read those before, in session"
						      : "out of memory in session",
			 s->id, d.names);
	return d.code;
}
