#include "dialect/comeback.h"

#include "auth/ended.h"
#include "dialect/hub7.h"
#include "member/member.h"

/* Whose tokens it may come back with. */
static struct span user_of(const struct conn *c)
{
	return identity_sub(conn_identity(c));
}

void comeback_token(const struct conn *c, uint64_t client, char token[RESUME_LEN + 1])
{
	struct resume r = {
	    .id = client, .run = c->worker->hub7->run, .issued_ms = worker_wall_ms(c->worker)};

	resume_token(c->worker->hub7->secret, &r, user_of(c), token);
}

bool comeback_read(const struct conn *c, struct span token, struct resume *r, bool *may)
{
	uint64_t ttl_ms = c->worker->conns->resume_ms;

	*may = false;
	if (!resume_verify(c->worker->hub7->secret, token.p, token.len, user_of(c), r))
		return false;
	*may = (!ttl_ms || r->issued_ms + ttl_ms > worker_wall_ms(c->worker)) &&
	       !ended_is(c->worker->members->ended, r->id, user_of(c), r->issued_ms);
	return true;
}
