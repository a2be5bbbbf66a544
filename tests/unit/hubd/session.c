/* Sessions and their registry with real workers: who is a member, who finds whom, what is told and
 * kept, and the same with a thread for each worker. */
#include "session.h"

#include <pthread.h>
#include <sodium.h>

#include "identity.h"
#include "json/json.h"
#include "stub.h"
#include "unit.h"

static struct span span(const char *text)
{
	return (struct span){text, strlen(text)};
}

/* No past is wanted. */
static const struct session_from now_on;

static struct member *join(struct hub *hub, struct stub *s, const char *id,
			   struct session_joined *out)
{
	struct member *m = calloc(1, sizeof(*m));
	struct session_joined joined;

	assert_non_null(m);
	m->conn = s->conn;
	m->echo = true;
	if (session_join(hub, span(id), m, &now_on, out ? out : &joined) == HUB_OK)
		return m;
	free(m);
	return NULL;
}

static uint64_t append(struct member *m, const char *body, size_t len, uint64_t now_ms)
{
	struct publication p = {.body = {body, len}};
	uint64_t seq = 0;
	bool repeated;

	if (session_publish(m, &p, now_ms, &seq, &repeated) != HUB_OK || repeated)
		return 0;
	return seq;
}

static uint32_t leave(struct member *m)
{
	uint32_t left = session_leave(m);

	free(m);
	return left;
}

static uint64_t now(struct hub *hub)
{
	return worker_now_ms(hub->worker[0]);
}

static bool got(const struct stub *s, const char *text)
{
	return s->got.len && memmem(s->got.data, s->got.len, text, strlen(text)) != NULL;
}

static void members_come_and_go(void **state)
{
	struct hub hub = {0};
	struct session_joined joined, again;
	struct member *m[3];
	struct stub s[3];

	(void)state;
	stub_hub(&hub, 2);
	for (int i = 0; i < 3; i++)
		stub_open(hub.worker[i % 2], &s[i]);
	assert_int_equal(registry_count(&hub.registry), 0);
	m[0] = join(&hub, &s[0], "a", &joined);
	assert_int_equal(joined.seq, 0);
	assert_int_equal(joined.user_count, 1);
	assert_int_equal(registry_count(&hub.registry), 1);
	assert_int_equal(append(m[0], "{\"type\":\"x\"", 11, 0), 1);
	m[1] = join(&hub, &s[1], "a", &again);
	assert_true(again.epoch == joined.epoch);
	assert_int_equal(again.seq, 1);
	assert_int_equal(again.user_count, 2);
	assert_int_equal(m[1]->cursor, 2);
	assert_ptr_equal(m[0]->session, m[1]->session);
	m[2] = join(&hub, &s[2], "b", &again);
	assert_true(again.epoch != joined.epoch);
	assert_int_equal(again.seq, 0);
	assert_int_equal(registry_count(&hub.registry), 2);
	assert_int_equal(session_user_count(m[0]->session), 2);
	assert_int_equal(leave(m[0]), 1);
	assert_int_equal(leave(m[1]), 0);
	assert_int_equal(leave(m[2]), 0);
	/* Without members it stays as it was. */
	assert_int_equal(registry_count(&hub.registry), 2);
	m[0] = join(&hub, &s[0], "a", &again);
	assert_true(again.epoch == joined.epoch);
	assert_int_equal(again.seq, 1);
	leave(m[0]);
	stub_hub_free(&hub);
	for (int i = 0; i < 3; i++)
		buf_free(&s[i].got);
}

