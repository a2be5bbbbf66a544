/* Any bytes as a query, with the first line of them as a Last-Event-ID: what is read is within its
 * bounds, what is wrong is told, and what is decoded is no longer than what came. */
#include "wire/query.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dialect/rest.h"
#include "wire/http1_target.h"
#include "wire/log_place.h"

static void check_pieces(struct http1_span query)
{
	const char *end = query.p + query.len;
	struct http1_span name, value;
	char out[4096];

	while (query_next(&query, &name, &value)) {
		ssize_t n = http1_decode(value, true, out, sizeof(out));

		assert(name.p + name.len <= value.p && value.p + value.len <= end);
		assert(n <= (ssize_t)value.len);
		/* None is made that did not come. */
		assert(n <= 0 || !memchr(out, '\0', (size_t)n) || memchr(value.p, '\0', value.len));
	}
}

static void check_place(const char *text, size_t len)
{
	struct log_place place, again;
	char out[PLACE_MAX];

	if (!place_parse(text, len, &place))
		return;
	assert(place_text(&place, out) <= len); /* zeros in front of a seq go */
	assert(place_parse(out, strlen(out), &again) && again.seq == place.seq &&
	       again.epoch == place.epoch && again.run == place.run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of the exact size, so that a read behind it is seen. */
	char *text = malloc(size ? size : 1);
	const char *feed;
	struct http1_span id, query;
	struct rest_query q;

	assert(text);
	if (size)
		memcpy(text, data, size);
	feed = size ? memchr(text, '\n', size) : NULL;
	id = (struct http1_span){text, feed ? (size_t)(feed - text) : 0};
	query = (struct http1_span){text + id.len + (feed != NULL), size - id.len - (feed != NULL)};
	check_pieces(query);
	check_place(id.p, id.len);
	if (!rest_read_query(&q, query, id)) {
		struct select_wish wish;

		assert(rest_wish(&q, q.types, q.priority, &wish) == 0 &&
		       wish.tick_ms <= SELECT_TICK_MAX);
		select_wish_free(&wish);
		assert(q.wait_s <= REST_WAIT_MAX && q.limit >= 1 && q.limit <= REST_LIMIT_MAX);
		assert(q.from.since <= (uint64_t)1 << 53);
		assert(!id.len || (q.from.has_since && q.from.has_epoch));
	}
	free(text);
	return 0;
}
