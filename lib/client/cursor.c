/* Of the fields, state_left, gap_to and own_* are of one connection, and a join begins them anew;
 * the rest outlives it. */
#include "client/cursor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void cursor_init(struct cursor *c, enum cursor_from from, uint64_t since)
{
	*c = (struct cursor){.from = from, .known = from == CURSOR_SINCE, .seq = since};
}

void cursor_forget(struct cursor *c)
{
	bool lost = c->lost || c->known || c->state_left;
	bool rest = c->rest;

	/* The hub will say what is left of it. */
	if (rest && c->known)
		return;
	cursor_init(c, c->from, 0);
	c->known = false;
	c->lost = lost;
	c->rest = rest;
}

void cursor_ask(const struct cursor *c, char out[CURSOR_JOIN_MAX])
{
	int n;

	out[0] = '\0';
	if (!c->known && c->rest)
		snprintf(out, CURSOR_JOIN_MAX, ",\"rest\":true");
	if (!c->known)
		return;
	n = snprintf(out, CURSOR_JOIN_MAX, ",\"since\":%" PRIu64, c->seq);
	if (c->epoch[0])
		n += snprintf(out + n, CURSOR_JOIN_MAX - (size_t)n, ",\"epoch\":\"%s\"", c->epoch);
	if (c->ahead > c->seq)
		n +=
		    snprintf(out + n, CURSOR_JOIN_MAX - (size_t)n, ",\"ahead\":%" PRIu64, c->ahead);
	if (c->rest)
		snprintf(out + n, CURSOR_JOIN_MAX - (size_t)n, ",\"rest\":true");
}

/* An epoch as it can be sent back; else empty, which is compared with none. */
static void copy_epoch(char out[CURSOR_EPOCH_MAX + 1], const char *epoch)
{
	size_t n = strlen(epoch);

	out[0] = '\0';
	if (n > CURSOR_EPOCH_MAX)
		return;
	for (size_t i = 0; i < n; i++)
		if (epoch[i] <= ' ' || epoch[i] > '~' || epoch[i] == '"' || epoch[i] == '\\')
			return;
	memcpy(out, epoch, n + 1);
}

bool cursor_epoch(struct cursor *c, const char *epoch)
{
	copy_epoch(c->epoch, epoch);
	return c->epoch[0] != '\0';
}

static void cursor_arrive(struct cursor *c)
{
	c->known = true;
	c->lost = false;
	c->seq = c->head;
	memcpy(c->epoch, c->head_epoch, sizeof(c->epoch));
	c->state_left = 0;
}

void cursor_joined(struct cursor *c, const struct cursor_joined *j)
{
	/* Of a trimmed log all was asked for: a gap and all the rest follow. */
	bool rest = c->known && c->seq == 0 && strcmp(j->reason, "trimmed") == 0 && !j->snapshot;

	c->gap_to = c->own_from = c->own_to = 0;
	c->state_left = 0;
	if (c->known && j->rest) {
		c->ahead = 0;
		/* A gap, and state of before its end, may come first. */
		copy_epoch(c->epoch, j->epoch);
		c->seq = j->since;
		c->lost = false;
		return;
	}
	if (rest || (c->known && j->recovered)) {
		copy_epoch(c->epoch, j->epoch);
		return;
	}
	copy_epoch(c->head_epoch, j->epoch);
	c->ahead = 0;
	c->head = j->seq;
	c->state_left = j->snapshot;
	c->hide = c->from == CURSOR_NOW && !c->known && !c->lost;
	if (!c->state_left)
		cursor_arrive(c);
}

/* Own records right behind it are not waited for. */
static void cursor_skip_own(struct cursor *c)
{
	if (c->known && !c->state_left && !c->gap_to && c->own_from <= c->seq + 1 &&
	    c->own_to > c->seq)
		c->seq = c->own_to;
}

enum cursor_record cursor_record(struct cursor *c, uint64_t seq)
{
	if (c->state_left && seq <= c->head) {
		if (--c->state_left == 0)
			cursor_arrive(c);
		return c->hide ? CURSOR_REPEAT : CURSOR_OLD;
	}
	if (c->state_left)
		cursor_arrive(c);
	if (seq <= c->gap_to)
		return CURSOR_OLD;
	if (c->known && seq <= c->seq)
		return CURSOR_REPEAT;
	c->gap_to = 0;
	c->seq = seq;
	cursor_skip_own(c);
	return CURSOR_LIVE;
}

enum cursor_record cursor_ahead(struct cursor *c, uint64_t seq)
{
	if (seq <= c->ahead || (c->known && seq <= c->seq))
		return CURSOR_REPEAT;
	c->ahead = seq;
	return CURSOR_LIVE;
}

void cursor_gap(struct cursor *c, uint64_t to_seq)
{
	if (to_seq > c->gap_to)
		c->gap_to = to_seq;
}

void cursor_own(struct cursor *c, uint64_t seq)
{
	/* Records between two of its own come from others, and are waited for. */
	if (seq != c->own_to + 1)
		c->own_from = seq;
	c->own_to = seq;
	cursor_skip_own(c);
}
