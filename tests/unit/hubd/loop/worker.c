/* A worker: mail in the order in which it was posted, and what is done on the way from its start to
 * its end. */
#include "loop/worker.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "hubd/loop_stub.h"
#include "hubd/loop_trace.h"
#include "loop/poller.h"
#include "unit.h"

/* --- mail --- */

struct letter {
	struct mail mail; /* first */
	char what;
	struct letter *answer; /* posted when it is read */
	struct workers *all;
};

static void read_letter(struct worker *w, struct mail *mail)
{
	struct letter *l = (struct letter *)mail;

	assert_ptr_equal(w, l->all->at[0]);
	note(l->what);
	if (l->answer)
		worker_post(w, &l->answer->mail);
}

static struct letter letter(struct workers *all, char what)
{
	return (struct letter){.mail = {.run = read_letter}, .what = what, .all = all};
}

static void mail_is_read_in_order(void **state)
{
	struct worker_hooks hooks = loop_stub_hooks();
	struct workers all = {0};
	struct letter l[6], answer = letter(&all, '!');

	(void)state;
	loop_stub_workers(&all, 1, &hooks);
	for (int i = 0; i < 6; i++)
		l[i] = letter(&all, (char)('a' + i));
	l[0].answer = &answer;
	worker_post(all.at[0], &l[0].mail);
	/* A chain: its end need not be one before. */
	l[1].mail.next = &l[2].mail;
	l[2].mail.next = &l[3].mail;
	l[3].mail.next = &l[5].mail;
	worker_post_chain(all.at[0], &l[1].mail, &l[3].mail);
	worker_post(all.at[0], &l[4].mail);
	expect("");
	stub_turns(all.at[0]);
	expect("abcde!");
	/* It may be posted again as soon as it was read. */
	l[0].answer = NULL;
	worker_post(all.at[0], &l[0].mail);
	stub_turns(all.at[0]);
	expect("a");
	loop_stub_free(&all);
	expect("");
}

/* Where it is posted too late, it is read all the same: who sent it counts on that. */
static void mail_is_read_at_the_end(void **state)
{
	struct worker_hooks hooks = loop_stub_hooks();
	struct workers all = {0};
	struct letter last = letter(&all, 'b'), first = letter(&all, 'a');

	(void)state;
	loop_stub_workers(&all, 1, &hooks);
	first.answer = &last;
	worker_post(all.at[0], &first.mail);
	loop_stub_free(&all);
	expect("ab");
	/* As of one that never was started. */
	all.n = 0;
	assert_non_null(worker_new(&all, &hooks));
	worker_post(all.at[0], &first.mail);
	loop_stub_free(&all);
	expect("ab");
}

static void drain_here(struct worker *w, struct mail *mail)
{
	(void)mail;
	note('d');
	worker_drain(w);
}

/* Mail to itself comes behind what is there, and is not waited for. */
static void a_worker_may_post_to_itself(void **state)
{
	struct worker_hooks hooks = loop_stub_hooks();
	struct workers all = {0};
	struct letter l[4];
	struct mail end = {.run = drain_here};

	(void)state;
	loop_stub_workers(&all, 1, &hooks);
	for (int i = 0; i < 4; i++)
		l[i] = letter(&all, (char)('a' + i));
	l[0].answer = &l[2];
	l[2].answer = &l[3];
	worker_post(all.at[0], &l[0].mail);
	worker_post(all.at[0], &l[1].mail);
	l[3].answer = (struct letter *)&end; /* its mail is first */
	worker_run(all.at[0]);
	expect("abcdd");
	loop_stub_free(&all);
	expect("");
}

/* A descriptor whose events are answered by mail to itself. */
static struct {
	struct pollee pollee;
	struct worker *w;
	struct letter *letter;
} asker;

static void on_asked(struct pollee *p, uint32_t events)
{
	(void)p;
	(void)events;
	worker_post(asker.w, &asker.letter->mail);
}

/* No turn is to follow at once. */
static void waits_then_drains(struct worker *w)
{
	assert_int_not_equal(uv_backend_timeout(worker_loop(w)), 0);
	note('w');
	worker_drain(w);
}

/* Wherever in the loop it was posted and read. */
static void a_worker_rests_behind_its_own_mail(void **state)
{
	struct worker_hooks hooks = loop_stub_hooks();
	struct workers all = {0};
	struct letter l = letter(&all, 'a');
	int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);

	(void)state;
	hooks.second = waits_then_drains;
	loop_stub_workers(&all, 1, &hooks);
	asker.w = all.at[0];
	asker.letter = &l;
	asker.pollee.ready = on_asked;
	assert_true(fd >= 0);
	assert_int_equal(poller_add(all.at[0], &asker.pollee, fd), 0);
	worker_run(all.at[0]);
	expect("aw");
	poller_remove(all.at[0], fd);
	close(fd);
	loop_stub_free(&all);
}

#define POSTERS 3
#define POSTED 3000

