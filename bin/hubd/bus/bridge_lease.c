/* Of several hubds the one that hears: who holds a key in Redis, which it renews. */
#include <stdio.h>
#include <string.h>

#include "bus/bridge_impl.h"
#include "bus/scripts.h"

/* Queues a script's call: its one key is the lease, its words are the holder and, or NULL, one
 * more. */
static int put_script(struct bridge *b, enum script script, const struct span *more)
{
	char key[sizeof(BRIDGE_LEASE_KEY) + 128];
	int len = snprintf(key, sizeof(key), BRIDGE_LEASE_KEY "%s", b->set->prefix);
	struct span words[6] = {{"EVAL", 4},
				script_text(script),
				{"1", 1},
				{key, (size_t)len},
				{b->holder, strlen(b->holder)}};

	if (more)
		words[5] = *more;
	return redis_put(&b->pub.out, words, more ? 6 : 5);
}

int bridge_put_lease(struct bridge *b, uint64_t now_ms)
{
	char ms[24];
	int len = snprintf(ms, sizeof(ms), "%ju", (uintmax_t)b->set->lease_ms);

	b->asked = true;
	b->asked_ms = now_ms;
	return put_script(b, SCRIPT_LEASE, &(struct span){ms, (size_t)len});
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
	if (b->listens && b->pub.step == REDIS_OPEN)
		put_script(b, SCRIPT_RELEASE, NULL);
}
