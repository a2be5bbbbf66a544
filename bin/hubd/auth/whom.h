/* Whom an operator means: everything that is given of it must fit. Pure functions. */
#ifndef HUBD_WHOM_H
#define HUBD_WHOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/identity.h"
#include "json/envelope.h"
#include "token/token_claims.h"
#include "wire/address.h"

#define WHOM_TEXT 960 /* bytes that its text may have, with its NUL */

/* Zeroed: everybody. */
struct whom {
	bool has_client, has_network, has_issued;
	uint64_t client;
	struct token_text user, jti; /* of a token; empty: any */
	struct network network;
	double issued_before; /* seconds since 1970; a token that does not say is older */
	uint8_t session_len;  /* not 0: who is in that session; for who knows sessions */
	char session[ENVELOPE_SESSION_MAX];
};

/* Whether anything is given. */
bool whom_any(const struct whom *w);

/* Whether a connection is meant, as far as this room knows it: not by its session, nor by its
 * address. id may be NULL. */
bool whom_is(const struct whom *w, uint64_t client, const struct identity *id);

/* Reads ADDRESS or ADDRESS/BITS; without bits an IPv4 address is itself and an IPv6 one its /64,
 * which is what one subscriber has (RFC 6177). Returns NULL or what is wrong, as network_read(). */
const char *whom_read_network(struct whom *w, const char *p, size_t len);

/* For people: "user ann, session lobby". Returns out. */
const char *whom_text(const struct whom *w, char out[WHOM_TEXT]);

#endif
