/* Any bytes as a message of a server of Socket.IO: what is heard is a message of JSON within its
 * bounds, for sessions. Any JSON array as an event: what is told is heard again as JSON. */
#undef NDEBUG
#include "bus/adapter.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json/json.h"

#define MAX 2000

static const struct span uid = {"01234567890123456789", ADAPTER_UID};

static bool is_json(const struct buf *b, enum json_type type)
{
	struct json_scan scan;

	return json_scan(NULL, b->data, b->len, NULL, &scan) == JSON_OK && scan.type == type;
}

static void check_heard(struct span bytes)
{
	char session[ENVELOPE_SESSION_MAX];
	struct adapter_heard heard;
	struct buf b = {0};
	int r = adapter_read(bytes, uid, &heard, &b, MAX);

	assert(r == 1 || r == 0 || r == -EINVAL || r == -EMSGSIZE);
	assert(r == 1 || b.len == 0);
	if (r == 1) {
		size_t left = heard.nrooms ? heard.nrooms : 1, n;

		assert(b.len <= MAX && is_json(&b, JSON_OBJECT));
		assert(left <= bytes.len);
		for (; left; left--) {
			n = adapter_session(&heard, session);
			assert(n <= sizeof(session));
			assert(!n || envelope_session_id_ok(session, n));
		}
	}
	buf_free(&b);
}

/* Tells an event; *again is what is heard of it. Returns whether it is a message. */
static bool tell(struct span event, struct buf *again)
{
	struct adapter_place place;
	struct adapter_heard heard;
	struct buf told = {0};
	int r;

	assert(adapter_place((struct span){"match~blue", 10}, &place));
	assert(adapter_put(&told, uid, &place, event) == 0);
	r = adapter_read((struct span){told.data, told.len}, (struct span){"", 0}, &heard, again,
			 1 << 20);
	assert(r == 1 || r == -EINVAL); /* it may have no name, or be deep */
	assert(r == -EINVAL || is_json(again, JSON_OBJECT));
	buf_free(&told);
	return r == 1;
}

static void check_told(struct span text)
{
	struct json_scan scan;
	struct buf first = {0};

	if (json_scan(NULL, text.p, text.len, NULL, &scan) == JSON_OK && scan.type == JSON_ARRAY)
		tell((struct span){text.p + scan.start, scan.end - scan.start}, &first);
	buf_free(&first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of the exact size, so that a read behind it is seen. */
	char *text = malloc(size ? size : 1);

	assert(text);
	if (size)
		memcpy(text, data, size);
	check_heard((struct span){text, size});
	check_told((struct span){text, size});
	free(text);
	return 0;
}
