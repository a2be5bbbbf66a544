#include "wire/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_mapped(const unsigned char *ip)
{
	return memcmp(ip, mapped, sizeof(mapped)) == 0;
}

void address_set4(struct address *a, const void *ip, uint16_t port)
{
	memcpy(a->ip, mapped, sizeof(mapped));
	memcpy(a->ip + sizeof(mapped), ip, 4);
	a->port = port;
	a->known = true;
}

void address_set6(struct address *a, const void *ip, uint16_t port)
{
	memcpy(a->ip, ip, sizeof(a->ip));
	a->port = port;
	a->known = true;
}

bool address_read(struct address *a, const char *p, size_t len)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char ip[16];

	if (len == 0 || len >= sizeof(text) || memchr(p, '\0', len))
		return false;
	memcpy(text, p, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, ip) == 1)
		address_set4(a, ip, 0);
	else if (inet_pton(AF_INET6, text, ip) == 1)
		address_set6(a, ip, 0);
	else
		return false;
	return true;
}

/* Decimal digits up to max, and nothing else. */
static bool read_number(const char *p, size_t len, unsigned max, unsigned *out)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < len && p[i] >= '0' && p[i] <= '9'; i++) {
		n = n * 10 + (unsigned)(p[i] - '0');
		if (n > max)
			return false;
	}
	*out = n;
	return len > 0 && i == len;
}

bool address_read_port(struct address *a, const char *p, size_t len)
{
	const char *host = p, *end = p + len, *colon;
	unsigned port = 0;
	size_t n = len;

	if (len && *p == '[') {
		colon = memchr(p, ']', len);
		if (!colon)
			return false;
		host++;
		n = (size_t)(colon - host);
		colon++;
		if (!memchr(host, ':', n) || (colon < end && *colon != ':'))
			return false;
	} else {
		/* Two colons are of an IPv6 address without a port. */
		colon = memchr(p, ':', len);
		if (!colon || memchr(colon + 1, ':', (size_t)(end - colon - 1)))
			colon = end;
		n = (size_t)(colon - p);
	}
	if (colon < end && !read_number(colon + 1, (size_t)(end - colon - 1), 65535, &port))
		return false;
	if (!address_read(a, host, n))
		return false;
	a->port = (uint16_t)port;
	return true;
}

const char *address_text(const struct address *a, char out[ADDRESS_TEXT])
{
	bool four = is_mapped(a->ip);
	char ip[INET6_ADDRSTRLEN] = "";

	if (!a->known)
		return strcpy(out, "no address");
	inet_ntop(four ? AF_INET : AF_INET6, four ? a->ip + sizeof(mapped) : a->ip, ip, sizeof(ip));
	if (!a->port)
		strcpy(out, ip);
	else
		snprintf(out, ADDRESS_TEXT, four ? "%s:%u" : "[%s]:%u", ip, (unsigned)a->port);
	return out;
}

bool address_same(const struct address *a, const struct address *b)
{
	return a->known == b->known &&
	       (!a->known || (a->port == b->port && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0));
}

bool address_is_loopback(const struct address *a)
{
	static const unsigned char one[16] = {[15] = 1};

	if (!a->known)
		return false;
	return is_mapped(a->ip) ? a->ip[sizeof(mapped)] == 127
				: memcmp(a->ip, one, sizeof(one)) == 0;
}

bool address_is_ipv6(const struct address *a)
{
	return a->known && !is_mapped(a->ip);
}

/* Whether the first bits of the two are the same. */
static bool front_same(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned char mask = (unsigned char)(0xff00 >> (bits % 8));

	return memcmp(a, b, bits / 8) == 0 &&
	       (bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) & mask) == 0);
}

const char *network_read(struct network *n, const char *p, size_t len)
{
	static const unsigned char zero[16];
	unsigned char behind[16];
	const char *slash = memchr(p, '/', len);
	size_t ip_len = slash ? (size_t)(slash - p) : len;
	unsigned max, bits, i;
	struct address a;

	if (!address_read(&a, p, ip_len))
		return "not an IP address or a network";
	max = memchr(p, ':', ip_len) ? 128 : 32;
	bits = max;
	if (slash && !read_number(slash + 1, len - ip_len - 1, max, &bits))
		return max == 32 ? "the bits of a network are 0 to 32"
				 : "the bits of a network are 0 to 128";
	bits += 128 - max;
	memcpy(behind, a.ip, sizeof(behind));
	for (i = 0; i < bits; i++)
		behind[i / 8] &= (unsigned char)~(0x80 >> i % 8);
	if (memcmp(behind, zero, sizeof(zero)) != 0)
		return "the address has more bits than the network";
	memcpy(n->ip, a.ip, sizeof(n->ip));
	n->bits = (uint8_t)bits;
	return NULL;
}

struct network network_around(const struct address *a)
{
	static const unsigned char zero[8];
	struct network n = {.bits = 64};

	/* IPv4 addresses are in there, and nobody has that /64 (RFC 4291 section 2.5). */
	if (memcmp(a->ip, zero, sizeof(zero)) == 0)
		n.bits = 128;
	memcpy(n.ip, a->ip, n.bits / 8);
	return n;
}

const char *network_text(const struct network *n, char out[NETWORK_TEXT])
{
	bool four = is_mapped(n->ip) && n->bits >= 128 - 32;
	unsigned skip = four ? 128 - 32 : 0;
	size_t len;

	inet_ntop(four ? AF_INET : AF_INET6, four ? n->ip + sizeof(mapped) : n->ip, out,
		  NETWORK_TEXT);
	len = strlen(out);
	if (n->bits < 128)
		snprintf(out + len, NETWORK_TEXT - len, "/%u", n->bits - skip);
	return out;
}

bool network_has(const struct network *n, const struct address *a)
{
	return a->known && front_same(n->ip, a->ip, n->bits);
}
