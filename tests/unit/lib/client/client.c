/* The client against a hub made of a few lines, on one loop: what it says, what it tells its
 * caller, and what it does when the hub fails it. */
#include "client/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "unit.h"

#define DEADLINE_MS 20000

struct fake;

/* What the fake does with a line it got. */
typedef void fake_line(struct fake *f, const char *line);

struct fake {
	uv_loop_t loop;
	uv_pipe_t listener;
	uv_pipe_t *peer; /* the latest connection */
	uv_timer_t deadline;
	char path[64];
	char in[1 << 16];
	size_t len;
	fake_line *answer;
	unsigned connections;
	char said[1 << 16]; /* every line but pings, with "|" behind it */
	unsigned pings;
	bool mute; /* answers nothing */

	struct client *client;
	struct client_options options;
	struct url url;
	char states[1024]; /* of the client, with a space behind each */
	char waits[1024]; /* the number of each attempt waited for, "!" where it is a clean start */
	char got[4096];	  /* kinds and types it gave on */
	struct client_status last;
	unsigned batches, drained, writable;
	size_t again;
	bool clean_start;
	char joins[2000]; /* what it said of each: since, recovered, reason, snapshot, new log */
	unsigned seq;	  /* of the hub: the head of its log */
	const char *who, *epoch;
	const char *extra;	 /* in the answer to a join */
	enum client_state until; /* the loop ends at this state */
	bool until_drained;
	bool no_session;
	int gap_join;
	uint64_t left, gap[2]; /* what it said of a rest */
	const struct client_place *place;
	enum client_state free_at; /* frees the client within the event; CLIENT_IDLE: never */
};

/* --- the hub */

static void on_written(uv_write_t *req, int status)
{
	(void)status;
	free(req->data);
	free(req);
}

static void say(struct fake *f, const char *line)
{
	uv_write_t *req = malloc(sizeof(*req));
	uv_buf_t buf;

	assert_non_null(req);
	req->data = malloc(strlen(line) + 2);
	assert_non_null(req->data);
	sprintf(req->data, "%s\n", line);
	buf = uv_buf_init(req->data, (unsigned)strlen(line) + 1);
	uv_write(req, (uv_stream_t *)f->peer, &buf, 1, on_written);
}

static void on_peer_closed(uv_handle_t *handle)
{
	free(handle);
}

static void hang_up(struct fake *f)
{
	uv_pipe_t *peer = f->peer;

	f->peer = NULL;
	f->len = 0;
	if (peer)
		uv_close((uv_handle_t *)peer, on_peer_closed);
}

/* What a good hub answers. */
static void good_hub(struct fake *f, const char *line)
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

/* Keeps what was said, without the random part of a msg_id. */
static void note(struct fake *f, const char *line)
{
	size_t n = strlen(f->said);
	char *id;

	snprintf(f->said + n, sizeof(f->said) - n, "%s|", line);
	id = strstr(f->said + n, ",\"msg_id\":\"");
	if (id && strcspn(id + 11, "\"") == 7)
		memmove(id + 11, id + 17, strlen(id + 17) + 1);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct fake *f = stream->data;
	char *feed;

	(void)buf;
	if ((uv_pipe_t *)stream != f->peer)
		return;
	if (n < 0) {
		hang_up(f);
		return;
	}
	f->len += (size_t)n;
	while (f->peer && (feed = memchr(f->in, '\n', f->len))) {
		char line[2000];
		size_t len = (size_t)(feed - f->in);

		assert_true(len < sizeof(line));
		memcpy(line, f->in, len);
		line[len] = '\0';
		f->len -= len + 1;
		memmove(f->in, feed + 1, f->len);
		if (strncmp(line, "{\"type\":\"ping\"", 14) == 0)
			f->pings++;
		else
			note(f, line);
		if (!f->mute)
			f->answer(f, line);
	}
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct fake *f = handle->data;

	(void)size;
	*buf = uv_buf_init(f->in + f->len, (unsigned)(sizeof(f->in) - f->len));
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct fake *f = listener->data;

	assert_int_equal(status, 0);
	hang_up(f);
	f->connections++;
	f->peer = malloc(sizeof(*f->peer));
	assert_non_null(f->peer);
	uv_pipe_init(&f->loop, f->peer, 0);
	f->peer->data = f;
	assert_int_equal(uv_accept(listener, (uv_stream_t *)f->peer), 0);
	uv_read_start((uv_stream_t *)f->peer, on_alloc, on_read);
}

