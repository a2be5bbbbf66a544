/* Who a client is and what it may do: what was read out of a token. A connection without one is
 * nobody in particular and may do what its door allows; identity_none is who has not said yet who
 * it is, and may do nothing.
 *
 * Immutable, and one of each: whoever shows an equal token has the same identity, and identities
 * that give the same rights share these. */
#ifndef HUBD_IDENTITY_H
#define HUBD_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/intern.h"
#include "token/token.h"
#include "wire/blob.h"

#define IDENTITY_INFO_MAX 1024 /* bytes of the claim that presence shows */
#define IDENTITY_WARN_S 30     /* seconds before exp at which a client is told */

/* What the claim `hub` may give. Each is for a session, but RIGHT_ADMIN. */
enum right {
	RIGHT_JOIN = TOKEN_HUB_JOIN,
	RIGHT_PUBLISH = TOKEN_HUB_PUBLISH,
	RIGHT_READ = TOKEN_HUB_READ,
	RIGHT_TYPES = TOKEN_HUB_TYPES, /* of a message: beside RIGHT_PUBLISH */
	RIGHT_PRESENCE,
	RIGHT_ADMIN,
	RIGHTS,
};

struct identity;

extern struct identity identity_none;

/* How hubd takes tokens; constant. */
struct auth {
	struct token_rules rules;
	const char *info_claim; /* shown by presence; NULL: none */
	bool takes_query;	/* ?token= */
	bool keeps_claims;	/* for rules */
	struct intern *all;	/* identities and what they give; borrowed */
};

/* Verifies a token at a time, in seconds since 1970, and reads it; mono_ms is the same time as
 * connections have it. Returns TOKEN_OK with a new reference, or why not; with TOKEN_BAD_CLAIM
 * *wrong is the name of the claim. */
enum token_error identity_verify(const struct auth *auth, struct span token, double wall_s,
				 uint64_t mono_ms, struct identity **out, const char **wrong);

struct identity *identity_ref(struct identity *id); /* NULL is fine */
void identity_unref(struct identity *id);	    /* NULL is fine */

/* Whether it has the right; name is the session, or for RIGHT_TYPES the type. */
bool identity_may(const struct identity *id, enum right right, struct span name);

/* As in the claim `hub`: "join" and so on. */
const char *right_name(enum right right);

/* Messages a second that it may send in each connection; 0: as many as it likes. */
double identity_rate(const struct identity *id);

/* What the token says. Empty where it does not; NULL is fine for id. */
struct span identity_sub(const struct identity *id);	/* unescaped: the user */
struct span identity_user(const struct identity *id);	/* the same as JSON */
struct span identity_jti(const struct identity *id);	/* the token's name, unescaped */
struct span identity_claims(const struct identity *id); /* all, where they are kept */

double identity_exp(const struct identity *id); /* seconds since 1970; -1: never */
double identity_iat(const struct identity *id); /* when it was issued; -1: it does not say */

/* When it is over, leeway and all, in monotonic seconds; 0: never. */
uint32_t identity_end_s(const struct identity *id);

/* `,"user":...,"user_info":...`, as far as there are any, or NULL. Borrowed. */
struct blob *identity_shown(const struct identity *id);

#endif
