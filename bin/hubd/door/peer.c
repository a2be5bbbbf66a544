#include "door/peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "door/stream.h"
#include "loop/journal.h"
#include "wire/forwarded.h"
#include "wire/proxy_protocol.h"

void peer_of_sockaddr(const struct sockaddr *sa, struct address *a)
{
	const struct sockaddr_in *four = (const void *)sa;
	const struct sockaddr_in6 *six = (const void *)sa;

	a->known = false;
	if (sa->sa_family == AF_INET)
		address_set4(a, &four->sin_addr, ntohs(four->sin_port));
	else if (sa->sa_family == AF_INET6)
		address_set6(a, &six->sin6_addr, ntohs(six->sin6_port));
}

void peer_of(const struct stream *s, struct address *a)
{
	*a = s->peer;
}

int peer_read_header(const struct stream *s, const unsigned char *p, const unsigned char *end,
		     struct address *a)
{
	struct proxy_header h;
	char text[ADDRESS_TEXT];
	struct address peer;

	switch (proxy_protocol_read(&h, p, (size_t)(end - p))) {
	case PROXY_DONE:
		*a = h.client;
		return (int)h.length;
	case PROXY_MORE:
		if (!s->hung_up)
			return 0;
		h.why = "it ends in the header";
		break;
	case PROXY_REFUSED:
		break;
	}
	peer_of(s, &peer);
	journal_say(ERR_WARN, JOURNAL_refuse,
		    &(struct journal_who){.door = "tcp", .peer = address_text(&peer, text)},
		    "a proxy: %s", h.why);
	return -EPROTO;
}

bool peer_learn(struct stream *s, const struct trust *trust, const struct address *socket,
		const struct address *first, const struct http1_head *head)
{
	struct address client = first->known ? *first : *socket;

	if (trust->n == 0)
		return true;
	if (forwarded_client(trust, head, &client) != 0)
		return false;
	s->peer = client;
	s->by_proxy = !address_same(&client, socket);
	return true;
}
