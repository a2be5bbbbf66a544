#include "wire/socketio_packet.h"

#include <errno.h>
#include <string.h>

#include "base/base64.h"

#define MARK "{\"$base64\":\""
#define DOLLAR_AT 2 /* in it */

/* --- packets */

static const char *read_attachments(struct http1_span *rest, unsigned *n)
{
	*n = 0;
	while (rest->len && http1_digit(*rest->p) && *n <= SOCKETIO_ATTACHMENTS_MAX) {
		*n = 10 * *n + (unsigned)(*rest->p - '0');
		rest->p++, rest->len--;
	}
	if (*n > SOCKETIO_ATTACHMENTS_MAX)
		return "more attachments than 10";
	if (!*n || !rest->len || *rest->p != '-')
		return "no number of attachments";
	rest->p++, rest->len--;
	return NULL;
}

static void read_place(struct http1_span *rest, struct socketio_packet *p)
{
	const char *comma;
	size_t used;

	p->nsp = (struct http1_span){"/", 1};
	p->place = (struct http1_span){rest->p, 0};
	if (!rest->len || *rest->p != '/')
		return;
	comma = memchr(rest->p, ',', rest->len);
	p->nsp = (struct http1_span){rest->p, comma ? (size_t)(comma - rest->p) : rest->len};
	used = p->nsp.len + (comma != NULL);
	if (p->nsp.len > 1)
		p->place.len = used;
	rest->p += used;
	rest->len -= used;
	if (p->nsp.len == 1)
		p->place.p = rest->p;
}

const char *socketio_parse(struct http1_span text, struct socketio_packet *p)
{
	struct http1_span rest = text;
	const char *wrong;

	*p = (struct socketio_packet){.nsp = {"/", 1}, .text = text};
	if (!rest.len || *rest.p < '0' || *rest.p > '6')
		return "no type of packet";
	p->type = (enum socketio_type)(*rest.p - '0');
	rest.p++, rest.len--;
	if (p->type == SOCKETIO_BINARY_EVENT || p->type == SOCKETIO_BINARY_ACK) {
		wrong = read_attachments(&rest, &p->attachments);
		if (wrong)
			return wrong;
	}
	read_place(&rest, p);
	if (rest.len && http1_digit(*rest.p)) {
		p->id = (struct http1_span){rest.p, 0};
		while (rest.len && http1_digit(*rest.p))
			rest.p++, rest.len--;
		p->id.len = (size_t)(rest.p - p->id.p);
		if (p->id.len > SOCKETIO_ID_MAX)
			return "an ack's id of more than 15 digits";
	}
	p->address = (struct http1_span){p->place.p, (size_t)(rest.p - p->place.p)};
	if (!p->place.len && !p->id.len)
		p->address = p->place;
	p->payload = rest;
	return NULL;
}

bool socketio_session(struct http1_span nsp, struct http1_span *session)
{
	*session = (struct http1_span){SOCKETIO_MAIN, sizeof(SOCKETIO_MAIN) - 1};
	if (nsp.len == 1)
		return true;
	if (nsp.len == session->len + 1 && memcmp(nsp.p + 1, session->p, session->len) == 0)
		return false;
	*session = (struct http1_span){nsp.p + 1, nsp.len - 1};
	return true;
}

int socketio_put_place(struct buf *out, const char *session, size_t len)
{
	int r;

	if (len == sizeof(SOCKETIO_MAIN) - 1 && memcmp(session, SOCKETIO_MAIN, len) == 0)
		return 0;
	r = buf_reserve(out, len + 2);
	if (r < 0)
		return r;
	out->data[out->len] = '/';
	memcpy(out->data + out->len + 1, session, len);
	out->data[out->len + 1 + len] = ',';
	out->len += len + 2;
	return 0;
}

/* --- JSON that is known to be valid */

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/* p is at the opening quote. */
static const char *skip_string(const char *p, const char *end)
{
	const char *quote, *from;

	/* A quote is the string's end unless an odd number of backslashes is before it. */
	for (p++; p < end && (quote = memchr(p, '"', (size_t)(end - p))); p = quote + 1) {
		for (from = quote; from > p && from[-1] == '\\'; from--)
			;
		if ((quote - from) % 2 == 0)
			return quote + 1;
	}
	return end;
}