/* --- the client's caller */

static void on_state(struct client *c, const struct client_status *s, void *arg)
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

static void on_joined(struct client *c, const struct client_joined *j, void *arg)
{
	struct fake *f = arg;
	size_t n = strlen(f->joins);

	(void)c;
	f->left = j->rest ? j->left : 0;
	snprintf(f->joins + n, sizeof(f->joins) - n, "%s%s%s%s:%u:%u ", j->again ? "again," : "",
		 j->asked ? "asked," : "", j->recovered ? "recovered" : j->reason,
		 j->new_log ? ",new" : "", (unsigned)j->since, (unsigned)j->snapshot);
}

static void on_message(struct client *c, const struct client_message *m, void *arg)
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

static void on_batch(struct client *c, void *arg)
{
	(void)c;
	((struct fake *)arg)->batches++;
}

static void on_writable(struct client *c, void *arg)
{
	(void)c;
	((struct fake *)arg)->writable++;
}

static void on_drained(struct client *c, void *arg)
{
	struct fake *f = arg;

	(void)c;
	f->drained++;
	if (f->until_drained)
		uv_stop(&f->loop);
}

static void on_deadline(uv_timer_t *timer)
{
	struct fake *f = timer->data;

	fail_msg("too slow; states: %s said: %s", f->states, f->said);
}

static void listen_again(struct fake *f)
{
	uv_pipe_init(&f->loop, &f->listener, 0);
	f->listener.data = f;
	assert_int_equal(uv_pipe_bind(&f->listener, f->path), 0);
	assert_int_equal(uv_listen((uv_stream_t *)&f->listener, 8, on_connection), 0);
}

static struct fake *begin(void)
{
	static unsigned count;
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->answer = good_hub;
	f->who = "me";
	f->epoch = "e";
	f->seq = 7;
	f->extra = "";
	f->until = CLIENT_CLOSED;
	snprintf(f->path, sizeof(f->path), "/tmp/hub-client-%d-%u", (int)getpid(), count++);
	uv_loop_init(&f->loop);
	listen_again(f);
	uv_timer_init(&f->loop, &f->deadline);
	f->deadline.data = f;
	uv_timer_start(&f->deadline, on_deadline, DEADLINE_MS, 0);
	f->url = (struct url){.scheme = URL_UNIX};
	snprintf(f->url.path, sizeof(f->url.path), "%s", f->path);
	f->options = (struct client_options){
	    .url = &f->url, .base_ms = 1, .cap_ms = 2, .connect_ms = 2000, .queue = 2000};
	return f;
}

static void start(struct fake *f)
{
	static const struct client_events events = {.state = on_state,
						    .joined = on_joined,
						    .message = on_message,
						    .batch = on_batch,
						    .writable = on_writable,
						    .drained = on_drained};

	f->client = client_new(&f->loop, &f->options, &events, f);
	assert_non_null(f->client);
	if (!f->no_session)
		assert_int_equal(client_join(f->client, "room", f->place), 0);
	client_start(f->client);
}

static void run_until(struct fake *f, enum client_state state)
{
	f->until = state;
	uv_run(&f->loop, UV_RUN_DEFAULT);
}

static void run_until_drained(struct fake *f)
{
	f->until = CLIENT_CLOSED;
	f->until_drained = true;
	uv_run(&f->loop, UV_RUN_DEFAULT);
	f->until_drained = false;
}

/* Everything must be given back: the loop closes only then. */
static void end(struct fake *f)
{
	client_free(f->client);
	hang_up(f);
	uv_close((uv_handle_t *)&f->listener, NULL);
	uv_close((uv_handle_t *)&f->deadline, NULL);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	unlink(f->path);
	free(f);
}

/* --- tests */

static void send_text(struct fake *f, const char *text)
{
	assert_int_equal(client_send(f->client, text, strlen(text)), 0);
}

#define AGAIN                                                                                  \
	"{\"type\":\"session_associate\",\"session_id\":\"room\",\"since\":7,\"epoch\":\"e\"," \
	"\"resume\":\"tok\"}|"
#define JOIN "{\"type\":\"session_associate\",\"session_id\":\"room\"}|"

