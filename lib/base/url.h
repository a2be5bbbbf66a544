/* Where a hub is: unix:/path, ws://host[:port][/path], wss://host[:port][/path] (RFC 6455 section
 * 3). */
#ifndef HUB_URL_H
#define HUB_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define URL_HOST_MAX 253  /* RFC 1035 */
#define URL_PATH_MAX 1024 /* of a ws URL, query included; a socket's path is shorter (unix(7)) */

#define URL_USER_MAX 256 /* of user:password */

enum url_scheme { URL_UNIX, URL_WS, URL_WSS };

struct url {
	enum url_scheme scheme;
	uint16_t port; /* 80 or 443 where the URL names none */
	bool ipv6;     /* host is an IPv6 address; kept without its brackets */
	char host[URL_HOST_MAX + 1];
	char user[URL_USER_MAX]; /* user:password, decoded; empty: none. Never in messages */
	char path[URL_PATH_MAX]; /* of the socket; or starting with "/", "/ws" where the URL has
				    none */
};

/* Reads text. Returns 0, or -EINVAL with what is wrong in why (a phrase for people, cut at cap). */
int url_parse(struct url *url, const char *text, char *why, size_t cap);

/* Reads text; where that is NULL, $HUB_URL; where that is unset or empty, the default socket.
 * Returns as url_parse(), or -errno of url_default_socket(), with why set. */
int url_choose(struct url *url, const char *text, char *why, size_t cap);

/* The URL as text for messages, never longer than URL_TEXT_MAX with its NUL. */
#define URL_TEXT_MAX (URL_HOST_MAX + URL_PATH_MAX + 32)
void url_format(const struct url *url, char *out, size_t cap);

/* The hub's socket where nobody says otherwise: $XDG_RUNTIME_DIR/hub.sock; without that variable
 * /run/hub/hub.sock as root, else hub.sock in /tmp/hub-UID. With create_dir the last two
 * directories are made where missing (0755 for root, else 0700). A /tmp/hub-UID that belongs to
 * somebody else or lets others in is refused: -EPERM; not a directory: -ENOTDIR. Returns 0 with the
 * path, -ENAMETOOLONG where it does not fit a socket address or cap, or -errno. */
int url_default_socket(char *path, size_t cap, bool create_dir);

#endif