static const char *skip_scalar(const char *p, const char *end)
{
	while (p < end && *p != ',' && *p != ']' && *p != '}' && *p > ' ')
		p++;
	return p;
}

const char *socketio_skip(const char *p, const char *end)
{
	unsigned depth = 0;

	if (p < end && *p == '"')
		return skip_string(p, end);
	if (p < end && *p != '[' && *p != '{')
		return skip_scalar(p, end);
	while (p < end) {
		switch (*p) {
		case '"':
			p = skip_string(p, end);
			continue;
		case '[':
		case '{':
			depth++;
			break;
		case ']':
		case '}':
			if (--depth == 0)
				return p + 1;
			break;
		default:
			break;
		}
		p++;
	}
	return p;
}

/* --- events */

const char *socketio_event(struct http1_span payload, struct socketio_event *e)
{
	const char *end = payload.p + payload.len, *p = skip_space(payload.p, end), *value;

	*e = (struct socketio_event){.object = false};
	if (p == end || *p != '[')
		return "an event's payload is no array";
	while (end > p && end[-1] != ']')
		end--;
	end--; /* what is inside */
	p = skip_space(p + 1, end);
	if (p >= end)
		return "an event without a name";
	if (*p != '"' && *p != '-' && !http1_digit(*p))
		return "an event's name is neither a string nor a number";
	value = socketio_skip(p, end);
	e->name = (struct http1_span){p, (size_t)(value - p)};
	p = skip_space(value, end);
	if (p < end)
		p = skip_space(p + 1, end); /* the comma */
	while (end > p && skip_space(end - 1, end) == end)
		end--;
	e->args = (struct http1_span){p, (size_t)(end - p)};
	e->object = p < end && *p == '{' && socketio_skip(p, end) == end;
	return NULL;
}

bool socketio_reserved(const char *name, size_t len)
{
#define NAME(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}
	static const struct http1_span names[] = {NAME("connect"),     NAME("connect_error"),
						  NAME("disconnect"),  NAME("disconnecting"),
						  NAME("newListener"), NAME("removeListener")};
#undef NAME

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (len == names[i].len && memcmp(name, names[i].p, len) == 0)
			return true;
	return false;
}

/* --- binary */

static const char *literal(const char *p, const char *end, const char *want)
{
	size_t len = strlen(want);

	p = p ? skip_space(p, end) : NULL;
	return p && (size_t)(end - p) >= len && memcmp(p, want, len) == 0 ? p + len : NULL;
}

static const char *number(const char *p, const char *end, unsigned *n)
{
	const char *start;

	if (!p)
		return NULL;
	p = start = skip_space(p, end);
	*n = 0;
	for (; p < end && http1_digit(*p); p++)
		if (*n <= SOCKETIO_ATTACHMENTS_MAX) /* then it is none of any */
			*n = 10 * *n + (unsigned)(*p - '0');
	return p > start && !(p < end && (*p == '.' || *p == 'e' || *p == 'E')) ? p : NULL;
}

/* A placeholder of the attachment *n at p, which is a brace: its end, or NULL. Any two orders. */
static const char *placeholder(const char *p, const char *end, unsigned *n)
{
	const char *q = literal(literal(p + 1, end, "\"_placeholder\""), end, ":");

	q = literal(literal(literal(literal(q, end, "true"), end, ","), end, "\"num\""), end, ":");
	q = literal(number(q, end, n), end, "}");
	if (q)
		return q;
	q = literal(literal(p + 1, end, "\"num\""), end, ":");
	q = literal(literal(number(q, end, n), end, ","), end, "\"_placeholder\"");
	return literal(literal(literal(q, end, ":"), end, "true"), end, "}");
}

static int put(struct buf *out, const char *from, const char *to, size_t *left)
{
	size_t len = (size_t)(to - from);

	if (len > *left)
		return -EMSGSIZE;
	*left -= len;
	return buf_put(out, from, len);
}

