/* Invariant: who asks again no sooner than it was told to does not begin a new row by that. */
#include "session/contest.h"

/* Whether what it did before counts no more. */
static bool is_over(const struct contest *c, uint32_t now_s)
{
	return now_s - c->at_s > (c->waits ? 2 * CONTEST_WAIT_S : CONTEST_ROW_S);
}

/* The client's, or the one to forget for it. */
static struct contest *contest_of(struct contests *all, uint64_t client, uint32_t now_s)
{
	struct contest *oldest = all->of;

	for (struct contest *c = all->of; c < all->of + CONTESTS; c++) {
		if (c->turns && c->client == client)
			return c;
		if (!c->turns || (oldest->turns && now_s - c->at_s > now_s - oldest->at_s))
			oldest = c;
	}
	*oldest = (struct contest){.client = client, .at_s = now_s};
	return oldest;
}

uint32_t contest_come(struct contests *all, uint64_t client, uint32_t now_s)
{
	struct contest *c = contest_of(all, client, now_s);

	if (is_over(c, now_s))
		c->turns = c->waits = 0;
	c->at_s = now_s;
	if (c->turns < CONTEST_TURNS) {
		c->turns++;
		return 0;
	}
	if (1u << c->waits >= CONTEST_WAIT_S)
		return CONTEST_WAIT_S;
	return 1u << c->waits++;
}