static void test_joins_sends_drains_leaves(void **state)
{
	struct fake *f = begin();

	(void)state;
	start(f);
	run_until(f, CLIENT_JOINED);
	assert_string_equal(f->states, "connecting open joined ");
	assert_string_equal(f->last.client_id, "me");
	assert_int_equal(f->last.seq, 7);
	assert_int_equal(f->last.user_count, 2);
	send_text(f, "{\"type\":\"a\"}\n");
	send_text(f, "{\"type\":\"b\"} ");
	assert_int_equal(client_unconfirmed(f->client), 2);
	client_drain(f->client);
	run_until_drained(f);
	assert_int_equal(client_unconfirmed(f->client), 0);
	client_stop(f->client);
	assert_int_equal(client_send(f->client, "{}", 2), -EPIPE);
	run_until(f, CLIENT_CLOSED);
	assert_int_equal(f->last.end, CLIENT_LEFT);
	assert_string_equal(f->said, JOIN "{\"type\":\"a\",\"msg_id\":\"0\"}|"
					  "{\"type\":\"b\",\"msg_id\":\"1\"}|"
					  "{\"type\":\"session_leave\",\"session_id\":\"room\"}|");
	/* Pongs of its own are kept back. */
	assert_string_equal(f->got, "hub:session_associated hub:session_left ");
	assert_true(f->batches >= 1);
	end(f);
}

/* The first time it takes "x" and goes, its acks unsaid. */
static void hub_that_drops(struct fake *f, const char *line)
{
	if (f->connections > 1 || strstr(line, "session_associate"))
		good_hub(f, line);
	else if (strstr(line, "\"x\""))
		hang_up(f);
}

#define W "{\"type\":\"w\",\"msg_id\":\"0\"}|"
#define X "{\"type\":\"x\",\"msg_id\":\"1\"}|"

static void test_sends_again_what_was_not_acknowledged(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->answer = hub_that_drops;
	f->extra = "\"recovered\":true,";
	start(f);
	send_text(f, "{\"type\":\"w\"}");
	send_text(f, "{\"type\":\"x\"}\n");
	client_drain(f->client);
	run_until_drained(f);
	assert_string_equal(f->states, "connecting open joined waiting connecting open joined ");
	assert_string_equal(f->said, JOIN W X AGAIN W X);
	assert_string_equal(f->joins, ":0:0 again,asked,recovered:7:0 ");
	assert_int_equal(f->again, 0); /* the hub knows us */
	assert_int_equal(client_acked(f->client), 2);
	end(f);
}

static const char *other_who, *other_epoch;

static void hub_that_forgets(struct fake *f, const char *line)
{
	if (f->connections > 1) {
		f->who = other_who;
		f->epoch = other_epoch;
	}
	hub_that_drops(f, line);
}

static void test_a_hub_that_does_not_know_us(void **state)
{
	static const struct {
		const char *who, *epoch;
		size_t again;
	} cases[] = {{"me", "e", 0}, {"you", "e", 2}, {"you", "other", 0}, {"me", "other", 0}};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct fake *f = begin();

		other_who = cases[i].who;
		other_epoch = cases[i].epoch;
		f->answer = hub_that_forgets;
		start(f);
		send_text(f, "{\"type\":\"w\"}");
		send_text(f, "{\"type\":\"x\"}\n");
		client_drain(f->client);
		run_until_drained(f);
		assert_int_equal(f->again, cases[i].again);
		assert_int_equal(strstr(f->joins, ",new:") != NULL,
				 strcmp(cases[i].epoch, "other") == 0);
		end(f);
	}
}

static void test_what_is_no_message(void **state)
{
	static const char *const bad[] = {
	    "", "[]", "{\"type\":\"a\"} x", "1", "\n{}", "{\"a\":1,\n\"b\":2}", "{\"type\":"};
	struct fake *f = begin();

	(void)state;
	start(f);
	for (size_t i = 0; i < UNIT_COUNT(bad); i++)
		assert_int_equal(client_send(f->client, bad[i], strlen(bad[i])), -EINVAL);
	/* What the hub gives no ack for is done all the same. */
	send_text(f, "{\"type\":\"presence\",\"msg_id\":\"p\"}");
	send_text(f, "{\"type\":\"\\u0070resence\"}");
	send_text(f, "{\"type\":7}");
	send_text(f, "{\"no\":\"type\"}");
	send_text(f, "{\"type\":\"m\",\"msg_id\":7}");
	assert_int_equal(client_unconfirmed(f->client), 5);
	client_drain(f->client);
	run_until_drained(f);
	assert_int_equal(f->pings, 1);
	assert_int_equal(client_acked(f->client), 0);
	end(f);
}