static int put_attachment(struct buf *out, struct http1_span base64, size_t *left)
{
	static const char mark[] = MARK, last[] = "\"}";
	int r = put(out, mark, mark + sizeof(mark) - 1, left);

	if (r == 0)
		r = put(out, base64.p, base64.p + base64.len, left);
	return r == 0 ? put(out, last, last + sizeof(last) - 1, left) : r;
}

int socketio_fill(struct buf *out, struct http1_span json, const struct http1_span *attachments,
		  unsigned n, size_t max)
{
	const char *p = json.p, *end = p + json.len, *from = p, *behind;
	unsigned which;
	int r = 0;

	while (r == 0 && p < end) {
		if (*p == '"') {
			p = skip_string(p, end);
			continue;
		}
		if (*p != '{' || !(behind = placeholder(p, end, &which))) {
			p++;
			continue;
		}
		if (which >= n)
			return -EINVAL;
		r = put(out, from, p, &max);
		if (r == 0)
			r = put_attachment(out, attachments[which], &max);
		from = p = behind;
	}
	return r == 0 ? put(out, from, end, &max) : r;
}

/* The first attachment from p on: where its mark begins, its base64, and *behind; or NULL. In a
 * string the mark's quotes would be escaped, so it is none of a string. */
static const char *find(const char *p, const char *end, struct http1_span *base64,
			const char **behind)
{
	const char *at, *quote, *start = p;
	size_t mark = sizeof(MARK) - 1;

	/* Most texts have no dollar, which is found out faster than that they have no mark. */
	while (p < end && (at = memchr(p, '$', (size_t)(end - p)))) {
		p = at + 1;
		at -= DOLLAR_AT;
		if (at < start || (size_t)(end - at) < mark || memcmp(at, MARK, mark) != 0)
			continue;
		p = at + mark;
		quote = memchr(p, '"', (size_t)(end - p));
		if (!quote)
			return NULL;
		*base64 = (struct http1_span){p, (size_t)(quote - p)};
		*behind = quote + 2;
		if (*behind <= end && quote[1] == '}' && base64_valid(base64->p, base64->len))
			return at;
	}
	return NULL;
}

/* Whether the string at p, which ends before end, reads as that name. */
static bool reads_as(const char *p, const char *end, const char *name)
{
	for (p++, end--; p < end && *name; name++) {
		unsigned c = (unsigned char)*p;

		if (c == '\\') {
			if (p[1] != 'u')
				return false;
			c = 0;
			for (int i = 2; i < 6; i++)
				c = c << 4 |
				    (http1_digit(p[i]) ? (unsigned)(p[i] - '0')
						       : (unsigned)(p[i] | 0x20) - 'a' + 10);
			p += 5;
		}
		if (c != (unsigned char)*name)
			return false;
		p++;
	}
	return p == end && !*name;
}

/* Whether an object in it has a member that parsers take for a placeholder. */
static bool has_placeholder(struct http1_span json)
{
	const char *p = json.p, *end = p + json.len, *behind;

	while (p < end) {
		if (*p != '"') {
			p++;
			continue;
		}
		behind = skip_string(p, end);
		if (reads_as(p, behind, "_placeholder") && literal(behind, end, ":"))
			return true;
		p = behind;
	}
	return false;
}

bool socketio_has_binary(struct http1_span json)
{
	struct http1_span base64;
	const char *behind;

	return find(json.p, json.p + json.len, &base64, &behind) && !has_placeholder(json);
}

int socketio_strip(struct buf *out, struct http1_span json,
		   struct http1_span attachments[SOCKETIO_ATTACHMENTS_MAX])
{
	const char *p = json.p, *end = p + json.len, *at, *behind;
	int n = 0, r = 0;

	while (r == 0 && n < SOCKETIO_ATTACHMENTS_MAX &&
	       (at = find(p, end, &attachments[n], &behind))) {
		r = buf_put(out, p, (size_t)(at - p));
		if (r == 0)
			r = buf_printf(out, "{\"_placeholder\":true,\"num\":%d}", n++);
		p = behind;
	}
	if (r == 0)
		r = buf_put(out, p, (size_t)(end - p));
	return r < 0 ? r : n;
}