static void members_are_found_where_they_are(void **state)
{
	enum { N = 50 }; /* over what the first table holds */
	struct hub hub = {0};
	static struct stub s[N];
	struct member *m[N];

	(void)state;
	stub_hub(&hub, 2);
	for (int i = 0; i < N; i++) {
		stub_open(hub.worker[i % 2], &s[i]);
		m[i] = join(&hub, &s[i], "a", NULL);
	}
	for (int gone = 0; gone <= N; gone++) {
		struct session *session = gone < N ? m[gone]->session : NULL;

		for (int i = gone; i < N; i++) {
			unsigned w = (unsigned)i % 2;

			assert_ptr_equal(session_find(session, s[i].conn->id, w), m[i]);
			assert_null(session_find(session, s[i].conn->id, 1 - w));
		}
		if (gone > 0 && session)
			assert_null(
			    session_find(session, s[gone - 1].conn->id, (unsigned)(gone - 1) % 2));
		if (session)
			assert_int_equal(leave(m[gone]), N - 1 - gone);
	}
	stub_hub_free(&hub);
	for (int i = 0; i < N; i++)
		buf_free(&s[i].got);
}

static void limits_are_kept(void **state)
{
	struct hub hub = {.opt = {.max_members = 2, .max_sessions = 2}};
	struct session_joined joined;
	struct member *m[3], *failed = calloc(1, sizeof(*failed));
	struct stub s[3];

	(void)state;
	stub_hub(&hub, 1);
	for (int i = 0; i < 3; i++)
		stub_open(hub.worker[0], &s[i]);
	m[0] = join(&hub, &s[0], "a", NULL);
	m[1] = join(&hub, &s[1], "a", NULL);
	failed->conn = s[2].conn;
	assert_int_equal(session_join(&hub, span("a"), failed, &now_on, &joined), HUB_SESSION_FULL);
	assert_int_equal(session_user_count(m[0]->session), 2);
	leave(m[1]);
	m[1] = join(&hub, &s[2], "a", NULL);
	assert_non_null(m[1]);
	m[2] = join(&hub, &s[1], "b", NULL);
	assert_non_null(m[2]);
	assert_int_equal(session_join(&hub, span("c"), failed, &now_on, &joined), HUB_HUB_FULL);
	assert_int_equal(registry_count(&hub.registry), 2);
	/* A session that nobody is in makes room, one with members does not. */
	leave(m[2]);
	failed->conn = s[1].conn;
	assert_int_equal(session_join(&hub, span("c"), failed, &now_on, &joined), HUB_OK);
	assert_int_equal(registry_count(&hub.registry), 2);
	leave(failed);
	leave(m[0]);
	leave(m[1]);
	stub_hub_free(&hub);
	for (int i = 0; i < 3; i++)
		buf_free(&s[i].got);
}

static void idle_sessions_end_after_their_time(void **state)
{
	struct hub hub = {.opt = {.session_ttl = 10}};
	struct session_joined first, joined;
	struct member *m, *stays;
	struct stub s;
	uint64_t t;

	(void)state;
	stub_hub(&hub, 1);
	stub_open(hub.worker[0], &s);
	stays = join(&hub, &s, "stays", NULL);
	m = join(&hub, &s, "a", &first);
	registry_sweep(&hub, now(&hub) + 1000000);
	assert_int_equal(registry_count(&hub.registry), 2);
	leave(m);
	t = now(&hub);
	registry_sweep(&hub, t);
	registry_sweep(&hub, t + 9999);
	/* The clock of the worker that sweeps may be behind. */
	registry_sweep(&hub, t - 1);
	registry_sweep(&hub, t - 5000);
	assert_int_equal(registry_count(&hub.registry), 2);
	m = join(&hub, &s, "a", &joined);
	assert_true(joined.epoch == first.epoch);
	registry_sweep(&hub, t + 1000000);
	assert_int_equal(registry_count(&hub.registry), 2);
	leave(m);
	registry_sweep(&hub, t + 1000000);
	assert_int_equal(registry_count(&hub.registry), 1);
	m = join(&hub, &s, "a", &joined);
	assert_true(joined.epoch != first.epoch);
	leave(m);
	leave(stays);
	stub_hub_free(&hub);
	buf_free(&s.got);
}

