/* Tokens in requests. One that was shown in two places is refused (RFC 6750 section 2): somebody
 * between the client and the hub may look at the other one. */
#include "door/credentials.h"

#include <stdio.h>
#include <string.h>

#include "door/doors.h"
#include "loop/journal.h"
#include "member/member.h"
#include "wire/websocket_handshake.h"

#define PROTOCOL "hub.token."
#define QUERY "token="

static const char invalid[] =
    "Bearer realm=\"hub\", error=\"invalid_token\", error_description=\"" TOKEN_REFUSED "\"";
static const char missing[] = "Bearer realm=\"hub\"";
static const char unclear[] =
    "Bearer realm=\"hub\", error=\"invalid_request\", error_description=\"more than one token\"";

/* Each adds what it finds to *n, the last in *token. */

static void in_authorization(const struct http1_head *head, struct http1_span *token, unsigned *n)
{
	struct http1_span fields = head->fields, name, value;

	while (http1_next(&fields, &name, &value)) {
		/* Other schemes are for who stands in between. */
		if (!http1_is(name, "authorization") || value.len < 7 ||
		    !http1_is((struct http1_span){value.p, 6}, "bearer") ||
		    !http1_blank(value.p[6]))
			continue;
		*token = http1_trim((struct http1_span){value.p + 6, value.len - 6});
		++*n;
	}
}

static void in_protocols(const struct http1_head *head, struct http1_span *token, unsigned *n)
{
	struct http1_span fields = head->fields, list = {NULL, 0}, protocol;
	size_t skip = sizeof(PROTOCOL) - 1;

	while (http1_next_element(&fields, &list, "sec-websocket-protocol", &protocol)) {
		if (protocol.len < skip || memcmp(protocol.p, PROTOCOL, skip) != 0)
			continue;
		*token = (struct http1_span){protocol.p + skip, protocol.len - skip};
		++*n;
	}
}

/* A token has nothing that needs an escape, and one with escapes in it is none. */
static void in_query(const struct http1_head *head, struct http1_span *token, unsigned *n)
{
	struct http1_span rest = head->target.query;
	size_t skip = sizeof(QUERY) - 1;

	while (rest.p) {
		const char *and = memchr(rest.p, '&', rest.len);
		size_t len = and? (size_t)(and-rest.p) : rest.len;

		if (len >= skip && memcmp(rest.p, QUERY, skip) == 0) {
			*token = (struct http1_span){rest.p + skip, len - skip};
			++*n;
		}
		rest.p = and? and+1 : NULL;
		rest.len -= and? len + 1 : 0;
	}
}

/* Whether a token that is good is not kept out all the same: 0, or the status to answer with. */
static int admit(struct worker *w, struct identity **id)
{
	const char *why;
	enum hub_code code = member_admits(w, *id, NULL, &why);

	if (code == HUB_OK)
		return 0;
	identity_unref(*id);
	*id = NULL;
	return code == HUB_BANNED ? 403 : 401;
}

int credentials_read(struct worker *w, const struct http1_head *head, struct identity **id,
		     const char **challenge)
{
	const struct auth *auth = w->doors->set->auth;
	struct http1_span token = {NULL, 0};
	unsigned n = 0;

	*id = NULL;
	*challenge = NULL;
	if (!auth)
		return 0;
	in_authorization(head, &token, &n);
	in_protocols(head, &token, &n);
	if (auth->takes_query)
		in_query(head, &token, &n);
	if (!n) {
		*challenge = missing;
		*id = identity_ref(&identity_none);
		return 0;
	}
	*challenge = n == 1 ? invalid : unclear;
	if (n > 1)
		return 400;
	*id = member_verify(w, NULL, auth, (struct span){token.p, token.len});
	return *id ? admit(w, id) : 401;
}

void credentials_refuse(struct http *h, int status, const char *challenge)
{
	struct answer a =
	    status == 403
		? http_error(403, "banned", "the user is banned")
		: http_error(status, challenge == missing ? "unauthenticated" : NULL,
			     status == 400	    ? "more than one token"
			     : challenge == missing ? "authenticate first: no token was shown"
						    : TOKEN_REFUSED);
	char line[200];

	if (status == 403) {
		http_answer(h, a);
		return;
	}
	snprintf(line, sizeof(line), "WWW-Authenticate: %s\r\n", challenge);
	a.fields = line;
	http_answer(h, a);
}

bool credentials_allow(struct http *h, enum right right, struct span session)
{
	const char *challenge;
	struct identity *id = NULL;
	char why[RIGHTS_WHY_MAX];
	int status =
	    h->trusted ? 0 : credentials_read(h->stream->worker, &h->head, &id, &challenge);

	h->identity = id;
	if (status == 0 && !id)
		return true;
	if (status == 0 && id == &identity_none)
		status = 401;
	if (status) {
		h->identity = NULL;
		identity_unref(id);
		credentials_refuse(h, status, challenge);
		return false;
	}
	if ((right == RIGHT_ADMIN || identity_may(id, RIGHT_JOIN, session)) &&
	    identity_may(id, right, session))
		return true;
	if (session.p && right != RIGHT_ADMIN)
		snprintf(why, sizeof(why), "the token does not give the right %s in session %.*s",
			 identity_may(id, RIGHT_JOIN, session) ? right_name(right)
							       : right_name(RIGHT_JOIN),
			 (int)session.len, session.p);
	else
		snprintf(why, sizeof(why), "the token does not give the right %s",
			 right_name(right));
	h->identity = NULL;
	identity_unref(id);
	http_answer(h, http_error(403, "forbidden", why));
	return false;
}