/* Answers "a" with an error, and the rest as a good one. */
static void hub_that_errs(struct fake *f, const char *line)
{
	char answer[300];
	const char *id = strstr(line, "\"msg_id\":\"");

	if (strstr(line, "\"a\"") && id) {
		snprintf(
		    answer, sizeof(answer),
		    "{\"type\":\"error\",\"data\":{\"code\":\"not_member\",\"message\":\"no\"},"
		    "\"msg_id\":\"%.*s\"}",
		    (int)strcspn(id + 10, "\""), id + 10);
		say(f, answer);
	}
	if (strstr(line, "\"long\"")) {
		say(f, "{\"type\":\"error\",\"data\":{\"code\":\"too_large\",\"message\":\"no\"}}");
		return;
	}
	good_hub(f, line);
}

static void test_errors_are_answers(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->answer = hub_that_errs;
	f->options.acks = true;
	start(f);
	run_until(f, CLIENT_JOINED);
	f->got[0] = '\0';
	send_text(f, "{\"type\":\"a\"}"); /* with an ack behind it, as of a direct message */
	send_text(f, "{\"type\":\"b\"}");
	send_text(f, "{\"type\":\"long\",\"much\":\"text\"}");
	send_text(f, "{\"type\":\"c\",\"msg_id\":\"mine\"}");
	client_drain(f->client);
	run_until_drained(f);
	assert_string_equal(f->got, "hub:errornot_memberno hub:ack "
				    "hub:errortoo_largeno hub:ack ");
	assert_int_equal(client_acked(f->client), 2);
	end(f);
}

/* --- resuming */

static void record(struct fake *f, unsigned seq)
{
	char text[200];

	snprintf(
	    text, sizeof(text),
	    "{\"type\":\"r\",\"session_id\":\"room\",\"timestamp\":1,\"from\":\"%u\",\"seq\":%u}",
	    seq, seq);
	say(f, text);
}

/* Each time it sends two records, the second of which comes again the next time, and goes. */
static void hub_that_repeats(struct fake *f, const char *line)
{
	unsigned first = 7 + f->connections;

	if (f->connections == 2)
		f->extra = "\"recovered\":true,";
	good_hub(f, line);
	if (!strstr(line, "session_associate"))
		return;
	record(f, first);
	record(f, first + 1);
	if (f->connections < 3)
		say(f, "{\"type\":\"close\",\"code\":1013,\"reason\":\"slow\"}");
	if (f->connections < 3)
		hang_up(f);
}

static void test_each_record_once(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->answer = hub_that_repeats;
	start(f);
	while (f->connections < 3)
		uv_run(&f->loop, UV_RUN_ONCE);
	client_drain(f->client);
	send_text(f, "{\"type\":\"a\"}");
	run_until_drained(f);
	assert_string_equal(f->got, "hub:session_associated record:8 record:9 "
				    "hub:session_associated record:10 "
				    "hub:session_associated record:11 ");
	assert_string_equal(f->joins, ":0:0 again,asked,recovered:9:0 again,asked,recovered:10:0 ");
	end(f);
}

/* Has another log each time, with two state records. */
static void hub_that_loses(struct fake *f, const char *line)
{
	f->extra = "\"recovered\":false,\"reason\":\"epoch_changed\",\"snapshot\":2,";
	f->epoch = f->connections == 1 ? "e" : "e2";
	if (f->connections == 1)
		f->extra = "\"recovered\":false,\"snapshot\":2,";
	good_hub(f, line);
	if (!strstr(line, "session_associate"))
		return;
	record(f, 2);
	record(f, 5);
	record(f, 8);
	if (f->connections == 1)
		hang_up(f);
}

static void test_the_state_instead(void **state)
{
	static const struct client_place with_state = {.from = CLIENT_STATE};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct fake *f = begin();

		f->answer = hub_that_loses;
		f->place = i ? &with_state : NULL;
		start(f);
		while (f->connections < 2)
			uv_run(&f->loop, UV_RUN_ONCE);
		send_text(f, "{\"type\":\"a\"}");
		client_drain(f->client);
		run_until_drained(f);
		assert_string_equal(f->got,
				    i ? "hub:session_associated record:state,2 record:state,5 "
					"record:8 hub:session_associated record:state,2 "
					"record:state,5 record:8 "
				      : "hub:session_associated record:8 hub:session_associated "
					"record:state,2 record:state,5 record:8 ");
		assert_string_equal(f->joins, i ? ":0:2 again,asked,epoch_changed,new:8:2 "
						: ":0:0 again,asked,epoch_changed,new:8:2 ");
		end(f);
	}
}

