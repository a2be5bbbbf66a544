/* What the parsers of hubd's wire/ make of bytes that come in pieces, as one line of text, so that
 * two ways of cutting can be compared. Each piece is given in memory of its exact size, which has
 * moved since the last one, so that AddressSanitizer sees whoever looks behind it. */
#ifndef HUB_WIRE_TRACE_H
#define HUB_WIRE_TRACE_H

#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "wire/http1.h"
#include "wire/http1_body.h"
#include "wire/websocket.h"

/* How to cut: 0 whole, 1 byte by byte, else the seed of random pieces. */
static inline size_t trace_step(uint32_t *split, size_t left)
{
	size_t n;

	if (*split == 0)
		return left;
	if (*split == 1)
		return left ? 1 : 0;
	*split ^= *split << 13;
	*split ^= *split >> 17;
	*split ^= *split << 5;
	*split |= 2;
	n = 1 + (*split >> 8) % (*split & 64 ? 7 : 200);
	return n < left ? n : left;
}

/* The way of cutting for the nth of several tries. */
static inline uint32_t trace_split(uint32_t n)
{
	return n <= 1 ? n : n * 0x9e3779b1 | 2;
}

/* Counted by whoever can: the parsers must not allocate. */
static size_t trace_allocations;

static inline char *trace_copy(const void *data, size_t n)
{
	char *copy = malloc(n ? n : 1);

	assert(copy);
	if (n)
		memcpy(copy, data, n);
	return copy;
}

static inline void trace_put(struct buf *out, const char *before, struct http1_span s)
{
	assert(buf_puts(out, before) == 0);
	assert(buf_put(out, s.p, s.len) == 0);
}

static inline void trace_inside(const struct http1_head *h, const char *data, struct http1_span s)
{
	assert(s.p ? s.p >= data && s.p + s.len <= data + h->length : s.len == 0);
}

/* "GET /path ?query @host keep": and 1.0, upgrade, continue, chunked, length=N where they are. */
static inline void trace_head_done(struct buf *out, const struct http1_head *h, const char *data)
{
	struct http1_span fields = h->fields, name, value, first;

	trace_inside(h, data, h->target.path);
	trace_inside(h, data, h->target.query);
	trace_inside(h, data, h->target.authority);
	trace_inside(h, data, h->host);
	while (http1_next(&fields, &name, &value)) {
		char lower[64];

		trace_inside(h, data, name);
		trace_inside(h, data, value);
		assert(name.len && (value.len == 0 || (!http1_blank(value.p[0]) &&
						       !http1_blank(value.p[value.len - 1]))));
		if (name.len >= sizeof(lower))
			continue;
		for (size_t i = 0; i <= name.len; i++)
			lower[i] = (char)(i < name.len ? http1_lower(name.p[i]) : '\0');
		assert(http1_field(h, lower, &first) >= 1 && first.p && first.p <= value.p);
	}
	assert(fields.p == data + h->length - 2 || h->fields.len == 0);
	assert(h->target.path.len || h->method == HTTP1_CONNECT);
	assert(!h->chunked || h->content_length == 0);
	trace_put(out, http1_method_name(h->method), (struct http1_span){NULL, 0});
	trace_put(out, " ", h->target.path);
	if (h->target.query.p)
		trace_put(out, " ?", h->target.query);
	if (h->host.p)
		trace_put(out, " @", h->host);
	assert(buf_printf(out, "%s%s%s%s%s", h->keep_alive ? " keep" : " close",
			  h->version_1_0 ? " 1.0" : "", h->upgrade ? " upgrade" : "",
			  h->expect_continue ? " continue" : "",
			  h->chunked ? " chunked" : "") == 0);
	if (h->content_length)
		assert(buf_printf(out, " length=%llu", (unsigned long long)h->content_length) == 0);
}

/* Appends what becomes of a head: trace_head_done(), or its status, or "more". Returns the bytes of
 * the head, 0 where it is not done. *data_out, where asked for, gets the memory that h points into.
 */
static inline size_t trace_head(struct buf *out, struct http1_head *h, const char *data, size_t len,
				size_t max, uint32_t split, char **data_out)
{
	enum http1_got got = HTTP1_MORE;
	char *copy = NULL;
	size_t n = 0, before;

	*h = (struct http1_head){0};
	do {
		n += trace_step(&split, len - n);
		free(copy);
		copy = trace_copy(data, n);
		before = trace_allocations;
		got = http1_head(h, copy, n, max);
		assert(trace_allocations == before);
	} while (got == HTTP1_MORE && n < len);
	if (got == HTTP1_DONE) {
		assert(h->length <= n && h->length <= max && h->status == 0);
		trace_head_done(out, h, copy);
	} else if (got == HTTP1_REFUSED) {
		assert(h->status >= 400 && h->why);
		assert(buf_printf(out, "%d", h->status) == 0);
	} else {
		assert(n < max && buf_puts(out, "more") == 0);
	}
	assert(http1_head(h, copy, n, max) == got);
	if (data_out)
		*data_out = copy;
	else
		free(copy);
	return got == HTTP1_DONE ? h->length : 0;
}

