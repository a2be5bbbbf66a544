/* Templates of messages. All fields have their place and width when one is compiled, so that
 * writing a message never moves a byte. */
#include "speak/template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum kind {
	FIELD_MARK,
	FIELD_N,
	FIELD_PUBLISHER,
	FIELD_SESSION,
	FIELD_X,
	FIELD_Y,
	FIELD_PAD,
	FIELD_SIZE
};

#define PLACE_LEN 7 /* of {x} and {y}: 100.000 to 999.999 */

static const struct {
	const char *name;
	size_t len;
} kinds[] = {
    [FIELD_MARK] = {"{mark}", MARK_LEN},
    [FIELD_N] = {"{n}", MARK_NUMBER},
    [FIELD_PUBLISHER] = {"{publisher}", MARK_PUBLISHER},
    [FIELD_SESSION] = {"{session}", MARK_PUBLISHER},
    [FIELD_X] = {"{x}", PLACE_LEN},
    [FIELD_Y] = {"{y}", PLACE_LEN},
    [FIELD_PAD] = {"{pad}", 0},
    [FIELD_SIZE] = {"{size}", 0},
};

#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

/* The kind of the field that begins at p, or -1. */
static int field_at(const char *p)
{
	for (size_t i = 0; *p == '{' && i < NKINDS; i++)
		if (strncmp(p, kinds[i].name, strlen(kinds[i].name)) == 0)
			return (int)i;
	return -1;
}

char *template_unescape(const char *text)
{
	static const char names[] = "rnt\\", bytes[] = "\r\n\t\\";
	char *copy = strdup(text), *to = copy;

	if (!copy)
		return NULL;
	for (const char *p = text; *p; p++) {
		const char *name = *p == '\\' && p[1] ? strchr(names, p[1]) : NULL;

		*to++ = name ? bytes[name - names] : *p;
		p += name != NULL;
	}
	*to = '\0';
	return copy;
}

/* The length without the pad, where {size} has so many digits. */
static size_t bare_length(const char *text, size_t digits)
{
	size_t len = 0;

	while (*text) {
		int kind = field_at(text);

		if (kind < 0) {
			len++;
			text++;
			continue;
		}
		len += kind == FIELD_SIZE ? digits : kinds[kind].len;
		text += strlen(kinds[kind].name);
	}
	return len;
}

size_t template_least(const char *text)
{
	return bare_length(text, 2);
}

/* How many bytes of padding make it `bytes` long; *size is what {size} says. SIZE_MAX: none do. */
static size_t find_pad(const char *text, size_t bytes, size_t *size)
{
	for (size_t digits = 2; digits < 9; digits++) {
		size_t bare = bare_length(text, digits);

		if (bytes < bare)
			break;
		*size = MARK_LEN + bytes - bare;
		if ((size_t)snprintf(NULL, 0, "%zu", *size) == digits)
			return bytes - bare;
	}
	return SIZE_MAX;
}

static int count_field(const char *text, enum kind kind)
{
	int n = 0;

	for (; *text; text++)
		n += field_at(text) == (int)kind;
	return n;
}

static int put_field(struct template *t, struct buf *out, int kind, size_t pad, size_t size,
		     const char *run)
{
	int r = 0;

	if (kind == FIELD_MARK)
		t->mark_at = out->len;
	if (kind == FIELD_SIZE) {
		r = buf_put_u64(out, size);
	} else if (kind == FIELD_PAD) {
		r = buf_reserve(out, pad);
		for (size_t i = 0; r == 0 && i < pad; i++)
			out->data[out->len++] = (char)('a' + i % 26);
	} else {
		t->field[t->nfields].at = (uint32_t)out->len;
		t->field[t->nfields++].kind = (uint8_t)kind;
		r = buf_reserve(out, kinds[kind].len);
		if (r == 0) {
			memset(out->data + out->len, '0', kinds[kind].len);
			if (kind == FIELD_MARK)
				memcpy(out->data + out->len, run, MARK_RUN_LEN);
			out->len += kinds[kind].len;
		}
	}
	return r;
}

