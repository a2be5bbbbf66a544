/* What an operator asks by HTTP, as the query of a path; hub(7) has which. */
#ifndef HUBD_HTTP_STEER_H
#define HUBD_HTTP_STEER_H

#include "door/http_request.h"
#include "member/steer.h"

/* Serves a request of who may ask; session: the path's, or empty. */
void http_steer(struct http *h, enum steer_verb verb, struct span session);

#endif
