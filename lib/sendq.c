/* The queue is one piece of memory, at most twice its limit, so that a move of what is held happens
 * at most once per limit bytes added. */
#include "sendq.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENDQ_FENCE_MAX 96 /* bytes of a fence */

/* Makes room for n bytes behind the last. */
static int sendq_reserve(struct sendq *q, size_t n)
{
	size_t cap = q->cap ? q->cap : 4096;
	char *data;

	if (q->start + q->len + n <= q->cap)
		return 0;
	while (cap < 2 * (q->len + n) && cap < 2 * q->limit + SENDQ_FENCES * SENDQ_FENCE_MAX)
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

static void sendq_append(struct sendq *q, const char *data, size_t n)
{
	memcpy(q->data + q->start + q->len, data, n);
	q->len += n;
}

int sendq_put(struct sendq *q, const char *data, size_t len)
{
	bool feed = len && data[len - 1] != '\n';
	size_t need = len + feed;
	int r;

	if (!len)
		return 0;
	if (need > q->limit)
		return -EMSGSIZE;
	if (q->len > q->limit - need)
		return -EAGAIN;
	r = sendq_reserve(q, need);
	if (r < 0)
		return r;
	sendq_append(q, data, len);
	if (feed)
		sendq_append(q, "\n", 1);
	q->bare += need;
	return 0;
}

const char *sendq_unsent(const struct sendq *q, size_t *len)
{
	*len = q->len - q->sent;
	return *len ? q->data + q->start + q->sent : NULL;
}

void sendq_advance(struct sendq *q, size_t n)
{
	q->sent += n;
}

int sendq_fence(struct sendq *q, bool force)
{
	char line[SENDQ_FENCE_MAX];
	int n, r;

	if (!q->bare || q->nfence == SENDQ_FENCES)
		return 0;
	if (q->nfence && !force && q->bare < q->limit / 4)
		return 0;
	n = snprintf(line, sizeof(line), "{\"type\":\"ping\",\"ping_id\":\"%s-%llx\"}\n", q->tag,
		     (unsigned long long)(q->last_id + 1));
	r = sendq_reserve(q, (size_t)n);
	if (r < 0)
		return r;
	sendq_append(q, line, (size_t)n);
	q->fence[q->nfence].id = ++q->last_id;
	q->fence[q->nfence++].end = q->len;
	q->bare = 0;
	return 0;
}

static void sendq_drop(struct sendq *q, size_t n)
{
	q->start += n;
	q->len -= n;
	q->sent -= n;
	if (!q->len)
		q->start = 0;
}

bool sendq_confirm(struct sendq *q, const char *id, size_t len)
{
	size_t tag = strlen(q->tag), end;
	char digits[20], *rest;
	uint64_t n;
	unsigned i;

	if (len <= tag + 1 || len - tag > sizeof(digits) || memcmp(id, q->tag, tag) != 0 ||
	    id[tag] != '-')
		return false;
	memcpy(digits, id + tag + 1, len - tag - 1);
	digits[len - tag - 1] = '\0';
	n = strtoull(digits, &rest, 16);
	if (*rest || n > q->last_id)
		return false;
	for (i = 0; i < q->nfence && q->fence[i].id != n; i++)
		;
	/* An older one comes again where a fence was sent twice over two connections. One that is
	 * not sent on this connection yet cannot be meant. */
	if (i == q->nfence || q->fence[i].end > q->sent)
		return true;
	end = q->fence[i].end;
	sendq_drop(q, end);
	q->confirmed += end;
	q->nfence -= i + 1;
	memmove(q->fence, q->fence + i + 1, q->nfence * sizeof(q->fence[0]));
	for (i = 0; i < q->nfence; i++)
		q->fence[i].end -= end;
	return true;
}

/* Messages that end within the first n bytes, without fences. */
static size_t sendq_count(const struct sendq *q, size_t n)
{
	const char *p = q->data + q->start, *end = p + n, *feed;
	size_t count = 0;

	while (p < end && (feed = memchr(p, '\n', (size_t)(end - p)))) {
		count++;
		p = feed + 1;
	}
	for (unsigned i = 0; i < q->nfence; i++)
		count -= q->fence[i].end <= n;
	return count;
}

size_t sendq_rewind(struct sendq *q)
{
	size_t count = q->sent ? sendq_count(q, q->sent) : 0;

	q->sent = 0;
	return count;
}

size_t sendq_messages(const struct sendq *q)
{
	return q->len ? sendq_count(q, q->len) : 0;
}

void sendq_free(struct sendq *q)
{
	free(q->data);
	*q = (struct sendq){.limit = q->limit};
}
