/* Reads what report_json.c wrote. Every jv here is used up exactly once, as jv.h asks. */
#include <errno.h>
#include <jv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "json/json.h"
#include "report/fields.h"
#include "report/result.h"

#define READ_MAX (256 << 20) /* bytes of a file */

/* The member of an object; borrows the object. Not an object: an invalid value. */
static jv read_get(jv object, const char *name)
{
	if (jv_get_kind(object) != JV_KIND_OBJECT)
		return jv_invalid();
	return jv_object_get(jv_copy(object), jv_string(name));
}

static double read_number(jv value)
{
	double n = jv_get_kind(value) == JV_KIND_NUMBER ? jv_number_value(value) : 0;

	jv_free(value);
	return isfinite(n) ? n : 0;
}

static uint64_t read_u64(jv value)
{
	double n = read_number(value);

	return n >= 18446744073709549568.0 ? UINT64_MAX : n > 0 ? (uint64_t)n : 0;
}

static enum verdict read_verdict(jv value)
{
	enum verdict v = VERDICT_FAILED;

	if (jv_get_kind(value) == JV_KIND_STRING) {
		for (int i = 0; i <= VERDICT_FAILED; i++) {
			if (strcmp(jv_string_value(value), verdict_name((enum verdict)i)) == 0)
				v = (enum verdict)i;
		}
	}
	jv_free(value);
	return v;
}

/* A string that is somewhere else gets a copy. Takes the value. */
static int read_value(const struct field *f, char *at, jv value)
{
	bool string = jv_get_kind(value) == JV_KIND_STRING;

	switch (f->kind) {
	case FIELD_U64:
		*(uint64_t *)(void *)at = read_u64(value);
		return 0;
	case FIELD_UNSIGNED:
		*(unsigned *)(void *)at = (unsigned)read_u64(value);
		return 0;
	case FIELD_DOUBLE:
		*(double *)(void *)at = read_number(value);
		return 0;
	case FIELD_BOOL:
		*(bool *)(void *)at = jv_get_kind(value) == JV_KIND_TRUE;
		break;
	case FIELD_STRING:
		if (string && !(*(char **)(void *)at = strdup(jv_string_value(value)))) {
			jv_free(value);
			return -ENOMEM;
		}
		break;
	case FIELD_CHARS:
		if (string)
			snprintf(at, f->size, "%s", jv_string_value(value));
		break;
	case FIELD_VERDICT:
		*(enum verdict *)(void *)at = read_verdict(value);
		return 0;
	}
	jv_free(value);
	return 0;
}

/* Borrows the object. */
static int read_fields(const struct field *fields, void *to, jv object)
{
	int err = 0;

	for (const struct field *f = fields; f->name && !err; f++)
		err = read_value(f, (char *)to + f->offset, read_get(object, f->name));
	return err;
}

/* Returns how many structures of that size *to has then, or -ENOMEM. Takes the array. */
static ssize_t read_array(const struct field *fields, void **to, size_t size, jv array)
{
	int n = jv_get_kind(array) == JV_KIND_ARRAY ? jv_array_length(jv_copy(array)) : 0;
	int err = 0;

	*to = n ? calloc((size_t)n, size) : NULL;
	if (n && !*to)
		err = -ENOMEM;
	for (int i = 0; i < n && !err; i++) {
		jv object = jv_array_get(jv_copy(array), i);

		err = read_fields(fields, (char *)*to + (size_t)i * size, object);
		jv_free(object);
	}
	jv_free(array);
	return err ? err : n;
}

/* Takes the object. */
static void read_hist(struct hist *h, jv object)
{
	jv buckets = read_get(object, "buckets");
	int n = jv_get_kind(buckets) == JV_KIND_ARRAY ? jv_array_length(jv_copy(buckets)) : 0;

	for (int i = 0; i < n; i++) {
		jv pair = jv_array_get(jv_copy(buckets), i);

		if (jv_get_kind(pair) == JV_KIND_ARRAY) {
			uint64_t low = read_u64(jv_array_get(jv_copy(pair), 0));
			uint64_t count = read_u64(jv_array_get(jv_copy(pair), 1));

			h->count[hist_bucket(low)] += count;
			h->n += count;
		}
		jv_free(pair);
	}
	h->min = read_u64(read_get(object, "min"));
	h->max = read_u64(read_get(object, "max"));
	h->sum = read_number(read_get(object, "sum"));
	jv_free(buckets);
	jv_free(object);
}

