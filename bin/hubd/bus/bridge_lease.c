/* Of several hubds the one that hears: who holds a key in Redis, which it renews. */
#include <stdio.h>
#include <string.h>

#include "bus/bridge_impl.h"

/* KEYS: the lease; ARGV: who wants it, for how many ms. Whether he has it. */
static const char lease_script[] = "local holder = redis.call('GET', KEYS[1])\n"
				   "if holder and holder ~= ARGV[1] then return 'no' end\n"
				   "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
				   "return 'yes'\n";

int bridge_put_lease(struct bridge *b, uint64_t now_ms)
{
	char key[sizeof(BRIDGE_LEASE_KEY) + 128], ms[24];
	int n = snprintf(key, sizeof(key), BRIDGE_LEASE_KEY "%s", b->set->prefix);
	int len = snprintf(ms, sizeof(ms), "%ju", (uintmax_t)b->set->lease_ms);
	const struct span words[] = {
	    {"EVAL", 4},      {lease_script, sizeof(lease_script) - 1}, {"1", 1},
	    {key, (size_t)n}, {b->holder, strlen(b->holder)},		{ms, (size_t)len}};

	b->asked = true;
	b->asked_ms = now_ms;
	return redis_put(&b->pub.out, words, 6);
}

void bridge_on_lease(struct bridge *b, bool has)
{
	int r = 0;

	b->asked = false;
	b->lease_ms = has ? b->asked_ms + b->set->lease_ms : 0;
	if (has != b->listens)
		r = bridge_put_listen(b, has ? "PSUBSCRIBE" : "PUNSUBSCRIBE");
	b->listens = has;
	if (r < 0)
		bridge_fail(b, "out of memory");
	else if (!b->up)
		bridge_set_up(b);
}

/* Another one hears as soon as this one has gone. */
void bridge_put_release(struct bridge *b)
{
	static const char script[] = "if redis.call('GET', KEYS[1]) == ARGV[1] then\n"
				     "return redis.call('DEL', KEYS[1]) end\n";
	char key[sizeof(BRIDGE_LEASE_KEY) + 128];
	int n = snprintf(key, sizeof(key), BRIDGE_LEASE_KEY "%s", b->set->prefix);
	const struct span words[] = {{"EVAL", 4},
				     {script, sizeof(script) - 1},
				     {"1", 1},
				     {key, (size_t)n},
				     {b->holder, strlen(b->holder)}};

	if (b->listens && b->pub.step == REDIS_OPEN)
		redis_put(&b->pub.out, words, 5);
}
