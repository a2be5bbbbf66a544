/* A hub made of a few lines, and a client's caller that keeps what it is told. Between them is a
 * transport without sockets: what the client sends is answered at once, and the answers are given
 * in the loop's next turn. One at a time. */
#ifndef HUB_FAKE_HUB_H
#define HUB_FAKE_HUB_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "client/client_impl.h"
#include "unit.h"

#define DEADLINE_MS 20000

#define JOIN "{\"type\":\"session_associate\",\"session_id\":\"room\"}|"

struct fake;

/* What the fake does with a line it got. */
typedef void fake_line(struct fake *f, const char *line);

struct fake {
	uv_loop_t loop;
	uv_timer_t deadline, turn;

	/* The transport. */
	struct transport *t; /* NULL: no connection */
	bool refuses;	     /* connections */
	char *line[200];     /* to the client; NULL: hangs up */
	size_t first, lines;

	/* The hub. */
	fake_line *answer;
	unsigned connections;
	char said[1 << 16]; /* every line but pings, with "|" behind it */
	unsigned pings;
	bool mute;    /* answers nothing */
	unsigned seq; /* the head of its log */
	const char *who, *epoch;
	const char *extra; /* in the answer to a join */

	/* The caller. */
	struct client *client;
	struct client_options options;
	struct url url;
	bool no_session;
	const struct client_place *place;
	enum client_state until; /* the loop ends at this state */
	bool until_drained;
	enum client_state free_at; /* frees the client within the event; CLIENT_IDLE: never */
	char states[1024];	   /* of the client, with a space behind each */
	char waits[1024]; /* the number of each attempt waited for, "!" where it is a clean start */
	char got[4096];	  /* kinds and types it gave on */
	char joins[2000]; /* what it said of each: since, recovered, reason, snapshot, new log */
	struct client_status last;
	char refused[2000];
	unsigned batches, drained, writable;
	size_t again;
	bool clean_start;
	int gap_join;
	uint64_t left, gap[2]; /* what it said of a rest */
};

static struct fake *fake; /* the present one */

/* --- the transport */

static inline void fake_turn(uv_timer_t *timer)
{
	struct fake *f = timer->data;

	while (f->t && f->first < f->lines && !f->t->paused) {
		struct transport *t = f->t;
		char *line = f->line[f->first++];

		if (line) {
			t->events->received(t->arg, line, strlen(line));
			free(line);
		} else {
			f->t = NULL;
			t->events->lost(t->arg, LOSS_RETRY, 0, "closed by the hub");
		}
	}
}

static inline void fake_add(struct fake *f, char *line)
{
	if (f->first == f->lines)
		f->first = f->lines = 0;
	assert_true(f->lines < UNIT_COUNT(f->line));
	f->line[f->lines++] = line;
	uv_timer_start(&f->turn, fake_turn, 0, 0);
}

static inline void say(struct fake *f, const char *line)
{
	char *copy = strdup(line);

	assert_non_null(copy);
	fake_add(f, copy);
}

static inline void hang_up(struct fake *f)
{
	fake_add(f, NULL);
}

static inline void fake_drop(struct transport *t)
{
	(void)t;
	fake->t = NULL;
	while (fake->first < fake->lines)
		free(fake->line[fake->first++]);
}

static inline void fake_open(struct transport *t)
{
	assert_null(fake->t);
	fake_drop(t);
	if (fake->refuses) {
		t->events->lost(t->arg, LOSS_RETRY, 0, "refused");
		return;
	}
	fake->connections++;
	fake->t = t;
	t->events->connected(t->arg);
}

static inline void fake_flow(struct transport *t)
{
	(void)t;
	uv_timer_start(&fake->turn, fake_turn, 0, 0);
}

static inline void fake_finish(struct transport *t)
{
	fake_drop(t);
	t->events->lost(t->arg, LOSS_RETRY, 1000, "left");
}

static inline bool fake_end(struct transport *t)
{
	fake_drop(t);
	return true;
}

/* --- the hub */

