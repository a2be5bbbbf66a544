/* What the hub says to a client, and the sessions that it answers for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_impl.h"
#include "json/envelope.h"

void client_ask_join(struct client *c, struct client_session *s)
{
	char line[720], past[CURSOR_JOIN_MAX], run[CURSOR_EPOCH_MAX + 16] = "";

	cursor_ask(&s->cursor, past);
	/* The token may be of a later one than `since`. */
	if (s->cursor.rest && s->cursor.known)
		snprintf(run, sizeof(run), ",\"run\":\"%s\"", s->run);
	snprintf(line, sizeof(line),
		 "{\"type\":\"session_associate\",\"session_id\":\"%s\"%s%s%s%s%s%s}\n", s->id,
		 s->echo ? "" : ",\"echo\":false", past, run, c->resume[0] ? ",\"resume\":\"" : "",
		 c->resume, c->resume[0] ? "\"" : "");
	s->state = SESSION_ASKED;
	client_control(c, line);
}

/* A clean start: as if for the first time, but that what is missed then is told. */
void client_forget_resume(struct client *c)
{
	c->resume[0] = '\0';
	for (size_t i = 0; i < c->nsessions; i++)
		cursor_forget(&c->sessions[i].cursor);
}

void client_all_joined(struct client *c)
{
	for (size_t i = 0; i < c->nsessions; i++)
		if (c->sessions[i].state != SESSION_JOINED)
			return;
	if (c->status.state == CLIENT_OPEN)
		uv_timer_stop(&c->timer);
	backoff_reset(&c->backoff);
	/* The hub tells what it has from what is new, if it knows us, or if all that it had is
	 * gone.
	 */
	c->status.again =
	    c->same_log && strcmp(c->sent_as, c->status.client_id) != 0 ? c->again : 0;
	c->again = 0;
	c->same_log = false;
	snprintf(c->sent_as, sizeof(c->sent_as), "%s", c->status.client_id);
	c->status.code[0] = '\0';
	client_because(c, "");
	client_enter(c, CLIENT_JOINED);
	c->status.again = 0;
}

static struct client_session *client_find(struct client *c, const char *id)
{
	for (size_t i = 0; i < c->nsessions; i++)
		if (strcmp(c->sessions[i].id, id) == 0)
			return &c->sessions[i];
	return NULL;
}

/* Whether it may stand in a line of ours as it is. */
static bool plain(const char *text)
{
	return !strpbrk(text, "\"\\\n");
}

/* Where the session goes on, told to the caller. */
static void client_place(struct client *c, struct client_session *s, const struct client_answer *a)
{
	struct cursor *cursor = &s->cursor;
	struct cursor_joined answer = {.epoch = a->epoch,
				       .reason = a->reason,
				       .seq = a->seq,
				       .snapshot = a->snapshot,
				       .recovered = a->recovered,
				       .rest = a->rest,
				       .since = a->since};
	struct client_joined j = {.session = s->id,
				  .join = (int)(s - c->sessions),
				  .epoch = a->epoch,
				  .run = a->run,
				  .asked = cursor->known,
				  .again = s->joined_once,
				  .since = cursor->seq,
				  .recovered = cursor->known && a->recovered,
				  .rest = cursor->known && a->rest,
				  .left = a->since,
				  .reason = cursor->lost ? "clean_start" : a->reason,
				  .new_log = s->joined_once && strcmp(s->log, a->epoch) != 0,
				  .seq = a->seq,
				  .user_count = a->user_count};

	cursor_joined(cursor, &answer);
	if (!cursor->hide)
		j.snapshot = a->snapshot;
	if (plain(a->run))
		snprintf(s->run, sizeof(s->run), "%s", a->run);
	c->same_log |= s->joined_once && !j.new_log;
	s->joined_once = true;
	snprintf(s->log, sizeof(s->log), "%s", a->epoch);
	if (c->events.joined)
		c->events.joined(c, &j, c->arg);
}

static void client_joined(struct client *c, const struct client_answer *a)
{
	struct client_session *s = client_find(c, a->session);

	if (!s || s->state != SESSION_ASKED)
		return;
	s->state = SESSION_JOINED;
	snprintf(c->status.client_id, sizeof(c->status.client_id), "%s", a->client_id);
	c->status.seq = a->seq;
	c->status.user_count = a->user_count;
	if (plain(a->resume))
		snprintf(c->resume, sizeof(c->resume), "%s", a->resume);
	client_place(c, s, a);
	if (c->freed)
		return;
	if (c->status.state == CLIENT_OPEN || c->status.state == CLIENT_JOINED)
		client_all_joined(c);
}

static void client_left(struct client *c, const struct client_answer *a)
{
	struct client_session *s = client_find(c, a->session);

	if (s)
		s->state = SESSION_NEW;
	if (c->status.state != CLIENT_LEAVING)
		return;
	for (size_t i = 0; i < c->nsessions; i++)
		if (c->sessions[i].state != SESSION_NEW)
			return;
	client_say_goodbye(c);
}

/* An error while a join is not answered is the answer to it, since nothing else is sent then. */
static void client_join_failed(struct client *c, const char *code, const char *about)
{
	static const char *const passing[] = {"hub_full", "shutting_down", "rate_limited",
					      "internal"};
	static const char *const refused[] = {"unauthorized", "forbidden", "session_full"};
	enum client_loss loss = LOSS_FATAL;
	char reason[256];

	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (strcmp(code, passing[i]) == 0)
			loss = LOSS_RETRY;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (strcmp(code, refused[i]) == 0)
			loss = LOSS_REFUSED;
	snprintf(c->status.code, sizeof(c->status.code), "%s", code);
	snprintf(reason, sizeof(reason), "%s: %.220s", code, about);
	c->transport->drop(c);
	client_on_lost(c, loss, 0, reason);
}

