/* Where a Redis is: redis://[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]]...[/DB], the same with
 * rediss:// (TLS), or unix:/PATH. Several hosts are one Redis and its replicas: the one that is the
 * master is used. */
#ifndef HUBD_REDIS_URL_H
#define HUBD_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/envelope.h"

#define REDIS_HOSTS_MAX 8
#define REDIS_TEXT_MAX 256

struct redis_url {
	bool tls;
	char path[108]; /* of a socket; empty: hosts */
	char user[REDIS_TEXT_MAX], password[REDIS_TEXT_MAX];
	unsigned db;
	unsigned nhosts;
	struct redis_host {
		char name[REDIS_TEXT_MAX];
		char port[6];
	} host[REDIS_HOSTS_MAX];
};

/* Reads text. Returns 0, or -EINVAL with what is wrong in why, without any password. */
int redis_url_parse(struct redis_url *u, const char *text, char *why, size_t cap);

/* For messages, without the password. */
void redis_url_text(const struct redis_url *u, unsigned host, char *out, size_t cap);

#define REDIS_AUTH_WORDS 3

/* The words of AUTH, borrowed; how many, 0: there is no password. */
size_t redis_url_auth(const struct redis_url *u, struct span words[REDIS_AUTH_WORDS]);

#endif