static void idle_sessions_give_their_memory_first(void **state)
{
	struct hub hub = {.opt = {.session_ttl = 1000}};
	char body[1000];
	struct member *m[8];
	struct stub s;

	(void)state;
	memset(body, 'x', sizeof(body));
	stub_hub(&hub, 1);
	stub_open(hub.worker[0], &s);
	for (int i = 0; i < 8; i++) {
		char id[2] = {(char)('a' + i), '\0'};

		m[i] = join(&hub, &s, id, NULL);
		for (int k = 0; k < 60; k++)
			append(m[i], body, sizeof(body), now(&hub));
	}
	for (int i = 0; i < 7; i++)
		leave(m[i]);
	stub_turns(hub.worker[0]); /* the news of it hold the sessions */
	hub.memory.max = atomic_load(&hub.memory.used) / 2;
	registry_sweep(&hub, now(&hub));
	assert_false(log_memory_over(&hub.memory));
	/* No more than needed, and none that has members. */
	assert_int_equal(registry_count(&hub.registry), 4);
	assert_int_equal(m[7]->session->log.head, 60);
	leave(m[7]);
	stub_hub_free(&hub);
	buf_free(&s.got);
}

static void direct_messages_find_their_receiver(void **state)
{
	struct hub hub = {0};
	struct blob *blob = blob_new("{\"type\":\"d\"}", 12);
	char id[IDENTITY_LEN + 1];
	struct member *m[3];
	struct stub s[3];

	(void)state;
	stub_hub(&hub, 2);
	for (int i = 0; i < 3; i++) {
		stub_open(hub.worker[i % 2], &s[i]);
		m[i] = join(&hub, &s[i], i == 2 ? "b" : "a", NULL);
	}
	for (int i = 0; i < 2; i++) {
		identity_text(s[i].conn->id, id);
		assert_int_equal(session_direct(m[0]->session, span(id), blob), HUB_OK);
	}
	identity_text(s[2].conn->id, id); /* in another session */
	assert_int_equal(session_direct(m[0]->session, span(id), blob), HUB_NOT_MEMBER);
	assert_int_equal(session_direct(m[0]->session, span("nobody"), blob), HUB_NOT_MEMBER);
	assert_int_equal(session_direct(m[0]->session, span(""), blob), HUB_NOT_MEMBER);
	stub_turns(hub.worker[0]);
	stub_turns(hub.worker[1]);
	assert_true(got(&s[0], "{\"type\":\"d\"}\n"));
	assert_true(got(&s[1], "{\"type\":\"d\"}\n"));
	assert_false(got(&s[2], "{\"type\":\"d\"}\n"));
	/* Who has left before it arrives does not get it. */
	identity_text(s[1].conn->id, id);
	s[1].got.len = 0;
	assert_int_equal(session_direct(m[0]->session, span(id), blob), HUB_OK);
	leave(m[1]);
	stub_turns(hub.worker[1]);
	assert_int_equal(s[1].got.len, 0);
	assert_int_equal(atomic_load(&blob->refs), 1);
	blob_unref(blob);
	leave(m[0]);
	leave(m[2]);
	stub_hub_free(&hub);
	for (int i = 0; i < 3; i++)
		buf_free(&s[i].got);
}

static void the_others_hear_of_it(void **state)
{
	struct hub hub = {.opt = {.presence_limit = 2}};
	char id[IDENTITY_LEN + 1], want[256];
	struct member *m[3];
	struct stub s[3];

	(void)state;
	stub_hub(&hub, 2);
	for (int i = 0; i < 3; i++)
		stub_open(hub.worker[i % 2], &s[i]);
	m[0] = join(&hub, &s[0], "a", NULL);
	m[1] = join(&hub, &s[1], "a", NULL);
	stub_turns(hub.worker[0]);
	stub_turns(hub.worker[1]);
	identity_text(s[1].conn->id, id);
	snprintf(want, sizeof(want),
		 "{\"type\":\"client_connected\",\"session_id\":\"a\",\"client_id\":\"%s\","
		 "\"user_count\":2}\n",
		 id);
	assert_int_equal(s[0].got.len, strlen(want));
	assert_memory_equal(s[0].got.data, want, strlen(want));
	assert_int_equal(s[1].got.len, 0);
	/* A third is over the limit: a count, and only once a second. */
	s[0].got.len = 0;
	m[2] = join(&hub, &s[2], "a", NULL);
	leave(m[2]);
	m[2] = join(&hub, &s[2], "a", NULL);
	stub_turns(hub.worker[0]);
	assert_false(got(&s[0], "connection_status"));
	for (int i = 0; i < 300 && !got(&s[0], "connection_status"); i++) {
		uv_sleep(10);
		stub_turns(hub.worker[0]);
	}
	assert_true(got(&s[0], "{\"type\":\"connection_status\",\"session_id\":\"a\","
			       "\"user_count\":3}\n"));
	/* The latest of them hears of the next. */
	s[2].got.len = 0;
	leave(m[0]);
	stub_turns(hub.worker[0]);
	assert_true(got(&s[2], "{\"type\":\"client_disconnected\""));
	assert_true(got(&s[2], "\"user_count\":2}\n"));
	leave(m[1]);
	leave(m[2]);
	stub_hub_free(&hub);
	for (int i = 0; i < 3; i++)
		buf_free(&s[i].got);
}