static void test_since(void **state)
{
	static const struct client_place place = {
	    .from = CLIENT_SINCE, .since = 3, .no_echo = true};
	struct fake *f = begin();

	(void)state;
	f->place = &place;
	f->extra = "\"recovered\":true,";
	start(f);
	run_until(f, CLIENT_JOINED);
	assert_string_equal(f->said, "{\"type\":\"session_associate\",\"session_id\":\"room\","
				     "\"echo\":false,\"since\":3}|");
	assert_string_equal(f->joins, "asked,recovered:3:0 ");
	end(f);
}

static const struct {
	const char *code;
	const char *states;
	enum client_end end;
} refusals[] = {
    {"session_full", "connecting open closed ", CLIENT_REFUSED},
    {"forbidden", "connecting open closed ", CLIENT_REFUSED},
    {"unauthorized", "connecting open closed ", CLIENT_REFUSED},
    {"bad_session_id", "connecting open closed ", CLIENT_REJECTED},
    {"hub_full", "connecting open waiting connecting open joined ", CLIENT_LEFT},
    {"shutting_down", "connecting open waiting connecting open joined ", CLIENT_LEFT},
};

static const char *refusal;

static void hub_that_refuses(struct fake *f, const char *line)
{
	char answer[200];

	if (f->connections > 1) {
		good_hub(f, line);
		return;
	}
	snprintf(answer, sizeof(answer),
		 "{\"type\":\"error\",\"data\":{\"code\":\"%s\",\"message\":\"no\"}}", refusal);
	say(f, answer);
}

/* Two state records from before a gap, and what is left behind it. */
static void hub_with_a_rest(struct fake *f, const char *line)
{
	f->extra = "\"recovered\":false,\"reason\":\"trimmed\",\"since\":3,\"snapshot\":2,";
	f->seq = 9;
	good_hub(f, line);
	if (!strstr(line, "session_associate"))
		return;
	say(f, "{\"type\":\"gap\",\"session_id\":\"room\",\"from_seq\":4,\"to_seq\":7}");
	record(f, 2);
	record(f, 5);
	record(f, 8);
	record(f, 9);
}

static void test_what_is_left_of_the_past(void **state)
{
	static const struct client_place place = {
	    .from = CLIENT_SINCE, .since = 3, .epoch = "e", .run = "r1", .rest = true};
	static const struct client_place wrong = {.from = CLIENT_SINCE, .epoch = "\""};
	struct fake *f = begin();

	(void)state;
	f->place = &place;
	f->answer = hub_with_a_rest;
	start(f);
	assert_int_equal(client_join(f->client, "other", &wrong), -EINVAL);
	run_until(f, CLIENT_JOINED);
	send_text(f, "{\"type\":\"a\"}");
	client_drain(f->client);
	run_until_drained(f);
	assert_non_null(
	    strstr(f->said, "\"since\":3,\"epoch\":\"e\",\"rest\":true,\"run\":\"r1\"}|"));
	assert_string_equal(f->joins, "asked,trimmed:3:2 ");
	assert_int_equal(f->left, 3);
	assert_int_equal(f->gap_join, 0);
	assert_int_equal(f->gap[0], 4);
	assert_int_equal(f->gap[1], 7);
	assert_string_equal(f->got, "hub:session_associated hub:gap record:state,2 record:state,5 "
				    "record:8 record:9 ");
	end(f);
}

static void test_without_a_session(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->no_session = true;
	start(f);
	run_until(f, CLIENT_JOINED);
	send_text(f, "{\"type\":\"session_list\"}");
	client_drain(f->client);
	run_until_drained(f);
	assert_string_equal(f->said, "{\"type\":\"session_list\"}|");
	client_stop(f->client);
	run_until(f, CLIENT_CLOSED);
	assert_int_equal(f->last.end, CLIENT_LEFT);
	end(f);
}

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(refusals); i++) {
		struct fake *f = begin();

		refusal = refusals[i].code;
		f->answer = hub_that_refuses;
		start(f);
		run_until(f, refusals[i].end == CLIENT_LEFT ? CLIENT_JOINED : CLIENT_CLOSED);
		assert_string_equal(f->states, refusals[i].states);
		if (refusals[i].end != CLIENT_LEFT) {
			assert_int_equal(f->last.end, refusals[i].end);
			assert_string_equal(f->last.code, refusals[i].code);
		}
		end(f);
	}
}

