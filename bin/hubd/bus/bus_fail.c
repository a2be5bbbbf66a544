/* The end of a connection, for whatever reason. */
#include <sodium.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "bus/bus_impl.h"

void link_close(struct link *l)
{
	struct call *calls = l->calls, *call;

	redis_conn_close(&l->pub);
	l->calls = NULL;
	l->calls_last = &l->calls;
	l->up = false;
	l->waits = 0;
	while ((call = calls) != NULL) {
		calls = call->next;
		call_end(l, call, NULL);
	}
}

void link_fail(struct link *l, const char *why)
{
	uint64_t now_ms = clock_mono_ms();
	char where[400], reason[200];

	if (l->pub.step == REDIS_CLOSED && l->sub.step == REDIS_CLOSED && l->again_ms > now_ms)
		return;
	snprintf(reason, sizeof(reason), "%s", why);
	redis_url_text(&l->url, l->attempt, where, sizeof(where));
	if (!l->said || err_shows(ERR_DEBUG))
		err_log(ERR_WARN, "bus %s: %s; trying again", where, reason);
	l->said = true;
	if (!l->down_ms)
		l->down_ms = now_ms;
	link_close(l);
	redis_conn_close(&l->sub);
	far_unsubscribed_all(l);
	l->attempt++;
	l->pause_ms = l->pause_ms ? 2 * l->pause_ms : BUS_AGAIN_MS;
	if (l->pause_ms > BUS_AGAIN_MAX_MS)
		l->pause_ms = BUS_AGAIN_MAX_MS;
	/* Each at a time of its own. */
	l->again_ms = now_ms + l->pause_ms / 2 + randombytes_uniform((uint32_t)l->pause_ms / 2 + 1);
}

void call_ignored(struct link *l, struct call *call, const redisReply *reply)
{
	(void)l;
	(void)call;
	(void)reply;
}

void call_words(struct link *l, void (*done)(struct link *, struct call *, const redisReply *),
		const struct span *words, size_t n)
{
	struct call *call = call_new(NULL, done);

	if (!call || redis_put(&call->command, words, n) < 0) {
		call_free(call);
		link_fail(l, "out of memory");
		return;
	}
	link_call(l, call);
}
