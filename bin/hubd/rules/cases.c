/* hubd --rules-test: cases of inputs and what is expected of them, in TAP. */
#include <dirent.h>
#include <errno.h>
#include <jv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "rules/actions.h"
#include "rules/program.h"

struct trial {
	const char *dir;
	struct rules *rules;
	unsigned n, bad;
	unsigned at; /* in its file */
	int status;  /* where a file cannot be read */
};

/* What a program gave. */
struct given {
	jv outputs;
	struct actions *actions; /* only to try that they can be read */
	struct span event;
	char why[RULES_WHY_MAX];
};

static int give(jv output, void *arg)
{
	struct given *g = arg;

	g->outputs = jv_array_append(g->outputs, jv_copy(output));
	return actions_add(g->actions, output, g->event, g->why, sizeof(g->why));
}

/* A member of the case, or what is usual. */
static jv member(jv a_case, const char *name, jv usual)
{
	jv key = jv_string(name);

	if (!jv_object_has(jv_copy(a_case), jv_copy(key))) {
		jv_free(key);
		return usual;
	}
	jv_free(usual);
	return jv_object_get(jv_copy(a_case), key);
}

static jv input_of(struct program *p, const void *from)
{
	static const char *const names[] = {"user", "claims", "session"};
	const jv a_case = *(const jv *)from;
	jv in = jv_object();

	(void)p;
	in = jv_object_set(in, jv_string("event"), member(a_case, "event", jv_null()));
	in = jv_object_set(in, jv_string("args"), member(a_case, "args", jv_array()));
	in = jv_object_set(in, jv_string("sessions"), member(a_case, "sessions", jv_array()));
	in = jv_object_set(in, jv_string("client"),
			   member(a_case, "client", jv_string("00000000000")));
	in = jv_object_set(in, jv_string("door"), member(a_case, "door", jv_string("ws")));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		in = jv_object_set(in, jv_string(names[i]), member(a_case, names[i], jv_null()));
	return in;
}

static void comment(const char *what, jv v)
{
	jv text = jv_dump_string(v, 0);

	printf("#   %s: %s\n", what, jv_string_value(text));
	jv_free(text);
}

static bool is_member_text(jv v, const char *text)
{
	return jv_get_kind(v) == JV_KIND_STRING && strstr(text, jv_string_value(v));
}

/* Says what came of it, and takes the outputs. */
static void judge(struct trial *t, const char *file, jv a_case, int error, struct given *g)
{
	jv expect = member(a_case, "expect", jv_invalid());
	jv fails = member(a_case, "error", jv_invalid());
	jv name = member(a_case, "name", jv_string(""));
	bool wants_error = jv_get_kind(fails) != JV_KIND_INVALID, good;

	good = error ? wants_error && is_member_text(fails, g->why)
		     : !wants_error && jv_equal(jv_copy(expect), jv_copy(g->outputs));
	t->n++;
	t->bad += !good;
	printf("%sok %u - %s: %.*s%s%s\n", good ? "" : "not ", t->n, file, (int)g->event.len,
	       g->event.p,
	       jv_get_kind(name) == JV_KIND_STRING && *jv_string_value(name) ? ": " : "",
	       jv_get_kind(name) == JV_KIND_STRING ? jv_string_value(name) : "");
	if (!good) {
		comment(wants_error ? "error expected" : "expected",
			jv_copy(wants_error ? fails : expect));
		if (error)
			printf("#   failed: %s\n", g->why);
		else
			comment("got", jv_copy(g->outputs));
	}
	jv_free(expect);
	jv_free(fails);
	jv_free(name);
	jv_free(g->outputs);
}

/* What a case may have. */
static const struct {
	const char *name;
	jv_kind kind;
	bool null; /* that will do, too */
} members[] = {
    {"event", JV_KIND_STRING, false},	{"args", JV_KIND_ARRAY, false},
    {"user", JV_KIND_STRING, true},	{"claims", JV_KIND_OBJECT, true},
    {"client", JV_KIND_STRING, false},	{"session", JV_KIND_STRING, true},
    {"sessions", JV_KIND_ARRAY, false}, {"door", JV_KIND_STRING, false},
    {"expect", JV_KIND_ARRAY, false},	{"error", JV_KIND_STRING, false},
    {"name", JV_KIND_STRING, false},
};

#define MEMBERS (sizeof(members) / sizeof(members[0]))

/* Whether a member is none that a case has, or is of another kind; why says it. */
static bool is_wrong(jv key, jv value, char *why, size_t cap)
{
	const char *name = jv_string_value(key);
	size_t i = 0;

	while (i < MEMBERS && strcmp(name, members[i].name) != 0)
		i++;
	if (i == MEMBERS)
		snprintf(why, cap, "no case has a member %.60s", name);
	else if (members[i].kind != jv_get_kind(value) &&
		 !(members[i].null && jv_get_kind(value) == JV_KIND_NULL))
		snprintf(why, cap, "%s must be %s %s", name,
			 members[i].kind == JV_KIND_STRING ? "a" : "an",
			 jv_kind_name(members[i].kind));
	else
		return false;
	return true;
}

