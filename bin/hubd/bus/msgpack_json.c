/* msgpack from JSON, in one layout, and any msgpack to JSON. Invariant: what becomes JSON is valid.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "bus/msgpack.h"
#include "json/json_walk.h"

#define SAFE_INTEGER 9007199254740992.0
#define DEPTH_MAX (JSON_DEPTH_MAX - 4) /* there are others around it */
#define MARK "{\"$base64\":\""

/* --- from JSON */

int msgpack_put(struct buf *b, unsigned char first, uint64_t n, size_t bytes)
{
	unsigned char out[9] = {first};

	for (size_t i = 0; i < bytes; i++)
		out[1 + i] = (unsigned char)(n >> 8 * (bytes - 1 - i));
	return buf_put(b, out, 1 + bytes);
}

int msgpack_put_int(struct buf *b, int64_t n)
{
	return n >= 0 && n < 128 ? msgpack_put(b, (unsigned char)n, 0, 0)
				 : msgpack_put(b, 0xd3, (uint64_t)n, 8);
}

static int put_double(struct buf *b, double d)
{
	uint64_t bits;

	if (d == floor(d) && fabs(d) <= SAFE_INTEGER && !(d == 0 && signbit(d)))
		return msgpack_put_int(b, (int64_t)d);
	memcpy(&bits, &d, sizeof(bits));
	return msgpack_put(b, 0xcb, bits, 8);
}

int msgpack_put_str(struct buf *b, const char *text, size_t len)
{
	int r = len < 32 ? msgpack_put(b, (unsigned char)(0xa0 | len), 0, 0)
			 : msgpack_put(b, 0xdb, len, 4);

	return r == 0 ? buf_put(b, text, len) : r;
}

int msgpack_put_word(struct buf *b, const char *word)
{
	return msgpack_put_str(b, word, strlen(word));
}

/* Appends a string's characters; half a surrogate pair is no character. */
static int put_unescaped(struct buf *b, const char *text, size_t len)
{
	const char *end = text + len, *next;
	int n, r = len ? buf_reserve(b, len) : 0;

	if (r < 0 || !len)
		return r;
	n = json_unescape(text, len, b->data + b->len, len);
	if (n >= 0) {
		b->len += (size_t)n;
		return 0;
	}
	/* Each replacement is shorter than what it replaces. */
	for (; text < end; text = next) {
		next = text + (*text != '\\' ? 1 : text[1] == 'u' ? 6 : 2);
		n = json_unescape(text, (size_t)(next - text), b->data + b->len, len);
		if (n < 0 && end - next >= 6 && next[0] == '\\' && next[1] == 'u') {
			n = json_unescape(text, 12, b->data + b->len, len);
			next += n < 0 ? 0 : 6;
		}
		if (n < 0) {
			memcpy(b->data + b->len, "\xef\xbf\xbd", 3);
			n = 3;
		}
		b->len += (size_t)n;
	}
	return 0;
}

static int put_string(struct buf *b, const char *text, size_t len)
{
	struct buf plain = {0};
	int r = put_unescaped(&plain, text, len);

	if (r == 0)
		r = msgpack_put_str(b, plain.len ? plain.data : "", plain.len);
	buf_free(&plain);
	return r;
}

/* The base64 of an object that stands for binary; empty: it does not. */
static struct span binary_of(const char *p, size_t len)
{
	const size_t mark = sizeof(MARK) - 1;

	if (len < mark + 2 || memcmp(p, MARK, mark) != 0 || memcmp(p + len - 2, "\"}", 2) != 0 ||
	    !base64_valid(p + mark, len - mark - 2))
		return (struct span){NULL, 0};
	return (struct span){p + mark, len - mark - 2};
}

static int put_binary(struct buf *b, struct span base64)
{
	size_t n = base64_size(base64.p, base64.len);
	int r = msgpack_put(b, 0xc6, n, 4);

	if (r == 0)
		r = buf_reserve(b, n);
	if (r == 0)
		b->len += base64_decode((unsigned char *)b->data + b->len, base64.p, base64.len);
	return r;
}

/* An array, or an object: how many there are is known behind the last. */
static int put_list(struct buf *b, const char *p, size_t len, unsigned *binaries)
{
	size_t at = b->len;
	uint32_t n = 0;
	struct json_walk w;
	struct json_item item;
	int r = msgpack_put(b, *p == '{' ? 0xdf : 0xdd, 0, 4);

	json_walk_begin(&w, p, len);
	while (r == 0 && json_walk_next(&w, &item)) {
		if (item.name)
			r = put_string(b, item.name, item.name_len);
		if (r == 0)
			r = msgpack_put_json(b, item.value, item.len, binaries);
		n++;
	}
	for (size_t i = 0; i < 4 && r == 0; i++)
		b->data[at + 1 + i] = (char)(n >> 8 * (3 - i));
	return r;
}

