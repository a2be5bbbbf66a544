/* The head of a request. Invariant: what stands before h->scan is read and never looked at again;
 * all of it but the line that began at h->line is understood. Until the end only offsets are kept,
 * since the buffer may move between two calls. */
#include "wire/http1.h"

#include "wire/http1_target.h"

enum state {
	REQUEST_LINE, /* or the empty line before it */
	FIELDS,
	DONE,
	REFUSED,
};

/* What the fields said, in h->seen. */
enum seen {
	SEEN_LENGTH = 1,
	SEEN_CODING = 2,	  /* Transfer-Encoding */
	SEEN_CHUNKED = 4,	  /* in it */
	SEEN_CHUNKED_LAST = 8,	  /* the last one so far */
	SEEN_CODING_UNKNOWN = 16, /* one that is not chunked */
	SEEN_CLOSE = 32,
	SEEN_KEEP_ALIVE = 64,
	SEEN_UPGRADE = 128, /* in Connection */
	SEEN_UPGRADE_FIELD = 256,
	SEEN_CONTINUE = 512,
};

static const struct {
	const char *name;
	size_t len;
} methods[] = {
    [HTTP1_GET] = {"GET", 3},	      [HTTP1_HEAD] = {"HEAD", 4},
    [HTTP1_POST] = {"POST", 4},	      [HTTP1_PUT] = {"PUT", 3},
    [HTTP1_DELETE] = {"DELETE", 6},   [HTTP1_CONNECT] = {"CONNECT", 7},
    [HTTP1_OPTIONS] = {"OPTIONS", 7}, [HTTP1_TRACE] = {"TRACE", 5},
    [HTTP1_PATCH] = {"PATCH", 5},
};

#define NMETHODS (sizeof(methods) / sizeof(methods[0]))

const char *http1_method_name(enum http1_method method)
{
	return methods[method].name;
}

static void refuse(struct http1_head *h, int status, const char *why)
{
	h->status = status;
	h->why = why;
	h->state = REFUSED;
}

/* "HTTP/" DIGIT "." DIGIT (RFC 9112 section 2.3) */
static bool take_version(struct http1_head *h, const char *p, size_t n)
{
	if (n != 8 || memcmp(p, "HTTP/", 5) != 0 || !http1_digit(p[5]) || p[6] != '.' ||
	    !http1_digit(p[7])) {
		refuse(h, 400, "a version that is none");
		return false;
	}
	if (p[5] != '1') {
		refuse(h, 505, "a version that is not HTTP/1");
		return false;
	}
	h->version_1_0 = p[7] == '0';
	return true;
}

/* method SP request-target SP HTTP-version (RFC 9112 section 3) */
static void request_line(struct http1_head *h, const char *data, size_t at, size_t len)
{
	const char *line = data + at, *target, *version;
	struct http1_target parsed;
	size_t method = 0, n, target_len;

	target = memchr(line, ' ', len);
	n = target ? (size_t)(target - line) : 0;
	if (!http1_all(line, n, HTTP1_TOKEN)) {
		refuse(h, 400, "a request line that is none");
		return;
	}
	target++;
	version = memchr(target, ' ', len - n - 1);
	if (!version) {
		refuse(h, 400, "a request line without a version");
		return;
	}
	target_len = (size_t)(version - target);
	version++;
	if (!take_version(h, version, (size_t)(line + len - version)))
		return;
	while (method < NMETHODS &&
	       (methods[method].len != n || memcmp(methods[method].name, line, n) != 0))
		method++;
	if (method == NMETHODS) {
		refuse(h, 501, "an unknown method"); /* RFC 9110 section 9.1 */
		return;
	}
	h->method = (enum http1_method)method;
	h->target_at = (uint32_t)(target - data);
	h->target_len = (uint32_t)target_len;
	if (http1_target_parse(&parsed, (struct http1_span){target, target_len}, h->method,
			       &h->why))
		refuse(h, 400, h->why);
	else
		h->state = FIELDS;
}

/* Exactly one in HTTP/1.1, never two (RFC 9112 section 3.2). */
static void take_host(struct http1_head *h, const char *data, struct http1_span value)
{
	if (h->hosts++) {
		refuse(h, 400, "more than one Host");
	} else if (!http1_host_valid(value)) {
		refuse(h, 400, "a Host that is none");
	} else {
		h->host_at = (uint32_t)(value.p - data);
		h->host_len = (uint32_t)value.len;
	}
}

