/* What connections may hold together, and how many of them a user may have. */
#include <sodium.h>

#include "hubd/conn_stub.h"
#include "hubd/token_stub.h"
#include "unit.h"

#define MANY 10

struct place {
	struct workers all;
	struct worker *w;
	struct worker_hooks hooks;
	struct conn_settings set;
	struct peer p[MANY];
};

static struct door outside;

static void start(struct place *t)
{
	static const unsigned char key[SHARES_KEY_LEN];

	t->hooks = conn_stub_hooks();
	loop_stub_workers(&t->all, 1, &t->hooks);
	t->w = t->all.at[0];
	t->set.max_message = 65536;
	t->set.write_timeout = 10;
	t->set.shares = shares_new(MANY, key);
	t->w->conns = &t->set;
	outside = peer_door;
	outside.trusted = false;
	for (int i = 0; i < MANY; i++)
		peer_open(&t->p[i], t->w, &outside);
	atomic_store(&t->w->connections, MANY - 1);
}

static void end(struct place *t)
{
	loop_stub_free(&t->all);
	for (int i = 0; i < MANY; i++)
		peer_free(&t->p[i]);
	shares_free(t->set.shares);
}

static uint64_t half(const struct place *t)
{
	return atomic_load(&t->w->counters.memory[MEMORY_HALF]);
}

static void who_has_more_than_his_part_is_refused(void **state)
{
	struct place t = {.set.max_memory = 100000}; /* a part is a tenth */
	char bytes[40000] = {0};

	(void)state;
	start(&t);
	/* As long as there is room anybody may have it. */
	assert_int_equal(conn_part_put(t.p[0].conn, bytes, 40000), 0);
	assert_int_equal(conn_part_put(t.p[1].conn, bytes, 40000), 0);
	assert_int_equal(conn_part_put(t.p[2].conn, bytes, 30000), 0);
	assert_int_equal(half(&t), 110000);
	/* Then those that have more than their part get no more, and the others do. */
	assert_int_equal(conn_part_put(t.p[2].conn, bytes, 1), -ENOBUFS);
	for (int i = 3; i < MANY; i++) {
		assert_int_equal(conn_part_put(t.p[i].conn, bytes, 9999), 0);
		assert_int_equal(conn_part_put(t.p[i].conn, bytes, 1), 0);
		assert_int_equal(conn_part_put(t.p[i].conn, bytes, 1), -ENOBUFS);
	}
	assert_int_equal(atomic_load(&t.w->counters.closed_memory[0]), MANY - 2);
	assert_int_equal(half(&t), 180000);
	/* Who is trusted is not asked. */
	outside.trusted = true;
	assert_int_equal(conn_part_put(t.p[3].conn, bytes, 40000), 0);
	outside.trusted = false;
	for (int i = 0; i < MANY; i++)
		conn_part_drop(t.p[i].conn);
	assert_int_equal(half(&t), 0);
	assert_int_equal(conn_part_put(t.p[2].conn, bytes, 40000), 0);
	t.set.max_memory = 0;
	for (int i = 0; i < MANY; i++)
		assert_int_equal(conn_part_put(t.p[i].conn, bytes, 40000), 0);
	end(&t);
}

static void answers_are_counted_with_it(void **state)
{
	struct place t = {.set.max_memory = 100000};
	char text[20000];

	(void)state;
	start(&t);
	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 3; i++)
		conn_send(t.p[0].conn, text, sizeof(text));
	for (int i = 0; i < 3; i++)
		conn_send(t.p[1].conn, text, sizeof(text));
	/* There is no room any more; who has less than is looked at keeps what he has. */
	assert_false(t.p[0].conn->closing || t.p[1].conn->closing);
	conn_send(t.p[1].conn, text, sizeof(text));
	assert_true(t.p[1].conn->closing);
	assert_int_equal(t.p[1].conn->code, CLOSE_SLOW);
	assert_false(t.p[0].conn->closing);
	assert_int_equal(atomic_load(&t.w->counters.closed_memory[0]), 1);
	end(&t);
}

static void a_user_has_so_many_connections(void **state)
{
	struct place t = {.set.max_per_user = 2};
	struct auth auth = token_stub_auth(token_stub_secret);
	static const char *const claims[] = {"{\"sub\":\"ann\"}", "{\"sub\":\"bob\"}", "{}"};
	struct identity *id[UNIT_COUNT(claims)], *again;

	(void)state;
	start(&t);
	for (size_t i = 0; i < UNIT_COUNT(claims); i++)
		id[i] = token_stub_identity(&auth, claims[i]);
	again = token_stub_identity(&auth, "{\"sub\":\"ann\",\"exp\":2000}");
	assert_int_equal(conn_identify(t.p[0].conn, id[0]), 0);
	assert_int_equal(conn_identify(t.p[1].conn, id[0]), 0);
	assert_int_equal(conn_identify(t.p[2].conn, id[0]), -EBUSY);
	assert_null(conn_identity(t.p[2].conn));
	assert_int_equal(atomic_load(&t.w->counters.refused[REFUSED_USER]), 1);
	/* Another token of the same user changes nothing, and others are others. */
	assert_int_equal(conn_identify(t.p[1].conn, again), 0);
	assert_ptr_equal(conn_identity(t.p[1].conn), again);
	for (int i = 3; i < MANY; i++)
		assert_int_equal(conn_identify(t.p[i].conn, id[2]), 0);
	assert_int_equal(conn_identify(t.p[2].conn, id[1]), 0);
	/* Who becomes another one makes room, and so does who goes. */
	assert_int_equal(conn_identify(t.p[1].conn, id[1]), 0);
	assert_int_equal(conn_identify(t.p[3].conn, id[0]), 0);
	assert_int_equal(conn_identify(t.p[4].conn, id[0]), -EBUSY);
	conn_close(t.p[0].conn, CLOSE_NORMAL, "bye");
	stub_turns(t.w);
	assert_null(t.p[0].conn);
	assert_int_equal(conn_identify(t.p[4].conn, id[0]), 0);
	for (size_t i = 0; i < UNIT_COUNT(claims); i++)
		identity_unref(id[i]);
	identity_unref(again);
	end(&t);
	token_stub_free(&auth);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_has_more_than_his_part_is_refused),
	    cmocka_unit_test(answers_are_counted_with_it),
	    cmocka_unit_test(a_user_has_so_many_connections),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("bounds", tests, NULL, NULL);
}
