/* Resume tokens: the secret by which a client is the same one after a reconnect. Pure functions. */
#ifndef HUBD_RESUME_H
#define HUBD_RESUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESUME_LEN 38	  /* characters of a token */
#define RESUME_KEY_LEN 32 /* bytes of the hub's secret */

/* The token of the client id, with a NUL: the id, the run of the hub that gave it, and a BLAKE2b
 * MAC of 128 bits, in URL-safe base64. */
void resume_token(const unsigned char key[RESUME_KEY_LEN], uint64_t id, uint32_t run,
		  char out[RESUME_LEN + 1]);

/* The id and run in a token; false where it was not made with this key. */
bool resume_verify(const unsigned char key[RESUME_KEY_LEN], const char *token, size_t len,
		   uint64_t *id, uint32_t *run);

#endif
