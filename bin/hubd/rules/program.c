/* Everything of jq that reaches beyond the input is taken away by definitions in front of the
 * program; after them neither import nor include can stand. */
#include "rules/program.h"

#include <errno.h>
#include <jq.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/jq_guard.h"
#include "rules/guard.h"
#include "rules/value.h"

enum input_key { EVENT, ARGS, USER, CLAIMS, CLIENT, SESSION, SESSIONS, DOOR, KEYS };

static const char *const key_names[KEYS] = {"event",  "args",	 "user",     "claims",
					    "client", "session", "sessions", "door"};

#define KEPT_MAX 4096 /* bytes of a text that is kept */

/* A member of the last input, and the text that it was made of. */
struct kept {
	struct buf text;
	bool there;
};

/* Events follow each other that have most of their input in common: what has not changed is not
 * made again. */
struct program {
	jq_state *jq;
	jv keys[KEYS]; /* of the input; libjq's counts of references are its thread's */
	jv base;       /* the last input without args */
	struct kept kept[KEYS];
	bool torn;	    /* libjq gave up while base was made: there is none */
	atomic_size_t lost; /* bytes, by falls: others ask for it */
	struct buf errors;  /* what jq said while compiling */
	long lines;	    /* of the text */
};

/* One line: the program's own lines count from the next one. The last ones are not closed, but made
 * safe: jq 1.6 aborts the process where implode gets what is no character, never ends where an
 * empty string is looked for, and loses memory where an array is searched, or something trimmed
 * that is no string. */
static const char front[] =
    "def env: error(\"env is closed\");"
    " def input: error(\"input is closed\");"
    " def inputs: error(\"inputs is closed\");"
    " def stderr: debug;"
    " def halt: error(\"halt is closed\");"
    " def halt_error: error(\"halt_error is closed\");"
    " def halt_error($code): error(\"halt_error is closed\");"
    " def input_filename: error(\"input_filename is closed\");"
    " def input_line_number: error(\"input_line_number is closed\");"
    " def modulemeta: error(\"modulemeta is closed\");"
    " def get_search_list: error(\"get_search_list is closed\");"
    " def get_jq_origin: error(\"get_jq_origin is closed\");"
    " def get_prog_origin: error(\"get_prog_origin is closed\");"
    " def _implode: implode;"
    " def implode: if type == \"array\" and all(.[]; type == \"number\" and . >= 0 and"
    " . <= 1114111 and (. < 55296 or . > 57343)) then _implode else"
    " error(\"implode needs an array of code points\") end;"
    " def _indices($i): indices($i);"
    " def indices($i): if $i == \"\" then null elif type != \"array\" then _indices($i)"
    " else . as $a |"
    " if ($i | type) == \"array\" then ($i | length) as $n |"
    " [range(length) as $k | select($n > 0 and $a[$k:$k + $n] == $i) | $k]"
    " else [range(length) as $k | select($a[$k] == $i) | $k] end end;"
    " def index($i): indices($i) | .[0];"
    " def rindex($i): indices($i) | .[-1:][0];"
    " def _ltrimstr($s): ltrimstr($s);"
    " def ltrimstr($s): if type == \"string\" and ($s | type) == \"string\" then _ltrimstr($s)"
    " else . end;"
    " def _rtrimstr($s): rtrimstr($s);"
    " def rtrimstr($s): if type == \"string\" and ($s | type) == \"string\" then _rtrimstr($s)"
    " else . end;\n";

/* Only where it is needed, for it costs each run something. */
static const char no_environment[] = "{} as $ENV | ";

/* A text of nothing but definitions would be a module, and pass everything on. */
static const char back[] = "\n| .";

/* jq says "jq: error: WHAT at <top-level>, line N:\nTHE PROGRAM", and a count of errors last. */
static void on_error(void *arg, jv message)
{
	static const char begin[] = "jq: error: ", where[] = " at <top-level>, line ";
	static const char shell[] = " (Unix shell quoting issues?)";
	struct program *p = arg;
	const char *s, *at, *end;
	long line;

	if (jv_get_kind(message) != JV_KIND_STRING)
		message = jv_dump_string(message, 0);
	s = jv_string_value(message);
	if (strncmp(s, begin, sizeof(begin) - 1) == 0)
		s += sizeof(begin) - 1;
	at = strstr(s, where);
	/* The first one tells most. */
	line = at ? strtol(at + sizeof(where) - 1, NULL, 10) - 1 : 0;
	end = at ? strstr(s, shell) : NULL;
	/* What is behind it is the first thing that is there. */
	if (p->errors.len == 0 && line > p->lines && strstr(s, "'|', expecting $end"))
		buf_printf(&p->errors,
			   "%ld: there is no program in it ('empty' is one that does nothing)",
			   p->lines);
	else if (p->errors.len == 0 && at)
		buf_printf(&p->errors, "%ld: %.*s", line > p->lines ? p->lines : line,
			   (int)((end && end < at ? end : at) - s), s);
	else if (p->errors.len == 0 && !strstr(s, "compile error"))
		buf_printf(&p->errors, "1: %s", s);
	jv_free(message);
}

