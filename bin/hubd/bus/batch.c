#include "bus/batch.h"

#include <errno.h>
#include <string.h>

#include "session/archive.h"
#include "session/stored.h"

#define FIXED 60 /* bytes before a record's texts */

/* --- numbers, the lowest byte first */

static unsigned char *put(unsigned char *p, uint64_t n, int bytes)
{
	for (int i = 0; i < bytes; i++)
		*p++ = (unsigned char)(n >> (8 * i));
	return p;
}

static uint64_t get(const unsigned char **p, int bytes)
{
	uint64_t n = 0;

	for (int i = bytes; i-- > 0;)
		n = n << 8 | (*p)[i];
	*p += bytes;
	return n;
}

/* --- a record */

int batch_put(struct buf *out, const struct offer *o)
{
	const struct slot *t = &o->tags;
	unsigned char head[FIXED], *p = head;
	size_t texts = (size_t)o->len + o->key_len + o->type_len;

	p = put(p, o->len, 4);
	p = put(p, o->key_len, 4);
	p = put(p, o->type_len, 4);
	p = put(p, t->sender, 8);
	p = put(p, t->msg, 8);
	p = put(p, t->timed ? o->terms.ttl_ms : 0, 8);
	p = put(p, t->key_at, 4);
	p = put(p, t->type_at, 4);
	p = put(p, t->area, 4);
	p = put(p, t->key_len, 2);
	p = put(p, t->type_len, 2);
	p = put(p, t->acked, 1);
	p = put(p, t->owned, 1);
	p = put(p, t->own, 1);
	p = put(p, t->class, 1);
	put(p, 0, (int)(head + FIXED - p));
	if (buf_reserve(out, FIXED + texts) < 0)
		return -1;
	buf_put(out, head, FIXED);
	buf_put(out, o->text, o->len);
	return buf_put(out, o->text + o->len + 1, texts - o->len);
}

bool batch_next(struct span *records, struct incoming *in, uint64_t *ttl_ms)
{
	const unsigned char *p = (const unsigned char *)records->p;
	const char *text = records->p + FIXED;
	uint64_t len, key_len, type_len, key_at, type_at;
	struct slot *t = &in->tags;

	if (records->len < FIXED)
		return false;
	*in = (struct incoming){.due_ms = TIES_NEVER};
	len = get(&p, 4);
	key_len = get(&p, 4);
	type_len = get(&p, 4);
	if (len > ENVELOPE_MESSAGE_MAX * UINT64_C(2) || key_len > ENVELOPE_KEY_MAX ||
	    type_len > ENVELOPE_KEY_MAX || len + key_len + type_len > records->len - FIXED)
		return false;
	t->sender = get(&p, 8);
	t->msg = get(&p, 8);
	*ttl_ms = get(&p, 8);
	key_at = get(&p, 4);
	type_at = get(&p, 4);
	t->area = (uint32_t)get(&p, 4);
	t->key_len = (uint16_t)get(&p, 2);
	t->type_len = get(&p, 2) & 0xfff;
	t->acked = get(&p, 1) & 1;
	t->owned = get(&p, 1) & 1;
	t->own = get(&p, 1) & 3;
	t->class = get(&p, 1) & 3;
	t->timed = *ttl_ms > 0;
	if (key_at + t->key_len > len || type_at + t->type_len > len || t->class > RECORD_DELETE)
		return false;
	t->key_at = (uint32_t)key_at;
	t->type_at = type_at & 0x3fffffff;
	in->body = (struct span){text, len};
	in->key = (struct span){text + len, key_len};
	in->type = (struct span){text + len + key_len, type_len};
	records->p = text + len + key_len + type_len;
	records->len -= FIXED + len + key_len + type_len;
	return true;
}

/* --- messages with an ack */

int batch_put_acked(struct buf *out, const struct slot *tags, size_t place)
{
	unsigned char bytes[BATCH_ACKED], *p = put(bytes, tags->msg, 8);

	p = put(p, tags->sender, 8);
	put(p, place, 2);
	return buf_put(out, bytes, sizeof(bytes));
}

int batch_each_acked(struct span blocks, int (*each)(void *arg, const struct batch_acked *acked),
		     void *arg)
{
	const unsigned char *p = (const unsigned char *)blocks.p, *end = p + blocks.len;
	int r = 0;

	while (p < end && r == 0) {
		uint64_t first, n;

		if (end - p < 12)
			return -EINVAL;
		first = get(&p, 8);
		n = get(&p, 2);
		if (n > BATCH_RECORDS || (uint64_t)(end - p) < n * BATCH_ACKED + 2)
			return -EINVAL;
		for (; n && r == 0; n--) {
			struct batch_acked a;

			a.msg = get(&p, 8);
			a.sender = get(&p, 8);
			a.seq = first + get(&p, 2);
			r = each(arg, &a);
		}
		p += 2;
	}
	return r;
}

/* --- the head */

int batch_put_head(struct buf *out, uint64_t epoch, uint64_t first, size_t n, const char *before,
		   const char *id)
{
	return buf_printf(out, "r %016jx %ju %zu %s %s\n", (uintmax_t)epoch, (uintmax_t)first, n,
			  before, id);
}

bool batch_word(struct span *s, struct span *word)
{
	size_t n = 0;

	while (n < s->len && n <= BATCH_ID_MAX && s->p[n] != ' ' && s->p[n] != '\n')
		n++;
	if (n == s->len || n > BATCH_ID_MAX || !n)
		return false;
	*word = (struct span){s->p, n};
	s->p += n + 1;
	s->len -= n + 1;
	return true;
}

bool batch_number(struct span *s, unsigned base, uint64_t *n)
{
	struct span word;

	if (!batch_word(s, &word) || word.len > 19)
		return false;
	*n = 0;
	for (size_t i = 0; i < word.len; i++) {
		char c = word.p[i];
		unsigned digit = c >= '0' && c <= '9'	? (unsigned)(c - '0')
				 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
							: 99;

		if (digit >= base)
			return false;
		*n = *n * base + digit;
	}
	return true;
}

bool batch_read(struct span bytes, struct batch_head *head)
{
	struct span r;

	if (!batch_word(&bytes, &r) || r.len != 1 || *r.p != 'r' ||
	    !batch_number(&bytes, 16, &head->epoch) || !batch_number(&bytes, 10, &head->first) ||
	    !batch_number(&bytes, 10, &head->n) || !batch_word(&bytes, &head->before) ||
	    !batch_word(&bytes, &head->id))
		return false;
	head->records = bytes;
	return head->first > 0 && head->n > 0 && head->n <= BATCH_RECORDS;
}
