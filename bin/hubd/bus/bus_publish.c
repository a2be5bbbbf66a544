/* What goes out. Invariant: of one session there is one batch under way, and what waits behind it
 * is in the order in which it was offered; so order is kept whatever has to be sent again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "bus/bus_impl.h"
#include "session/publish.h"
#include "wire/id.h"

#define BATCH_BYTES (256 * 1024)
#define MSGS_SIZE 2048 /* a power of two, more than BATCH_RECORDS */
#define PAUSE_MS 500   /* after a refusal */

void publish_offer(struct link *l, struct offer *o)
{
	struct far *f = o->session->far;

	if (o->news) {
		here_news(l, f, o);
		return;
	}
	if (!f || f->step == FAR_LOST) {
		publish_end(l, o, HUB_UNAVAILABLE, 0, "the session begins anew");
		return;
	}
	publish_last(f, o);
	publish_due(l, f);
}

/* --- which go together */

/* The messages of a batch, so that none is there twice. */
struct msgs {
	uint64_t at[MSGS_SIZE];
};

/* False where it is there. */
static bool msgs_add(struct msgs *m, uint64_t msg)
{
	size_t i = msg & (MSGS_SIZE - 1);

	msg += !msg;
	for (; m->at[i]; i = (i + 1) & (MSGS_SIZE - 1))
		if (m->at[i] == msg)
			return false;
	m->at[i] = msg;
	return true;
}

static bool is_conditional(const struct offer *o)
{
	return o->terms.any && (o->terms.has_if_seq || o->terms.newer);
}

/* Whether it is a record here by now, which may have come from elsewhere; then o->seq is set. */
static bool is_known(const struct far *f, struct offer *o)
{
	return o->seq || (o->tags.acked && session_finds(f->session, o->tags.msg, &o->seq));
}

/* Takes the next ones from the queue for a flight: what one script can say of them. Those that are
 * records already end here; or, where replicas are to have them, fly by themselves. Returns how
 * many of them change the state. */
static size_t take_flight(struct link *l, struct far *f)
{
	struct flight *t = &f->flight;
	struct msgs *msgs = calloc(1, sizeof(*msgs));
	size_t bytes = 0, changes = 0;
	struct offer *o;

	*t = (struct flight){0};
	while ((o = f->first) != NULL && t->n < BATCH_RECORDS && bytes < BATCH_BYTES) {
		bool known = is_known(f, o);

		if (known && !l->bus->set->replicas) {
			f->first = o->next;
			publish_end(l, o, HUB_OK, o->seq, NULL);
			continue;
		}
		if (t->n && (known != t->known || is_conditional(o) || !msgs))
			break;
		if (o->tags.acked && msgs && !msgs_add(msgs, o->tags.msg))
			break;
		f->first = o->next;
		o->next = NULL;
		if (t->last)
			t->last->next = o;
		else
			t->first = o;
		t->last = o;
		t->n++;
		t->known = known;
		changes += !known && o->tags.class != RECORD_PLAIN;
		bytes += o->len;
	}
	free(msgs);
	snprintf(t->id, sizeof(t->id), "%016jx.%jx", (uintmax_t)l->bus->node,
		 (uintmax_t)++l->batches);
	return changes;
}

/* --- the call */

static int put_text(struct buf *b, const char *text)
{
	return redis_put_arg(b, text, strlen(text));
}

static int put_number(struct buf *b, uint64_t n)
{
	char text[24];

	return redis_put_arg(b, text, (size_t)snprintf(text, sizeof(text), "%ju", (uintmax_t)n));
}

static int put_condition(struct buf *b, const struct offer *o)
{
	const struct terms *t = &o->terms;
	struct span key = offer_key(o), type = offer_type(o);
	char when[40];
	int r = put_text(b, t->has_if_seq ? "s" : "n");

	snprintf(when, sizeof(when), "%.17g", t->when);
	if (r == 0)
		r = t->has_if_seq ? put_number(b, t->if_seq) : put_text(b, when);
	if (r == 0)
		r = redis_put_arg(b, key.p, key.len);
	/* A type that is its own key has nothing to do with others of the kind. */
	return r == 0 ? redis_put_arg(b, type.p, key.len && !o->of_type ? 0 : type.len) : r;
}

static int put_no_condition(struct buf *b)
{
	int r = 0;

	for (int i = 0; i < 4 && r == 0; i++)
		r = put_text(b, "");
	return r;
}