static void check_presence(struct session *s, size_t max, const char *want)
{
	struct buf b = {0};
	struct json_scan scan;

	assert_int_equal(buf_puts(&b, "{"), 0);
	assert_int_equal(session_presence(s, &b, max), 0);
	assert_int_equal(buf_puts(&b, "}"), 0);
	assert_int_equal(json_scan(NULL, b.data, b.len, NULL, &scan), JSON_OK);
	if (want) {
		assert_int_equal(b.len, strlen(want));
		assert_memory_equal(b.data, want, b.len);
	}
	assert_int_equal(memmem(b.data, b.len, "\"truncated\":true", 16) != NULL,
			 session_user_count(s) > max);
	buf_free(&b);
}

static void presence_lists_the_members(void **state)
{
	enum { N = 20 };
	struct blob *info = blob_new("{\"name\":\"Ada\"}", 14);
	struct hub hub = {0};
	char id[IDENTITY_LEN + 1], want[256];
	static struct stub s[N];
	struct member *m[N];

	(void)state;
	stub_hub(&hub, 1);
	for (int i = 0; i < N; i++)
		stub_open(hub.worker[0], &s[i]);
	m[0] = join(&hub, &s[0], "a", NULL);
	identity_text(s[0].conn->id, id);
	snprintf(want, sizeof(want), "{\"user_count\":1,\"members\":[{\"client_id\":\"%s\"}]}", id);
	check_presence(m[0]->session, 1000, want);
	session_set_info(m[0], info);
	snprintf(want, sizeof(want),
		 "{\"user_count\":1,\"members\":[{\"client_id\":\"%s\","
		 "\"info\":{\"name\":\"Ada\"}}]}",
		 id);
	check_presence(m[0]->session, 1000, want);
	check_presence(m[0]->session, 0, "{\"user_count\":1,\"members\":[],\"truncated\":true}");
	assert_int_equal(atomic_load(&info->refs), 2);
	for (int i = 1; i < N; i++)
		m[i] = join(&hub, &s[i], "a", NULL);
	for (size_t max = 0; max <= N + 1; max++)
		check_presence(m[0]->session, max, NULL);
	session_set_info(m[1], info);
	session_set_info(m[0], NULL);
	for (int i = 0; i < N; i++)
		leave(m[i]);
	assert_int_equal(atomic_load(&info->refs), 1);
	blob_unref(info);
	stub_hub_free(&hub);
	for (int i = 0; i < N; i++)
		buf_free(&s[i].got);
}

/* --- connections on top, as their timers see them --- */

static void a_blocked_connection_is_not_taken_for_dead(void **state)
{
	struct hub hub = {.opt = {.ping = 54, .pong = 60, .write_timeout = 3600}};
	struct stub s;
	uint32_t t;

	(void)state;
	stub_hub(&hub, 1);
	stub_open(hub.worker[0], &s);
	t = s.conn->heard_s;
	s.stalled = true;
	stub_say(&s, "{\"type\":\"ping\"}");
	stub_turns(hub.worker[0]);
	assert_true(s.conn->blocked);
	/* Its ping is due, but cannot be sent. */
	conn_check(s.conn, t + 54);
	assert_int_equal(s.pings, 0);
	stub_resume(&s);
	assert_false(s.conn->closing);
	/* Then it is asked before it is given up. */
	s.conn->heard_s = t;
	conn_check(s.conn, t + 55);
	assert_int_equal(s.pings, 1);
	assert_false(s.conn->closing);
	conn_check(s.conn, t + 60);
	assert_true(s.conn->closing);
	stub_turns(hub.worker[0]);
	assert_int_equal(s.code, -1);
	stub_hub_free(&hub);
	buf_free(&s.got);
}