/* What a good hub answers. */
static inline void good_hub(struct fake *f, const char *line)
{
	char answer[600], id[100];
	const char *msg_id = strstr(line, "\"msg_id\":\"");

	if (sscanf(line, "{\"type\":\"session_associate\",\"session_id\":\"%99[^\"]", id) == 1) {
		snprintf(
		    answer, sizeof(answer),
		    "{\"type\":\"session_associated\",\"session_id\":\"%s\",\"client_id\":"
		    "\"%s\",\"epoch\":\"%s\",\"seq\":%u,%s\"user_count\":2,\"resume\":\"tok\"}",
		    id, f->who, f->epoch, f->seq, f->extra);
		say(f, answer);
	} else if (sscanf(line, "{\"type\":\"ping\",\"ping_id\":\"%99[^\"]", id) == 1) {
		snprintf(answer, sizeof(answer),
			 "{\"type\":\"pong\",\"ping_id\":\"%s\",\"server_time\":1}", id);
		say(f, answer);
	} else if (sscanf(line, "{\"type\":\"session_leave\",\"session_id\":\"%99[^\"]", id) == 1) {
		snprintf(answer, sizeof(answer),
			 "{\"type\":\"session_left\",\"session_id\":\"%s\",\"user_count\":1}", id);
		say(f, answer);
	} else if (msg_id && !strstr(line, "presence")) {
		snprintf(
		    answer, sizeof(answer),
		    "{\"type\":\"ack\",\"msg_id\":\"%.*s\",\"session_id\":\"room\",\"seq\":%u}",
		    (int)strcspn(msg_id + 10, "\""), msg_id + 10, ++f->seq);
		say(f, answer);
	}
}

static inline void record(struct fake *f, unsigned seq)
{
	char text[200];

	snprintf(
	    text, sizeof(text),
	    "{\"type\":\"r\",\"session_id\":\"room\",\"timestamp\":1,\"from\":\"%u\",\"seq\":%u}",
	    seq, seq);
	say(f, text);
}

/* Keeps what was said, without the random part of a msg_id. */
static inline void fake_note(struct fake *f, const char *line)
{
	size_t n = strlen(f->said);
	char *id;

	snprintf(f->said + n, sizeof(f->said) - n, "%s|", line);
	id = strstr(f->said + n, ",\"msg_id\":\"");
	if (id && strcspn(id + 11, "\"") == 7)
		memmove(id + 11, id + 17, strlen(id + 17) + 1);
}

static inline size_t fake_send(struct transport *t, const char *lines, size_t len)
{
	char line[2000];
	size_t n;

	assert_ptr_equal(fake->t, t);
	for (const char *p = lines, *end = lines + len; p < end; p += n + 1) {
		const char *feed = memchr(p, '\n', (size_t)(end - p));

		assert_non_null(feed);
		n = (size_t)(feed - p);
		assert_true(n < sizeof(line));
		memcpy(line, p, n);
		line[n] = '\0';
		if (strncmp(line, "{\"type\":\"ping\"", 14) == 0)
			fake->pings++;
		else
			fake_note(fake, line);
		if (!fake->mute)
			fake->answer(fake, line);
	}
	return len;
}

static const struct transport_kind fake_kind = {
    .open = fake_open,
    .send = fake_send,
    .flow = fake_flow,
    .finish = fake_finish,
    .drop = fake_drop,
    .end = fake_end,
};

/* --- the client's caller */

static inline void on_state(struct client *c, const struct client_status *s, void *arg)
{
	struct fake *f = arg;

	snprintf(f->states + strlen(f->states), sizeof(f->states) - strlen(f->states), "%s ",
		 client_state_name(s->state));
	if (s->state == CLIENT_WAITING)
		snprintf(f->waits + strlen(f->waits), sizeof(f->waits) - strlen(f->waits), "%u%s ",
			 s->attempt, s->clean_start ? "!" : "");
	f->last = *s;
	f->last.reason = NULL;
	f->again += s->again;
	f->clean_start |= s->clean_start;
	if (f->free_at && s->state == f->free_at) {
		client_free(c);
		f->client = NULL;
	}
	if (s->state == f->until)
		uv_stop(&f->loop);
}

