/* State that goes with its sender or in time, and records that are taken on a condition. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "hubd/session_stub.h"
#include "session/session.h"
#include "session/session_impl.h"
#include "unit.h"
#include "wire/wsframe.h"

static bool no_memory;

/* In the place of log_append(): see the Makefile. */
int64_t __real_log_append(struct log *l, const struct slot *tags, const char *body, size_t len,
			  uint64_t now_ms);
int64_t __wrap_log_append(struct log *l, const struct slot *tags, const char *body, size_t len,
			  uint64_t now_ms);
int64_t __wrap_log_append(struct log *l, const struct slot *tags, const char *body, size_t len,
			  uint64_t now_ms)
{
	return no_memory ? -ENOMEM : __real_log_append(l, tags, body, len, now_ms);
}

static const char body[] = "{\"type\":\"x\",\"timestamp\":100";

static struct publication set(uint64_t sender, const char *key)
{
	return (struct publication){.body = {body, sizeof(body) - 1},
				    .type = {"x", 1},
				    .key = span_of(key),
				    .tags = {.sender = sender, .class = RECORD_SET},
				    .member = true,
				    .terms = {.any = true}};
}

static struct publication owned(uint64_t sender, const char *key)
{
	struct publication p = set(sender, key);

	p.terms.own = true;
	p.tags.owned = 1;
	return p;
}

static struct publication timed(const char *key, uint64_t ttl_ms)
{
	struct publication p = set(1, key);

	p.terms.ttl_ms = ttl_ms;
	p.tags.timed = 1;
	return p;
}

static enum hub_code publish(struct session *s, struct publication *p)
{
	struct published out;

	return session_publish(s, p, worker_now_ms(s->env->workers->at[0]), &out);
}

static uint64_t put(struct session *s, struct publication p)
{
	assert_int_equal(publish(s, &p), HUB_OK);
	return s->log.head;
}

/* The text of record seq. */
static const char *text_of(struct session *s, uint64_t seq)
{
	static char text[500];
	const struct chunk *c = chunk_find(s->log.oldest, seq);
	const struct slot *slot = chunk_slot(c, seq - c->first);
	size_t header = wsframe_header_len(c->data + slot->offset);

	snprintf(text, sizeof(text), "%.*s", (int)(slot->len - header),
		 (const char *)c->data + slot->offset + header);
	return text;
}

static void expect_deleted(struct session *s, uint64_t seq, const char *key, const char *reason)
{
	const struct chunk *c = chunk_find(s->log.oldest, seq);
	const struct slot *slot = chunk_slot(c, seq - c->first);
	char head[100], tail[60];
	const char *text = text_of(s, seq);

	snprintf(head, sizeof(head),
		 "{\"type\":\"state_deleted\",\"key\":\"%s\",\"reason\":\"%s\",", key, reason);
	snprintf(tail, sizeof(tail), ",\"from\":\"00000000000\",\"seq\":%ju}", (uintmax_t)seq);
	assert_memory_equal(text, head, strlen(head));
	assert_string_equal(text + strlen(text) - strlen(tail), tail);
	assert_int_equal(slot->class, RECORD_DELETE);
	assert_int_equal(slot->sender, 0);
	assert_memory_equal(text + slot->key_at + 1, key, strlen(key));
	assert_int_equal(slot->key_len, strlen(key) + 2);
	assert_memory_equal(text + slot->type_at, "\"state_deleted\"", slot->type_len);
}

static void it_goes_with_its_sender(void **state)
{
	struct session_stub st = {0};
	struct member *a, *b;
	struct session *s;

	(void)state;
	session_stub_start(&st, 2, false);
	a = stub_join(&st, "s", 7, 0, NULL);
	b = stub_join(&st, "s", 8, 1, NULL);
	s = a->session;
	put(s, owned(7, "a"));
	put(s, owned(8, "b"));
	put(s, set(7, "c"));
	put(s, owned(7, "d"));
	put(s, set(8, "d")); /* somebody else's now, and nobody's own */
	put(s, owned(8, "e"));
	put(s, owned(7, "e"));
	stub_settle(&st.workers);
	stub_forget(&st);
	stub_leave(&st, a);
	stub_settle(&st.workers);
	assert_int_equal(s->log.head, 9);
	assert_int_equal(s->state.n, 3);
	assert_true(strstr(text_of(s, 8), "\"reason\":\"left\",\"owner\":\"") != NULL);
	expect_deleted(s, strstr(text_of(s, 8), "\"key\":\"a\"") ? 8 : 9, "a", "left");
	expect_deleted(s, strstr(text_of(s, 8), "\"key\":\"e\"") ? 8 : 9, "e", "left");
	assert_int_equal(st.told[1].count[TOLD_WAKE], 1); /* who is there is told */
	stub_leave(&st, b);
	session_stub_end(&st);
}