/* Whether a case can be tried; why says what is wrong with it. */
static bool check(jv a_case, char *why, size_t cap)
{
	bool wrong = false;

	snprintf(why, cap, "it must be an object");
	if (jv_get_kind(a_case) != JV_KIND_OBJECT)
		return false;
	for (int at = jv_object_iter(a_case); !wrong && jv_object_iter_valid(a_case, at);
	     at = jv_object_iter_next(a_case, at)) {
		jv key = jv_object_iter_key(a_case, at), value = jv_object_iter_value(a_case, at);

		wrong = is_wrong(key, value, why, cap);
		jv_free(key);
		jv_free(value);
	}
	if (wrong)
		return false;
	snprintf(why, cap, "it needs an event");
	if (!jv_object_has(jv_copy(a_case), jv_string("event")))
		return false;
	snprintf(why, cap, "it needs either expect or error");
	return jv_object_has(jv_copy(a_case), jv_string("expect")) !=
	       jv_object_has(jv_copy(a_case), jv_string("error"));
}

/* Says which case, by its place in the file and its name. */
static void refuse(struct trial *t, const char *file, jv a_case, const char *why)
{
	jv name =
	    jv_get_kind(a_case) == JV_KIND_OBJECT ? member(a_case, "name", jv_null()) : jv_null();
	bool named = jv_get_kind(name) == JV_KIND_STRING;

	err_log(ERR_ERROR, "%s/%s: case %u%s%s: %s", t->dir, file, t->at, named ? ", " : "",
		named ? jv_string_value(name) : "", why);
	t->status = EX_DATAERR;
	jv_free(name);
}

/* Takes the case. */
static void try_case(struct trial *t, const char *file, jv a_case)
{
	struct given g = {.outputs = jv_array()};
	const struct rules_file *f;
	jv event;
	int error;

	t->at++;
	if (!check(a_case, g.why, sizeof(g.why))) {
		refuse(t, file, a_case, g.why);
		jv_free(g.outputs);
		jv_free(a_case);
		return;
	}
	event = member(a_case, "event", jv_null());
	g.event =
	    (struct span){jv_string_value(event), (size_t)jv_string_length_bytes(jv_copy(event))};
	f = rules_find_moment(t->rules, g.event);
	g.actions = calloc(1, sizeof(*g.actions));
	if (!g.actions)
		err_die(EX_OSERR, "out of memory");
	if (f) {
		struct program *p = rules_program(f, 0);

		program_debug(p);
		error = program_run(p, input_of, &a_case, 0, give, &g, g.why, sizeof(g.why));
	} else {
		snprintf(g.why, sizeof(g.why), "there is no %.*s.jq", (int)g.event.len, g.event.p);
		error = -ENOENT;
	}
	judge(t, file, a_case, error, &g);
	buf_free(&g.actions->text);
	free(g.actions);
	jv_free(event);
	jv_free(a_case);
}

static void try_file(struct trial *t, const char *file)
{
	char *path = NULL;
	jv cases;

	if (asprintf(&path, "%s/%s", t->dir, file) < 0)
		err_die(EX_OSERR, "out of memory");
	/* An array of the texts in it. */
	cases = jv_load_file(path, 0);
	free(path);
	if (!jv_is_valid(cases)) {
		jv why = jv_invalid_get_msg(cases);

		err_log(ERR_ERROR, "%s/%s: %s", t->dir, file,
			jv_get_kind(why) == JV_KIND_STRING ? jv_string_value(why) : "no JSON");
		jv_free(why);
		t->status = EX_DATAERR;
		return;
	}
	t->at = 0;
	for (int i = 0; i < jv_array_length(jv_copy(cases)); i++) {
		jv one = jv_array_get(jv_copy(cases), i);

		if (jv_get_kind(one) != JV_KIND_ARRAY) {
			try_case(t, file, one);
			continue;
		}
		for (int k = 0; k < jv_array_length(jv_copy(one)); k++)
			try_case(t, file, jv_array_get(jv_copy(one), k));
		jv_free(one);
	}
	jv_free(cases);
}

static int is_case(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && entry->d_name[0] != '.' && strcmp(entry->d_name + len - 5, ".json") == 0;
}

int rules_try(const char *dir)
{
	struct trial t = {.dir = dir};
	char why[RULES_WHY_MAX + 256];
	struct dirent **entries;
	int n;

	t.rules = rules_load(dir, 1, NULL, NULL, why, sizeof(why));
	if (!t.rules) {
		err_log(ERR_ERROR, "%s", why);
		return EX_CONFIG;
	}
	n = scandir(dir, &entries, is_case, alphasort);
	for (int i = 0; i < n; i++) {
		try_file(&t, entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	printf("1..%u\n", t.n);
	rules_free(t.rules);
	return t.status ? t.status : t.bad ? 1 : 0;
}
