/* Folders of rules: what is found, what is shared by two sets, and that threads do not meet. */
#include "rules/rules.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#define THREADS 4

/* What a test below is about. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libjq.so";
}

static char dir[] = "/tmp/hub-rules.XXXXXX";
static char said[RULES_WHY_MAX];

static void say(const char *text)
{
	snprintf(said, sizeof(said), "%s", text);
}

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void drop(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}

static const struct rules_file *find(const struct rules *r, const char *type)
{
	return rules_find(r, (struct span){type, strlen(type)});
}

static struct actions *run(const struct rules *r, const char *type, unsigned worker, char *why)
{
	struct rules_event e = {.event = {type, strlen(type)},
				.args = {"{\"n\":3}", 7},
				.own_fields = true,
				.client = {"me", 2},
				.sessions = {"[]", 2},
				.door = "ws"};

	return rules_run(r, find(r, type), worker, &e, why, RULES_WHY_MAX);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void files_are_found_by_type(void **state)
{
	char why[RULES_WHY_MAX], long_name[100];
	struct rules *r;

	(void)state;
	put("a.jq", "empty");
	put("b.c:d~@-_.jq", "empty");
	put("connect.jq", "empty");
	put("note.txt", "(");
	r = rules_load(dir, 1, NULL, NULL, why, sizeof(why));
	assert_non_null(r);
	assert_non_null(find(r, "a"));
	assert_non_null(find(r, "b.c:d~@-_"));
	assert_null(find(r, ""));
	assert_null(find(r, "ab"));
	assert_null(find(r, "note"));
	/* It is for no message. */
	assert_null(find(r, "connect"));
	assert_non_null(rules_find_moment(r, (struct span){"connect", 7}));
	assert_null(rules_find_moment(r, (struct span){"disconnect", 10}));
	memset(long_name, 'a', sizeof(long_name));
	assert_null(rules_find(r, (struct span){long_name, sizeof(long_name)}));
	rules_free(r);
	drop("b.c:d~@-_.jq");
	drop("connect.jq");
	drop("note.txt");
	drop("a.jq");
}

/* libjq gives up in it, and loses what it held: so often, and no more. A set that is loaded anew
 * has it anew. */
static void what_makes_libjq_fall_is_given_up(void **state)
{
	char why[RULES_WHY_MAX];
	struct rules *r, *next;
	unsigned falls = 0;

	(void)state;
	put("bad.jq", ".args[0].n * 1e18 | todate");
	put("good.jq", "empty");
	r = rules_load(dir, 2, NULL, NULL, why, sizeof(why));
	assert_non_null(r);
	do {
		assert_null(run(r, "bad", 1, why));
		assert_true(falls++ < 10000);
	} while (strstr(why, "libjq: jv_array_get: Assertion"));
	assert_true(falls > 100);
	assert_non_null(strstr(why, "not run any more"));
	assert_null(run(r, "bad", 0, why)); /* another worker's has its own count */
	assert_non_null(strstr(why, "libjq: jv_array_get"));
	assert_non_null(run(r, "good", 1, why));
	next = rules_load(dir, 2, r, say, why, sizeof(why));
	assert_non_null(next);
	assert_ptr_equal(find(next, "good"), find(r, "good"));
	assert_ptr_not_equal(find(next, "bad"), find(r, "bad"));
	assert_null(run(next, "bad", 1, why));
	assert_non_null(strstr(why, "libjq: jv_array_get"));
	rules_free(r);
	rules_free(next);
	drop("bad.jq");
	drop("good.jq");
}

static void many_files_are_told_apart(void **state)
{
	char why[RULES_WHY_MAX], name[32];
	struct rules *r;

	(void)state;
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "t%d.jq", i);
		put(name, "empty");
	}
	r = rules_load(dir, 1, NULL, NULL, why, sizeof(why));
	assert_non_null(r);
	for (int i = 0; i < 40; i++) {
		char want[128];

		snprintf(name, sizeof(name), "t%d", i);
		snprintf(want, sizeof(want), "%s/%s.jq", dir, name);
		assert_string_equal(rules_file_name(find(r, name)), want);
		strcat(name, ".jq");
		drop(name);
	}
	assert_null(find(r, "t40"));
	rules_free(r);
}

static void say_change(const char *path, const char *what, void *arg)
{
	size_t len = strlen(said);

	(void)arg;
	snprintf(said + len, sizeof(said) - len, "%s %s;", strrchr(path, '/') + 1, what);
}