/* Appends the payload of a body, and "|done", "|more" or "|" and the status. Returns what was used.
 */
static inline size_t trace_body(struct buf *out, const struct http1_head *h, const char *data,
				size_t len, uint32_t split)
{
	struct http1_body body;
	enum http1_got got = HTTP1_MORE;
	size_t at = 0;

	http1_body_start(&body, h);
	do {
		size_t n = trace_step(&split, len - at), before;
		char *copy = trace_copy(data + at, n);
		const char *p = copy, *from = p;
		struct http1_span piece;

		for (;;) {
			before = trace_allocations;
			got = http1_body_read(&body, &p, copy + n, &piece);
			assert(trace_allocations == before);
			assert(p >= from && p <= copy + n);
			if (got != HTTP1_PIECE)
				break;
			assert(piece.len && piece.p >= from && piece.p + piece.len == p);
			assert(buf_put(out, piece.p, piece.len) == 0);
			from = p;
		}
		assert(got != HTTP1_MORE || p == copy + n);
		at += (size_t)(p - copy);
		free(copy);
	} while (got == HTTP1_MORE && at < len);
	if (got == HTTP1_REFUSED)
		assert(body.why && buf_printf(out, "|%d", body.status) == 0);
	else
		assert(buf_puts(out, got == HTTP1_DONE ? "|done" : "|more") == 0);
	return at;
}

/* A message as far as it came. */
struct trace_message {
	struct buf text;
	bool open, is_text;
};

static inline void trace_bytes(struct buf *out, const char *name, const void *data, size_t len)
{
	assert(buf_printf(out, "%s%s", out->len ? " " : "", name) == 0);
	if (len > 200)
		assert(buf_printf(out, "[%zu]", len) == 0);
	else
		assert(buf_puts(out, "(") == 0 && buf_put(out, data, len) == 0 &&
		       buf_puts(out, ")") == 0);
}

static inline void trace_event(struct buf *out, struct trace_message *m, enum websocket_event event,
			       const struct websocket_piece *e)
{
	switch (event) {
	case WEBSOCKET_DATA:
		assert(e->first == !m->open && (e->len || e->last));
		assert(e->first || e->text == m->is_text);
		assert(buf_put(&m->text, e->data, e->len) == 0);
		m->is_text = e->text;
		m->open = !e->last;
		if (e->last) {
			trace_bytes(out, e->text ? "text" : "binary", m->text.data, m->text.len);
			m->text.len = 0;
		}
		break;
	case WEBSOCKET_PING:
		trace_bytes(out, "ping", e->data, e->len);
		break;
	case WEBSOCKET_PONG:
		trace_bytes(out, "pong", e->data, e->len);
		break;
	case WEBSOCKET_CLOSE:
		assert(e->code == WEBSOCKET_NO_CODE || websocket_code_valid(e->code));
		assert(buf_printf(out, "%sclose:%d", out->len ? " " : "", e->code) == 0);
		trace_bytes(out, "", e->data, e->len);
		break;
	case WEBSOCKET_FAILED:
		assert(e->why && buf_printf(out, "%sfail:%d", out->len ? " " : "", e->code) == 0);
		break;
	case WEBSOCKET_MORE:
		break;
	}
}

/* Appends what comes out of frames: "text(Hello) ping(x) close:1000 (bye)" or "fail:1002" at the
 * end; what is longer than 200 bytes as its length. What came of a message that does not end is
 * left out, since how much it is may depend on the cuts. */
static inline void trace_frames(struct buf *out, const unsigned char *data, size_t len,
				uint32_t limit, uint32_t split)
{
	struct websocket_in in = {0};
	struct trace_message m = {0};
	size_t at = 0, kept = 0;
	bool ended = false;

	do {
		size_t n = trace_step(&split, len - at - kept) + kept, before;
		unsigned char *copy = (unsigned char *)trace_copy(data + at, n), *p = copy,
			      *from = p;
		struct websocket_piece e;
		enum websocket_event event;

		for (;;) {
			before = trace_allocations;
			event = websocket_read(&in, &p, copy + n, limit, &e);
			assert(trace_allocations == before);
			assert(p >= from && p <= copy + n);
			if (event == WEBSOCKET_MORE)
				break;
			assert(!ended);
			assert(event == WEBSOCKET_FAILED ||
			       (e.data ? e.data >= from && e.data + e.len <= p : e.len == 0));
			ended = event == WEBSOCKET_CLOSE || event == WEBSOCKET_FAILED;
			trace_event(out, &m, event, &e);
			from = p;
		}
		/* What is kept has not been touched. */
		kept = (size_t)(copy + n - p);
		at += (size_t)(p - copy);
		assert(kept < WEBSOCKET_FRONT_MAX && (!kept || memcmp(p, data + at, kept) == 0));
		assert(!ended || kept == 0);
		free(copy);
	} while (at + kept < len);
	buf_free(&m.text);
}

#endif
