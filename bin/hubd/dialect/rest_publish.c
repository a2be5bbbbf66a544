/* Lines into a session. Invariant: answers leave in the order of their lines; one that waits for
 * its record holds up those behind it. There is one wait at a time, for the latest record so far,
 * so that a million lines cost the session no more than one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dialect/hub7_impl.h"
#include "dialect/message.h"
#include "dialect/rest.h"
#include "session/publish.h"
#include "session/stored.h"
#include "wire/id.h"

#define PENDING_MAX (64 * 1024) /* bytes of answers that wait, at which no more is read */
#define DUE_MAX 4096		/* answers that are not known yet, at which no more is read */
#define WHY_MAX 256

struct rest_wait {
	struct stored_wait wait;	  /* first */
	struct rest_publisher *publisher; /* NULL: it is no more */
	/* Of an answer in its place among others. */
	struct rest_wait *next;
	uint64_t line;
	bool known; /* text is what it says */
	struct buf text;
	uint32_t len;
	char msg_id[];
};

/* In front of each answer that waits. */
struct pending {
	uint64_t seq; /* 0: of no record */
	size_t len;
};

/* --- answers */

static void on_rest_stored(struct worker *w, struct mail *mail);

static void hold(struct rest_publisher *p)
{
	bool full = p->pending.len > PENDING_MAX || p->due > DUE_MAX;

	if (full == p->holds)
		return;
	p->holds = full;
	if (full)
		conn_hold(p->conn);
	else
		conn_release(p->conn);
}

/* Sends what waits, up to the first one that is for a later record. */
static void send_pending(struct rest_publisher *p, uint64_t stored)
{
	struct pending head;
	size_t at = 0;

	while (at < p->pending.len) {
		memcpy(&head, p->pending.data + at, sizeof(head));
		if (head.seq > stored)
			break;
		at += sizeof(head);
		conn_send(p->conn, p->pending.data + at, head.len);
		at += head.len;
	}
	if (at == p->pending.len)
		buf_free(&p->pending);
	else
		buf_consume(&p->pending, at);
}

/* Where answers wait and nothing will tell, has something tell. */
static void await(struct rest_publisher *p)
{
	int r = -ENOMEM;

	if (p->wait || !p->pending.len)
		return;
	p->wait = malloc(sizeof(*p->wait));
	if (p->wait) {
		*p->wait = (struct rest_wait){
		    .wait = {.done = {.run = on_rest_stored}, .worker = p->conn->worker},
		    .publisher = p};
		r = session_await(p->session, &p->wait->wait, p->latest);
	}
	if (r > 0) {
		conn_busy(p->conn);
		return;
	}
	free(p->wait);
	p->wait = NULL;
	if (r == 0)
		send_pending(p, UINT64_MAX);
	else
		conn_close(p->conn, CLOSE_INTERNAL, "out of memory");
}

static void on_rest_stored(struct worker *w, struct mail *mail)
{
	struct rest_wait *wait = (struct rest_wait *)mail;
	struct rest_publisher *p = wait->publisher;

	(void)w;
	if (p) {
		struct conn *c = p->conn;

		p->wait = NULL;
		send_pending(p, wait->wait.seq);
		await(p);
		hold(p);
		conn_idle(c);
	}
	session_unref(wait->wait.session);
	free(wait);
}

/* --- answers that only others know */

static void put_due(struct rest_publisher *p, struct rest_wait *d)
{
	d->publisher = p;
	d->line = p->line;
	if (!p->first)
		p->last = &p->first;
	*p->last = d;
	p->last = &d->next;
	p->due++;
	conn_busy(p->conn);
	hold(p);
}

/* Sends those that are known, up to the first one that is not. */
static void send_known(struct rest_publisher *p)
{
	struct conn *c = p->conn;
	struct rest_wait *d;

	while ((d = p->first) != NULL && d->known) {
		p->first = d->next;
		p->due--;
		conn_send(c, d->text.data, d->text.len);
		buf_free(&d->text);
		free(d);
		hold(p);
		conn_idle(c); /* which may be the last of it */
		if (c->closing)
			return;
	}
}

static int put_answer(struct rest_publisher *p, struct rest_wait *d)
{
	struct span msg_id = {d->len ? d->msg_id : NULL, d->len};
	enum hub_code code = d->wait.code;

	if (code == HUB_OK)
		return rest_ack(&d->text, p->session->id, d->wait.seq, msg_id, d->line);
	p->failed = code;
	if (code == HUB_CONFLICT)
		return rest_conflict(&d->text, d->wait.seq, msg_id, d->line);
	return rest_error(&d->text, hub_code_name(code), d->wait.why ? d->wait.why : "refused",
			  msg_id, d->line);
}

