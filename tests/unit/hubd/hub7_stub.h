/* Peers of a hub (hub_stub.h) that say hub7 to it, and what they must be answered: whatever that
 * is, it is valid JSON. */
#ifndef HUBD_TEST_HUB7_STUB_H
#define HUBD_TEST_HUB7_STUB_H

#include "hubd/hub_stub.h"
#include "json/json.h"
#include "unit.h"

static inline void start(struct hub_stub *st, unsigned workers, bool archive)
{
	st->hub7.run = st->hub7.run ? st->hub7.run : 0x1234;
	hub_stub_start(st, workers, archive);
}

/* Each line that it was sent is one JSON object. */
static inline void check_json(const struct peer *p)
{
	const char *at = p->got.data, *end = at ? at + p->got.len : NULL;

	while (at < end) {
		const char *feed = memchr(at, '\n', (size_t)(end - at));
		struct json_scan scan;

		assert_non_null(feed);
		assert_int_equal(json_scan(NULL, at, (size_t)(feed - at), NULL, &scan), JSON_OK);
		assert_int_equal(scan.type, JSON_OBJECT);
		at = feed + 1;
	}
}

static inline void tell(struct hub_stub *st, struct peer *p, const char *text)
{
	stub_say(&st->m, p, text);
	check_json(p);
}

/* It is answered with exactly that. */
static inline void expect(struct hub_stub *st, struct peer *p, const char *text, const char *want)
{
	p->got.len = 0;
	tell(st, p, text);
	assert_true(peer_got(p, want));
}

/* It is answered with something that has that in it. */
static inline void expect_in(struct hub_stub *st, struct peer *p, const char *text,
			     const char *want)
{
	p->got.len = 0;
	tell(st, p, text);
	if (!peer_has(p, want))
		peer_got(p, want);
	assert_true(peer_has(p, want));
}

static inline void expect_error(struct hub_stub *st, struct peer *p, const char *text,
				const char *code)
{
	char want[128];

	snprintf(want, sizeof(want), "{\"type\":\"error\",\"data\":{\"code\":\"%s\",\"message\":\"",
		 code);
	expect_in(st, p, text, want);
}

static inline void join(struct hub_stub *st, struct peer *p, const char *session)
{
	char text[128];

	snprintf(text, sizeof(text), "{\"type\":\"session_associate\",\"session_id\":\"%s\"}",
		 session);
	tell(st, p, text);
	assert_true(peer_has(p, "\"session_associated\""));
	p->got.len = 0;
}

#endif
