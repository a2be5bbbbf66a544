#include "door/http_steer.h"

#include <stdlib.h>

#include "conn/encoding.h"
#include "dialect/hub7.h"
#include "dialect/kept.h"
#include "dialect/rest.h"
#include "dialect/steering.h"
#include "door/exchange.h"
#include "wire/http1_target.h"
#include "wire/query.h"

static const struct dialect steer_dialect = {.error = hub7_error};

static const struct door steer_door = {
    .counted = COUNT_HTTP,
    .encoding = &encoding_lines,
    .dialect = &steer_dialect,
    .write = exchange_write,
    .pause = exchange_pause,
    .close = exchange_close,
    .abort = exchange_abort,
    .peer = exchange_peer,
    .descriptor = exchange_descriptor,
};

/* The answer comes, whether the request's end has been seen or not. */
static void steer_ended(struct stream *s)
{
	struct exchange *x = s->owner;

	if (s->deaf)
		stream_abort(s);
	else
		x->http->head.keep_alive = false;
}

static const struct stream_user steer_user = {
    .counted = {COUNT_HTTP, COUNT_HTTPS},
    .take = exchange_take,
    .ended = steer_ended,
    .writable = exchange_writable,
    .progress = exchange_progress,
    .gone = exchange_gone,
};

static void answer(struct conn *c, const struct steering *st, const struct steer_result *result)
{
	const struct session_env *env = c->worker->members->registry->env;
	struct exchange *x = c->handle;

	if (!x)
		return;
	if (result->code != HUB_OK) {
		exchange_fail(x, rest_status(result->code), hub_code_name(result->code),
			      result->why);
		return;
	}
	x->answer = (struct answer){.status = 200};
	if (steering_answer(&x->text, env, st, result) < 0 || buf_puts(&x->text, "\n") < 0)
		x->answer = http_error(503, NULL, "out of memory");
	exchange_done(x);
}

static const char *read_query(struct steering_reading *r, struct http1_span query)
{
	struct http1_span name, value;
	char name_text[32], text[STEERING_VALUE_MAX];
	const char *wrong = NULL;

	while (!wrong && query_next(&query, &name, &value)) {
		ssize_t n = http1_decode(name, true, name_text, sizeof(name_text));
		ssize_t len = http1_decode(value, true, text, sizeof(text));

		/* What is too long for any, or no text, is as wrong as nothing. */
		if (n < 0)
			wrong = "the query has a field whose name is too long, or a broken escape";
		else
			wrong = steering_field(r, (struct span){name_text, (size_t)n},
					       (struct span){text, len < 0 ? 0 : (size_t)len}, true,
					       true);
	}
	return wrong;
}

void http_steer(struct http *h, enum steer_verb verb, struct span session)
{
	static const struct span session_id = {"session_id", 10};
	struct steering_reading r;
	const char *wrong = NULL;
	struct exchange *x;
	struct conn *c;

	steering_begin(&r, verb);
	if (session.p)
		wrong = steering_field(&r, session_id, session, false, true);
	if (!wrong)
		wrong = read_query(&r, h->head.target.query);
	if (!wrong)
		wrong = steering_end(&r);
	/* A look changes nothing. */
	if (!wrong && r.st.limits_given && h->head.method != HTTP1_PUT)
		wrong = "limits are set by PUT";
	if (wrong) {
		http_answer(h, http_error(400, "bad_field", wrong));
		return;
	}
	x = calloc(1, sizeof(*x));
	if (!exchange_begin(x, h, &steer_door, &steer_user))
		return;
	c = x->conn;
	r.st.done = answer;
	r.st.put_kept = kept_put;
	r.st.put_ended = kept_put_ended;
	steer(c, &r.st);
}