/* The session that a record is of, or NULL. */
static struct client_session *client_session_of(struct client *c, const struct client_message *m)
{
	char session[129];

	if (c->nsessions == 1 && !c->joins_itself)
		return c->sessions;
	client_read_session(c->paths, m->text, m->len, session);
	return client_find(c, session);
}

/* Returns true where the caller gets it. */
static bool client_record(struct client *c, struct client_message *m)
{
	struct client_session *s = client_session_of(c, m);
	enum cursor_record place = s ? cursor_record(&s->cursor, m->seq) : CURSOR_LIVE;

	m->state = place == CURSOR_OLD;
	m->join = s ? (int)(s - c->sessions) : -1;
	/* Who joins by itself may have asked for the past. */
	return place != CURSOR_REPEAT || c->joins_itself;
}

/* Returns true where the caller gets it. */
static bool client_ack(struct client *c, const struct client_answer *a)
{
	struct client_session *s;

	if (sendq_answered(&c->queue, a->msg_id, a->msg_id_len) != SENDQ_DONE)
		return false;
	c->acked++;
	s = c->nsessions == 1 ? c->sessions : client_find(c, a->session);
	if (s && !s->echo && a->seq && strcmp(s->id, a->session) == 0)
		cursor_own(&s->cursor, a->seq);
	return c->options.acks;
}

static void client_error(struct client *c, const struct client_message *m,
			 const struct client_answer *a)
{
	if (a->msg_id)
		sendq_answered(&c->queue, a->msg_id, a->msg_id_len);
	else if (strcmp(m->code, "too_large") == 0)
		sendq_too_long(&c->queue);
}

/* What it means to us. Returns true where the caller gets it. */
static bool client_heard(struct client *c, enum client_said said, struct client_message *m,
			 const struct client_answer *a)
{
	struct client_session *s;

	switch (said) {
	case SAID_NOTHING:
		return false;
	case SAID_MEMBER:
		return m->kind != CLIENT_RECORD || client_record(c, m);
	case SAID_ACK:
		return client_ack(c, a);
	case SAID_PONG:
		return sendq_answered(&c->queue, a->ping_id, strlen(a->ping_id)) == SENDQ_FOREIGN;
	case SAID_CLOSE:
		c->farewell.code = a->close_code;
		snprintf(c->farewell.reason, sizeof(c->farewell.reason), "%.199s",
			 a->about[0] ? a->about : "closed by the hub");
		return false;
	case SAID_JOINED:
		client_joined(c, a);
		return true;
	case SAID_GAP:
		s = client_find(c, a->session);
		m->seq = a->from_seq;
		m->to_seq = a->to_seq;
		m->join = s ? (int)(s - c->sessions) : -1;
		if (s)
			cursor_gap(&s->cursor, a->to_seq);
		return true;
	case SAID_ERROR:
		client_error(c, m, a);
		return true;
	default:
		return true;
	}
}

void client_on_message(struct client *c, const char *text, size_t len)
{
	struct client_message m;
	struct client_answer a;
	enum client_said said = client_read_message(c->paths, text, len, &m, &a);
	bool joining = c->status.state == CLIENT_OPEN;

	client_alive(c);
	if (!client_heard(c, said, &m, &a))
		return;
	c->received = true;
	if (c->events.message && !c->freed)
		c->events.message(c, &m, c->arg);
	if (c->freed)
		return;
	if (said == SAID_LEFT)
		client_left(c, &a);
	if (said == SAID_ERROR && joining && c->status.state == CLIENT_OPEN)
		client_join_failed(c, m.code, m.about);
}

int client_join(struct client *c, const char *session, const struct client_place *place)
{
	static const struct client_place here;
	static const enum cursor_from from[] = {[CLIENT_NOW] = CURSOR_NOW,
						[CLIENT_STATE] = CURSOR_STATE,
						[CLIENT_SINCE] = CURSOR_SINCE};
	struct client_session *s;

	if (!envelope_session_id_ok(session, strlen(session)))
		return -EINVAL;
	if (c->nsessions == CLIENT_SESSIONS_MAX)
		return -ENOSPC;
	s = realloc(c->sessions, (c->nsessions + 1) * sizeof(*s));
	if (!s)
		return -ENOMEM;
	c->sessions = s;
	s += c->nsessions;
	if (!place)
		place = &here;
	*s = (struct client_session){.id = strdup(session), .echo = !place->no_echo};
	if (!s->id)
		return -ENOMEM;
	cursor_init(&s->cursor, from[place->from], place->since);
	s->cursor.rest = place->rest;
	if ((place->epoch && !cursor_epoch(&s->cursor, place->epoch)) ||
	    (place->run && (strlen(place->run) > CURSOR_EPOCH_MAX || !plain(place->run)))) {
		free(s->id);
		return -EINVAL;
	}
	snprintf(s->run, sizeof(s->run), "%s", place->run ? place->run : "");
	c->nsessions++;
	if (c->status.state == CLIENT_OPEN || c->status.state == CLIENT_JOINED)
		client_ask_join(c, s);
	return 0;
}