static void it_stays_with_another_connection(void **state)
{
	struct session_stub st = {0};
	struct member *old, *new;
	struct session *s;

	(void)state;
	session_stub_start(&st, 1, false);
	old = stub_join(&st, "s", 7, 0, NULL);
	s = old->session;
	put(s, owned(7, "a"));
	new = stub_join(&st, "s", 7, 0, NULL);
	stub_leave(&st, old);
	assert_int_equal(s->log.head, 1);
	assert_int_equal(s->state.n, 1);
	session_ref(s);
	stub_leave(&st, new);
	assert_int_equal(s->log.head, 2);
	assert_int_equal(s->state.n, 0);
	session_unref(s);
	stub_settle(&st.workers);
	session_stub_end(&st);
}

static void only_members_own(void **state)
{
	struct session_stub st = {0};
	struct publication p = owned(7, "a");
	struct session *s;

	(void)state;
	session_stub_start(&st, 1, false);
	s = stub_use(&st, "s");
	p.member = false;
	assert_int_equal(publish(s, &p), HUB_NOT_MEMBER);
	assert_int_equal(s->log.head, 0);
	stub_release(&st, s);
	session_stub_end(&st);
}

static void conditions(void **state)
{
	struct session_stub st = {0};
	struct publication p;
	struct session *s;

	(void)state;
	session_stub_start(&st, 1, false);
	s = stub_use(&st, "s");
	p = set(1, "k");
	p.terms.has_if_seq = true;
	p.terms.if_seq = 1;
	assert_int_equal(publish(s, &p), HUB_CONFLICT);
	assert_int_equal(p.current, 0);
	p.terms.if_seq = 0;
	put(s, p);
	assert_int_equal(publish(s, &p), HUB_CONFLICT);
	assert_int_equal(p.current, 1);
	/* Of a key, whatever the type, and for deleting as well. */
	p.type = span_of("y");
	p.terms.if_seq = 1;
	put(s, p);
	p.tags.class = RECORD_DELETE;
	assert_int_equal(publish(s, &p), HUB_CONFLICT);
	assert_int_equal(p.current, 2);
	assert_int_equal(s->state.n, 2);
	p.terms.if_seq = 2;
	put(s, p);
	assert_int_equal(s->state.n, 0);
	/* A type that is its own key has nothing to do with another. */
	put(s, set(1, ""));
	p = set(1, "");
	p.type = span_of("y");
	p.terms.has_if_seq = true;
	put(s, p);
	assert_int_equal(s->log.head, 5);
	stub_release(&st, s);
	session_stub_end(&st);
}

static void what_is_older_comes_too_late(void **state)
{
	struct session_stub st = {0};
	struct publication p;
	struct session *s;

	(void)state;
	session_stub_start(&st, 1, false);
	s = stub_use(&st, "s");
	p = set(1, "k");
	p.terms.newer = true;
	p.terms.when = 5;
	put(s, p); /* there is none; the body says 100 */
	p.terms.when = 100;
	assert_int_equal(publish(s, &p), HUB_CONFLICT);
	assert_int_equal(p.current, 1);
	p.terms.when = 100.5;
	put(s, p);
	stub_release(&st, s);
	session_stub_end(&st);
}

static void it_goes_in_time(void **state)
{
	struct session_stub st = {0};
	struct worker *w;
	struct session *s;

	(void)state;
	session_stub_start(&st, 1, false);
	w = st.workers.at[0];
	s = stub_use(&st, "s");
	put(s, timed("a", 1));
	put(s, timed("b", 1000000));
	put(s, timed("c", 1));
	put(s, set(1, "c")); /* for ever now */
	stub_settle(&st.workers);
	assert_true(s->listed);
	while (s->state.n > 2) {
		stub_settle(&st.workers);
		registry_expire(&st.registry, w);
	}
	assert_int_equal(s->log.head, 5);
	expect_deleted(s, 5, "a", "expired");
	put(s, set(1, "b"));
	atomic_store(&s->due_ms, 0); /* as if the time of b had come */
	registry_expire(&st.registry, w);
	registry_expire(&st.registry, w);
	assert_int_equal(s->log.head, 6);
	assert_false(s->listed);
	/* And again. */
	put(s, timed("a", 1000000));
	stub_settle(&st.workers);
	assert_true(s->listed);
	stub_release(&st, s);
	session_stub_end(&st);
}

