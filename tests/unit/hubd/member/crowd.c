/* Members on several workers, a thread each: whatever they do, each gets the records of its
 * sessions complete and in order, and nothing is left when they have gone. */
#include <pthread.h>
#include <sodium.h>

#include "hubd/member_stub.h"
#include "unit.h"
#include "wire/id.h"

#define WORKERS 4
#define PEERS 5
#define SESSIONS 3
#define ROUNDS 2000

struct crowd {
	struct member_stub *st;
	unsigned index;
	uint64_t seed;
	struct peer p[PEERS];
};

static uint32_t pick(struct crowd *c, uint32_t n)
{
	c->seed ^= c->seed << 13;
	c->seed ^= c->seed >> 7;
	c->seed ^= c->seed << 17;
	return (uint32_t)(c->seed >> 33) % n;
}

static void send_direct(struct crowd *c, const char *session)
{
	struct seat *seat = seat_find(c->p[0].conn, span_of(session));
	struct blob *blob = blob_new("direct", 6);
	char id[ID_LEN + 1];

	id_text(1 + pick(c, WORKERS * PEERS), id);
	if (seat)
		member_direct(seat->m.session, span_of(id), blob);
	blob_unref(blob);
}

/* Each record begins with its session's name. */
static void step(struct crowd *c)
{
	char session[2] = {(char)('a' + pick(c, SESSIONS)), '\0'}, text[64];
	struct peer *p = &c->p[pick(c, PEERS)];
	uint32_t what = pick(c, 100);

	if (what < 10)
		snprintf(text, sizeof(text), "join %s", session);
	else if (what < 13)
		snprintf(text, sizeof(text), "leave %s", session);
	else if (what < 60)
		snprintf(text, sizeof(text), "say %s %s text", session, session);
	else if (what < 70)
		snprintf(text, sizeof(text), "ack %s %u %s text", session, pick(c, 1000), session);
	else if (what < 80)
		snprintf(text, sizeof(text), "set %s %u %s text", session, pick(c, 9), session);
	else if (what < 82)
		snprintf(text, sizeof(text), "list");
	else
		text[0] = '\0';
	if (what < 82)
		peer_say(p, text);
	else if (what < 85)
		p->stalled = true;
	else if (what < 90)
		stub_resume(p);
	else
		send_direct(c, session);
}

static void *run(void *arg)
{
	struct crowd *c = arg;
	struct worker *w = stub_worker(c->st, c->index);

	for (int round = 0; round < ROUNDS; round++) {
		step(c);
		if (pick(c, 4) == 0)
			stub_round(w);
		if (pick(c, 50) == 0)
			member_second(w);
		if (c->index == 0 && pick(c, 20) == 0)
			registry_sweep(&c->st->s.registry, worker_now_ms(w));
	}
	for (int i = 0; i < PEERS; i++)
		stub_resume(&c->p[i]);
	stub_turns(w);
	return NULL;
}

/* What a peer was told of one session: complete, in order. */
static unsigned check(struct peer *p, char session)
{
	uint64_t last = 0, snapshot = 0, seq;
	unsigned records = 0;
	bool in = false;
	char *line, *rest;

	assert_int_equal(buf_put(&p->got, "", 1), 0);
	rest = strdup(p->got.data);
	assert_non_null(rest);
	line = rest;
	for (char *at = rest; (line = strsep(&at, "\n")) != NULL;) {
		unsigned users;
		const char *more;
		char name;

		if (sscanf(line, "joined %c seq=%ju users=%u", &name, &seq, &users) == 3) {
			if (name != session)
				continue;
			more = strstr(line, "snapshot=");
			/* Again: where it was, and what it lacks of the state still comes. */
			if (!in) {
				snapshot = more ? strtoull(more + 9, NULL, 10) : 0;
				last = seq;
			}
			in = true;
		} else if (sscanf(line, "left %c", &name) == 1) {
			in = in && name != session;
		} else if (sscanf(line, "gap %c %*u-%ju", &name, &seq) == 2) {
			if (name != session)
				continue;
			last = seq; /* it left while it was stalled */
			snapshot = 0;
		} else if (line[0] == session && strncmp(line + 1, " text,", 6) == 0) {
			assert_true(in);
			seq = strtoull(strstr(line, "\"seq\":") + 6, NULL, 10);
			records++;
			if (snapshot) {
				assert_true(seq <= last);
				snapshot--;
			} else {
				assert_int_equal(seq, last + 1);
				last = seq;
			}
		}
	}
	free(rest);
	p->got.len--;
	return records;
}

static void all_get_what_is_theirs(void **state)
{
	static struct member_stub st = {
	    .s.env = {.limits = {.records = 100000, .bytes = SIZE_MAX}, .presence_limit = 5}};
	static struct crowd crowd[WORKERS];
	pthread_t thread[WORKERS];
	unsigned records = 0;

	(void)state;
	member_stub_start(&st, WORKERS, false);
	for (unsigned i = 0; i < WORKERS; i++) {
		crowd[i] = (struct crowd){.st = &st, .index = i, .seed = 0x9e3779b97f4a7c15 + i};
		for (unsigned k = 0; k < PEERS; k++)
			stub_open(&st, &crowd[i].p[k], i, 1 + i * PEERS + k);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, run, &crowd[i]), 0);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(thread[i], NULL);
	stub_settle(&st.s.workers);
	for (unsigned i = 0; i < WORKERS; i++) {
		for (int k = 0; k < PEERS; k++) {
			struct peer *p = &crowd[i].p[k];

			assert_int_equal(p->code, 0);
			for (int s = 0; s < SESSIONS; s++)
				records += check(p, (char)('a' + s));
			peer_gone(p);
		}
	}
	assert_true(records > 1000);
	stub_settle(&st.s.workers);
	for (unsigned i = 0; i < WORKERS; i++)
		member_second(stub_worker(&st, i));
	registry_sweep(&st.s.registry, stub_now(&st.s) + 1000000);
	assert_int_equal(registry_count(&st.s.registry), 0);
	member_stub_end(&st);
	for (unsigned i = 0; i < WORKERS; i++)
		for (int k = 0; k < PEERS; k++)
			peer_free(&crowd[i].p[k]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_get_what_is_theirs),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
