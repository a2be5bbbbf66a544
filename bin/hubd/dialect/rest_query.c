/* What a request asks for. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dialect/comeback.h"
#include "dialect/hub7.h"
#include "dialect/rest.h"
#include "session/seek.h"
#include "wire/http1_target.h"
#include "wire/id.h"
#include "wire/log_place.h"
#include "wire/query.h"

#define VALUE_MAX 64 /* bytes of a value, decoded */
#define TYPES_MAX 1024
#define PARAMETERS \
	"since, epoch, wait, limit, state, tick, batch, conflate, area, types and priority"

enum param {
	SINCE,
	EPOCH,
	WAIT,
	LIMIT,
	STATE,
	TICK,
	BATCH,
	CONFLATE,
	AREA,
	TYPES,
	PRIORITY,
	PARAMS
};

static const char *const names[PARAMS] = {"since", "epoch",    "wait", "limit", "state",   "tick",
					  "batch", "conflate", "area", "types", "priority"};

/* Up to max, whatever more is asked for. */
static bool read_number(const char *text, size_t len, uint32_t max, uint32_t *out)
{
	uint64_t n;

	if (!place_parse_seq(text, len, &n))
		return false;
	*out = n > max ? max : (uint32_t)n;
	return true;
}

static void use_place(struct session_from *from, const struct log_place *place)
{
	from->has_since = from->has_epoch = true;
	from->since = place->seq;
	from->epoch = place->epoch;
	from->has_run = place->has_run;
	from->run = place->run;
}

static bool read_since(const char *text, size_t len, struct session_from *from)
{
	struct log_place place;

	if (place_parse(text, len, &place)) {
		use_place(from, &place);
		return true;
	}
	from->has_since = place_parse_seq(text, len, &from->since);
	return from->has_since;
}

static bool read_flag(const char *text, size_t len, bool *out)
{
	*out = len == 1 && *text == '1';
	return *out || (len == 1 && *text == '0');
}

/* X,Y,R */
static bool read_area(const char *text, size_t len, struct rest_query *q)
{
	char room[VALUE_MAX + 1], *p = room, *end;

	memcpy(room, text, len);
	room[len] = '\0';
	for (int i = 0; i < 3; i++) {
		q->area[i] = strtod(p, &end);
		if (end == p || !isfinite(q->area[i]) || *end != (i < 2 ? ',' : '\0'))
			return false;
		p = end + 1;
	}
	q->has_area = true;
	return q->area[2] >= 0;
}

static const char *read_param(struct rest_query *q, enum param which, const char *text, size_t len)
{
	switch (which) {
	case SINCE:
		return read_since(text, len, &q->from)
			   ? NULL
			   : "since must be a seq, a whole number from 0 to 2^53, or EPOCH-SEQ";
	case EPOCH:
		/* One that no hub ever gave matches none. */
		q->from.has_epoch = true;
		if (!id_parse(text, len, &q->from.epoch))
			q->from.epoch = 0;
		return NULL;
	case WAIT:
		return read_number(text, len, REST_WAIT_MAX, &q->wait_s)
			   ? NULL
			   : "wait must be a whole number of seconds";
	case LIMIT:
		return read_number(text, len, REST_LIMIT_MAX, &q->limit) && q->limit
			   ? NULL
			   : "limit must be a whole number from 1 on";
	case STATE:
		return read_flag(text, len, &q->state) ? NULL : "state must be 0 or 1";
	case TICK:
		return read_number(text, len, UINT32_MAX, &q->tick_ms) &&
			       q->tick_ms <= SELECT_TICK_MAX
			   ? NULL
			   : "tick must be a whole number of milliseconds, 0 to 60000";
	case BATCH:
		return read_flag(text, len, &q->batch) ? NULL : "batch must be 0 or 1";
	case CONFLATE:
		return read_flag(text, len, &q->conflate) ? NULL : "conflate must be 0 or 1";
	case AREA:
		return read_area(text, len, q) ? NULL
					       : "area must be X,Y,R: numbers, R not below 0";
	case TYPES:
	case PRIORITY:
	case PARAMS:
		break;
	}
	return NULL;
}