static void a_set_keeps_what_has_not_changed(void **state)
{
	char why[RULES_WHY_MAX];
	struct rules *a, *b;

	(void)state;
	put("same.jq", "{do: \"reply\", value: .args[0].n}");
	put("other.jq", "{do: \"reply\", value: 1}");
	put("bad.jq", "{do: \"reply\", value: 1}");
	a = rules_load(dir, 2, NULL, NULL, why, sizeof(why));
	assert_non_null(a);
	put("other.jq", "{do: \"reply\", value: 2}");
	put("bad.jq", "\n(");
	put("new.jq", "nothing_of_that_name");
	b = rules_load(dir, 2, a, say, why, sizeof(why));
	assert_non_null(b);
	assert_non_null(strstr(said, "/new.jq:1: nothing_of_that_name/0 is not defined"));
	assert_ptr_equal(find(a, "same"), find(b, "same"));
	assert_ptr_equal(find(a, "bad"), find(b, "bad"));
	assert_ptr_not_equal(find(a, "other"), find(b, "other"));
	assert_null(find(b, "new"));
	said[0] = '\0';
	rules_changes(a, b, say_change, NULL);
	assert_string_equal(said, "other.jq has changed;");
	rules_changes(NULL, b, say_change, NULL);
	assert_string_equal(said,
			    "other.jq has changed;bad.jq is new;other.jq is new;same.jq is new;");
	said[0] = '\0';
	rules_changes(b, NULL, say_change, NULL);
	assert_string_equal(said, "bad.jq is gone;other.jq is gone;same.jq is gone;");
	/* The first set goes, and what they share stays. */
	rules_free(a);
	assert_string_equal(run(b, "same", 1, why)->text.data, "3");
	assert_string_equal(run(b, "other", 0, why)->text.data, "2");
	assert_string_equal(run(b, "bad", 0, why)->text.data, "1");
	/* Alone it is an error. */
	assert_null(rules_load(dir, 2, NULL, NULL, why, sizeof(why)));
	assert_non_null(strstr(why, "/bad.jq:2: syntax error"));
	rules_free(b);
	drop("same.jq");
	drop("other.jq");
	drop("bad.jq");
	drop("new.jq");
}

static void outputs_are_actions(void **state)
{
	char why[RULES_WHY_MAX];
	const struct action *x;
	struct actions *a;
	struct rules *r;

	(void)state;
	put("x.jq",
	    "{do: \"publish\", type: \"t\\\"\", key: \"k\", data: [1], fields: {a: {}}, to: "
	    "\"others\", session: \"s\"},"
	    "{do: \"publish\"}, {do: \"join\", session: \"j\", echo: false},"
	    "{do: \"error\"}, {do: \"close\", code: 4000, reason: \"r\"}");
	r = rules_load(dir, 1, NULL, NULL, why, sizeof(why));
	assert_non_null(r);
	a = run(r, "x", 0, why);
	assert_non_null(a);
	assert_int_equal(a->n, 5);
	x = a->at;
	assert_int_equal(x->kind, ACTION_PUBLISH);
	assert_int_equal(x->to, TO_OTHERS);
	assert_string_equal(a->text.data + x->text,
			    "{\"type\":\"t\\\"\",\"key\":\"k\",\"data\":[1],\"a\":{}}");
	assert_string_equal(a->text.data + x->session, "s");
	x++;
	assert_int_equal(x->to, TO_AS_ASKED);
	assert_int_equal(x->session_len, 0);
	assert_string_equal(a->text.data + x->text, "{\"type\":\"x\"}");
	x++;
	assert_int_equal(x->kind, ACTION_JOIN);
	assert_true(x->quiet);
	x++;
	assert_string_equal(a->text.data + x->name, "refused");
	assert_string_equal(a->text.data + x->text, "");
	x++;
	assert_int_equal(x->code, 4000);
	assert_string_equal(a->text.data + x->text, "r");
	rules_free(r);
	drop("x.jq");
}

struct thread {
	pthread_t id;
	const struct rules *rules;
	unsigned worker, failed, good;
};

static void *work(void *arg)
{
	struct thread *t = arg;
	char why[RULES_WHY_MAX];

	for (int i = 0; i < 2000; i++) {
		t->good += run(t->rules, "good", t->worker, why) != NULL;
		t->failed +=
		    run(t->rules, "bad", t->worker, why) == NULL && strstr(why, "no 3") != NULL;
	}
	/* Only this thread's is ended. */
	t->failed += run(t->rules, "long", t->worker, why) == NULL && strstr(why, "it ran for");
	return NULL;
}

static void threads_do_not_meet(void **state)
{
	struct thread t[THREADS];
	char why[RULES_WHY_MAX];
	struct rules *r;

	(void)state;
	put("good.jq", "{do: \"emit\", data: (.args[0].n / 7 | tostring | test(\"^0[.]4\"))}");
	put("bad.jq", "try error(\"x\") catch error(\"no 3\")"
		      " | ., (\"a\" | tonumber)");
	put("long.jq", "last(range(1e15) | [.])");
	r = rules_load(dir, THREADS, NULL, NULL, why, sizeof(why));
	assert_non_null(r);
	for (unsigned i = 0; i < THREADS; i++) {
		t[i] = (struct thread){.rules = r, .worker = i};
		assert_int_equal(pthread_create(&t[i].id, NULL, work, &t[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(t[i].id, NULL);
		assert_int_equal(t[i].good, 2000);
		assert_int_equal(t[i].failed, 2001);
	}
	rules_free(r);
	drop("good.jq");
	drop("bad.jq");
	drop("long.jq");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(files_are_found_by_type),
	    cmocka_unit_test(many_files_are_told_apart),
	    cmocka_unit_test(what_makes_libjq_fall_is_given_up),
	    cmocka_unit_test(a_set_keeps_what_has_not_changed),
	    cmocka_unit_test(outputs_are_actions),
	    cmocka_unit_test(threads_do_not_meet),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
