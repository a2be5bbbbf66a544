/* Resume tokens: the secret by which a client is the same one after a reconnect. Pure functions. */
#ifndef HUBD_RESUME_H
#define HUBD_RESUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/envelope.h"

#define RESUME_LEN 48	  /* characters of a token */
#define RESUME_KEY_LEN 32 /* bytes of the hub's secret */

/* What a token says. */
struct resume {
	uint64_t id;	    /* the client */
	uint64_t issued_ms; /* by the wall clock */
	uint32_t run;	    /* of the hub that gave it */
};

/* The token, with a NUL: what it says, and a BLAKE2b MAC of 128 bits over that and the user (empty:
 * nobody's), in URL-safe base64. */
void resume_token(const unsigned char key[RESUME_KEY_LEN], const struct resume *r, struct span user,
		  char out[RESUME_LEN + 1]);

/* What a token says; false where it was not made with this key for this user. */
bool resume_verify(const unsigned char key[RESUME_KEY_LEN], const char *token, size_t len,
		   struct span user, struct resume *r);

/* The id of a client that has no token but a name: the same for the same name of the same user, and
 * known to nobody else. Both may be empty. */
uint64_t resume_named(const unsigned char key[RESUME_KEY_LEN], struct span user, struct span name);

#endif
