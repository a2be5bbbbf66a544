/* The bytes are one piece of memory, at most twice the limit, so that a move of what is held
 * happens at most once per limit bytes added. The entries are a ring, by their number. */
#include "client/sendq.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_MAX (SENDQ_TAG_LEN + 13) /* a 64-bit number has 13 digits in base 36 */
#define ADDED_MAX (ID_MAX + 32)	    /* bytes that an id adds to a line, or of a fence */
#define RING_MIN 64

static struct sendq_entry *sendq_at(const struct sendq *q, uint64_t number)
{
	return &q->ring[number & (q->ring_cap - 1)];
}

/* --- ids */

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

/* Writes the id of an entry; returns its length. */
static size_t id_write(const struct sendq *q, uint64_t number, char out[ID_MAX])
{
	char text[13], *p = text + sizeof(text);
	size_t n;

	do {
		*--p = digits[number % 36];
		number /= 36;
	} while (number);
	n = (size_t)(text + sizeof(text) - p);
	memcpy(out, q->tag, SENDQ_TAG_LEN);
	memcpy(out + SENDQ_TAG_LEN, p, n);
	return SENDQ_TAG_LEN + n;
}

static bool id_is_ours(const struct sendq *q, const char *id, size_t len)
{
	return len > SENDQ_TAG_LEN && memcmp(id, q->tag, SENDQ_TAG_LEN) == 0;
}

/* The number in one of our ids; UINT64_MAX where there is none. */
static uint64_t id_read(const char *id, size_t len)
{
	uint64_t n = 0;

	if (len > ID_MAX - 1)
		return UINT64_MAX;
	for (size_t i = SENDQ_TAG_LEN; i < len; i++) {
		if (id[i] >= '0' && id[i] <= '9')
			n = n * 36 + (uint64_t)(id[i] - '0');
		else if (id[i] >= 'a' && id[i] <= 'z')
			n = n * 36 + (uint64_t)(id[i] - 'a' + 10);
		else
			return UINT64_MAX;
	}
	return n;
}

/* --- putting */

/* Makes room for n bytes behind the last. */
static int reserve_bytes(struct sendq *q, size_t n)
{
	size_t cap = q->cap ? q->cap : 4096;
	char *data;

	if (q->start + q->len + n <= q->cap)
		return 0;
	while (cap < q->len + n || (cap < 2 * (q->len + n) && cap < 2 * (q->limit + ADDED_MAX)))
		cap *= 2;
	if (cap == q->cap) {
		memmove(q->data, q->data + q->start, q->len);
		q->start = 0;
		return 0;
	}
	data = malloc(cap);
	if (!data)
		return -ENOMEM;
	if (q->len)
		memcpy(data, q->data + q->start, q->len);
	free(q->data);
	q->data = data;
	q->cap = cap;
	q->start = 0;
	return 0;
}