struct poster {
	struct worker *w;
	unsigned *next, index; /* [POSTERS]: what is to come from each */
	struct numbered {
		struct mail mail; /* first */
		struct poster *from;
		unsigned n;
	} mail[POSTED];
};

static atomic_uint mail_read, mail_wrong;

static void read_numbered(struct worker *w, struct mail *mail)
{
	struct numbered *m = (struct numbered *)mail;

	if (w != m->from->w || m->n != m->from->next[m->from->index]++)
		atomic_fetch_add(&mail_wrong, 1);
	atomic_fetch_add(&mail_read, 1);
}

static void *post_all(void *arg)
{
	struct poster *p = arg;

	for (unsigned i = 0; i < POSTED; i++) {
		p->mail[i] = (struct numbered){{.run = read_numbered}, p, i};
		worker_post(p->w, &p->mail[i].mail);
	}
	return NULL;
}

static void *run_worker(void *arg)
{
	worker_run(arg);
	return NULL;
}

static void any_thread_may_post(void **state)
{
	static struct poster poster[POSTERS];
	struct worker_hooks hooks = loop_stub_hooks();
	struct workers all = {0};
	unsigned next[POSTERS] = {0};
	pthread_t thread[POSTERS], runner;

	(void)state;
	loop_stub_workers(&all, 1, &hooks);
	assert_int_equal(pthread_create(&runner, NULL, run_worker, all.at[0]), 0);
	for (unsigned i = 0; i < POSTERS; i++) {
		poster[i].w = all.at[0];
		poster[i].next = next;
		poster[i].index = i;
		assert_int_equal(pthread_create(&thread[i], NULL, post_all, &poster[i]), 0);
	}
	for (unsigned i = 0; i < POSTERS; i++)
		pthread_join(thread[i], NULL);
	worker_drain(all.at[0]);
	pthread_join(runner, NULL);
	loop_stub_free(&all);
	assert_int_equal(atomic_load(&mail_read), POSTERS * POSTED);
	assert_int_equal(atomic_load(&mail_wrong), 0);
}

static void texts_are_made_one_in_another(void **state)
{
	struct worker_hooks hooks = loop_stub_hooks();
	struct workers all = {0};
	struct buf *b[WORKER_SCRATCH];

	(void)state;
	loop_stub_workers(&all, 1, &hooks);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < WORKER_SCRATCH; i++) {
			b[i] = worker_scratch(all.at[0]);
			assert_int_equal(b[i]->len, 0);
			for (int k = 0; k < i; k++)
				assert_ptr_not_equal(b[i], b[k]);
			assert_int_equal(buf_printf(b[i], "text %d", i), 0);
		}
		for (int i = WORKER_SCRATCH; i-- > 0;) {
			assert_int_equal(b[i]->len, 6);
			assert_int_equal(b[i]->data[5], '0' + i);
			worker_scratch_done(all.at[0], b[i]);
		}
	}
	loop_stub_free(&all);
}

static void the_time_stands_still_within_a_turn(void **state)
{
	struct worker_hooks hooks = loop_stub_hooks();
	struct workers all = {0};
	uint64_t mono, wall, before = clock_wall_ms();

	(void)state;
	loop_stub_workers(&all, 1, &hooks);
	stub_round(all.at[0]);
	mono = worker_now_ms(all.at[0]);
	wall = worker_wall_ms(all.at[0]);
	assert_in_range(wall, before, clock_wall_ms());
	while (clock_wall_ms() <= wall || clock_mono_ms() <= mono)
		;
	assert_true(worker_now_ms(all.at[0]) == mono);
	assert_true(worker_wall_ms(all.at[0]) == wall);
	stub_round(all.at[0]);
	assert_true(worker_now_ms(all.at[0]) > mono);
	assert_true(worker_wall_ms(all.at[0]) > wall);
	loop_stub_free(&all);
}

/* --- timers --- */

static struct wheel_entry ticking;

static uint32_t note_due(struct wheel_entry *e, uint32_t now_s)
{
	assert_ptr_equal(e, &ticking);
	assert_in_range(now_s, 1, uv_hrtime() / 1000000000);
	if (!trace.len) /* where it was late for one, the next is due as well */
		note('d');
	return 1;
}

static void note_second(struct worker *w)
{
	(void)w;
	note('2');
}

static void seconds_are_told(void **state)
{
	struct worker_hooks hooks = loop_stub_hooks();
	struct workers all = {0};

	(void)state;
	hooks.due = note_due;
	hooks.second = note_second;
	loop_stub_workers(&all, 1, &hooks);
	wheel_set(&all.at[0]->wheel, &ticking, 1);
	while (!trace.len || trace.data[trace.len - 1] != '2')
		uv_run(worker_loop(all.at[0]), UV_RUN_ONCE);
	expect("d2");
	wheel_remove(&ticking);
	loop_stub_free(&all);
}

/* --- from start to end --- */

static int note_start(struct worker *w)
{
	note('<');
	return w->index == 0 ? 0 : -ENOENT;
}

static uint64_t left[64];
static unsigned nleft;

