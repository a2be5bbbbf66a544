/* libjq, kept in one place: its values take part in no other file. Every jv here is used up exactly
 * once, as jv.h asks. */
#include "json/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <jq.h>
#include <jv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "json/jq_guard.h"

#define TRIAL_S 10 /* of compiling in a child process */
#define INPUT_MISSING "input and inputs have nothing to read: the program runs for each text"
#define ERROR_STATUS 5 /* of `halt_error`, as jq has it */

struct filter {
	jq_state *jq;
	size_t lost;	   /* bytes, by its falls */
	struct buf errors; /* what jq said while compiling */
	bool halted;
	int status;
	struct buf said; /* by `halt_error`, with a NUL */
};

/* jq says "jq: error: what (at where)\nthe program", and a count of errors last. */
static void filter_on_error(void *arg, jv message)
{
	struct filter *f = arg;
	static const char front[] = "jq: error: ";
	const char *s;

	if (jv_get_kind(message) != JV_KIND_STRING)
		message = jv_dump_string(message, 0);
	s = jv_string_value(message);
	if (strncmp(s, front, sizeof(front) - 1) == 0)
		s += sizeof(front) - 1;
	if (!strstr(s, "compile error")) {
		if (f->errors.len)
			buf_puts(&f->errors, "; ");
		buf_puts(&f->errors, s);
	}
	jv_free(message);
}

/* A program runs once for each text: there is no other input that it could read. */
static jv filter_on_input(jq_state *jq, void *arg)
{
	(void)jq;
	(void)arg;
	return jv_invalid_with_msg(jv_string(INPUT_MISSING));
}

static void filter_on_debug(void *arg, jv value)
{
	jv text = jv_dump_string(JV_ARRAY(jv_string("DEBUG:"), value), 0);

	(void)arg;
	fprintf(stderr, "%s\n", jv_string_value(text));
	jv_free(text);
}

/* Where modules are: as jq has it. Without these attributes libjq aborts on an import. */
static void filter_search(jq_state *jq)
{
	jv path = jv_array();

	path = jv_array_append(path, jv_string("~/.jq"));
	path = jv_array_append(path, jv_string("$ORIGIN/../lib/jq"));
	path = jv_array_append(path, jv_string("$ORIGIN/../lib"));
	jq_set_attr(jq, jv_string("JQ_ORIGIN"), jv_string("/usr/bin"));
	jq_set_attr(jq, jv_string("JQ_LIBRARY_PATH"), path);
	jq_set_attr(jq, jv_string("PROGRAM_ORIGIN"), jv_string("."));
}

/* Copies text as one line. */
static void filter_say(char *why, size_t cap, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < cap; i++) {
		char c = text[i] == '\n' || text[i] == '\t' ? ' ' : text[i];

		if (c != ' ' || (n && why[n - 1] != ' '))
			why[n++] = c;
	}
	while (n && why[n - 1] == ' ')
		n--;
	why[n] = '\0';
}

/* A program that reads does not compile behind this, and any other does: jq drops definitions that
 * nobody calls. */
#define NO_INPUT "nothing_to_read"
#define PROLOGUE "def input: " NO_INPUT "; def inputs: " NO_INPUT "; "

static void start(struct filter *f)
{
	f->jq = jq_init();
	if (!f->jq)
		return;
	jq_set_error_cb(f->jq, filter_on_error, f);
	jq_set_input_cb(f->jq, filter_on_input, NULL);
	jq_set_debug_cb(f->jq, filter_on_debug, NULL);
	filter_search(f->jq);
}

/* A process of its own, and what it says on standard error goes to fd. */
static void try_to_compile(const char *program, int fd)
{
	struct filter f = {0};

	signal(SIGALRM, SIG_DFL);
	signal(SIGABRT, SIG_DFL);
	alarm(TRIAL_S);
	dup2(fd, STDERR_FILENO);
	start(&f);
	if (f.jq)
		jq_compile(f.jq, program);
	_exit(0);
}