/* 1*DIGIT, once (RFC 9112 section 6.3 lets a server refuse the list of equal ones) */
static void take_length(struct http1_head *h, struct http1_span value)
{
	uint64_t n = 0;

	if (h->seen & SEEN_LENGTH) {
		refuse(h, 400, "more than one Content-Length");
		return;
	}
	h->seen |= SEEN_LENGTH;
	if (value.len == 0)
		refuse(h, 400, "a Content-Length that is none");
	for (size_t i = 0; i < value.len && h->state == FIELDS; i++) {
		unsigned digit = (unsigned)(value.p[i] - '0');

		if (!http1_digit(value.p[i]))
			refuse(h, 400, "a Content-Length that is none");
		else if (n > ((uint64_t)INT64_MAX - digit) / 10)
			refuse(h, 400, "a Content-Length that is too large");
		else
			n = n * 10 + digit;
	}
	h->content_length = n;
}

/* All but chunked is refused by framing(), when the whole list has come (RFC 9112 section 6.1). */
static void take_coding(struct http1_head *h, struct http1_span value)
{
	struct http1_span coding;

	h->seen |= SEEN_CODING;
	while (http1_element(&value, &coding)) {
		if (!http1_is(coding, "chunked")) {
			h->seen = (uint16_t)((h->seen | SEEN_CODING_UNKNOWN) & ~SEEN_CHUNKED_LAST);
			if (coding.len == 0)
				refuse(h, 400, "an empty transfer coding");
		} else if (h->seen & SEEN_CHUNKED) {
			refuse(h, 400, "chunked more than once");
		} else {
			h->seen |= SEEN_CHUNKED | SEEN_CHUNKED_LAST;
		}
	}
}

static void take_connection(struct http1_head *h, struct http1_span value)
{
	struct http1_span option;

	while (http1_element(&value, &option)) {
		if (http1_is(option, "close"))
			h->seen |= SEEN_CLOSE;
		else if (http1_is(option, "keep-alive"))
			h->seen |= SEEN_KEEP_ALIVE;
		else if (http1_is(option, "upgrade"))
			h->seen |= SEEN_UPGRADE;
	}
}

/* RFC 9110 section 10.1.1; what HTTP/1.0 expects is ignored. */
static void take_expect(struct http1_head *h, struct http1_span value)
{
	struct http1_span member;

	while (!h->version_1_0 && http1_element(&value, &member)) {
		if (http1_is(member, "100-continue"))
			h->seen |= SEEN_CONTINUE;
		else if (member.len)
			refuse(h, 417, "an expectation that is not 100-continue");
	}
}

/* field-name ":" OWS field-value OWS (RFC 9112 section 5) */
static void field_line(struct http1_head *h, const char *data, size_t at, size_t len)
{
	const char *line = data + at, *colon = memchr(line, ':', len);
	struct http1_span name = {line, colon ? (size_t)(colon - line) : 0}, value;

	/* Folded lines and a space before the colon fail here too: a space is no token. */
	if (!http1_all(name.p, name.len, HTTP1_TOKEN)) {
		refuse(h, 400, "a field line that is none");
		return;
	}
	if (h->count++ == HTTP1_FIELDS_MAX) {
		refuse(h, 431, "too many fields");
		return;
	}
	value = http1_trim((struct http1_span){colon + 1, len - name.len - 1});
	if (http1_is(name, "host"))
		take_host(h, data, value);
	else if (http1_is(name, "connection"))
		take_connection(h, value);
	else if (http1_is(name, "content-length"))
		take_length(h, value);
	else if (http1_is(name, "transfer-encoding"))
		take_coding(h, value);
	else if (http1_is(name, "upgrade"))
		h->seen |= SEEN_UPGRADE_FIELD;
	else if (http1_is(name, "expect"))
		take_expect(h, value);
}

/* Where the body ends (RFC 9112 section 6.3). What two readers could take for two things is
 * refused. */
static void framing(struct http1_head *h)
{
	if (!(h->seen & SEEN_CODING))
		return;
	if (h->version_1_0)
		refuse(h, 400, "Transfer-Encoding in HTTP/1.0");
	else if (h->seen & SEEN_LENGTH)
		refuse(h, 400, "both Transfer-Encoding and Content-Length");
	else if (!(h->seen & SEEN_CHUNKED_LAST))
		refuse(h, 400, "a transfer coding that does not end in chunked");
	else if (h->seen & SEEN_CODING_UNKNOWN)
		refuse(h, 501, "an unknown transfer coding");
	h->chunked = true;
}

