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
#define AVATAR_MOVES_MAX 1000000000u
#define AVATAR_LEN_MAX 200 /* bytes of a move without its pad */

struct avatar_move {
	uint32_t publisher;
	uint64_t number; /* below AVATAR_MOVES_MAX */
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

#endif
