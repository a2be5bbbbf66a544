/* How much somebody has and asks for at a time, over all workers: an address with all of its
 * connections, or a user. One table for both, whose size is fixed when the hub starts, under one
 * lock that is held for a few comparisons. What somebody had that has nothing any more is forgotten
 * when others need the room, the longest idle first.
 *
 * The table knows holders by a keyed hash alone, so that nobody can choose who meets whom in it. */
#ifndef HUBD_SHARES_H
#define HUBD_SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conn/meter.h"
#include "json/envelope.h"
#include "wire/address.h"

#define SHARES_KEY_LEN 16    /* crypto_shorthash(); another's key will do */
#define SHARES_MAX (1 << 22) /* holders in a table */
#define SHARE_BITS 24	     /* of a share */
#define SHARE_MASK ((1u << SHARE_BITS) - 1)
#define SHARE_NONE 0		  /* of nobody: not counted */
#define SHARE_BURST 2000000000ULL /* ns: twice as much as a second's may come at once */

/* Where a connection is counted. */
typedef uint32_t share;

/* What is counted by time. */
enum share_rate {
	SHARE_REQUESTS, /* of an address */
	SHARE_JOINS,
	SHARE_MESSAGES, /* of an address or a user */
	SHARE_BYTES,
	SHARE_RATES,
};

struct shares;

/* For so many connections. NULL: no memory. */
struct shares *shares_new(size_t connections, const unsigned char key[SHARES_KEY_LEN]);
void shares_free(struct shares *s); /* NULL is fine */

/* Who it is. The address is known, and counts with all that network_around() it. */
uint64_t shares_address(const struct shares *s, const struct address *a);
uint64_t shares_pollers(const struct shares *s,
			const struct address *a); /* those of it that poll */
uint64_t shares_user(const struct shares *s, struct span user);

/* Counts a connection of the holder, who may have max. Returns 0 with *at, to be given back by
 * shares_drop(): SHARE_NONE where the table has no room, with nothing counted; or -EBUSY: he has as
 * many. For any thread, as all below. */
int shares_take(struct shares *s, uint64_t holder, unsigned max, share *at);
void shares_drop(struct shares *s, share at); /* SHARE_NONE is fine */

/* The same for who has not kept where: one connection of the holder, which was counted, is gone. */
void shares_drop_of(struct shares *s, uint64_t holder);

/* The holder does something n times of which rate (not 0) are allowed a second. Returns 0, or by
 * how many ns he is over; then it counts only where owes says so, and so is to be waited for. */
uint64_t shares_spend(struct shares *s, uint64_t holder, enum share_rate what, uint64_t n,
		      int64_t rate, uint64_t now_ns, bool owes);

/* The same at once for two things that somebody owes, as what they cost: messages, and their bytes.
 * The longer time. */
uint64_t shares_send(struct shares *s, uint64_t holder, uint64_t messages_ns, uint64_t bytes_ns,
		     uint64_t now_ns);

#endif
