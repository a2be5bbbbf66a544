/* The two connections of the bridge, which live and die together. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "bus/bridge_impl.h"

#define AGAIN_MS 200 /* to the next attempt, twice as long each time, */
#define AGAIN_MAX_MS 2000

void bridge_wake(struct bridge *b)
{
	uint64_t one = 1;

	/* It is full only where it wakes anyway. */
	if (write(b->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void bridge_drop(struct bridge *b, const char *why)
{
	atomic_store_explicit(&b->why, why, memory_order_relaxed);
	atomic_fetch_add_explicit(&b->dropped, 1, memory_order_relaxed);
}

int bridge_put_listen(struct bridge *b, const char *command)
{
	struct span words[3] = {{command, strlen(command)}};
	struct buf all = {0}, requests = {0};
	int r = adapter_pattern(&all, b->set->prefix, "#/");

	if (r == 0)
		r = adapter_pattern(&requests, b->set->prefix, "-request#/");
	words[1] = (struct span){all.data, all.len};
	words[2] = (struct span){requests.data, requests.len};
	if (r == 0)
		r = redis_put(&b->sub.out, words, 3);
	buf_free(&all);
	buf_free(&requests);
	return r;
}

void bridge_fail(struct bridge *b, const char *why)
{
	uint64_t now_ms = clock_mono_ms();
	char where[400], reason[200];

	snprintf(reason, sizeof(reason), "%s", why);
	redis_url_text(&b->url, b->attempt, where, sizeof(where));
	if (!b->said || err_shows(ERR_DEBUG))
		err_log(ERR_WARN, "bus-socketio %s: %s; trying again", where, reason);
	b->said = true;
	b->up = b->asked = b->listens = false;
	b->lease_ms = b->asked_ms = 0;
	redis_conn_close(&b->pub);
	redis_conn_close(&b->sub);
	b->attempt++;
	b->pause_ms = b->pause_ms ? 2 * b->pause_ms : AGAIN_MS;
	if (b->pause_ms > AGAIN_MAX_MS)
		b->pause_ms = AGAIN_MAX_MS;
	b->again_ms = now_ms + b->pause_ms / 2 + randombytes_uniform((uint32_t)b->pause_ms / 2 + 1);
}

void bridge_begin(struct bridge *b, uint64_t now_ms)
{
	b->began_ms = now_ms;
	b->patterns = 0;
	if (redis_conn_open(&b->pub, &b->url, b->tls, b->attempt) < 0)
		bridge_fail(b, b->pub.why);
	else if (redis_conn_open(&b->sub, &b->url, b->tls, b->attempt) < 0)
		bridge_fail(b, b->sub.why);
}

/* What a connection begins with. */
int bridge_greet(struct bridge *b, struct redis_conn *c)
{
	static const struct span role[] = {{"ROLE", 4}};
	struct span auth[REDIS_AUTH_WORDS];
	size_t n = redis_url_auth(&b->url, auth);
	int r = n ? redis_put(&c->out, auth, n) : 0;

	if (r == 0 && c == &b->pub && b->url.nhosts > 1)
		r = redis_put(&c->out, role, 1);
	if (r == 0 && c == &b->sub && !b->set->shared)
		r = bridge_put_listen(b, "PSUBSCRIBE");
	return r;
}

void bridge_set_up(struct bridge *b)
{
	char where[400];

	redis_url_text(&b->url, b->attempt, where, sizeof(where));
	err_log(ERR_INFO, "bus-socketio %s: connected", where);
	b->said = false;
	b->up = true;
	b->pause_ms = 0;
}
