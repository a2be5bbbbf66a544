/* Coming back as the same client: who may, whatever dialect the token came by. */
#ifndef HUBD_COMEBACK_H
#define HUBD_COMEBACK_H

#include <stdbool.h>

#include "auth/resume.h"
#include "conn/conn.h"

/* A token with which c's user comes back as that client, with a NUL. */
void comeback_token(const struct conn *c, uint64_t client, char token[RESUME_LEN + 1]);

/* What a token says. False where it is none of this hub's for c's user. *may: it still makes c that
 * client; else its time is over, or the client was sent away, and it only tells what the client has
 * seen. */
bool comeback_read(const struct conn *c, struct span token, struct resume *r, bool *may);

#endif
