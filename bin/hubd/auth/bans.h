/* Who is not to come in: users, addresses, and tokens that are good no more. For any thread; what
 * is asked of an empty table costs nothing, of another one a lock and some hashes. */
#ifndef HUBD_BANS_H
#define HUBD_BANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/identity.h"
#include "auth/whom.h"
#include "wire/address.h"

#define BANS_MAX 10000 /* at a time */

enum ban {
	BAN_NONE,
	BAN_ADDRESS, /* and the network that it is in */
	BAN_USER,
	BAN_TOKEN,  /* by its jti */
	BAN_ISSUED, /* tokens issued before a moment: all, or a user's */
};

struct bans;

/* NULL: no memory. */
struct bans *bans_new(void);
void bans_free(struct bans *b); /* NULL is fine */

/* What kind of ban that would be; BAN_NONE where nothing, or more than one thing, is given that can
 * be banned. */
enum ban bans_kind(const struct whom *w);

/* Bans those until then, in ms as now_ms; 0: for ever. One that is there is replaced. Returns 0,
 * -ENOSPC where there are BANS_MAX, or -ENOMEM. */
int bans_add(struct bans *b, const struct whom *w, uint64_t now_ms, uint64_t until_ms);

/* Lifts it; false where there was none. */
bool bans_remove(struct bans *b, const struct whom *w, uint64_t now_ms);

/* What keeps out the owner of a token, and an address; each may be NULL. NULL is fine for b:
 * nobody is kept out. */
enum ban bans_find(struct bans *b, const struct identity *id, const struct address *a,
		   uint64_t now_ms);

/* Whether there are any: else nobody need be asked for an address. */
bool bans_any(struct bans *b);

/* One of a list; left_ms 0: for ever. */
struct ban_listed {
	uint64_t number; /* counted up as they are made */
	uint64_t left_ms;
	struct whom whom;
};

/* Copies the bans from that number on, in the order in which they were made, max of them at most.
 * Returns how many; *more: there are others. */
size_t bans_list(struct bans *b, uint64_t from, uint64_t now_ms, struct ban_listed *out, size_t max,
		 bool *more);

#endif