static void on_debug(void *arg, jv value)
{
	jv text = jv_dump_string(value, 0);

	if (arg)
		fprintf(stderr, "[\"DEBUG:\",%s]\n", jv_string_value(text));
	jv_free(text);
}

/* Copies text as one line. */
static void say(char *why, size_t cap, const char *text)
{
	size_t n = 0;

	for (; *text && n + 1 < cap; text++) {
		char c = (unsigned char)*text < ' ' ? ' ' : *text;

		if (c != ' ' || (n && why[n - 1] != ' '))
			why[n++] = c;
	}
	why[n] = '\0';
}

static long count_lines(const char *text)
{
	long n = 0;

	for (; *text; text = *text ? text + 1 : text) {
		text += strcspn(text, "\n");
		n++;
	}
	return n ? n : 1;
}

struct compiling {
	jq_state *jq;
	const char *text;
	bool compiled;
};

static void run_compile(void *arg)
{
	struct compiling *c = arg;

	c->compiled = jq_compile(c->jq, c->text) != 0;
}

/* False with what is wrong in why; where libjq gave up its state is lost. */
static bool compile(struct program *p, const char *text, char *why, size_t cap)
{
	struct compiling c = {p->jq, text, false};
	char fell[200];

	if (!jq_guard(run_compile, &c, fell, sizeof(fell))) {
		p->jq = NULL;
		snprintf(why, cap, "1: %s", fell);
	} else if (!c.compiled && buf_put(&p->errors, "", 1) == 0) {
		say(why, cap, p->errors.data[0] ? p->errors.data : "1: it does not compile");
	}
	return c.compiled;
}

struct program *program_new(const char *text, char *why, size_t cap)
{
	struct program *p = calloc(1, sizeof(*p));
	struct buf whole = {0};

	snprintf(why, cap, "1: out of memory");
	for (int i = 0; p && i < KEYS; i++)
		p->keys[i] = jv_invalid();
	if (p)
		p->base = jv_object();
	if (!p || (strstr(text, "ENV") && buf_puts(&whole, no_environment) < 0) ||
	    buf_puts(&whole, front) < 0 || buf_puts(&whole, text) < 0 ||
	    buf_put(&whole, back, sizeof(back)) < 0 || !(p->jq = jq_init()))
		goto fail;
	jq_set_error_cb(p->jq, on_error, p);
	p->lines = count_lines(text);
	jq_set_debug_cb(p->jq, on_debug, NULL);
	if (!compile(p, whole.data, why, cap))
		goto fail;
	for (int i = 0; i < KEYS; i++)
		p->keys[i] = jv_string(key_names[i]);
	buf_free(&p->errors);
	buf_free(&whole);
	return p;
fail:
	buf_free(&whole);
	program_free(p);
	return NULL;
}

static void tear_down(void *arg)
{
	struct program *p = arg;

	if (p->jq)
		jq_teardown(&p->jq);
	for (int i = 0; i < KEYS; i++)
		jv_free(p->keys[i]);
	if (!p->torn)
		jv_free(p->base);
}

void program_free(struct program *p)
{
	char fell[200];

	if (!p)
		return;
	/* What cannot be freed is lost. */
	jq_guard(tear_down, p, fell, sizeof(fell));
	for (int i = 0; i < KEYS; i++)
		buf_free(&p->kept[i].text);
	buf_free(&p->errors);
	free(p);
}

bool program_given_up(struct program *p)
{
	return jq_guard_over(p->lost, NULL, 0);
}

void program_debug(struct program *p)
{
	jq_set_debug_cb(p->jq, on_debug, p);
}

/* Puts into words what a failed value carries; takes it. */
static int failed(jv value, char *why, size_t cap)
{
	jv message = jv_invalid_get_msg(value);

	if (jv_get_kind(message) != JV_KIND_STRING)
		message = jv_dump_string(message, 0);
	say(why, cap, jv_string_value(message));
	jv_free(message);
	return -EINVAL;
}

