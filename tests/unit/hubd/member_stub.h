/* A hub up to its members: real workers and sessions, peers that are buffers, and a dialect of a
 * few words, so that tests read as what is said. Each peer's client id is the number it is opened
 * with.
 *
 *   join NAME [since=N] [rest] [quiet] [as=CLIENT]   say NAME TEXT       set NAME KEY TEXT
 *   leave NAME                                       ack NAME ID TEXT    list
 *
 * A record is TEXT with `,"seq":N}` behind it. */
#ifndef HUBD_TEST_MEMBER_STUB_H
#define HUBD_TEST_MEMBER_STUB_H

#include <stdio.h>

#include "hubd/conn_stub.h"
#include "hubd/session_stub.h"
#include "member/member.h"
#include "member/watch.h"
#include "session/publish.h"
#include "session/stored.h"

/* What is not set beforehand is generous; presence is told of as status, in member_second(), from
 * two members on. */
struct member_stub {
	struct session_stub s; /* first: workers lead to it */
	struct conn_settings conns;
	struct members members[STUB_WORKERS];
	struct bans *bans;
	struct ended *ended;
	bool resyncs;
};

/* --- the dialect --- */

/* The next word of a message, and what is behind it; "" at the end. */
static inline const char *stub_word(char **text)
{
	char *word = strsep(text, " ");

	return word ? word : "";
}

static inline void stub_take_join(struct conn *c, const char *name, char *text)
{
	struct join_request r = {.session = span_of(name), .echo = true, .msg_id = {"J", 1}};
	struct select_wish wish = {0};
	const char *word;
	bool ok;

	while (*(word = stub_word(&text))) {
		if (strncmp(word, "since=", 6) == 0) {
			r.from.has_since = true;
			r.from.since = strtoull(word + 6, NULL, 10);
		} else if (strncmp(word, "as=", 3) == 0) {
			r.resumes = true;
			r.client = strtoull(word + 3, NULL, 10);
		} else if (strcmp(word, "rest") == 0) {
			r.from.rest = true;
		} else if (strcmp(word, "quiet") == 0) {
			r.echo = false;
		} else if (strncmp(word, "tick=", 5) == 0) {
			wish.tick_ms = (uint32_t)strtoul(word + 5, NULL, 10);
		} else if (strcmp(word, "batch") == 0) {
			wish.batch = true;
		} else if (strcmp(word, "compact") == 0) {
			wish.compact = true;
		} else if (strcmp(word, "conflate") == 0) {
			wish.conflate = true;
		} else if (strncmp(word, "first=", 6) == 0) {
			stub_need(select_first(&wish, span_of(word + 6)) == 0, "no type");
		} else if (strncmp(word, "type=", 5) == 0) {
			stub_need(select_type(&wish, span_of(word + 5)) == 0, "no type");
		}
	}
	r.select = select_get(c->worker, &wish, &ok);
	stub_need(ok, "out of memory");
	member_join(c, &r);
	select_unref(r.select);
}

static inline void stub_take_publish(struct conn *c, struct seat *seat, struct publication *p,
				     const char *id, const char *text)
{
	const char *why = "";
	enum hub_code code;

	p->body = span_of(text ? text : "");
	p->type = span_of("t");
	if (strncmp(p->body.p, "{\"type\":\"", 9) == 0) {
		p->tags.type_at = 8;
		p->tags.type_len = (unsigned)(strcspn(p->body.p + 9, "\"") + 2) & 0xfff;
	}
	p->tags.sender = c->id;
	code = member_publish(seat, p, span_of(id), &why);
	if (code != HUB_OK)
		conn_error(c, code, why, (struct span){0});
}

static inline void stub_do(struct conn *c, char *text)
{
	const char *verb = stub_word(&text), *name = stub_word(&text), *id = "";
	struct seat *seat = seat_find(c, span_of(name));
	struct publication p = {0};

	if (strcmp(verb, "join") == 0) {
		stub_take_join(c, name, text);
	} else if (strcmp(verb, "list") == 0) {
		if (watch_start(c) != HUB_OK)
			conn_error(c, HUB_HUB_FULL, "no more watches", (struct span){0});
	} else if (!seat) {
		conn_error(c, HUB_NOT_MEMBER, name, (struct span){0});
	} else if (strcmp(verb, "leave") == 0) {
		deliver_leave(seat);
	} else if (strcmp(verb, "say") == 0) {
		stub_take_publish(c, seat, &p, id, text);
	} else if (strcmp(verb, "ack") == 0) {
		id = stub_word(&text);
		p.tags.acked = 1;
		for (const char *q = id; *q; q++)
			p.tags.msg = p.tags.msg * 256 + (unsigned char)*q;
		stub_take_publish(c, seat, &p, id, text);
	} else if (strcmp(verb, "set") == 0) {
		p.key = span_of(stub_word(&text));
		p.tags.class = RECORD_SET;
		stub_take_publish(c, seat, &p, id, text);
	} else {
		stub_need(false, "no such verb");
	}
}