static int read_arrays(struct result *r, jv object)
{
	void *series, *trials, *checks;
	ssize_t n =
	    read_array(field_second, &series, sizeof(*r->series), read_get(object, "series"));

	r->series = series;
	r->nseries = n < 0 ? 0 : (size_t)n;
	if (n < 0)
		return (int)n;
	n = read_array(field_trial, &trials, sizeof(*r->trials), read_get(object, "trials"));
	r->trials = trials;
	r->ntrials = n < 0 ? 0 : (size_t)n;
	if (n < 0)
		return (int)n;
	n = read_array(field_check, &checks, sizeof(*r->checks), read_get(object, "checks"));
	r->checks = checks;
	r->nchecks = n < 0 ? 0 : (size_t)n;
	for (size_t i = 0; i < r->nchecks; i++) {
		if (!r->checks[i].text && !(r->checks[i].text = strdup("")))
			return -ENOMEM;
	}
	return n < 0 ? (int)n : 0;
}

/* Borrows the object. */
static int read_result(struct result *r, jv object)
{
	jv latency;
	int err = 0;

	for (const struct field_section *s = field_sections; s->fields && !err; s++) {
		jv section = s->name ? read_get(object, s->name) : jv_copy(object);

		err = read_fields(s->fields, r, section);
		jv_free(section);
	}
	if (!err)
		err = read_arrays(r, object);
	latency = read_get(object, "latency_ns");
	for (int m = 0; m < METRICS; m++)
		read_hist(&r->metric[m], read_get(latency, metric_name((enum metric)m)));
	jv_free(latency);
	return err;
}

static int read_file(const char *path, struct buf *b, char *why, size_t cap)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	size_t n = 0;
	int err = 0;

	if (!f) {
		err = -errno;
	} else {
		do {
			err = b->len > READ_MAX ? -EFBIG : buf_reserve(b, 65536);
			if (err)
				break;
			n = fread(b->data + b->len, 1, 65536, f);
			b->len += n;
		} while (n);
		if (!err && ferror(f))
			err = -EIO;
		if (f != stdin)
			fclose(f);
	}
	if (err)
		snprintf(why, cap, "%s: %s", path, strerror(-err));
	return err;
}

/* The text, where it is a result; or an invalid value. libjq sees no text that is not JSON: it
 * takes some of these, and loses memory over others. */
static jv read_text(const char *text, size_t len)
{
	struct json_scan scan;
	jv value, type;
	bool result;

	if (json_scan(NULL, text, len, NULL, &scan) != JSON_OK || scan.type != JSON_OBJECT)
		return jv_invalid();
	value = jv_parse_sized(text, (int)len);
	type = read_get(value, "type");
	result = jv_get_kind(type) == JV_KIND_STRING &&
		 strcmp(jv_string_value(type), "hubbench_result") == 0;
	jv_free(type);
	if (result)
		return value;
	jv_free(value);
	return jv_invalid();
}

/* The text itself, or the last result among its lines; or an invalid value. */
static jv read_last(const char *text, size_t len)
{
	const char *end = text + len, *line;
	jv last = read_text(text, len);

	while (!jv_is_valid(last) && end > text) {
		line = memrchr(text, '\n', (size_t)(end - text));
		line = line ? line + 1 : text;
		jv_free(last);
		last = read_text(line, (size_t)(end - line));
		end = line > text ? line - 1 : text;
	}
	return last;
}

int result_parse(const char *text, size_t len, struct result *r, char *why, size_t cap)
{
	jv object = read_last(text, len);
	double version = read_number(read_get(object, "version"));
	int err = -EINVAL;

	memset(r, 0, sizeof(*r));
	if (!jv_is_valid(object)) {
		snprintf(why, cap, "no result of hubbench in it");
	} else if (version < 1 || version > 1) {
		snprintf(why, cap, "a result of version %g; this program reads version 1", version);
	} else if ((err = read_result(r, object)) != 0) {
		snprintf(why, cap, "%s", strerror(-err));
		result_free(r);
	}
	jv_free(object);
	return err;
}

int result_read(const char *path, struct result *r, char *why, size_t cap)
{
	struct buf b = {0};
	char reason[200];
	int err = read_file(path, &b, why, cap);

	memset(r, 0, sizeof(*r));
	if (!err) {
		err = result_parse(b.data, b.len, r, reason, sizeof(reason));
		if (err)
			snprintf(why, cap, "%s: %s", path, reason);
	}
	buf_free(&b);
	return err;
}