struct program_runs {
	struct program *p;
	program_input *input;
	const void *from;
	program_output *output;
	void *arg;
	char *why;
	size_t cap;
	int result;
	bool failed; /* by the program itself: why says it */
};

static void run_all(void *arg)
{
	struct program_runs *run = arg;
	jq_state *jq = run->p->jq;
	jv value = run->input(run->p, run->from);

	if (!jv_is_valid(value)) {
		run->failed = true;
		run->result = failed(value, run->why, run->cap);
		return;
	}
	jq_start(jq, value, 0);
	while (jv_is_valid(value = jq_next(jq)) &&
	       (run->result = run->output(value, run->arg)) == 0)
		;
	if (run->result == 0 && jv_invalid_has_msg(jv_copy(value))) {
		run->failed = true;
		run->result = failed(value, run->why, run->cap);
	} else if (!jv_is_valid(value)) {
		jv_free(value);
	}
}

/* What is left of a run is dropped now, not by the next one. */
static void drop_rest(void *arg)
{
	struct program *p = arg;

	jq_start(p->jq, jv_null(), 0);
}

int program_run(struct program *p, program_input *input, const void *from, size_t len,
		program_output *output, void *arg, char *why, size_t cap)
{
	struct program_runs run = {p, input, from, output, arg, why, cap, 0, false};
	size_t lost = p->lost;
	char fell[200];
	bool ran, halted;

	if (jq_guard_over(lost, why, cap))
		return -EINVAL;
	guard_begin(p->jq);
	ran = jq_guard(run_all, &run, why, cap);
	halted = guard_end();
	if (ran && halted && (run.result == 0 || run.failed)) {
		snprintf(why, cap, "it ran for more than %d ms", RULES_CPU_MS / 2);
		run.result = -EINVAL;
	}
	if (ran && run.result == 0)
		return 0;
	if (!ran || !jq_guard(drop_rest, p, fell, sizeof(fell))) {
		jq_guard_lost(&lost, len);
		p->lost = lost;
		/* The next jq_start() drops what is left. */
	}
	return ran ? run.result : -EINVAL;
}

/* --- the input */

static jv in_array(jv v)
{
	return jv_array_append(jv_array_sized(1), v);
}

/* What emit() of Socket.IO would have been given: one object as `data`, or several as `args`. */
static jv own_fields(jv fields)
{
	jv v;

	if (jv_object_length(jv_copy(fields)) != 1)
		return in_array(fields);
	v = jv_object_get(jv_copy(fields), jv_string("data"));
	if (jv_get_kind(v) == JV_KIND_OBJECT) {
		jv_free(fields);
		return in_array(v);
	}
	jv_free(v);
	v = jv_object_get(jv_copy(fields), jv_string("args"));
	if (jv_get_kind(v) == JV_KIND_ARRAY) {
		jv_free(fields);
		return v;
	}
	jv_free(v);
	return in_array(fields);
}

static jv text_or_null(struct span text)
{
	return text.len ? jv_string_sized(text.p, (int)text.len) : jv_null();
}

static bool is_kept(const struct kept *k, struct span text)
{
	return k->there && k->text.len == text.len &&
	       (!text.len || memcmp(k->text.data, text.p, text.len) == 0);
}

/* A member of the base, which is as it was where its text is. */
static void set(struct program *p, enum input_key key, struct span text, bool json)
{
	struct kept *k = &p->kept[key];
	jv base = p->base, value;

	if (is_kept(k, text))
		return;
	k->there = false;
	value = json ? value_read(text) : text_or_null(text);
	p->torn = true;
	p->base = jv_object_set(base, jv_copy(p->keys[key]), value);
	p->torn = false;
	k->text.len = 0;
	k->there = text.len <= KEPT_MAX && (!text.len || buf_put(&k->text, text.p, text.len) == 0);
}

/* libjq gave up in the middle of it. */
static void mend(struct program *p)
{
	for (int i = 0; i < KEYS; i++)
		p->kept[i].there = false;
	p->base = jv_object();
	p->torn = false;
}

jv program_event(struct program *p, const void *event)
{
	const struct rules_event *e = event;
	jv args = value_read(e->args);

	if (p->torn)
		mend(p);
	set(p, EVENT, e->event, false);
	set(p, USER, e->user, true);
	set(p, CLAIMS, e->claims, true);
	set(p, CLIENT, e->client, false);
	set(p, SESSION, e->session, false);
	set(p, SESSIONS, e->sessions, true);
	set(p, DOOR, (struct span){e->door, strlen(e->door)}, false);
	return jv_object_set(jv_copy(p->base), jv_copy(p->keys[ARGS]),
			     e->own_fields ? own_fields(args) : args);
}