static inline enum hub_code stub_take(struct conn *c, const char *text, size_t len)
{
	enum hub_code code = peer_take(c, text, len);
	char *copy = malloc(len + 1);

	stub_need(copy != NULL, "out of memory");
	memcpy(copy, text, len);
	copy[len] = '\0';
	stub_do(c, copy);
	free(copy);
	return code;
}

static inline void stub_joined(struct conn *c, struct seat *seat, const struct session_from *from,
			       const struct session_joined *joined)
{
	struct buf *b = worker_scratch(c->worker);
	int r = buf_printf(b, "joined %s seq=%ju users=%u", seat->m.session->id,
			   (uintmax_t)joined->seq, joined->user_count);

	(void)from;
	if (r == 0 && joined->recovered)
		r = buf_puts(b, " recovered");
	if (r == 0 && joined->reason)
		r = buf_printf(b, " %s", joined->reason);
	if (r == 0 && joined->rest)
		r = buf_printf(b, " rest=%ju", (uintmax_t)joined->since);
	if (r == 0 && joined->snapshot)
		r = buf_printf(b, " snapshot=%ju", (uintmax_t)joined->snapshot);
	conn_send_scratch(c, b, r);
	if (joined->gap_to)
		deliver_gap(seat, joined->since + 1, joined->gap_to);
}

static inline int stub_ack(struct buf *out, const char *session, uint64_t seq, struct span msg_id)
{
	return buf_printf(out, "ack %s %.*s %ju", session, (int)msg_id.len, msg_id.p,
			  (uintmax_t)seq);
}

static inline int stub_gap(struct buf *out, const char *session, const char *above, uint64_t from,
			   uint64_t to)
{
	(void)above;
	return buf_printf(out, "gap %s %ju-%ju", session, (uintmax_t)from, (uintmax_t)to);
}

static inline int stub_skipped(struct buf *out, const char *session, uint64_t n)
{
	return buf_printf(out, "skipped %s %ju", session, (uintmax_t)n);
}

static inline int stub_presence_text(struct buf *out, const char *session, const char *above,
				     const struct session_change *change)
{
	(void)above;
	return buf_printf(out, "%s %s %ju users=%u", change->joined ? "came" : "went", session,
			  (uintmax_t)change->client, change->user_count);
}

static inline int stub_status_text(struct buf *out, const char *session, const char *above,
				   uint32_t user_count)
{
	(void)above;
	return buf_printf(out, "status %s users=%u", session, user_count);
}

static inline int stub_left(struct buf *out, const char *session, const char *above,
			    uint32_t user_count)
{
	(void)above;
	return buf_printf(out, "left %s users=%u", session, user_count);
}

static inline int stub_sessions_text(struct buf *out, struct span names, bool more, bool partial)
{
	(void)partial;
	return buf_printf(out, "sessions %.*s%s", (int)names.len, names.p ? names.p : "",
			  more ? " ..." : "");
}

static inline void stub_refused(struct conn *c, enum hub_code code, const char *why,
				struct span msg_id, uint32_t retry_s)
{
	char text[200];

	snprintf(text, sizeof(text), "%s; in %u s", why, retry_s);
	conn_error(c, code, retry_s ? text : why, msg_id);
}

#define STUB_DIALECT                                                                            \
	{                                                                                       \
		.take = stub_take, .joined = stub_joined, .refused = stub_refused,              \
		.error = peer_error, .ack = stub_ack, .gap = stub_gap, .skipped = stub_skipped, \
		.presence = stub_presence_text, .status = stub_status_text, .left = stub_left,  \
		.sessions = stub_sessions_text                                                  \
	}

static const struct dialect stub_dialect = STUB_DIALECT;
static const struct door stub_door = PEER_DOOR(&encoding_lines, &stub_dialect);

/* --- life --- */

static inline void member_stub_start(struct member_stub *st, unsigned workers, bool archive)
{
	struct worker_hooks *hooks = &st->s.hooks;

	*hooks = conn_stub_hooks();
	hooks->step[TURN_SESSIONS] = deliver_session;
	hooks->step[TURN_CONNECTIONS] = deliver_connection;
	hooks->step[TURN_REAP] = seat_reap;
	hooks->alarm = deliver_ticks;
	hooks->free = members_free;
	st->s.env.events = &member_events;
	st->s.env.presence_limit = st->s.env.presence_limit ? st->s.env.presence_limit : 1;
	st->s.env.retains = st->resyncs;
	session_stub_start(&st->s, workers, archive);
	st->conns.max_message = st->conns.max_message ? st->conns.max_message : 65536;
	st->conns.write_timeout = st->conns.write_timeout > 0 ? st->conns.write_timeout : 10;
	st->bans = bans_new();
	st->ended = ended_new();
	stub_need(st->bans && st->ended, "out of memory");
	for (unsigned i = 0; i < workers; i++) {
		st->members[i] = (struct members){.registry = &st->s.registry,
						  .bans = st->bans,
						  .ended = st->ended,
						  .resyncs = st->resyncs};
		st->s.workers.at[i]->conns = &st->conns;
		st->s.workers.at[i]->members = &st->members[i];
	}
}