static void who_ends_first_gets_all_it_asked_for(void **state)
{
	struct hub hub = {0};
	struct stub s;

	(void)state;
	stub_hub(&hub, 1);
	stub_open(hub.worker[0], &s);
	stub_say(&s, "{\"type\":\"session_associate\",\"session_id\":\"a\"}");
	s.stalled = true;
	stub_turns(hub.worker[0]);
	stub_say(&s, "{\"type\":\"x\"}");
	stub_say(&s, "{\"type\":\"ping\",\"ping_id\":\"last\"}");
	conn_finish(s.conn);
	stub_turns(hub.worker[0]);
	assert_int_equal(s.code, 0);
	stub_resume(&s);
	assert_true(got(&s, "\"ping_id\":\"last\""));
	assert_true(got(&s, "\"seq\":1}"));
	stub_turns(hub.worker[0]);
	assert_int_equal(s.code, CLOSE_NORMAL);
	stub_hub_free(&hub);
	buf_free(&s.got);
}

static void what_waits_for_a_peer_has_bounds(void **state)
{
	struct hub hub = {.opt = {.max_message = 1000}};
	struct stub s;
	int n = 0;

	(void)state;
	stub_hub(&hub, 1);
	stub_open(hub.worker[0], &s);
	s.stalled = true;
	stub_say(&s, "{\"type\":\"ping\"}");
	stub_turns(hub.worker[0]);
	/* It is not listened to any more long before it counts as slow. */
	for (; !s.paused; n++)
		stub_say(&s, "{\"type\":\"ping\"}");
	assert_in_range(n, 1000, 10000);
	for (n = 0; s.conn && !s.conn->closing && n < 100000; n++)
		stub_say(&s, "{\"type\":\"ping\"}");
	assert_in_range(n, 10000, 50000);
	assert_int_equal(s.conn->code, CLOSE_SLOW);
	stub_turns(hub.worker[0]);
	assert_int_equal(s.code, CLOSE_SLOW);
	stub_hub_free(&hub);
	buf_free(&s.got);
}

/* --- threads --- */

#define WORKERS 4
#define STUBS 6
#define SESSIONS 5
#define ROUNDS 3000

struct crowd {
	struct hub *hub;
	unsigned index;
	uint64_t seed;
	struct stub s[STUBS];
	struct member *m[STUBS][SESSIONS];
	unsigned records;
	const char *wrong;
};

static uint32_t crowd_pick(struct crowd *c, uint32_t n)
{
	c->seed ^= c->seed << 13;
	c->seed ^= c->seed >> 7;
	c->seed ^= c->seed << 17;
	return (uint32_t)(c->seed >> 33) % n;
}

