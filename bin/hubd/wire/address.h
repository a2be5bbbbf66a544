/* Where a peer is: an IP address and a port; and networks, which are many addresses. An IPv4
 * address is kept as its IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2), so that an address
 * has one form, whatever it came as. */
#ifndef HUBD_ADDRESS_H
#define HUBD_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESS_TEXT 56 /* bytes that the text of one may have, with its NUL */

struct address {
	unsigned char ip[16];
	uint16_t port; /* 0: not known */
	bool known;    /* else there is none: of a Unix socket, or nobody told */
};

void address_set4(struct address *a, const void *ip, uint16_t port); /* of 4 bytes */
void address_set6(struct address *a, const void *ip, uint16_t port); /* of 16 bytes */

/* Reads 192.0.2.1 or 2001:db8::1 and nothing else; false where it is none. */
bool address_read(struct address *a, const char *p, size_t len);

/* The same with a port or without: 192.0.2.1:80, [2001:db8::1]:80, [2001:db8::1]. */
bool address_read_port(struct address *a, const char *p, size_t len);

/* Writes it as address_read_port() reads it; "no address" where it is not known. Returns out. */
const char *address_text(const struct address *a, char out[ADDRESS_TEXT]);

bool address_same(const struct address *a, const struct address *b);

/* Whether it is this machine's own, which nobody else reaches: 127.0.0.0/8 or ::1 (RFC 6890). */
bool address_is_loopback(const struct address *a);

/* Whether it is an IPv6 address, and no IPv4 one. */
bool address_is_ipv6(const struct address *a);

struct network {
	unsigned char ip[16];
	uint8_t bits; /* of the front that count */
};

/* Reads ADDRESS or ADDRESS/BITS (RFC 4632 section 3.1, RFC 4291 section 2.3). Bits behind the front
 * must be zero: a slip there would make a network of many more than were meant. Returns NULL, or
 * what is wrong in words, of unlimited life. */
const char *network_read(struct network *n, const char *p, size_t len);

/* What somebody at that address, which is known, has at least, and is to be counted by: an IPv4
 * address alone; of an IPv6 address its /64, any address of which one machine may take (RFC 4941).
 */
struct network network_around(const struct address *a);

#define NETWORK_TEXT 52 /* bytes that the text of one may have, with its NUL */

/* Writes it as network_read() reads it, without bits where it is one address. Returns out. */
const char *network_text(const struct network *n, char out[NETWORK_TEXT]);

/* False where the address is not known. */
bool network_has(const struct network *n, const struct address *a);

#endif
