/* A member of a hub from joining to being given up, against what a server says on the other end of
 * a socket: its states, and what is counted of it. */
#include "load/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "json/json.h"
#include "load/bench_member.h"
#include "load/loop.h"
#include "unit.h"

#define NAME "hbabcdef"
#define ASSOCIATE "{\"type\":\"session_associate\",\"session_id\":\"" NAME "-0\""

/* One client, which publishes with acks; its messages are marks with JSON around them. */
struct scene {
	struct options o;
	struct plan plan;
	struct run run;
	struct loop *l;
	struct member *m;
	int server;
};

/* The member has a connection that stands, to s->server. */
static void scene_connect(struct scene *s)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	s->server = pair[1];
	s->m->conn.fd = pair[0];
	s->m->conn.state = CONN_OPEN;
	s->m->conn.in.lines = true;
	talk_stands(s->l, s->m);
}

static void scene_begin(struct scene *s)
{
	struct run *r = &s->run;
	char why[200];

	memset(s, 0, sizeof(*s));
	s->plan.o = &s->o;
	s->plan.nodes = 1;
	r->plan = &s->plan;
	r->o = &s->o;
	r->dialect = &dialect_hub;
	r->clients = r->npublishers = r->sessions = r->threads = r->window = 1;
	r->echo = r->acks = true;
	r->script = (struct script){.name = NAME, .sessions = 1, .acks = true};
	memcpy(&r->script.run, NAME, sizeof(r->script.run));
	r->script.paths = json_paths_new(dialect_hub.paths, dialect_hub.npaths);
	r->messages = calloc(1, sizeof(*r->messages));
	r->session = calloc(1, sizeof(*r->session));
	r->publisher = calloc(1, sizeof(*r->publisher));
	assert_true(r->script.paths && r->messages && r->session && r->publisher);
	assert_int_equal(
	    template_compile(r->messages, "{\"m\":\"{mark}\"}", 0, NAME, why, sizeof(why)), 0);
	r->nmessages = 1;
	r->message_max = r->messages->len;
	r->script.mark_at = r->messages->mark_at;
	r->publisher->due_ns = calloc(WINDOW, sizeof(uint64_t));
	r->publisher->sent_ns = calloc(WINDOW, sizeof(uint64_t));
	assert_true(r->publisher->due_ns && r->publisher->sent_ns);
	r->timetable.seed = 1;
	pthread_mutex_init(&r->error_mutex, NULL);
	s->l = calloc(1, sizeof(*s->l));
	assert_non_null(s->l);
	assert_int_equal(loop_init(s->l, r, 0), 0);
	s->m = &s->l->members[0];
	s->l->now = SECOND;
	s->l->window_span = UINT64_MAX;
	scene_connect(s);
}

static void scene_end(struct scene *s)
{
	struct run *r = &s->run;

	bench_member_audit(s->l, s->m, true);
	loop_free(s->l);
	free(s->l);
	template_free(r->messages);
	json_paths_free(r->script.paths);
	pthread_mutex_destroy(&r->error_mutex);
	free(r->publisher->due_ns);
	free(r->publisher->sent_ns);
	free(r->messages);
	free(r->session);
	free(r->publisher);
	close(s->server);
}