static int read_globs(struct http1_span written, struct select_wish *wish,
		      int (*add)(struct select_wish *wish, struct span glob))
{
	char text[TYPES_MAX];
	ssize_t len = http1_decode(written, true, text, sizeof(text)), at = 0;
	int r = len < 0 ? -EINVAL : 0;

	while (r == 0 && written.len && at <= len) {
		const char *comma = memchr(text + at, ',', (size_t)(len - at));
		size_t n = comma ? (size_t)(comma - text - at) : (size_t)(len - at);

		r = add(wish, (struct span){text + at, n});
		at += (ssize_t)n + 1;
	}
	return r;
}

int rest_wish(const struct rest_query *q, struct http1_span types, struct http1_span priority,
	      struct select_wish *wish)
{
	int r;

	*wish =
	    (struct select_wish){.tick_ms = q->tick_ms, .batch = q->batch, .conflate = q->conflate};
	r = read_globs(types, wish, select_type);
	if (r == 0)
		r = read_globs(priority, wish, select_first);
	if (r < 0)
		select_wish_free(wish);
	return r;
}

static const char *read_types(struct rest_query *q, enum param which, struct http1_span value)
{
	const struct http1_span none = {NULL, 0};
	struct select_wish wish;
	bool first = which == PRIORITY;
	int r =
	    value.len ? rest_wish(q, first ? none : value, first ? value : none, &wish) : -EINVAL;

	if (r < 0)
		return "types and priority must be patterns of types with commas between, 1024 "
		       "bytes and 64 of each at most; in types with ! before those that are not "
		       "wanted";
	select_wish_free(&wish);
	*(first ? &q->priority : &q->types) = value;
	return NULL;
}

static enum param find_param(struct http1_span name)
{
	char text[16];
	ssize_t len = http1_decode(name, true, text, sizeof(text));
	unsigned i = 0;

	while (i < PARAMS &&
	       !(len == (ssize_t)strlen(names[i]) && memcmp(text, names[i], (size_t)len) == 0))
		i++;
	return (enum param)i;
}

const char *rest_read_query(struct rest_query *q, struct http1_span query,
			    struct http1_span last_event_id)
{
	struct http1_span name, value;
	bool seen[PARAMS] = {0};
	struct log_place place;

	*q = (struct rest_query){.limit = REST_LIMIT};
	while (query_next(&query, &name, &value)) {
		enum param which = find_param(name);
		char text[VALUE_MAX];
		const char *wrong;
		ssize_t len;

		if (which == PARAMS)
			continue;
		if (seen[which])
			return PARAMETERS " may occur once each";
		seen[which] = true;
		if (which == TYPES || which == PRIORITY) {
			wrong = read_types(q, which, value);
			if (wrong)
				return wrong;
			continue;
		}
		len = http1_decode(value, true, text, sizeof(text));
		if (len < 0)
			return PARAMETERS
			    " may have 64 bytes each, types and priority 1024, and no broken "
			    "escapes";
		wrong = read_param(q, which, text, (size_t)len);
		if (wrong)
			return wrong;
	}
	if (!last_event_id.len)
		return NULL;
	/* An id that no hub ever gave is of another log, which the client is to be told. */
	if (!place_parse(last_event_id.p, last_event_id.len, &place))
		place = (struct log_place){0};
	q->from = (struct session_from){0};
	use_place(&q->from, &place);
	return NULL;
}

uint64_t rest_client(const struct conn *c, struct http1_span name)
{
	struct span text = {name.p, name.len};
	struct resume resume;
	bool may;

	if (comeback_read(c, text, &resume, &may) && may)
		return resume.id;
	return resume_named(c->worker->hub7->secret, identity_sub(conn_identity(c)), text);
}