/* False where libjq would take the process with it, with what it says of that in why. */
static bool survives(const char *program, char *why, size_t cap)
{
	int fd[2], status = 0;
	char said[500];
	size_t n = 0;
	ssize_t r;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return true;
	pid = fork();
	if (pid == 0)
		try_to_compile(program, fd[1]);
	close(fd[1]);
	while ((r = read(fd[0], said + n, sizeof(said) - n)) > 0 || (r < 0 && errno == EINTR))
		n += r > 0 && n < sizeof(said) - 1 ? (size_t)r : 0;
	close(fd[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0 || !WIFSIGNALED(status))
		return true;
	if (WTERMSIG(status) == SIGALRM)
		snprintf(why, cap, "compiling it does not end");
	else if (n)
		filter_say(why, cap, said, n);
	else
		snprintf(why, cap, "libjq ends by signal %d (%s): do modules include each other?",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	return false;
}

struct compiling {
	struct filter *f;
	const char *program;
	bool compiled;
};

static void run_compile(void *arg)
{
	struct compiling *c = arg;

	c->compiled = jq_compile(c->f->jq, c->program) != 0;
}

/* False with what jq says in f->errors; where libjq gave up its state is lost. */
static bool compile(struct filter *f, const char *program)
{
	struct compiling c = {f, program, false};
	char why[300];

	if (jq_guard(run_compile, &c, why, sizeof(why)))
		return c.compiled;
	f->jq = NULL;
	buf_puts(&f->errors, why);
	return false;
}

static bool uses_modules(const char *program)
{
	const char *home = getenv("HOME");
	char path[500];

	if (home && snprintf(path, sizeof(path), "%s/.jq", home) < (int)sizeof(path) &&
	    access(path, F_OK) == 0)
		return true;
	return strstr(program, "import") || strstr(program, "include") || strstr(program, "module");
}

/* Whether it calls `input` or `inputs`. One that begins with modules is none that can be told. */
static bool reads(const char *program)
{
	struct filter f = {0};
	struct buf text = {0};
	bool is = false;

	if (!strstr(program, "input"))
		return false;
	start(&f);
	if (f.jq && buf_puts(&text, PROLOGUE) == 0 &&
	    buf_put(&text, program, strlen(program) + 1) == 0 && !compile(&f, text.data))
		is = f.errors.len && buf_put(&f.errors, "", 1) == 0 &&
		     strstr(f.errors.data, NO_INPUT);
	buf_free(&text);
	buf_free(&f.errors);
	if (f.jq)
		jq_teardown(&f.jq);
	return is;
}

struct filter *filter_new(const char *program, char *why, size_t cap)
{
	struct filter *f = calloc(1, sizeof(*f));

	snprintf(why, cap, "%s", "out of memory");
	if (!f)
		return NULL;
	if (uses_modules(program) && !survives(program, why, cap))
		goto fail;
	if (reads(program)) {
		snprintf(why, cap, "%s", INPUT_MISSING);
		goto fail;
	}
	start(f);
	if (!f->jq)
		goto fail;
	if (!compile(f, program)) {
		filter_say(why, cap, f->errors.len ? f->errors.data : "it does not compile",
			   f->errors.len ? f->errors.len : strlen("it does not compile"));
		goto fail;
	}
	buf_free(&f->errors);
	return f;
fail:
	filter_free(f);
	return NULL;
}

/* Uses up what a failed value carries, and puts it into words as jq does. */
static int filter_failed(jv message, char *why, size_t cap)
{
	if (jv_get_kind(message) != JV_KIND_STRING)
		message = jv_dump_string(message, 0);
	filter_say(why, cap, jv_string_value(message),
		   (size_t)jv_string_length_bytes(jv_copy(message)));
	jv_free(message);
	return -EINVAL;
}

/* Gives one value to output; uses it up. */
static int filter_give(jv value, filter_output *output, void *arg)
{
	jv text = jv_dump_string(value, 0);
	int r = output(jv_string_value(text), (size_t)jv_string_length_bytes(jv_copy(text)), arg);

	jv_free(text);
	return r;
}

/* As jq's main program does with what `halt` leaves behind. */
static void filter_halt(struct filter *f)
{
	jv code = jq_get_exit_code(f->jq), text = jq_get_error_message(f->jq);
	bool is_text = jv_get_kind(text) == JV_KIND_STRING;

	f->halted = true;
	f->status = !jv_is_valid(code)			  ? 0
		    : jv_get_kind(code) == JV_KIND_NUMBER ? (int)jv_number_value(code) & 0xff
							  : ERROR_STATUS;
	jv_free(code);
	if (!jv_is_valid(text) || jv_get_kind(text) == JV_KIND_NULL) {
		jv_free(text);
		return;
	}
	if (!is_text)
		text = jv_dump_string(text, 0);
	buf_put(&f->said, jv_string_value(text), (size_t)jv_string_length_bytes(jv_copy(text)));
	if (!is_text)
		buf_puts(&f->said, "\n");
	buf_put(&f->said, "", 1);
	jv_free(text);
}

bool filter_halted(struct filter *f, int *status, const char **text)
{
	if (!f->halted)
		return false;
	*status = f->status;
	*text = f->said.len ? f->said.data : "";
	return true;
}

struct filter_runs {
	struct filter *f;
	enum filter_input kind;
	const char *text;
	size_t len;
	filter_output *output;
	void *arg;
	char *why;
	size_t cap;
	int result;
};

static void filter_all(void *arg)
{
	struct filter_runs *run = arg;
	struct filter *f = run->f;
	jv value = run->kind == FILTER_TEXT ? jv_string_sized(run->text, (int)run->len)
					    : jv_parse_sized(run->text, (int)run->len);

	if (!jv_is_valid(value)) {
		run->result = filter_failed(jv_invalid_get_msg(value), run->why, run->cap);
		return;
	}
	jq_start(f->jq, value, 0);
	while (jv_is_valid(value = jq_next(f->jq))) {
		run->result = filter_give(value, run->output, run->arg);
		if (run->result)
			return; /* the next jq_start() drops what is left */
	}
	if (jq_halted(f->jq)) {
		jv_free(value);
		filter_halt(f);
	} else if (jv_invalid_has_msg(jv_copy(value))) {
		run->result = filter_failed(jv_invalid_get_msg(value), run->why, run->cap);
	} else {
		jv_free(value);
	}
}

int filter_run(struct filter *f, enum filter_input kind, const char *text, size_t len,
	       filter_output *output, void *arg, char *why, size_t cap)
{
	struct filter_runs run = {f, kind, text, len, output, arg, why, cap, 0};

	f->halted = false;
	f->said.len = 0;
	if (len > 1 << 30) {
		snprintf(why, cap, "the text is too long");
		return -EINVAL;
	}
	if (jq_guard_over(f->lost, why, cap))
		return -EINVAL;
	if (jq_guard(filter_all, &run, why, cap))
		return run.result;
	jq_guard_lost(&f->lost, len);
	return -EINVAL;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	if (f->jq)
		jq_teardown(&f->jq);
	buf_free(&f->errors);
	buf_free(&f->said);
	free(f);
}
