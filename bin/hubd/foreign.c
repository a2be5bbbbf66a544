/* Invariant: what was heard is never told: it would be heard again. */
#include "foreign.h"

#include <stdlib.h>
#include <string.h>

#include "bus/bridge.h"
#include "dialect/hub7.h"
#include "dialect/message.h"
#include "member/member.h"
#include "session/registry.h"
#include "wire/id.h"

#define WHY_MAX 256

/* What was heard, on its way to the worker. */
struct heard {
	struct mail mail; /* first */
	struct foreign *foreign;
	size_t sessions, len;
	char text[]; /* the sessions, then the message */
};

/* So that a record of a type that hub7 takes for itself is one there, too. */
static enum hub_code read_message(struct envelope *e, struct buf *marked, struct span message)
{
	char why[WHY_MAX];
	enum hub_code code = envelope_parse(e, message.p, message.len, why, sizeof(why));

	if (code != HUB_OK || !envelope_control_type(e->type))
		return code;
	if (buf_put(marked, message.p, message.len - 1) < 0 ||
	    buf_puts(marked, ",\"record\":{}}") < 0)
		return HUB_INTERNAL;
	return envelope_parse(e, marked->data, marked->len, why, sizeof(why));
}

static enum hub_code publish(struct foreign *f, struct worker *w, struct session *s,
			     const struct envelope *e)
{
	struct publication p = {.tags = {.sender = f->sender}, .trusted = true, .heard = true};
	char from[ID_LEN + 1], key[ENVELOPE_KEY_MAX];
	struct span session = {s->id, s->id_len};
	enum hub_code code = HUB_INTERNAL;
	struct published out;
	const char *why;
	struct buf *b = worker_scratch(w);

	id_text(f->sender, from);
	if (envelope_record(e, b, session, worker_wall_ms(w), (struct span){from, ID_LEN},
			    (struct span){"", 0}) == 0) {
		p.body = (struct span){b->data, b->len};
		code = message_record(w, e, key, &p, &why);
	}
	if (code == HUB_OK)
		code = submit_record(s, w, &p, &out, &why);
	worker_scratch_done(w, b);
	counter_add(&w->counters, bridge_heard, code == HUB_OK);
	return code;
}

/* Of a session that is there; who would join another one later would not have heard it either. */
static enum hub_code publish_to(struct foreign *f, struct worker *w, struct span name,
				const struct envelope *e)
{
	struct session *s = registry_find(f->registry, name);
	enum hub_code code = HUB_OK;

	if (!s)
		return HUB_OK;
	if (!s->env->archive || !session_wants_image(s))
		code = publish(f, w, s, e);
	registry_release(f->registry, s, worker_now_ms(w));
	return code;
}

static void on_heard(struct worker *w, struct mail *mail)
{
	struct heard *h = (struct heard *)mail;
	struct span message = {h->text + h->sessions, h->len};
	const char *name = h->text, *end = h->text + h->sessions;
	struct buf marked = {0};
	struct envelope e;
	enum hub_code code = read_message(&e, &marked, message), one;
	bool good = code == HUB_OK;

	for (; good && name < end; name += strlen(name) + 1) {
		one = publish_to(h->foreign, w, (struct span){name, strlen(name)}, &e);
		code = one == HUB_OK ? code : one;
	}
	bridge_taken(h->foreign->bridge, h->len,
		     code == HUB_OK ? NULL
		     : good	    ? "an event that its session does not take"
				    : "an event that is no message");
	buf_free(&marked);
	free(h);
}

void foreign_heard(void *arg, struct span sessions, struct span message)
{
	struct foreign *f = arg;
	struct heard *h = malloc(sizeof(*h) + sessions.len + message.len);

	if (!h) {
		bridge_taken(f->bridge, message.len, "out of memory");
		return;
	}
	*h = (struct heard){
	    .mail = {.run = on_heard}, .foreign = f, .sessions = sessions.len, .len = message.len};
	memcpy(h->text, sessions.p, sessions.len);
	memcpy(h->text + sessions.len, message.p, message.len);
	worker_post(f->workers->at[0], &h->mail);
}

void foreign_published(void *arg, const struct session *s, struct span body, uint64_t seq)
{
	const struct foreign *f = arg;

	bridge_tell(f->bridge, (struct span){s->id, s->id_len}, body, seq);
}

void foreign_second(struct foreign *f, struct worker *w)
{
	uint64_t told, dropped;

	bridge_count(f->bridge, &told, &dropped);
	counter_add(&w->counters, bridge_told, told);
	counter_add(&w->counters, bridge_dropped, dropped);
}
