/* The token that a request carries: in Authorization (RFC 6750 section 2.1), among the subprotocols
 * of a WebSocket as "hub.token.TOKEN", or, where that is allowed, as ?token= in its target. */
#ifndef HUBD_CREDENTIALS_H
#define HUBD_CREDENTIALS_H

#include "auth/identity.h"
#include "door/http_request.h"
#include "loop/worker.h"
#include "wire/http1.h"

/* Returns 0 with *id: a new reference, or NULL where the hub takes no tokens, or a reference on
 * identity_none where the request has none; else the status to answer with, 400, 401, or 403 for a
 * user who is banned. *challenge
 * is what WWW-Authenticate says where that does not do (RFC 6750 section 3), which lives for ever.
 */
int credentials_read(struct worker *w, const struct http1_head *head, struct identity **id,
		     const char **challenge);

/* Answers so. */
void credentials_refuse(struct http *h, int status, const char *challenge);

/* Whether the request, for a session unless that is empty, may be served: then h->identity is who
 * asks, a reference that is the caller's to give up, or NULL. Else it is answered. Over the Unix
 * socket everybody may. */
bool credentials_allow(struct http *h, enum right right, struct span session);

#endif
