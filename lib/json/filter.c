/* libjq, kept in one place: its values take part in no other file. Every jv here is used up exactly
 * once, as jv.h asks. */
#include "json/filter.h"

#include <errno.h>
#include <jq.h>
#include <jv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct filter {
	jq_state *jq;
	struct buf errors; /* what jq said while compiling */
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

struct filter *filter_new(const char *program, char *why, size_t cap)
{
	struct filter *f = calloc(1, sizeof(*f));

	snprintf(why, cap, "%s", "out of memory");
	if (!f)
		return NULL;
	f->jq = jq_init();
	if (!f->jq)
		goto fail;
	jq_set_error_cb(f->jq, filter_on_error, f);
	if (!jq_compile(f->jq, program)) {
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

int filter_run(struct filter *f, enum filter_input kind, const char *text, size_t len,
	       filter_output *output, void *arg, char *why, size_t cap)
{
	jv value;
	int r = 0;

	if (len > 1 << 30) {
		snprintf(why, cap, "the text is too long");
		return -EINVAL;
	}
	value =
	    kind == FILTER_TEXT ? jv_string_sized(text, (int)len) : jv_parse_sized(text, (int)len);
	if (!jv_is_valid(value))
		return filter_failed(jv_invalid_get_msg(value), why, cap);
	jq_start(f->jq, value, 0);
	while (jv_is_valid(value = jq_next(f->jq))) {
		r = filter_give(value, output, arg);
		if (r)
			return r; /* the next jq_start() drops what is left */
	}
	if (jq_halted(f->jq)) {
		/* `halt` ends this run; `halt_error` fails it. */
		jv message = jq_get_error_message(f->jq);

		jv_free(value);
		if (jv_is_valid(message))
			return filter_failed(message, why, cap);
		jv_free(message);
		return 0;
	}
	if (jv_invalid_has_msg(jv_copy(value)))
		return filter_failed(jv_invalid_get_msg(value), why, cap);
	jv_free(value);
	return 0;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	if (f->jq)
		jq_teardown(&f->jq);
	buf_free(&f->errors);
	free(f);
}