static inline void on_joined(struct client *c, const struct client_joined *j, void *arg)
{
	struct fake *f = arg;
	size_t n = strlen(f->joins);

	(void)c;
	f->left = j->rest ? j->left : 0;
	snprintf(f->joins + n, sizeof(f->joins) - n, "%s%s%s%s:%u:%u ", j->again ? "again," : "",
		 j->asked ? "asked," : "", j->recovered ? "recovered" : j->reason,
		 j->new_log ? ",new" : "", (unsigned)j->since, (unsigned)j->snapshot);
}

static inline void on_message(struct client *c, const struct client_message *m, void *arg)
{
	static const char *const kinds[] = {"record", "direct", "hub"};
	struct fake *f = arg;

	(void)c;
	if (strcmp(m->type, "gap") == 0) {
		f->gap_join = m->join;
		f->gap[0] = m->seq;
		f->gap[1] = m->to_seq;
	}
	snprintf(f->got + strlen(f->got), sizeof(f->got) - strlen(f->got), "%s:%s%s%.*s%s%s ",
		 kinds[m->kind], m->state ? "state," : "", m->type, (int)m->from_len,
		 m->from ? m->from : "", m->code, m->about);
}

static inline void on_refused(struct client *c, const struct client_refusal *r, void *arg)
{
	struct fake *f = arg;

	(void)c;
	snprintf(f->refused + strlen(f->refused), sizeof(f->refused) - strlen(f->refused),
		 "%u:%s%s:%.*s%s ", (unsigned)r->tag, r->code, r->passes ? "!" : "", (int)r->len,
		 r->text, r->ours ? "+" : "");
}

static inline void on_batch(struct client *c, void *arg)
{
	(void)c;
	((struct fake *)arg)->batches++;
}

static inline void on_writable(struct client *c, void *arg)
{
	(void)c;
	((struct fake *)arg)->writable++;
}

static inline void on_drained(struct client *c, void *arg)
{
	struct fake *f = arg;

	(void)c;
	f->drained++;
	if (f->until_drained)
		uv_stop(&f->loop);
}

static inline void on_deadline(uv_timer_t *timer)
{
	struct fake *f = timer->data;

	fail_msg("too slow; states: %s said: %s", f->states, f->said);
}

/* --- a test's beginning and end */

static inline struct fake *begin(void)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	fake = f;
	f->answer = good_hub;
	f->who = "me";
	f->epoch = "e";
	f->seq = 7;
	f->extra = "";
	f->until = CLIENT_CLOSED;
	uv_loop_init(&f->loop);
	uv_timer_init(&f->loop, &f->turn);
	uv_timer_init(&f->loop, &f->deadline);
	f->turn.data = f->deadline.data = f;
	uv_timer_start(&f->deadline, on_deadline, DEADLINE_MS, 0);
	f->url = (struct url){.scheme = URL_UNIX};
	f->options = (struct client_options){
	    .url = &f->url, .base_ms = 1, .cap_ms = 2, .connect_ms = 2000, .queue = 2000};
	return f;
}

static inline void start(struct fake *f)
{
	struct client_events events = {.state = on_state,
				       .joined = on_joined,
				       .message = on_message,
				       .refused = fake->options.resend ? on_refused : NULL,
				       .batch = on_batch,
				       .writable = on_writable,
				       .drained = on_drained};

	f->client = client_new_over(&fake_kind, &f->loop, &f->options, &events, f);
	assert_non_null(f->client);
	if (!f->no_session)
		assert_int_equal(client_join(f->client, "room", f->place), 0);
	client_start(f->client);
}

static inline void run_until(struct fake *f, enum client_state state)
{
	f->until = state;
	uv_run(&f->loop, UV_RUN_DEFAULT);
}

static inline void run_until_drained(struct fake *f)
{
	f->until = CLIENT_CLOSED;
	f->until_drained = true;
	uv_run(&f->loop, UV_RUN_DEFAULT);
	f->until_drained = false;
}

static inline void send_text(struct fake *f, const char *text)
{
	assert_int_equal(client_send(f->client, text, strlen(text)), 0);
}

/* Everything must be given back: the loop closes only then. */
static inline void end(struct fake *f)
{
	client_free(f->client);
	uv_close((uv_handle_t *)&f->turn, NULL);
	uv_close((uv_handle_t *)&f->deadline, NULL);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	free(f);
}

#endif