static void hub_that_goes(struct fake *f, const char *line)
{
	good_hub(f, line);
	say(f, "{\"type\":\"close\",\"code\":1013,\"reason\":\"slow\"}");
	hang_up(f);
}

static void test_the_hub_says_why_it_closes(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->options.no_reconnect = true;
	f->answer = hub_that_goes;
	start(f);
	run_until(f, CLIENT_CLOSED);
	assert_int_equal(f->last.end, CLIENT_UNREACHABLE);
	assert_int_equal(f->last.close_code, 1013);
	end(f);
}

static void test_a_silent_hub_is_given_up(void **state)
{
	struct fake *f = begin();
	uint64_t begun;

	(void)state;
	f->options.ping_ms = 1000;
	f->options.pong_ms = 50;
	start(f);
	run_until(f, CLIENT_JOINED);
	f->mute = true;
	f->pings = 0;
	uv_update_time(&f->loop);
	begun = uv_now(&f->loop);
	run_until(f, CLIENT_WAITING);
	assert_int_equal(f->pings, 1);
	/* Not a second quiet time; what is between is for slow machines. */
	assert_in_range(uv_now(&f->loop) - begun, 1000, 1999);
	f->mute = false;
	run_until(f, CLIENT_JOINED);
	end(f);
}

static void test_no_answer_to_the_join(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->options.connect_ms = 30;
	f->mute = true;
	start(f);
	run_until(f, CLIENT_WAITING);
	/* The next attempt may be in the same turn of the loop. */
	assert_memory_equal(f->states, "connecting open waiting ", 24);
	end(f);
}

static void test_attempts_end_in_a_clean_start(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->options.attempts = 3;
	start(f);
	run_until(f, CLIENT_JOINED);
	uv_close((uv_handle_t *)&f->listener, NULL);
	uv_run(&f->loop, UV_RUN_NOWAIT);
	unlink(f->path);
	hang_up(f);
	while (!f->clean_start)
		run_until(f, CLIENT_WAITING);
	/* More than one may pass in a turn of the loop. */
	assert_memory_equal(f->waits, "1 2 3 1! ", 9);
	/* Then it comes as one that was never there, but for what it is told. */
	f->said[0] = f->joins[0] = '\0';
	f->extra = "\"snapshot\":1,";
	listen_again(f);
	run_until(f, CLIENT_JOINED);
	assert_string_equal(f->said, JOIN);
	assert_string_equal(f->joins, "again,clean_start:0:1 ");
	end(f);
}

static void test_a_full_queue_and_room_again(void **state)
{
	struct fake *f = begin();
	char line[100];
	int sent = 0;

	(void)state;
	start(f);
	memset(line, 'x', sizeof(line));
	memcpy(line, "{\"type\":\"t\",\"x\":\"", 17);
	memcpy(line + sizeof(line) - 3, "\"}\n", 3);
	while (client_send(f->client, line, sizeof(line)) == 0)
		sent++;
	assert_in_range(sent, 14, 17); /* each is longer by its msg_id */
	assert_int_equal(client_send(f->client, line, sizeof(line)), -EAGAIN);
	client_drain(f->client);
	run_until_drained(f);
	while (!f->writable)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(f->writable, 1);
	assert_int_equal(client_send(f->client, line, sizeof(line)), 0);
	end(f);
}

static void test_kinds_of_messages(void **state)
{
	struct fake *f = begin();

	(void)state;
	start(f);
	run_until(f, CLIENT_JOINED);
	f->got[0] = '\0';
	say(f, "{\"type\":\"pong\",\"session_id\":\"room\",\"timestamp\":1,\"from\":\"abc\","
	       "\"seq\":12}");
	say(f, "{\"type\":\"error\",\"to\":\"me\",\"session_id\":\"room\",\"timestamp\":1,\"from\":"
	       "\"abc\"}");
	say(f, "{\"type\":\"error\",\"data\":{\"code\":\"not_member\",\"message\":\"who\\\"\"}}");
	say(f, "{\"type\":\"gap\",\"session_id\":\"room\",\"from_seq\":1,\"to_seq\":2}");
	say(f, "{\"type\":\"ack\",\"msg_id\":\"m\",\"session_id\":\"from\",\"seq\":3}");
	say(f, "{\"type\":\"pong\",\"ping_id\":\"user\",\"server_time\":1}");
	say(f, "nonsense");
	say(f, "");
	assert_int_equal(client_send(f->client, "{\"type\":\"a\"}", 12), 0);
	client_drain(f->client);
	run_until_drained(f);
	assert_string_equal(f->got,
			    "record:abc direct:abc hub:errornot_memberwho\" hub:gap hub:pong ");
	end(f);
}