/* Seven words; bytes are the record's. */
static int put_change(struct buf *b, const struct offer *o, size_t place, struct span bytes)
{
	struct span key = offer_key(o), type = offer_type(o);
	bool sets = o->tags.class == RECORD_SET;
	char when[40], due[24] = "";
	int r = put_text(b, sets ? "s" : "d");

	snprintf(when, sizeof(when), "%.17g", sets ? terms_when(o->text, o->len + 1) : 0.0);
	if (o->tags.timed)
		snprintf(due, sizeof(due), "%ju", (uintmax_t)(clock_wall_ms() + o->terms.ttl_ms));
	if (r == 0)
		r = redis_put_arg(b, key.p, key.len);
	if (r == 0)
		r = redis_put_arg(b, type.p, type.len);
	if (r == 0)
		r = put_number(b, place);
	if (r == 0)
		r = put_text(b, when);
	if (r == 0)
		r = put_text(b, due);
	return r == 0 ? redis_put_arg(b, bytes.p, sets ? bytes.len : 0) : r;
}

/* The batch, into l->scratch, and where its records begin; and where each ends, into
 * l->in[].due_ms, which is free. */
static int put_batch(struct link *l, const struct far *f, const struct flight *t, size_t *start)
{
	size_t i = 0;
	int r;

	l->scratch.len = 0;
	r = batch_put_head(&l->scratch, f->session->epoch, f->head + 1, t->n, f->last, t->id);
	*start = l->scratch.len;
	for (const struct offer *o = t->first; o && r == 0; o = o->next) {
		r = batch_put(&l->scratch, o);
		l->in[i++].due_ms = l->scratch.len;
	}
	return r;
}

static int put_acked(struct buf *b, const struct flight *t)
{
	struct buf acked = {0};
	size_t place = 0;
	int r = 0;

	for (const struct offer *o = t->first; o && r == 0; o = o->next, place++)
		if (o->tags.acked)
			r = batch_put_acked(&acked, &o->tags, place);
	if (r == 0)
		r = redis_put_arg(b, acked.len ? acked.data : "", acked.len);
	buf_free(&acked);
	return r;
}

static int put_changes(struct link *l, struct buf *b, const struct flight *t, size_t start)
{
	size_t place = 0;
	int r = 0;

	for (const struct offer *o = t->first; o && r == 0; o = o->next) {
		size_t end = l->in[place].due_ms;

		if (o->tags.class != RECORD_PLAIN)
			r = put_change(b, o, place,
				       (struct span){l->scratch.data + start, end - start});
		start = end;
		place++;
	}
	return r;
}

/* As publish.lua says; of records that are known, none. */
static int put_call(struct link *l, struct far *f, struct call *call, size_t changes)
{
	const struct session *s = f->session;
	const struct log_limits *limits = &s->env->limits;
	const struct flight none = {0}, *t = f->flight.known ? &none : &f->flight;
	struct buf *b = &call->command;
	char epoch[20], channel[BUS_NAME];
	size_t start;
	int r = put_batch(l, f, t, &start);

	snprintf(epoch, sizeof(epoch), "%016jx", (uintmax_t)s->epoch);
	snprintf(channel, sizeof(channel), BUS_PREFIX "{%s}", s->id);
	if (r == 0)
		r = call_script(l, call, SCRIPT_PUBLISH, s, 14 + 7 * changes);
	if (r == 0)
		r = put_text(b, epoch);
	if (r == 0)
		r = put_text(b, t->id);
	if (r == 0)
		r = put_number(b, t->n);
	if (r == 0)
		r = redis_put_arg(b, l->scratch.data, l->scratch.len);
	if (r == 0)
		r = put_number(b, l->bus->set->ttl_ms);
	if (r == 0)
		r = put_number(b, limits->records);
	if (r == 0)
		r = put_number(b, limits->bytes);
	if (r == 0)
		r = put_text(b, channel);
	if (r == 0)
		r = t->n && is_conditional(t->first) ? put_condition(b, t->first)
						     : put_no_condition(b);
	if (r == 0)
		r = put_acked(b, t);
	if (r == 0)
		r = put_number(b, f->head);
	return r == 0 ? put_changes(l, b, t, start) : r;
}

/* --- the answer */

static uint64_t number(const redisReply *r)
{
	return r->type == REDIS_REPLY_INTEGER  ? (uint64_t)r->integer
	       : r->type == REDIS_REPLY_STRING ? strtoull(r->str, NULL, 10)
					       : 0;
}

/* Some were published before: all wait until those have come. */
static void on_repeated(struct link *l, struct far *f, uint64_t seq)
{
	publish_unheard(f, seq);
	publish_again(f);
	far_look(l, f);
}

static void on_conflict(struct link *l, struct far *f, uint64_t seq)
{
	struct offer *o = f->flight.first;

	if (o) {
		f->flight.first = o->next;
		if (!o->next)
			f->flight.last = NULL;
		publish_end(l, o, HUB_CONFLICT, seq, NULL);
	}
	publish_again(f);
}

/* Redis does not take it. */
static void on_error(struct link *l, struct far *f, const char *error)
{
	bool full = strncmp(error, "OOM", 3) == 0;

	err_log(l->refused ? ERR_DEBUG : ERR_WARN, "bus: session %s: %s", f->session->id, error);
	l->refused = true;
	publish_again(f);
	publish_give_up(l, f, full ? "Redis has no memory left" : "Redis takes nothing");
	f->pause_ms = clock_mono_ms() + PAUSE_MS;
}