static void on_numbered(struct worker *w, struct mail *mail)
{
	struct rest_wait *d = (struct rest_wait *)mail;
	struct rest_publisher *p = d->publisher;
	enum hub_code code = d->wait.code;
	struct conn *c;

	(void)w;
	session_unref(d->wait.session);
	if (!p) {
		free(d);
		return;
	}
	c = p->conn;
	d->known = true;
	if (put_answer(p, d) < 0) {
		conn_close(c, CLOSE_INTERNAL, "out of memory");
		return;
	}
	send_known(p); /* d may be no more */
	if (code != HUB_OK)
		conn_error_said(c, code);
}

static struct rest_wait *new_due(struct rest_publisher *p, struct span msg_id)
{
	struct rest_wait *d = calloc(1, sizeof(*d) + msg_id.len);

	if (!d)
		return NULL;
	d->wait.done.run = on_numbered;
	d->wait.worker = p->conn->worker;
	d->len = (uint32_t)msg_id.len;
	if (msg_id.len)
		memcpy(d->msg_id, msg_id.p, msg_id.len);
	return d;
}

/* Behind those that are not known yet. Takes the scratch b. */
static void answer_behind(struct rest_publisher *p, struct buf *b)
{
	struct rest_wait *d = new_due(p, (struct span){NULL, 0});
	int r = d ? buf_put(&d->text, b->data, b->len) : -ENOMEM;

	worker_scratch_done(p->conn->worker, b);
	if (r < 0) {
		free(d);
		conn_close(p->conn, CLOSE_INTERNAL, "out of memory");
		return;
	}
	d->known = true;
	put_due(p, d);
}

static bool numbered_elsewhere(const struct rest_publisher *p)
{
	const struct archive *a = p->session->env->archive;

	return a && a->offer;
}

/* Takes the scratch b, with what its making returned. */
static void answer(struct rest_publisher *p, uint64_t seq, struct buf *b, int r)
{
	struct pending head = {seq, b->len};
	struct conn *c = p->conn;

	if (p->first && r == 0) {
		answer_behind(p, b);
		return;
	}
	if (!p->session->env->archive || numbered_elsewhere(p) || (!seq && !p->pending.len)) {
		conn_send_scratch(c, b, r);
		return;
	}
	if (r == 0)
		r = buf_put(&p->pending, &head, sizeof(head));
	if (r == 0)
		r = buf_put(&p->pending, b->data, b->len);
	worker_scratch_done(c->worker, b);
	if (r < 0) {
		conn_close(c, CLOSE_INTERNAL, "out of memory");
		return;
	}
	if (seq > p->latest)
		p->latest = seq;
	await(p);
	hold(p);
}

static void fail(struct rest_publisher *p, enum hub_code code, const char *why, struct span msg_id)
{
	struct buf *b = worker_scratch(p->conn->worker);

	p->failed = code;
	answer(p, 0, b, rest_error(b, hub_code_name(code), why, msg_id, p->line));
	conn_error_said(p->conn, code);
}

static void conflict(struct rest_publisher *p, uint64_t seq, struct span msg_id)
{
	struct buf *b = worker_scratch(p->conn->worker);

	p->failed = HUB_CONFLICT;
	answer(p, 0, b, rest_conflict(b, seq, msg_id, p->line));
	conn_error_said(p->conn, HUB_CONFLICT);
}

static void acknowledge(struct rest_publisher *p, uint64_t seq, struct span msg_id)
{
	struct buf *b = worker_scratch(p->conn->worker);

	answer(p, seq, b, rest_ack(b, p->session->id, seq, msg_id, p->line));
}

/* --- lines */

static void publish_direct(struct rest_publisher *p, const struct envelope *e, struct buf *record,
			   const struct slot *tags)
{
	enum hub_code code = HUB_OK;
	bool delivered = true;
	char why[WHY_MAX];

	if (!(tags->acked && session_knows(p->session, tags->msg))) {
		if (buf_puts(record, "}") < 0) {
			fail(p, HUB_INTERNAL, "out of memory", e->msg_id);
			return;
		}
		code =
		    message_direct(p->conn, e, p->session, (struct span){record->data, record->len},
				   &delivered, why, sizeof(why));
		if (delivered && tags->acked)
			session_remember(p->session, tags->sender, tags->msg);
	}
	/* A line has one answer. */
	if (code != HUB_OK)
		fail(p, code, why, e->msg_id);
	else
		acknowledge(p, 0, e->msg_id);
}

