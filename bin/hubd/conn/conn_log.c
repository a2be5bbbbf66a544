/* Who a connection is, in the words of the journal. The address is asked for when there is
 * something to say: idle connections have no room for it. */
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include "conn/conn_impl.h"
#include "wire/address.h"

static const char *const doors[] = {
#define DOOR_LABEL(id, label) label,
    COUNT_DOORS(DOOR_LABEL)
#undef DOOR_LABEL
};

void conn_peer(struct conn *c, struct address *a)
{
	a->known = false;
	if (c->handle && c->door->peer)
		c->door->peer(c, a);
}

bool conn_counts(struct conn *c, struct address *a)
{
	return c->handle && c->door->counts && c->door->counts(c, a);
}

/* Of a peer over TCP its address, or what a proxy says that it is, of one on a Unix socket its
 * process; "" where that is not known any more. */
void conn_peer_text(struct conn *c, char *out, size_t cap)
{
	int fd = c->door->descriptor ? c->door->descriptor(c) : -1;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct address a;

	out[0] = '\0';
	conn_peer(c, &a);
	if (a.known)
		address_text(&a, out);
	else if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		snprintf(out, cap, "pid-%jd,uid-%ju", (intmax_t)peer.pid, (uintmax_t)peer.uid);
}

const char *conn_door_name(const struct conn *c)
{
	return doors[c->door->counted];
}

void conn_log(struct conn *c, enum err_level level, enum journal_event event, const char *fmt, ...)
{
	char peer[ADDRESS_TEXT + 32], user[TOKEN_SUB_MAX + 1], message[1024];
	struct span sub = identity_sub(conn_identity(c));
	struct journal_who who = {.door = conn_door_name(c), .conn = c->born};
	va_list ap;

	if (!journal_takes(level, event))
		return;
	conn_peer_text(c, peer, sizeof(peer));
	who.peer = peer[0] ? peer : NULL;
	if (sub.len) {
		snprintf(user, sizeof(user), "%.*s", (int)sub.len, sub.p);
		who.user = user;
	}
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	journal_say(level, event, &who, "%s", message);
}
