/* Who a client is: its id, and the secret by which it is the same one after a reconnect. */
#ifndef HUBD_IDENTITY_H
#define HUBD_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "json/envelope.h"

#define IDENTITY_LEN 11	      /* characters of a client id; epochs are written the same way */
#define IDENTITY_TOKEN_LEN 38 /* characters of a resume token */
#define IDENTITY_KEY_LEN 32   /* bytes of the hub's secret */

/* A client id as text, with a NUL: 64 bits in base 62. */
void identity_text(uint64_t id, char out[IDENTITY_LEN + 1]);

/* Its inverse; false where the text is not of that form. */
bool identity_parse(struct span text, uint64_t *id);

/* The resume token of id, with a NUL: the id, the run of the hub that gave it, and a BLAKE2b MAC of
 * 128 bits, in URL-safe base64. */
void identity_token(const unsigned char key[IDENTITY_KEY_LEN], uint64_t id, uint32_t run,
		    char out[IDENTITY_TOKEN_LEN + 1]);

/* The id and run in a token; false where it was not made with this key. */
bool identity_verify(const unsigned char key[IDENTITY_KEY_LEN], struct span token, uint64_t *id,
		     uint32_t *run);

/* What the dedup window knows a message with a msg_id by: a keyed hash of its sender and that. */
uint64_t identity_message(const unsigned char key[IDENTITY_KEY_LEN], uint64_t sender,
			  const struct envelope *e);

#endif