static void test_pausing(void **state)
{
	struct fake *f = begin();

	(void)state;
	start(f);
	run_until(f, CLIENT_JOINED);
	client_pause(f->client);
	f->got[0] = '\0';
	say(f, "{\"type\":\"gap\"}");
	for (int i = 0; i < 5; i++)
		uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_string_equal(f->got, "");
	client_resume(f->client);
	client_drain(f->client);
	send_text(f, "{}");
	run_until_drained(f);
	assert_string_equal(f->got, "hub:gap ");
	end(f);
}

static void test_several_sessions(void **state)
{
	static const struct client_place quiet = {.no_echo = true};
	struct fake *f = begin();

	(void)state;
	start(f);
	assert_int_equal(client_join(f->client, "quiet", &quiet), 0);
	assert_int_equal(client_join(f->client, "bad name", NULL), -EINVAL);
	run_until(f, CLIENT_JOINED);
	assert_string_equal(
	    f->said,
	    JOIN "{\"type\":\"session_associate\",\"session_id\":\"quiet\",\"echo\":false}|");
	/* Each counts its own; a record of a third one passes. */
	f->got[0] = '\0';
	record(f, 8);
	record(f, 7);
	say(f, "{\"type\":\"r\",\"session_id\":\"quiet\",\"from\":\"q\",\"seq\":8}");
	say(f, "{\"type\":\"r\",\"session_id\":\"quiet\",\"from\":\"q\",\"seq\":8}");
	say(f, "{\"type\":\"r\",\"session_id\":\"third\",\"from\":\"t\",\"seq\":1}");
	send_text(f, "{\"type\":\"a\"}");
	client_drain(f->client);
	run_until_drained(f);
	assert_string_equal(strstr(f->got, "record"), "record:8 record:q record:t ");
	client_stop(f->client);
	run_until(f, CLIENT_CLOSED);
	assert_int_equal(f->last.end, CLIENT_LEFT);
	end(f);
}

static void test_freed_within_an_event(void **state)
{
	static const enum client_state at[] = {CLIENT_CONNECTING, CLIENT_OPEN,	  CLIENT_JOINED,
					       CLIENT_WAITING,	  CLIENT_LEAVING, CLIENT_CLOSED};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(at); i++) {
		struct fake *f = begin();

		f->free_at = at[i];
		if (at[i] == CLIENT_WAITING)
			f->answer = hub_that_goes;
		start(f);
		if (at[i] >= CLIENT_LEAVING) {
			run_until(f, CLIENT_JOINED);
			client_stop(f->client);
		}
		if (f->client)
			run_until(f, at[i]);
		assert_null(f->client);
		end(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_joins_sends_drains_leaves),
	    cmocka_unit_test(test_sends_again_what_was_not_acknowledged),
	    cmocka_unit_test(test_a_hub_that_does_not_know_us),
	    cmocka_unit_test(test_what_is_no_message),
	    cmocka_unit_test(test_errors_are_answers),
	    cmocka_unit_test(test_each_record_once),
	    cmocka_unit_test(test_the_state_instead),
	    cmocka_unit_test(test_since),
	    cmocka_unit_test(test_what_is_left_of_the_past),
	    cmocka_unit_test(test_without_a_session),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_the_hub_says_why_it_closes),
	    cmocka_unit_test(test_a_silent_hub_is_given_up),
	    cmocka_unit_test(test_no_answer_to_the_join),
	    cmocka_unit_test(test_attempts_end_in_a_clean_start),
	    cmocka_unit_test(test_a_full_queue_and_room_again),
	    cmocka_unit_test(test_kinds_of_messages),
	    cmocka_unit_test(test_pausing),
	    cmocka_unit_test(test_several_sessions),
	    cmocka_unit_test(test_freed_within_an_event),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