/* Makes room for one more entry. */
static int reserve_entry(struct sendq *q)
{
	uint64_t cap = q->ring_cap ? 2 * q->ring_cap : RING_MIN;
	struct sendq_entry *ring;

	if (q->next - q->first < q->ring_cap)
		return 0;
	ring = malloc(cap * sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	for (uint64_t n = q->first; n < q->next; n++)
		ring[n & (cap - 1)] = *sendq_at(q, n);
	free(q->ring);
	q->ring = ring;
	q->ring_cap = cap;
	return 0;
}

static void sendq_open(struct sendq *q)
{
	while (q->open_to < q->next && q->open_to - q->first < SENDQ_WINDOW)
		q->open += sendq_at(q, q->open_to++)->len;
}

/* Makes an entry of the len bytes that stand behind the last. */
static void sendq_add(struct sendq *q, size_t len, enum sendq_kind kind, struct sendq_id id,
		      uint64_t tag)
{
	*sendq_at(q, q->next++) = (struct sendq_entry){.len = (uint32_t)len,
						       .id_at = id.at,
						       .id_len = id.len,
						       .kind = (uint8_t)kind,
						       .tag = tag};
	q->len += len;
	sendq_open(q);
}

static char *put_text(char *p, const char *text, size_t len)
{
	memcpy(p, text, len);
	return p + len;
}

int sendq_put(struct sendq *q, const char *text, size_t len, enum sendq_kind kind,
	      struct sendq_id id, uint64_t tag)
{
	static const char name[] = ",\"msg_id\":\"";
	bool add = kind == SENDQ_MESSAGE && !id.len;
	size_t most = len + (add ? ADDED_MAX : 1);
	char ours[ID_MAX], *line, *p;
	size_t wire = len;

	if (add)
		wire += sizeof(name) - 1 + id_write(q, q->next, ours) + 1;
	if (most > UINT32_MAX || (q->largest && wire > q->largest))
		return -EMSGSIZE;
	/* What is longer than all that is held goes alone. */
	if (most > q->limit ? q->len > 0 : q->len > q->limit - most)
		return -EAGAIN;
	if (reserve_bytes(q, most) < 0 || reserve_entry(q) < 0)
		return -ENOMEM;
	line = q->data + q->start + q->len;
	p = put_text(line, text, add ? len - 1 : len);
	if (add) {
		p = put_text(p, name, sizeof(name) - 1);
		p = put_text(p, ours, id_write(q, q->next, ours));
		p = put_text(p, "\"}", 2);
	}
	*p++ = '\n';
	sendq_add(q, (size_t)(p - line), kind, id, tag);
	return 0;
}

int sendq_fence(struct sendq *q)
{
	char ours[ID_MAX];
	int n;

	if (sendq_empty(q) || sendq_at(q, q->next - 1)->kind != SENDQ_CONTROL)
		return 0;
	/* Over the limit, if need be: by one fence at most, since what it follows was not. */
	if (reserve_bytes(q, ADDED_MAX) < 0 || reserve_entry(q) < 0)
		return -ENOMEM;
	n = (int)id_write(q, q->next, ours);
	n = snprintf(q->data + q->start + q->len, ADDED_MAX,
		     "{\"type\":\"ping\",\"ping_id\":\"%.*s\"}\n", n, ours);
	sendq_add(q, (size_t)n, SENDQ_FENCE, (struct sendq_id){0}, 0);
	return 0;
}

/* --- sending */

const char *sendq_unsent(const struct sendq *q, size_t *len)
{
	*len = q->open - q->sent;
	return *len ? q->data + q->start + q->sent : NULL;
}

/* An entry that needs no more answer. */
static bool entry_done(const struct sendq *q, uint64_t number)
{
	const struct sendq_entry *e = sendq_at(q, number);

	return e->done || (e->kind == SENDQ_CONTROL && number < q->heard);
}

/* Lets go of what is done at the front. */
static void sendq_drop(struct sendq *q)
{
	size_t n = 0;

	while (q->first < q->sent_to && entry_done(q, q->first))
		n += sendq_at(q, q->first++)->len;
	q->start += n;
	q->len -= n;
	q->sent -= n;
	q->whole -= n;
	q->open -= n;
	q->answered += n;
	if (!q->len) {
		q->start = 0;
		/* A long one is not remembered for ever. */
		if (q->cap > 4 * (q->limit + ADDED_MAX)) {
			free(q->data);
			q->data = NULL;
			q->cap = 0;
		}
	}
	sendq_open(q);
}

void sendq_advance(struct sendq *q, size_t n)
{
	bool waited = q->sent > q->whole;

	q->sent += n;
	while (q->sent_to < q->open_to && q->whole + sendq_at(q, q->sent_to)->len <= q->sent)
		q->whole += sendq_at(q, q->sent_to++)->len;
	if (q->begun < q->sent_to + (q->sent > q->whole))
		q->begun = q->sent_to + (q->sent > q->whole);
	/* It may have been answered before its end was sent. */
	if (waited)
		sendq_drop(q);
}

/* --- answers */

static void sendq_done(struct sendq *q, uint64_t number)
{
	sendq_at(q, number)->done = true;
	if (q->heard <= number)
		q->heard = number + 1;
	sendq_drop(q);
}

/* The entry under way with that msg_id of its sender's, or sent_to. Answers mostly come in the
 * order of sending, so it is mostly the first. */
static uint64_t find_id(const struct sendq *q, const char *id, size_t len)
{
	const char *p = q->first < q->sent_to ? q->data + q->start : NULL;

	for (uint64_t n = q->first; n < q->sent_to; n++) {
		const struct sendq_entry *e = sendq_at(q, n);

		if (len && e->id_len == len && !e->done && e->len &&
		    memcmp(p + e->id_at, id, len) == 0)
			return n;
		p += e->len;
	}
	return q->sent_to;
}

/* The entry under way that has the id, or sent_to. */
static uint64_t find(const struct sendq *q, const char *id, size_t len)
{
	uint64_t n = id_is_ours(q, id, len) ? id_read(id, len) : UINT64_MAX;

	if (n < q->first || n >= q->sent_to || sendq_at(q, n)->id_len || sendq_at(q, n)->done ||
	    sendq_at(q, n)->kind == SENDQ_CONTROL)
		n = find_id(q, id, len);
	return n;
}

enum sendq_answer sendq_answered(struct sendq *q, const char *id, size_t len, uint64_t *tag)
{
	uint64_t n = find(q, id, len);

	if (n == q->sent_to)
		return id_is_ours(q, id, len) ? SENDQ_KNOWN : SENDQ_FOREIGN;
	if (tag)
		*tag = sendq_at(q, n)->tag;
	sendq_done(q, n);
	return SENDQ_DONE;
}

/* --- what is refused */

static void describe(const struct sendq *q, uint64_t number, struct sendq_refused *out)
{
	const struct sendq_entry *e = sendq_at(q, number);
	const char *p = q->data + q->start;
	char ours[ID_MAX];

	for (uint64_t n = q->first; n < number; n++)
		p += sendq_at(q, n)->len;
	*out = (struct sendq_refused){
	    .number = number, .tag = e->tag, .text = p, .len = e->len ? e->len - 1 : 0};
	if (e->kind == SENDQ_MESSAGE && !e->id_len)
		out->ours = sizeof(",\"msg_id\":\"") - 1 + id_write(q, number, ours) + 1;
}

bool sendq_find(const struct sendq *q, const char *id, size_t len, struct sendq_refused *out)
{
	uint64_t n = find(q, id, len);

	if (n == q->sent_to)
		return false;
	describe(q, n, out);
	return true;
}

bool sendq_too_long(const struct sendq *q, struct sendq_refused *out)
{
	/* The hub says so before it has read the whole of it. */
	uint64_t end = q->sent_to + (q->sent > q->whole), longest = end;

	for (uint64_t n = q->first; n < end; n++)
		if (!entry_done(q, n) &&
		    (longest == end || sendq_at(q, n)->len > sendq_at(q, longest)->len))
			longest = n;
	if (longest == end)
		return false;
	describe(q, longest, out);
	return true;
}

bool sendq_over(const struct sendq *q, struct sendq_refused *out)
{
	for (uint64_t n = q->first; q->largest && n < q->next; n++) {
		if (entry_done(q, n) || sendq_at(q, n)->len <= q->largest + 1)
			continue;
		describe(q, n, out);
		return true;
	}
	return false;
}

void sendq_refuse(struct sendq *q, uint64_t number, bool passes)
{
	if (passes) {
		sendq_at(q, number)->refused = true;
	} else if (number < q->sent_to + (q->sent > q->whole)) {
		sendq_done(q, number);
	} else {
		/* Not sent yet: sendq_rewind() takes it out. */
		sendq_at(q, number)->done = true;
	}
}

bool sendq_quiet(const struct sendq *q)
{
	bool refused = false;

	if (q->sent > q->whole)
		return false;
	for (uint64_t n = q->first; n < q->sent_to; n++) {
		refused |= sendq_at(q, n)->refused;
		if (refused && !entry_done(q, n) && !sendq_at(q, n)->refused)
			return false;
	}
	return true;
}

uint64_t sendq_oldest(const struct sendq *q)
{
	for (uint64_t n = q->first; n < q->next; n++)
		if (!entry_done(q, n) && sendq_at(q, n)->kind != SENDQ_FENCE)
			return sendq_at(q, n)->tag;
	return UINT64_MAX;
}

/* --- a new connection */

size_t sendq_rewind(struct sendq *q)
{
	size_t again = 0, gone = 0, gone_open = 0;
	char *from, *to;

	if (sendq_empty(q))
		return 0;
	from = to = q->data + q->start;
	/* All go again but those that are answered and wait for one before them. */
	for (uint64_t n = q->first; n < q->next; n++) {
		struct sendq_entry *e = sendq_at(q, n);
		size_t len = e->len;

		e->refused = false;
		if (entry_done(q, n)) {
			e->len = 0;
			e->done = true;
			gone += len;
			gone_open += n < q->open_to ? len : 0;
		} else {
			if (to != from)
				memmove(to, from, len);
			to += len;
			again += n < q->begun && e->kind != SENDQ_FENCE;
		}
		from += len;
	}
	q->len -= gone;
	q->open -= gone_open;
	q->answered += gone;
	q->sent = q->whole = 0;
	q->sent_to = q->first;
	sendq_advance(q, 0); /* over what was taken out */
	sendq_drop(q);
	return again;
}

size_t sendq_count(const struct sendq *q)
{
	size_t count = 0;

	for (uint64_t n = q->first; n < q->next; n++)
		count += !entry_done(q, n) && sendq_at(q, n)->kind != SENDQ_FENCE;
	return count;
}

bool sendq_empty(const struct sendq *q)
{
	return q->first == q->next;
}

void sendq_free(struct sendq *q)
{
	free(q->data);
	free(q->ring);
	q->data = NULL;
	q->ring = NULL;
}