/* Where memory is out just when its owner goes. */
static void what_could_not_go_goes_later(void **state)
{
	struct session_stub st = {0};
	struct member *a, *b;
	struct session *s;
	struct worker *w;

	(void)state;
	session_stub_start(&st, 1, false);
	a = stub_join(&st, "s", 7, 0, NULL);
	b = stub_join(&st, "s", 8, 0, NULL);
	s = a->session;
	w = st.workers.at[0];
	put(s, owned(7, "a"));
	put(s, owned(8, "b"));
	put(s, owned(7, "c"));
	no_memory = true;
	stub_leave(&st, a);
	stub_settle(&st.workers);
	assert_int_equal(s->log.head, 3);
	assert_true(s->orphans);
	/* It is asked for again and again. */
	assert_true(s->listed);
	assert_true(atomic_load(&s->due_ms) != TIES_NEVER);
	session_expire(s, w);
	assert_int_equal(s->log.head, 3);
	assert_true(atomic_load(&s->due_ms) != TIES_NEVER);
	no_memory = false;
	session_expire(s, w);
	assert_int_equal(s->log.head, 5);
	assert_false(s->orphans);
	expect_deleted(s, strstr(text_of(s, 4), "\"key\":\"a\"") ? 4 : 5, "a", "left");
	expect_deleted(s, strstr(text_of(s, 4), "\"key\":\"c\"") ? 4 : 5, "c", "left");
	assert_int_equal(s->state.n, 1); /* who is there keeps what is its own */
	assert_true(atomic_load(&s->due_ms) == TIES_NEVER);
	stub_leave(&st, b);
	session_stub_end(&st);
}

static void what_is_loaded_is_nobodys(void **state)
{
	struct session_stub st = {0};
	struct session_image image;
	struct state_bond bond = {true, TIES_NEVER};
	struct state_entry *e;
	struct session *s;
	unsigned wakes;
	unsigned char frame[3] = {0x81, 1, 'x'};

	(void)state;
	session_stub_start(&st, 1, true);
	s = stub_use(&st, "s");
	session_image_init(&image, s->env);
	image.found = true;
	image.epoch = 5;
	image.head = 10;
	for (unsigned i = 0; i < 3; i++) {
		struct span key = {&"abc"[i], 1};

		e = state_reserve(&image.state, state_hash(&image.state, key), key, span_of("x"), 3,
				  SIZE_MAX, false);
		state_set(&image.state, e, i + 1, 7, frame, sizeof(frame));
		bond.owned = i == 0;
		bond.due_ms = i == 2 ? UINT64_MAX / 2 : TIES_NEVER;
		if (i != 1)
			state_bind(&image.state, e, state_tie_new(&image.state), &bond);
	}
	wakes = atomic_load(&st.archive.wakes);
	session_load(s, &image);
	session_image_free(&image, s->env);
	assert_int_equal(s->log.head, 11);
	expect_deleted(s, 11, "a", "left");
	assert_int_equal(s->state.n, 2);
	assert_int_equal(s->stored, 10);
	assert_int_equal(atomic_load(&st.archive.wakes), wakes + 1);
	stub_settle(&st.workers);
	assert_true(s->listed);
	session_stored(s, 11);
	stub_release(&st, s);
	session_stub_end(&st);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_goes_with_its_sender),
	    cmocka_unit_test(it_stays_with_another_connection),
	    cmocka_unit_test(only_members_own),
	    cmocka_unit_test(conditions),
	    cmocka_unit_test(what_is_older_comes_too_late),
	    cmocka_unit_test(it_goes_in_time),
	    cmocka_unit_test(what_could_not_go_goes_later),
	    cmocka_unit_test(what_is_loaded_is_nobodys),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("bonds", tests, NULL, NULL);
}