/* Of valid JSON, which is not deep. */
int msgpack_put_json(struct buf *b, const char *p, size_t len, unsigned *binaries)
{
	struct span base64;

	switch (*p) {
	case 'n':
		return msgpack_put(b, 0xc0, 0, 0);
	case 'f':
		return msgpack_put(b, 0xc2, 0, 0);
	case 't':
		return msgpack_put(b, 0xc3, 0, 0);
	case '"':
		return put_string(b, p + 1, len - 2);
	case '{':
		base64 = *binaries ? binary_of(p, len) : (struct span){NULL, 0};
		*binaries -= base64.p != NULL;
		return base64.p ? put_binary(b, base64) : put_list(b, p, len, binaries);
	case '[':
		return put_list(b, p, len, binaries);
	default:
		return put_double(b, strtod(p, NULL));
	}
}

/* --- to JSON */

/* As short as it can be read back. */
static int put_json_double(struct buf *b, double d)
{
	char text[32];

	if (!isfinite(d))
		return buf_puts(b, "null");
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	return buf_puts(b, text);
}

static int put_json_binary(struct buf *b, struct span bytes)
{
	int r = buf_puts(b, MARK);

	if (r == 0)
		r = base64_append(b, bytes.p, bytes.len);
	return r == 0 ? buf_puts(b, "\"}") : r;
}

/* A Date as JSON has it; other extensions are nothing, but for an old one of binary. */
static int put_json_ext(struct buf *b, const struct msgpack *v)
{
	struct span s = v->bytes;
	uint64_t ns = 0, seconds = 0;
	char text[64];
	struct tm tm;
	time_t t;

	if (v->ext == 0 && s.len != 1)
		return put_json_binary(b, s);
	if (v->ext != -1 || (s.len != 4 && s.len != 8 && s.len != 12))
		return buf_puts(b, "null");
	if (s.len == 12)
		msgpack_take_number(&s, 4, &ns);
	msgpack_take_number(&s, s.len, &seconds);
	if (v->bytes.len == 8) {
		ns = seconds >> 34;
		seconds &= (UINT64_C(1) << 34) - 1;
	}
	t = (time_t)seconds;
	if (ns >= 1000000000 || !gmtime_r(&t, &tm) || tm.tm_year < -1900 || tm.tm_year > 8099)
		return buf_puts(b, "null");
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	return buf_printf(b, "\"%s.%03uZ\"", text, (unsigned)(ns / 1000000));
}

int msgpack_json_name(struct buf *b, struct span *s, size_t max)
{
	size_t at = b->len;
	int r;

	/* No list is one. */
	r = msgpack_json(b, s, DEPTH_MAX, max);
	if (r < 0 || b->data[at] == '"')
		return r;
	if (b->data[at] != '-' && (b->data[at] < '0' || b->data[at] > '9'))
		return -EINVAL;
	r = buf_puts(b, "\"\"");
	if (r == 0) {
		memmove(b->data + at + 1, b->data + at, b->len - at - 2);
		b->data[at] = '"';
	}
	return r;
}

static int put_json_list(struct buf *b, struct span *s, const struct msgpack *v, unsigned depth,
			 size_t max)
{
	int r = depth >= DEPTH_MAX ? -EINVAL : buf_puts(b, v->kind == MSGPACK_MAP ? "{" : "[");

	for (uint64_t i = 0; i < v->n && r == 0; i++) {
		if (i)
			r = buf_puts(b, ",");
		if (r == 0 && v->kind == MSGPACK_MAP)
			r = msgpack_json_name(b, s, max);
		if (r == 0 && v->kind == MSGPACK_MAP)
			r = buf_puts(b, ":");
		if (r == 0)
			r = msgpack_json(b, s, depth + 1, max);
	}
	return r == 0 ? buf_puts(b, v->kind == MSGPACK_MAP ? "}" : "]") : r;
}

int msgpack_json(struct buf *b, struct span *s, unsigned depth, size_t max)
{
	struct msgpack v;

	if (!msgpack_take(s, &v))
		return -EINVAL;
	if (b->len > max || v.bytes.len > max)
		return -EMSGSIZE;
	switch (v.kind) {
	case MSGPACK_NIL:
		return buf_puts(b, "null");
	case MSGPACK_FALSE:
		return buf_puts(b, "false");
	case MSGPACK_TRUE:
		return buf_puts(b, "true");
	case MSGPACK_INTEGER:
		return buf_printf(b, "%jd", (intmax_t)v.n);
	case MSGPACK_NATURAL:
		return buf_put_u64(b, v.n);
	case MSGPACK_FLOAT:
		return put_json_double(b, v.d);
	case MSGPACK_STRING:
		return buf_put_json(b, v.bytes.p ? v.bytes.p : "", v.bytes.len);
	case MSGPACK_BINARY:
		return put_json_binary(b, v.bytes);
	case MSGPACK_EXTENSION:
		return put_json_ext(b, &v);
	case MSGPACK_ARRAY:
	case MSGPACK_MAP:
		return put_json_list(b, s, &v, depth, max);
	}
	return -EINVAL;
}
