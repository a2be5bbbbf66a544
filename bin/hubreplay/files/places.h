/* Where all sessions of a file of several stand, so that it can be gone on with. */
#ifndef HUBREPLAY_PLACES_H
#define HUBREPLAY_PLACES_H

#include <stdbool.h>
#include <stddef.h>

#include "files/tally.h"
#include "recording/place.h"
#include "recording/seal.h"

/* Of a session: where its log has come to in the file. */
struct past {
	struct place place;
	bool joined;			   /* it is recorded again: what follows is not told here */
	char run[RECORDING_EPOCH_MAX + 1]; /* of the hub; or empty */
};

/* Fills *places, which was zeroed, with a struct past for each session; the caller frees it with
 * tally_free(). keys may be NULL. Returns 0, or an exit status (of recording_open(); EX_DATAERR
 * where the file is damaged or has more than a million sessions) with the reason, without the path,
 * in why. */
int places_read(struct tally *places, const char *path, const struct seal_keys *keys, char *why,
		size_t cap);

/* Marks a session as joined. Returns its past, or NULL where the file does not know its place. */
const struct past *places_join(struct tally *places, const char *session);

#endif