/* At the empty line: offsets become spans. */
static void finish(struct http1_head *h, const char *data, size_t end)
{
	const char *why;

	if (!h->version_1_0 && !h->hosts)
		refuse(h, 400, "no Host");
	else
		framing(h);
	if (h->state == REFUSED)
		return;
	h->state = DONE;
	h->length = (uint32_t)end + 2;
	h->keep_alive = !(h->seen & SEEN_CLOSE) && (!h->version_1_0 || h->seen & SEEN_KEEP_ALIVE);
	h->upgrade = !h->version_1_0 && h->seen & SEEN_UPGRADE && h->seen & SEEN_UPGRADE_FIELD;
	h->expect_continue = h->seen & SEEN_CONTINUE && (h->chunked || h->content_length);
	h->fields = (struct http1_span){data + h->fields_at, end - h->fields_at};
	/* It was valid when it came, and still is. */
	(void)http1_target_parse(
	    &h->target, (struct http1_span){data + h->target_at, h->target_len}, h->method, &why);
	if (h->target.authority.p)
		h->host = h->target.authority;
	else if (h->hosts)
		h->host = (struct http1_span){data + h->host_at, h->host_len};
}

static void take_line(struct http1_head *h, const char *data, size_t at, size_t len)
{
	if (h->state == FIELDS) {
		if (len == 0)
			finish(h, data, at);
		else
			field_line(h, data, at, len);
	} else if (len == 0) {
		/* RFC 9112 section 2.2: one, which some clients send behind a body */
		if (at > 0)
			refuse(h, 400, "empty lines before the request");
	} else {
		request_line(h, data, at, len);
		h->fields_at = (uint32_t)(at + len + 2);
	}
}

static void too_large(struct http1_head *h, const char *data, size_t max)
{
	if (h->state == FIELDS)
		refuse(h, 431, "a head that is too large");
	else if (memchr(data + h->line, ' ', max - h->line))
		refuse(h, 414, "a target that is too long");
	else
		refuse(h, 501, "a method that is too long"); /* RFC 9112 section 3 */
}

enum http1_got http1_head(struct http1_head *h, const char *data, size_t len, size_t max)
{
	size_t end = len < max ? len : max, at;

	while (h->state < DONE) {
		at = (size_t)(http1_control(data + h->scan, data + end) - data);
		h->scan = (uint32_t)at;
		if (at == end || (data[at] == '\r' && at + 1 == end)) {
			if (end < max)
				return HTTP1_MORE;
			too_large(h, data, max);
		} else if (data[at] != '\r' || data[at + 1] != '\n') {
			refuse(h, 400, "a control character, or half a line end");
		} else {
			take_line(h, data, h->line, at - h->line);
			h->scan = h->line = (uint32_t)at + 2;
		}
	}
	return h->state == DONE ? HTTP1_DONE : HTTP1_REFUSED;
}

bool http1_next(struct http1_span *fields, struct http1_span *name, struct http1_span *value)
{
	const char *colon, *end;

	if (fields->len == 0)
		return false;
	/* Both are there: http1_head() saw them. */
	colon = memchr(fields->p, ':', fields->len);
	end = memchr(colon, '\r', fields->len - (size_t)(colon - fields->p));
	*name = (struct http1_span){fields->p, (size_t)(colon - fields->p)};
	*value = http1_trim((struct http1_span){colon + 1, (size_t)(end - colon) - 1});
	fields->len -= (size_t)(end + 2 - fields->p);
	fields->p = end + 2;
	return true;
}

size_t http1_field(const struct http1_head *h, const char *lower, struct http1_span *value)
{
	struct http1_span fields = h->fields, name, v;
	size_t n = 0;

	if (value)
		*value = (struct http1_span){NULL, 0};
	while (http1_next(&fields, &name, &v))
		if (http1_is(name, lower) && n++ == 0 && value)
			*value = v;
	return n;
}

bool http1_next_element(struct http1_span *fields, struct http1_span *list, const char *lower,
			struct http1_span *element)
{
	struct http1_span name, value;

	while (!http1_element(list, element)) {
		do {
			if (!http1_next(fields, &name, &value))
				return false;
		} while (!http1_is(name, lower));
		*list = value;
	}
	return true;
}

bool http1_has(const struct http1_head *h, const char *lower, const char *element)
{
	struct http1_span fields = h->fields, list = {NULL, 0}, member;

	while (http1_next_element(&fields, &list, lower, &member))
		if (http1_is(member, element))
			return true;
	return false;
}
