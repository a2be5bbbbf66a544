/* What an avatar says of itself in the scenario crowd: a record of state, whose key and number come
 * one behind the other, so that both are found again wherever a server puts them:
 *
 *	{"type":"avatar","key":"hbRRRRRRPPPPPP","n":1NNNNNNNNN,
 *	 "position":{"x":123.45,"y":0.0,"z":678.90}}
 *
 * the run's name and six digits of the publisher, the number of its move. */
#ifndef HUBBENCH_AVATAR_H
#define HUBBENCH_AVATAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "speak/script.h"

#define AVATAR_TYPE "avatar"
#define AVATAR_LEN_MAX 200 /* bytes of a move without its pad */

struct avatar_move {
	uint32_t publisher;
	uint64_t number; /* below 10^9 */
	uint32_t x, z;	 /* hundredths */
};

/* Writes one, without a NUL, padded to so many bytes where it has fewer. out has room for those and
 * for AVATAR_LEN_MAX. Returns its length. */
size_t avatar_put(const struct script *s, char *out, const struct avatar_move *m, size_t bytes);

/* What was found of an avatar in a text. */
struct avatar_seen {
	uint32_t publisher;
	bool moved; /* it says its number; else it is named alone, as what has gone is */
	uint64_t number;
};

/* The next avatar of the run in [*p, end), behind which *p is moved. False: there is none. */
bool avatar_next(const struct script *s, const char **p, const char *end, struct avatar_seen *seen);

/* The next element of an array at *p, behind its bracket or the element before; *p is moved behind
 * it. False at its end. */
bool avatar_element(const char **p, const char *end, const char **from, size_t *len);

/* The `seq` of a hub's record, or of a patch, whose last member that is; 0: it has none. */
uint64_t avatar_seq(const char *p, size_t len);

/* Reads a patch as a hub has it, [SEQ,{...}]: which record it changes, and the number that its
 * avatar's move has then. False where it is none. */
bool avatar_patch(const char *p, size_t len, uint64_t *base, uint64_t *number);

#endif