/* What the client has said since the last time. */
static const char *said(struct scene *s)
{
	static char text[1000];
	ssize_t n = read(s->server, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* The server says a line, and the thread hears of it. */
static void server_says(struct scene *s, const char *line)
{
	assert_int_equal(write(s->server, line, strlen(line)), strlen(line));
	assert_int_equal(write(s->server, "\n", 1), 1);
	talk_ready(s->l, s->m, EPOLLIN);
}

static void server_sends(struct scene *s, uint64_t number, const char *seq)
{
	struct mark mark = {.number = number, .due = SECOND / 2};
	char line[300] = "";

	template_write(s->run.messages, line, &mark, 0);
	strcpy(line + s->run.messages->len - 1, seq);
	server_says(s, line);
}

static void joins_and_gets_messages(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	assert_int_equal(s.m->state, MEMBER_JOINING);
	assert_int_equal(s.l->pending, 1);
	assert_string_equal(said(&s), ASSOCIATE "}\n");
	server_says(&s, "{\"type\":\"session_associated\",\"seq\":4,\"epoch\":\"e\"}");
	assert_int_equal(s.m->state, MEMBER_JOINED);
	assert_int_equal(s.l->joined, 1);
	assert_int_equal(s.l->pending, 0);
	assert_int_equal(s.l->metric[METRIC_JOIN].n, 1);
	assert_int_equal(s.run.session->head, 4);

	server_sends(&s, 0, ",\"seq\":5}");
	server_sends(&s, 2, ",\"seq\":7}");
	server_sends(&s, 2, ",\"seq\":7}");
	server_says(&s, "{\"type\":\"gap\",\"from_seq\":8,\"to_seq\":9}");
	server_says(&s, "{\"type\":\"chat\",\"from\":\"x\",\"seq\":10}");
	assert_int_equal(s.l->counts.delivered, 2);
	assert_int_equal(s.l->metric[METRIC_EVERY].n, 2);
	assert_int_equal(s.l->audit.duplicated, 1);
	assert_int_equal(s.l->audit.unknown, 1);
	assert_int_equal(s.m->foreign, 1);
	assert_int_equal(s.m->streams->next, 11);
	assert_int_equal(stream_missing(s.m->streams), 1);
	scene_end(&s);
}

static void acks_and_refusals(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	server_says(&s, "{\"type\":\"session_associated\",\"seq\":0,\"epoch\":\"e\"}");
	s.run.publisher->sent = s.run.session->published = 2;
	s.run.publisher->due_ns[0] = s.run.publisher->due_ns[1] = 1;
	assert_false(bench_member_settled(s.l, s.m));
	server_says(&s, "{\"type\":\"ack\",\"msg_id\":\"0000000000\",\"seq\":1}");
	server_says(&s, "{\"type\":\"ack\",\"msg_id\":\"0000000000\",\"seq\":1}");
	assert_int_equal(s.l->counts.acked, 1);
	assert_int_equal(s.l->metric[METRIC_ACK].n, 1);
	server_says(&s, "{\"type\":\"error\",\"msg_id\":\"0000000001\",\"data\":{\"code\":\"x\"}}");
	assert_int_equal(s.l->errors, 1);
	assert_int_equal(s.run.session->published, 1);
	assert_string_equal(s.run.first_error, "client 0: refused: x");
	assert_int_equal(s.m->state, MEMBER_JOINED);
	assert_false(bench_member_settled(s.l, s.m));
	server_sends(&s, 0, ",\"seq\":1}");
	assert_true(bench_member_settled(s.l, s.m));
	scene_end(&s);
}

/* Who loses its connection comes back as the one it was, from where it was. */
static void comes_back(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	server_says(&s, "{\"type\":\"session_associated\",\"seq\":4,\"epoch\":\"e\","
			"\"resume\":\"r\"}");
	server_sends(&s, 0, ",\"seq\":5}");
	said(&s);
	close(s.server);
	talk_ready(s.l, s.m, EPOLLIN | EPOLLHUP);
	assert_int_equal(s.m->state, MEMBER_IDLE);
	assert_int_equal(s.m->conn.fd, -1);
	assert_int_equal(s.l->idle, 1);
	assert_int_equal(s.l->joined, 0);
	assert_int_equal(s.l->unasked, 1);
	assert_string_equal(s.run.first_error, "client 0: closed by the server");
	assert_in_range(s.m->wake_ns, s.l->now, s.l->now + SECOND);

	scene_connect(&s);
	assert_string_equal(said(&s), ASSOCIATE ",\"since\":5,\"epoch\":\"e\",\"resume\":\"r\"}\n");
	/* Its log is another one: the numbers of that tell nothing. */
	server_says(&s, "{\"type\":\"session_associated\",\"seq\":0,\"epoch\":\"f\"}");
	assert_int_equal(s.l->reconnects, 1);
	assert_true(s.m->broken);
	server_sends(&s, 1, ",\"seq\":1}");
	assert_int_equal(s.l->counts.delivered, 2);
	assert_int_equal(s.l->audit.duplicated, 0);
	scene_end(&s);
}

static void leaves(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	server_says(&s, "{\"type\":\"session_associated\",\"seq\":4,\"epoch\":\"e\"}");
	said(&s);
	/* Not before it wants to. */
	server_says(&s, "{\"type\":\"session_left\"}");
	assert_int_equal(s.m->state, MEMBER_JOINED);
	talk_leave(s.l, s.m);
	assert_int_equal(s.m->state, MEMBER_LEAVING);
	assert_string_equal(said(&s), "{\"type\":\"session_leave\"}\n");
	server_says(&s, "{\"type\":\"session_left\"}");
	assert_int_equal(s.m->state, MEMBER_IDLE);
	assert_int_equal(s.m->conn.fd, -1);
	assert_null(s.m->streams);
	assert_null(s.m->seat);
	assert_int_equal(s.l->unasked, 0);
	close(s.server);
	/* And is somebody else. */
	scene_connect(&s);
	assert_string_equal(said(&s), ASSOCIATE "}\n");
	scene_end(&s);
}

/* Three times, and it is given up. */
static void not_let_in(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	for (int i = 0; i < 3; i++) {
		if (i) {
			close(s.server);
			scene_connect(&s);
		}
		if (i < 2)
			server_says(&s, "{\"type\":\"error\",\"data\":{\"code\":\"full\"}}");
		else
			talk_timeout(s.l, s.m, 10);
		assert_int_equal(s.m->state, i < 2 ? MEMBER_IDLE : MEMBER_FAILED);
	}
	assert_string_equal(s.run.first_error, "client 0: refused: full");
	assert_int_equal(s.l->failed, 1);
	assert_int_equal(s.l->errors, 0);
	assert_int_equal(s.l->unasked, 0);
	scene_end(&s);
}

/* What a member has seen, once two messages have come under these numbers. */
static uint64_t order_of(uint64_t first, uint64_t seq, uint64_t other, uint64_t other_seq)
{
	struct scene s;
	char text[32];
	uint64_t order;

	scene_begin(&s);
	s.run.ordered = true;
	server_says(&s, "{\"type\":\"session_associated\",\"seq\":0,\"epoch\":\"e\"}");
	snprintf(text, sizeof(text), ",\"seq\":%u}", (unsigned)seq);
	server_sends(&s, first, text);
	snprintf(text, sizeof(text), ",\"seq\":%u}", (unsigned)other_seq);
	server_sends(&s, other, text);
	order = s.m->order;
	assert_int_equal(s.m->streams->next, 3);
	scene_end(&s);
	return order;
}

static void knows_in_which_order(void **state)
{
	uint64_t order = order_of(0, 1, 1, 2);

	(void)state;
	assert_int_equal(order_of(0, 1, 1, 2), order);
	/* Late is not otherwise. */
	assert_int_equal(order_of(1, 2, 0, 1), order);
	assert_int_not_equal(order_of(1, 1, 0, 2), order);
	assert_int_not_equal(order_of(0, 1, 2, 2), order);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(joins_and_gets_messages),
	    cmocka_unit_test(acks_and_refusals),
	    cmocka_unit_test(comes_back),
	    cmocka_unit_test(leaves),
	    cmocka_unit_test(not_let_in),
	    cmocka_unit_test(knows_in_which_order),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("talk", tests, NULL, NULL);
}