/* One thing that a member does, at the modules' own interfaces. */
static void crowd_step(struct crowd *c)
{
	static const char *const ids[SESSIONS] = {"a", "b", "c", "d", "e"};
	struct worker *w = c->hub->worker[c->index];
	uint32_t i = crowd_pick(c, STUBS), k = crowd_pick(c, SESSIONS);
	struct member **m = &c->m[i][k];
	struct session_joined joined;
	struct buf b = {0};
	char id[IDENTITY_LEN + 1];
	struct blob *blob;

	if (!*m) {
		*m = calloc(1, sizeof(**m));
		(*m)->conn = c->s[i].conn;
		(*m)->echo = crowd_pick(c, 2);
		if (session_join(c->hub, span(ids[k]), *m, &now_on, &joined) != HUB_OK)
			c->wrong = "cannot join";
		else if (joined.user_count < 1 || joined.user_count > WORKERS * STUBS)
			c->wrong = "so many members cannot be";
		return;
	}
	switch (crowd_pick(c, 8)) {
	case 0:
		session_leave(*m);
		free(*m);
		*m = NULL;
		break;
	case 1:
		if (session_presence((*m)->session, &b, 10) < 0 ||
		    session_user_count((*m)->session) < 1)
			c->wrong = "presence";
		buf_free(&b);
		break;
	case 2:
		blob = blob_new("{}", 2);
		session_set_info(*m, blob);
		identity_text((*m)->conn->id, id);
		if (session_direct((*m)->session, span(id), blob) != HUB_OK)
			c->wrong = "a member cannot be reached";
		blob_unref(blob);
		break;
	case 3:
		if (session_find((*m)->session, (*m)->conn->id, c->index) != *m)
			c->wrong = "a member is not found";
		break;
	default:
		if (append(*m, "{\"type\":\"x\"", 11, worker_now_ms(w)) < 1)
			c->wrong = "cannot append";
		worker_dirty(w, (*m)->session);
		c->records++;
	}
}

static void *crowd_run(void *arg)
{
	struct crowd *c = arg;
	struct worker *w = c->hub->worker[c->index];

	for (int round = 0; round < ROUNDS; round++) {
		crowd_step(c);
		if (crowd_pick(c, 4) == 0)
			uv_run(worker_loop(w), UV_RUN_NOWAIT);
		if (c->index == 0 && crowd_pick(c, 20) == 0)
			registry_sweep(c->hub, worker_now_ms(w));
	}
	for (int i = 0; i < STUBS; i++) {
		for (int k = 0; k < SESSIONS; k++) {
			if (!c->m[i][k])
				continue;
			session_leave(c->m[i][k]);
			free(c->m[i][k]);
		}
		if (!c->s[i].conn || c->s[i].conn->closing)
			c->wrong = "a connection was closed";
	}
	stub_turns(w);
	return NULL;
}

static void workers_meet_in_sessions(void **state)
{
	struct hub hub = {.opt = {.presence_limit = 10}, .limits.grace_ms = 100000};
	static struct crowd crowd[WORKERS];
	pthread_t thread[WORKERS];

	(void)state;
	stub_hub(&hub, WORKERS);
	for (unsigned i = 0; i < WORKERS; i++) {
		crowd[i] = (struct crowd){.hub = &hub, .index = i, .seed = 0x9e3779b97f4a7c15 + i};
		for (int k = 0; k < STUBS; k++)
			stub_open(hub.worker[i], &crowd[i].s[k]);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, crowd_run, &crowd[i]), 0);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < WORKERS; i++) {
		assert_null(crowd[i].wrong);
		assert_true(crowd[i].records > ROUNDS / 4);
		for (int k = 0; k < STUBS; k++)
			assert_true(crowd[i].s[k].got.len > 0);
	}
	/* All are idle now, so all can go. */
	registry_sweep(&hub, now(&hub) + 10000000);
	assert_int_equal(registry_count(&hub.registry), 0);
	stub_hub_free(&hub);
	for (unsigned i = 0; i < WORKERS; i++)
		for (int k = 0; k < STUBS; k++)
			buf_free(&crowd[i].s[k].got);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(members_come_and_go),
	    cmocka_unit_test(members_are_found_where_they_are),
	    cmocka_unit_test(limits_are_kept),
	    cmocka_unit_test(idle_sessions_end_after_their_time),
	    cmocka_unit_test(idle_sessions_give_their_memory_first),
	    cmocka_unit_test(direct_messages_find_their_receiver),
	    cmocka_unit_test(the_others_hear_of_it),
	    cmocka_unit_test(presence_lists_the_members),
	    cmocka_unit_test(a_blocked_connection_is_not_taken_for_dead),
	    cmocka_unit_test(who_ends_first_gets_all_it_asked_for),
	    cmocka_unit_test(what_waits_for_a_peer_has_bounds),
	    cmocka_unit_test(workers_meet_in_sessions),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