static inline void member_stub_end(struct member_stub *st)
{
	session_stub_end(&st->s);
	bans_free(st->bans);
	ended_free(st->ended);
}

static inline struct worker *stub_worker(struct member_stub *st, unsigned i)
{
	return st->s.workers.at[i];
}

static inline void stub_open(struct member_stub *st, struct peer *p, unsigned worker, uint64_t id)
{
	peer_open(p, stub_worker(st, worker), &stub_door);
	p->conn->id = id;
	p->conn->born = (uint32_t)id;
}

/* Says it, and lets all workers do what follows. */
static inline void stub_say(struct member_stub *st, struct peer *p, const char *text)
{
	peer_say(p, text);
	stub_settle(&st->s.workers);
}

/* The peer takes what was held back. */
static inline void stub_resume(struct peer *p)
{
	p->stalled = false;
	if (!p->waiting)
		return;
	p->waiting = false;
	deliver_writable(p->conn);
}

/* The session called name, which must be there. */
static inline struct session *stub_session(struct member_stub *st, const char *name)
{
	struct session *s = stub_use(&st->s, name);

	stub_need(s != NULL, "no such session");
	stub_release(&st->s, s);
	return s;
}

/* --- what the archive answers --- */

/* Answers an ARCHIVE_OPEN: the session was never stored, or is loaded, and the records from tail on
 * are kept. */
static inline void stub_opened(struct member_stub *st, uint64_t tail)
{
	struct archive_job *job = archive_stub_next(&st->s.archive);

	stub_need(job && job->what == ARCHIVE_OPEN, "nobody opens");
	if (session_wants_image(job->session))
		archive_stub_load(job->session, 42, 0);
	job->tail = tail;
	archive_stub_answer(job, 0);
	stub_settle(&st->s.workers);
}

/* Records as the archive has them: "old SEQ" of client SEQ % 3, n of them from `from` on. */
static inline struct chunk *stub_records(struct log_memory *memory, uint64_t from, uint64_t n)
{
	struct log log;

	log_init(&log, memory);
	for (uint64_t seq = from; seq < from + n; seq++) {
		struct slot tags = {.sender = seq % 3};
		unsigned char frame[64];
		char text[32];
		int len = snprintf(text, sizeof(text), "old,\"seq\":%ju}", (uintmax_t)seq);

		frame[0] = 0x81;
		frame[1] = (unsigned char)len;
		memcpy(frame + 2, text, (size_t)len);
		stub_need(log_put(&log, &tags, frame, (size_t)len + 2) > 0, "out of memory");
	}
	return log.oldest;
}

/* Answers an ARCHIVE_READ that must be for the records from `from` to `to`, with n of them. */
static inline void stub_read(struct member_stub *st, uint64_t from, uint64_t to, uint64_t n)
{
	struct archive_job *job = archive_stub_next(&st->s.archive);

	stub_need(job && job->what == ARCHIVE_READ, "nobody reads");
	if (job->from != from || job->to != to)
		fprintf(stderr, "# reads %ju-%ju\n", (uintmax_t)job->from, (uintmax_t)job->to);
	stub_need(job->from == from && job->to == to, "reads something else");
	job->chunk = stub_records(&st->s.memory, from, n);
	job->n = n;
	archive_stub_answer(job, 0);
	stub_settle(&st->s.workers);
}

/* Answers whatever was asked first with an error. */
static inline void stub_fails(struct member_stub *st, int status)
{
	struct archive_job *job = archive_stub_next(&st->s.archive);

	stub_need(job != NULL, "nobody asks");
	archive_stub_answer(job, status);
	stub_settle(&st->s.workers);
}

/* A hub without an archive, and two peers of it, on its first worker and its last, who have done
 * that; what they got for it is forgotten. */
static inline void start_two(struct member_stub *st, unsigned workers, struct peer *p,
			     const char *first, struct peer *q, const char *second)
{
	member_stub_start(st, workers, false);
	stub_open(st, p, 0, 1);
	stub_open(st, q, workers - 1, 2);
	stub_say(st, p, first);
	stub_say(st, q, second);
	p->got.len = q->got.len = 0;
}

#endif
