#include "auth/whom.h"

#include <stdio.h>
#include <string.h>

#include "wire/id.h"

#define SUBSCRIBER_BITS 64 /* of an IPv6 address: what tells its network */

bool whom_any(const struct whom *w)
{
	return w->has_client || w->has_network || w->has_issued || w->user.len || w->jti.len ||
	       w->session_len;
}

static bool same(const struct token_text *a, struct span b)
{
	return a->len == b.len && memcmp(a->text, b.p, b.len) == 0;
}

bool whom_is(const struct whom *w, uint64_t client, const struct identity *id)
{
	bool token = id && id != &identity_none;

	if (w->has_client && client != w->client)
		return false;
	if (!w->user.len && !w->jti.len && !w->has_issued)
		return true;
	return token && (!w->user.len || same(&w->user, identity_sub(id))) &&
	       (!w->jti.len || same(&w->jti, identity_jti(id))) &&
	       (!w->has_issued || identity_iat(id) < w->issued_before);
}

const char *whom_read_network(struct whom *w, const char *p, size_t len)
{
	struct address a;

	w->has_network = true;
	if (memchr(p, '/', len) || !memchr(p, ':', len) || !address_read(&a, p, len))
		return network_read(&w->network, p, len);
	w->network = (struct network){.bits = SUBSCRIBER_BITS};
	if (!address_is_ipv6(&a))
		w->network.bits = 128;
	memcpy(w->network.ip, a.ip, w->network.bits / 8);
	return NULL;
}

const char *whom_text(const struct whom *w, char out[WHOM_TEXT])
{
	char id[ID_LEN + 1], network[NETWORK_TEXT];
	size_t n = 0;

	out[0] = '\0';
#define PUT(...) n += (size_t)snprintf(out + n, WHOM_TEXT - n, __VA_ARGS__)
	if (w->has_client) {
		id_text(w->client, id);
		PUT("client %s, ", id);
	}
	if (w->user.len)
		PUT("user %.*s, ", (int)w->user.len, w->user.text);
	if (w->session_len)
		PUT("session %.*s, ", (int)w->session_len, w->session);
	if (w->has_network)
		PUT("address %s, ", network_text(&w->network, network));
	if (w->jti.len)
		PUT("token %.*s, ", (int)w->jti.len, w->jti.text);
	if (w->has_issued)
		PUT("tokens issued before %.0f, ", w->issued_before);
#undef PUT
	if (n)
		out[n - 2] = '\0';
	return n ? out : "everybody";
}
