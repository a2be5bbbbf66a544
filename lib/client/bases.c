/* Invariant: each record is in both tables, by its key and by its seq, and there is one of each key
 * and type. */
#include "client/bases.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "json/envelope.h"

struct base {
	struct base *next_key, *next_seq;
	uint64_t key, type; /* hashes */
	uint64_t seq;
	size_t len, cap;
	char *text;
};

static struct base **key_chain(const struct bases *b, uint64_t key)
{
	return &b->by_key[key & (b->size - 1)];
}

static struct base **seq_chain(const struct bases *b, uint64_t seq)
{
	return &b->by_seq[seq & (b->size - 1)];
}

static void link_seq(struct bases *b, struct base *base)
{
	struct base **chain = seq_chain(b, base->seq);

	base->next_seq = *chain;
	*chain = base;
}

static void unlink_seq(struct bases *b, const struct base *base)
{
	struct base **link = seq_chain(b, base->seq);

	while (*link != base)
		link = &(*link)->next_seq;
	*link = base->next_seq;
}

/* Takes it out of its chain by key, where link leads to it. */
static void drop(struct bases *b, struct base **link)
{
	struct base *base = *link;

	*link = base->next_key;
	unlink_seq(b, base);
	b->n--;
	b->bytes -= sizeof(*base) + base->cap;
	free(base->text);
	free(base);
}

void bases_clear(struct bases *b)
{
	for (size_t i = 0; i < b->size; i++)
		while (b->by_key[i])
			drop(b, &b->by_key[i]);
	free(b->by_key);
	free(b->by_seq);
	*b = (struct bases){.keys = b->keys};
}

/* Makes room in the tables for one more. Returns 0 or -1. */
static int grow(struct bases *b)
{
	struct bases more = *b;

	if (b->n < b->size)
		return 0;
	more.size = b->size ? 2 * b->size : 64;
	more.by_key = calloc(more.size, sizeof(*more.by_key));
	more.by_seq = calloc(more.size, sizeof(*more.by_seq));
	if (!more.by_key || !more.by_seq) {
		free(more.by_key);
		free(more.by_seq);
		return -1;
	}
	if (!b->size)
		crypto_shorthash_keygen(more.secret);
	for (size_t i = 0; i < b->size; i++)
		while (b->by_key[i]) {
			struct base *base = b->by_key[i], **chain = key_chain(&more, base->key);

			b->by_key[i] = base->next_key;
			base->next_key = *chain;
			*chain = base;
			link_seq(&more, base);
		}
	free(b->by_key);
	free(b->by_seq);
	*b = more;
	return 0;
}

static uint64_t hash_of(const struct bases *b, struct span text)
{
	uint64_t hash;

	_Static_assert(crypto_shorthash_KEYBYTES == sizeof(b->secret), "the key of the hash");
	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)text.p, text.len,
			 b->secret);
	return hash;
}

static void drop_key(struct bases *b, uint64_t key, uint64_t seq)
{
	struct base **link = key_chain(b, key);

	while (*link)
		if ((*link)->key == key && (*link)->seq < seq)
			drop(b, link);
		else
			link = &(*link)->next_key;
}

/* The one of that key and type, which is made where there is none; NULL: no memory. */
static struct base *base_of(struct bases *b, uint64_t key, uint64_t type, uint64_t seq)
{
	struct base **chain = key_chain(b, key), *base = *chain;

	while (base && !(base->key == key && base->type == type))
		base = base->next_key;
	if (base)
		return base;
	base = calloc(1, sizeof(*base));
	if (!base)
		return NULL;
	base->key = key;
	base->type = type;
	base->seq = seq;
	base->next_key = *chain;
	*chain = base;
	link_seq(b, base);
	b->n++;
	b->bytes += sizeof(*base);
	return base;
}

struct base *bases_find(const struct bases *b, uint64_t seq)
{
	struct base *base = b->size ? *seq_chain(b, seq) : NULL;

	while (base && base->seq != seq)
		base = base->next_seq;
	return base;
}

struct span bases_text(const struct base *base)
{
	return (struct span){base->text, base->len};
}

int bases_change(struct bases *b, struct base *base, struct span text, uint64_t seq)
{
	if (base->cap < text.len) {
		char *more = realloc(base->text, text.len);

		if (!more)
			return -ENOMEM;
		b->bytes += text.len - base->cap;
		base->text = more;
		base->cap = text.len;
	}
	memcpy(base->text, text.p, text.len);
	base->len = text.len;
	unlink_seq(b, base);
	base->seq = seq;
	link_seq(b, base);
	return 0;
}

void bases_keep(struct bases *b, const char *text, size_t len, uint64_t seq)
{
	char room[ENVELOPE_KEY_MAX], why[100];
	struct span key, written;
	struct envelope e;
	enum key_rule rule;
	struct base *base;

	/* That of a patch is kept already. */
	if (bases_find(b, seq) || envelope_parse(&e, text, len, why, sizeof(why)) != HUB_OK)
		return;
	rule = keys_find(b->keys, &e, room, &key, &written, NULL);
	if ((rule != KEY_SET && rule != KEY_OWN && rule != KEY_DELETE) || grow(b) < 0)
		return;
	if (rule == KEY_DELETE) {
		drop_key(b, hash_of(b, key), seq);
		return;
	}
	base = base_of(b, hash_of(b, key), hash_of(b, e.type), seq);
	if (!base || base->seq > seq)
		return;
	if (bases_change(b, base, (struct span){text, len}, seq) < 0 || b->bytes > BASES_BYTES)
		bases_clear(b);
}