static void publish_record(struct rest_publisher *p, const struct envelope *e, struct span body,
			   const struct slot *tags)
{
	struct publication record = {.body = body, .tags = *tags};
	char room[ENVELOPE_KEY_MAX];
	struct published out = {0};
	const char *why = NULL;
	enum hub_code code = message_record(p->conn->worker, e, room, &record, &why);
	struct rest_wait *d = NULL;

	if (code == HUB_OK && numbered_elsewhere(p)) {
		d = new_due(p, e->msg_id);
		if (!d) {
			code = HUB_INTERNAL;
			why = "out of memory";
		} else {
			record.wait = &d->wait;
		}
	}
	if (code == HUB_OK)
		code = submit_record(p->session, p->conn->worker, &record, &out, &why);
	if (out.waits) {
		put_due(p, d);
		return;
	}
	free(d);
	if (code == HUB_OK)
		acknowledge(p, out.seq, e->msg_id);
	else if (code == HUB_CONFLICT)
		conflict(p, record.current, e->msg_id);
	else
		fail(p, code, why, e->msg_id);
}

static void publish(struct rest_publisher *p, struct envelope *e)
{
	const struct identity *id = conn_identity(p->conn);
	char text[WHY_MAX];
	const char *why = NULL;
	enum hub_code code;
	struct session *s = p->session;
	struct worker *w = p->conn->worker;
	struct slot tags = {.sender = p->client, .acked = e->msg_id.p != NULL};
	struct buf *b = worker_scratch(w);
	char from[ID_LEN + 1];

	if (tags.acked)
		tags.msg = dedup_hash(w->hub7->secret, p->client, e->msg_id);
	code = member_may(p->conn, RIGHT_PUBLISH, session_name(s), e->type, &why);
	if (code == HUB_OK && w->hub7->auth && e->has_user &&
	    (code = envelope_own_user(e, text, sizeof(text))) != HUB_OK)
		why = text;
	if (code != HUB_OK) {
		fail(p, code, why, e->msg_id);
		worker_scratch_done(w, b);
		return;
	}
	id_text(p->client, from);
	if (envelope_record(e, b, session_name(s), worker_wall_ms(w), (struct span){from, ID_LEN},
			    identity_user(id)) < 0)
		fail(p, HUB_INTERNAL, "out of memory", e->msg_id);
	else if (e->to.p)
		publish_direct(p, e, b, &tags);
	else
		publish_record(p, e, (struct span){b->data, b->len}, &tags);
	worker_scratch_done(w, b);
}

static bool is_blank(const char *text, size_t len)
{
	while (len && memchr(" \t\r\n", *text, 4))
		text++, len--;
	return len == 0;
}

void rest_publish(struct rest_publisher *p, const char *text, size_t len)
{
	struct envelope e;
	char why[WHY_MAX];
	enum hub_code code;

	p->line++;
	if (is_blank(text, len))
		return;
	code = envelope_parse(&e, text, len, why, sizeof(why));
	if (code != HUB_OK)
		fail(p, code, why, e.msg_id);
	else if (hub7_is_control(p->conn, &e))
		fail(p, HUB_BAD_TYPE, "messages of this type are for the hub, and not taken here",
		     e.msg_id);
	else if (p->conn->worker->hub7->rules && rules_find(p->conn->worker->hub7->rules, e.type))
		fail(p, HUB_BAD_TYPE, "messages of this type are for rules, and not taken here",
		     e.msg_id);
	else if (e.session_id.p && (e.session_id.len != p->session->id_len ||
				    memcmp(e.session_id.p, p->session->id, e.session_id.len) != 0))
		fail(p, HUB_BAD_FIELD, "session_id is another one than the path names", e.msg_id);
	else
		publish(p, &e);
}

void rest_publish_failed(struct rest_publisher *p, enum hub_code code, const char *why)
{
	p->line++;
	fail(p, code, why, (struct span){0});
}

void rest_publisher_end(struct rest_publisher *p)
{
	struct rest_wait *d;

	buf_free(&p->pending);
	while ((d = p->first) != NULL) {
		p->first = d->next;
		d->publisher = NULL;
		buf_free(&d->text);
		if (d->known)
			free(d);
		conn_idle(p->conn);
	}
	if (!p->wait)
		return;
	p->wait->publisher = NULL;
	p->wait = NULL;
	conn_idle(p->conn);
}