/* Answers come in order: those that wait now are those that it is about. */
static void on_waited(struct link *l, struct call *call, const redisReply *reply)
{
	bool enough =
	    reply && reply->type == REDIS_REPLY_INTEGER && reply->integer >= l->bus->set->replicas;
	struct far *all = l->waiting, *f;

	(void)call;
	l->waiting = NULL;
	l->waits -= l->waits > 0;
	while ((f = all) != NULL) {
		all = f->wait_next;
		f->wait_next = NULL;
		if (!f->flying)
			continue; /* it is lost */
		if (!reply) {
			f->flight.doubtful = true;
		} else if (enough) {
			publish_landed(l, f);
		} else {
			f->flying = false;
			publish_refuse(l, f, "too few replicas of Redis have it");
		}
		publish_due(l, f);
	}
}

static void wait_for_replicas(struct link *l)
{
	char replicas[24], ms[24];
	int n = snprintf(replicas, sizeof(replicas), "%jd", (intmax_t)l->bus->set->replicas);
	int len = snprintf(ms, sizeof(ms), "%d", BUS_WAIT_MS);
	const struct span words[] = {{"WAIT", 4}, {replicas, (size_t)n}, {ms, (size_t)len}};

	l->waits++;
	call_words(l, on_waited, words, 3);
}

/* Redis has it; what replicas have is told by a WAIT that was sent behind it; or was not, where it
 * had to be sent again. */
static void on_done(struct link *l, struct far *f, uint64_t seq)
{
	if (l->refused)
		err_log(ERR_INFO, "bus: Redis takes records again");
	l->refused = false;
	if (!f->flight.known)
		publish_numbered(l, f, seq);
	if (!l->bus->set->replicas) {
		publish_landed(l, f);
		return;
	}
	f->wait_next = l->waiting;
	l->waiting = f;
	if (!l->waits)
		wait_for_replicas(l);
}

static void on_published(struct link *l, struct call *call, const redisReply *reply)
{
	struct far *f = call->far;
	const char *word = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements > 1 &&
				   reply->element[0]->type == REDIS_REPLY_STRING
			       ? reply->element[0]->str
			       : "";

	if (!reply)
		f->flight.doubtful = true;
	else if (strcmp(word, "ok") == 0)
		on_done(l, f, number(reply->element[1]));
	else if (strcmp(word, "repeated") == 0)
		on_repeated(l, f, number(reply->element[1]));
	else if (strcmp(word, "conflict") == 0)
		on_conflict(l, f, number(reply->element[1]));
	else if (strcmp(word, "epoch") == 0)
		far_lose(l, f, false);
	else
		on_error(l, f, reply->type == REDIS_REPLY_ERROR ? reply->str : "no answer of ours");
	publish_due(l, f);
}

static void launch(struct link *l, struct far *f)
{
	struct call *call = call_new(f, on_published);
	size_t changes;

	if (!call)
		return;
	changes = take_flight(l, f);
	if (!f->flight.n) {
		call_free(call);
		return;
	}
	f->flying = true;
	if (put_call(l, f, call, changes) < 0) {
		call_free(call);
		publish_again(f);
		publish_give_up(l, f, "out of memory");
		return;
	}
	link_call(l, call);
}

void publish_all_due(struct link *l)
{
	struct far *f, *paused = NULL;
	uint64_t now_ms = clock_mono_ms();
	bool sent = false;

	while ((f = l->due) != NULL) {
		l->due = f->due_next;
		if (!l->due)
			l->due_last = &l->due;
		f->due = false;
		if (f->flying || !f->first || f->step != FAR_OPEN || !l->up)
			continue;
		if (f->pause_ms > now_ms || (f->unheard > f->head && f->unheard_ms > now_ms)) {
			f->due_next = paused;
			paused = f;
			continue;
		}
		launch(l, f);
		sent = true;
	}
	if (sent && l->bus->set->replicas && l->up)
		wait_for_replicas(l);
	while ((f = paused) != NULL) {
		paused = f->due_next;
		publish_due(l, f);
	}
}

/* --- what cannot wait any longer */

/* The first that may not wait any longer takes all behind it along: else they would overtake it. */
void publish_timeouts(struct link *l, uint64_t now_ms)
{
	if (!atomic_load_explicit(&l->bus->queued, memory_order_relaxed))
		return;
	for (struct far *f = l->all; f; f = f->next) {
		const struct offer *o = f->flying && f->flight.first ? f->flight.first : f->first;

		if (o && !o->stays && bus_lasts(now_ms, o->since_ms, BUS_PATIENCE_MS))
			publish_give_up(l, f, "Redis does not answer");
	}
}