static void note_drain(struct worker *w, uint64_t left_ms, bool now)
{
	assert_false(now); /* they go before that */
	assert_true(nleft < 64);
	left[nleft++] = left_ms;
	if (left_ms == 0) {
		worker_connection_gone(w);
		note('g');
	}
}

static void note_abort(struct worker *w)
{
	(void)w;
	note('a');
}

static void note_free(struct worker *w)
{
	(void)w;
	note('>');
}

static unsigned count_lag(const struct worker *w, uint64_t *sum_ns)
{
	struct histogram_sum sum = {0};
	unsigned n = 0;

	histogram_sum(&sum, &w->lag);
	for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++)
		n += (unsigned)sum.bucket[i];
	*sum_ns = sum.sum_ns;
	return n;
}

/* For how long it had something to do is counted once for each time that it had. */
static void it_is_counted_how_long_events_took(void **state)
{
	struct worker_hooks hooks = loop_stub_hooks();
	struct workers all = {0};
	struct letter one = letter(&all, '1'), two = letter(&all, '2');
	struct worker *w;
	uint64_t sum_ns, began;

	(void)state;
	loop_stub_workers(&all, 1, &hooks);
	w = all.at[0];
	stub_turns(w);
	assert_int_equal(count_lag(w, &sum_ns), 0);
	began = worker_turn_ns(w);
	assert_int_equal(worker_turn_ns(w), began);
	while (clock_mono_ns() < began + 1000000)
		;
	worker_post(w, &one.mail);
	worker_post(w, &two.mail);
	stub_turns(w);
	expect("12");
	/* What began before the loop is over when it looks for events, then the mail. */
	assert_int_equal(count_lag(w, &sum_ns), 2);
	assert_true(sum_ns >= 1000000);
	assert_true(worker_turn_ns(w) > began);
	loop_stub_free(&all);
}

static void counters_are_summed(void **state)
{
	struct worker_hooks hooks = loop_stub_hooks();
	struct workers all = {0};
	size_t at = offsetof(struct counters, memory);

	(void)state;
	loop_stub_workers(&all, 3, &hooks);
	for (unsigned i = 0; i < 3; i++)
		counter_add_at(&all.at[i]->counters, memory, MEMORY_ANSWERS, 100 + i);
	counter_add_at(&all.at[1]->counters, memory, MEMORY_UNSENT, 1000);
	counter_sub_at(&all.at[0]->counters, memory, MEMORY_ANSWERS, 3);
	assert_int_equal(workers_sum(&all, at, 1), 1000);
	assert_int_equal(workers_sum(&all, at, BY_KIND_N), 1300);
	/* One worker may take away what another has added. */
	counter_sub_at(&all.at[2]->counters, memory, MEMORY_UNSENT, 400);
	assert_int_equal(workers_sum(&all, at, 1), 600);
	loop_stub_free(&all);
}

static void a_worker_drains_and_ends(void **state)
{
	struct worker_hooks hooks = loop_stub_hooks();
	struct workers all = {.drain_ms = 3 * WORKER_DRAIN_TICK_MS};

	(void)state;
	hooks.start = note_start;
	hooks.drain = note_drain;
	hooks.abort = note_abort;
	hooks.free = note_free;
	assert_non_null(worker_new(&all, &hooks));
	assert_non_null(worker_new(&all, &hooks));
	assert_int_equal(worker_start(all.at[0]), 0);
	assert_int_equal(worker_start(all.at[1]), -ENOENT);
	expect("<<");
	/* It runs until its connections are gone, and each time has less time left for them. */
	atomic_store(&all.at[0]->connections, 1);
	atomic_store(&all.at[1]->connections, 2);
	assert_int_equal(workers_connections(&all), 3);
	worker_drain(all.at[0]);
	worker_run(all.at[0]);
	expect("g");
	assert_int_equal(workers_connections(&all), 2);
	assert_true(nleft >= 2);
	assert_int_equal(left[0], 3 * WORKER_DRAIN_TICK_MS);
	for (unsigned i = 1; i < nleft; i++)
		assert_true(left[i] < left[i - 1]);
	assert_int_equal(left[nleft - 1], 0);
	worker_free(all.at[0]);
	expect("a>");
	/* One that was not started has nothing to abort. */
	worker_free(all.at[1]);
	expect(">");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mail_is_read_in_order),
	    cmocka_unit_test(mail_is_read_at_the_end),
	    cmocka_unit_test(a_worker_may_post_to_itself),
	    cmocka_unit_test(a_worker_rests_behind_its_own_mail),
	    cmocka_unit_test(any_thread_may_post),
	    cmocka_unit_test(texts_are_made_one_in_another),
	    cmocka_unit_test(the_time_stands_still_within_a_turn),
	    cmocka_unit_test(seconds_are_told),
	    cmocka_unit_test(it_is_counted_how_long_events_took),
	    cmocka_unit_test(counters_are_summed),
	    cmocka_unit_test(a_worker_drains_and_ends),
	};
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests_name("worker", tests, NULL, NULL);
	buf_free(&trace);
	return failed;
}