/* All of the text. Returns 0, -EINVAL where there are too many fields, or -ENOMEM. */
static int put_all(struct template *t, struct buf *out, const char *text, size_t pad, size_t size,
		   const char *run)
{
	int r = 0;

	while (*text && r == 0) {
		int kind = field_at(text);

		if (kind >= 0 && t->nfields == TEMPLATE_FIELDS_MAX)
			return -EINVAL;
		if (kind < 0) {
			r = buf_put(out, text++, 1);
		} else {
			r = put_field(t, out, kind, pad, size, run);
			text += strlen(kinds[kind].name);
		}
	}
	return r;
}

int template_compile(struct template *t, const char *text, size_t bytes, const char *run, char *why,
		     size_t cap)
{
	char *plain = template_unescape(text);
	size_t pad = 0, size = MARK_LEN, least = plain ? template_least(plain) : 0;
	struct buf out = {0};
	int r = -EINVAL;

	memset(t, 0, sizeof(*t));
	if (!plain) {
		r = -ENOMEM;
		goto end;
	}
	if (count_field(plain, FIELD_MARK) != 1) {
		snprintf(why, cap, "a message needs {mark} in it, once");
		goto end;
	}
	if (bytes && count_field(plain, FIELD_PAD) == 1)
		pad = find_pad(plain, bytes, &size);
	if (pad == SIZE_MAX || (bytes && bytes < least)) {
		snprintf(why, cap, "a message of this kind has %zu bytes at least", least);
		r = -EMSGSIZE;
		goto end;
	}
	r = put_all(t, &out, plain, pad, size, run);
	if (r == -EINVAL)
		snprintf(why, cap, "a message has %d fields at most", TEMPLATE_FIELDS_MAX);
	if (r < 0)
		goto end;
	t->text = out.data;
	t->len = out.len;
	out.data = NULL;
end:
	if (r == -ENOMEM)
		snprintf(why, cap, "out of memory");
	buf_free(&out);
	free(plain);
	return r;
}

void template_free(struct template *t)
{
	free(t->text);
	t->text = NULL;
}

/* Someone who walks along a triangle wave of 800 units, one at a time. */
static void put_place(char *p, uint64_t n)
{
	uint64_t at = n % 1600000;

	at = 100000 + (at < 800000 ? at : 1599999 - at);
	mark_put(p, at / 1000, 3);
	p[3] = '.';
	mark_put(p + 4, at % 1000, 3);
}

void template_write(const struct template *t, char *out, const struct mark *m, uint32_t session)
{
	memcpy(out, t->text, t->len);
	for (unsigned i = 0; i < t->nfields; i++) {
		char *p = out + t->field[i].at;

		switch (t->field[i].kind) {
		case FIELD_MARK:
			mark_write(p, m);
			break;
		case FIELD_N:
			mark_put(p, m->number, MARK_NUMBER);
			break;
		case FIELD_PUBLISHER:
			mark_put(p, m->publisher, MARK_PUBLISHER);
			break;
		case FIELD_SESSION:
			mark_put(p, session, MARK_PUBLISHER);
			break;
		case FIELD_X:
			put_place(p, m->number * 117 + m->publisher * 7919ull);
			break;
		case FIELD_Y:
			put_place(p, m->number * 83 + m->publisher * 104729ull);
			break;
		}
	}
}

char *template_for_session(const char *text, uint32_t session, size_t *len)
{
	static const char field[] = "{session}";
	char *out = malloc(strlen(text) + 1);

	*len = 0;
	while (out && *text) {
		if (strncmp(text, field, sizeof(field) - 1) == 0) {
			mark_put(out + *len, session, MARK_PUBLISHER);
			*len += MARK_PUBLISHER;
			text += sizeof(field) - 1;
		} else {
			out[(*len)++] = *text++;
		}
	}
	if (out)
		out[*len] = '\0';
	return out;
}
