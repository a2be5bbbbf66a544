/* Records that are taken on a condition, and state that goes with its sender or in time. Invariant:
 * whoever owns state is in the session, or it is about to go. */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "json/keys.h"
#include "session/session.h"
#include "wire/id.h"
#include "wire/wsframe.h"

#define AGAIN_MS 1000	     /* where there was no memory */
#define HUB_ID "00000000000" /* no client's: `from` of what the hub itself records */

/* The record in a frame. */
static struct span text_of(const struct state_look *look)
{
	size_t header = wsframe_header_len(look->frame);

	return (struct span){(const char *)look->frame + header, look->len - header};
}

enum hub_code session_agrees(const struct session *s, struct publication *p)
{
	const struct terms *t = &p->terms;
	struct state_look now = {0};
	struct span text;

	if (t->own && !p->member)
		return HUB_NOT_MEMBER;
	if (!t->has_if_seq && !t->newer)
		return HUB_OK;
	/* A type that is its own key has nothing to do with others of the kind. */
	state_latest_of(&s->state, p->tags.key, p->key, p->key.len ? NULL : &p->type, &now);
	p->current = now.seq;
	if (t->has_if_seq && now.seq != t->if_seq)
		return HUB_CONFLICT;
	if (!t->newer || !now.seq)
		return HUB_OK;
	text = text_of(&now);
	return t->when > terms_when(text.p, text.len) ? HUB_OK : HUB_CONFLICT;
}

void session_due(struct session *s, uint64_t due_ms)
{
	if (due_ms < atomic_load_explicit(&s->due_ms, memory_order_relaxed))
		atomic_store_explicit(&s->due_ms, due_ms, memory_order_relaxed);
	if (due_ms == TIES_NEVER || s->timed)
		return;
	s->timed = true;
	session_ref(s);
	worker_post(s->env->workers->at[0], &s->timing);
}

/* Records that a key is no more, in everybody's name. Returns 0 or -ENOMEM, then it stays. */
static int end_key(struct session *s, const struct state_entry *e, const char *reason,
		   uint64_t now_ms)
{
	struct state_look look = state_look_at(e);
	struct slot tags = {.key = look.hash,
			    .class = RECORD_DELETE,
			    .area = state_key_cell(&s->state, look.hash, look.key),
			    .before = AREA_NOWHERE};
	char owner[ID_LEN + 1], room[ENVELOPE_KEY_MAX];
	struct span key = {room, look.key.len};
	struct buf b = {0};
	int64_t n = -1;
	int r;

	memcpy(room, look.key.p, look.key.len);
	id_text(look.sender, owner);
	r = buf_puts(&b, "{\"type\":");
	tags.type_at = (uint32_t)b.len & 0x3fffffff;
	if (r == 0)
		r = buf_puts(&b, "\"" KEYS_DELETED "\"");
	tags.type_len = (unsigned)(b.len - tags.type_at) & 0xfff;
	if (r == 0)
		r = buf_puts(&b, ",\"key\":");
	tags.key_at = (uint32_t)b.len;
	if (r == 0)
		r = buf_put_json(&b, key.p, key.len);
	tags.key_len = (uint16_t)(b.len - tags.key_at);
	if (r == 0)
		r = buf_printf(&b,
			       ",\"reason\":\"%s\",\"owner\":\"%s\",\"session_id\":\"%s\","
			       "\"timestamp\":%ju,\"from\":\"" HUB_ID "\"",
			       reason, owner, s->id, (uintmax_t)clock_wall_ms());
	if (r == 0 && s->env->archive && s->env->archive->offer) {
		r = session_offer_end(s, &tags, (struct span){b.data, b.len}, &look);
		if (r == 0)
			state_unbind(&s->state, e); /* once is enough */
		buf_free(&b);
		return r;
	}
	if (r == 0)
		n = log_append(&s->log, &tags, b.data, b.len, now_ms);
	if (n > 0) {
		s->state.next = (uint64_t)n;
		s->unstored += s->env->archive ? b.len : 0;
		state_delete(&s->state, tags.key, key);
	}
	buf_free(&b);
	return n > 0 ? 0 : -ENOMEM;
}

size_t session_end_owned(struct session *s, uint64_t client, uint64_t now_ms)
{
	const struct state_entry *e;
	size_t n = 0;

	while ((e = state_owned(&s->state, client)) != NULL && end_key(s, e, "left", now_ms) == 0)
		n++;
	if (e) {
		s->orphans = true;
		session_due(s, now_ms + AGAIN_MS);
	}
	if (n)
		session_trim(s, now_ms);
	return n;
}

static bool is_gone(uint64_t client, void *arg)
{
	return !session_client(arg, client) && !away_find(arg, client);
}

/* What could not go with its owners. */
static size_t end_orphans(struct session *s, uint64_t now_ms)
{
	const struct state_entry *e = NULL;
	size_t n = 0;

	if (!s->orphans)
		return 0;
	while ((e = state_owned_where(&s->state, is_gone, s)) != NULL &&
	       end_key(s, e, "left", now_ms) == 0)
		n++;
	s->orphans = e != NULL;
	if (n)
		session_trim(s, now_ms);
	return n;
}

size_t session_end_due(struct session *s, uint64_t now_ms)
{
	const struct state_entry *e;
	size_t n = 0;

	while ((e = state_due(&s->state, now_ms)) != NULL && end_key(s, e, "expired", now_ms) == 0)
		n++;
	if (n)
		session_trim(s, now_ms);
	atomic_store_explicit(&s->due_ms, state_next_ms(&s->state), memory_order_relaxed);
	if (s->orphans)
		session_due(s, now_ms + AGAIN_MS);
	return n;
}

void session_expire(struct session *s, struct worker *w)
{
	uint64_t now_ms = worker_now_ms(w);
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = s->deleted ? 0 : end_orphans(s, now_ms);
	n += s->deleted ? 0 : session_end_due(s, now_ms);
	pthread_mutex_unlock(&s->lock);
	if (n)
		session_changed(s, w);
}
