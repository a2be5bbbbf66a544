#include "wire/proxy_protocol.h"

#include <stdbool.h>
#include <string.h>

#define V2_HEAD 16
#define V1_MAX 107 /* with CR and LF (section 2.1) */

static const char v2_sign[12] = {'\r', '\n', '\r', '\n', '\0', '\r',
				 '\n', 'Q',  'U',  'I',	 'T',  '\n'};
static const char v1_sign[6] = {'P', 'R', 'O', 'X', 'Y', ' '};

static enum proxy_got refused(struct proxy_header *h, const char *why)
{
	h->why = why;
	return PROXY_REFUSED;
}

static uint16_t two_bytes(const unsigned char *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* --- version 2 */

/* Section 2.2: family and transport in one byte, then the addresses of source and destination, and
 * their ports. */
static enum proxy_got read_v2(struct proxy_header *h, const unsigned char *p, size_t len)
{
	static const unsigned needed[] = {0, 12, 36, 216}; /* bytes of UNSPEC, INET, INET6, UNIX */
	unsigned command, family, n;

	if (len < V2_HEAD)
		return PROXY_MORE;
	command = p[12];
	family = p[13];
	n = two_bytes(p + 14);
	if (command != 0x20 && command != 0x21)
		return refused(h, "a version or a command that is not known");
	if (V2_HEAD + n > PROXY_PROTOCOL_MAX)
		return refused(h, "too long");
	/* What follows LOCAL is to be skipped whatever it is, and addresses of no transport. */
	if (command == 0x21) {
		if (family >> 4 > 3 || (family & 15) > 2)
			return refused(h, "an address family that is not known");
		if (family & 15 && n < needed[family >> 4])
			return refused(h, "shorter than its addresses");
	}
	if (len < V2_HEAD + n)
		return PROXY_MORE;
	h->length = V2_HEAD + n;
	if (command == 0x21 && family == 0x11)
		address_set4(&h->client, p + V2_HEAD, two_bytes(p + V2_HEAD + 8));
	else if (command == 0x21 && family == 0x21)
		address_set6(&h->client, p + V2_HEAD, two_bytes(p + V2_HEAD + 32));
	return PROXY_DONE;
}

/* --- version 1 */

struct word {
	const char *p;
	size_t len;
};

/* Takes what stands before the next space, or the end. False where there is nothing. */
static bool next_word(const char **p, const char *end, struct word *w)
{
	const char *space = *p < end ? memchr(*p, ' ', (size_t)(end - *p)) : NULL;

	w->p = *p;
	w->len = (size_t)((space ? space : end) - *p);
	*p = space ? space + 1 : end;
	return w->len > 0;
}

static bool word_is(const struct word *w, const char *text)
{
	return w->len == strlen(text) && memcmp(w->p, text, w->len) == 0;
}

/* 0 to 65535, without zeros in front. */
static bool read_port(const struct word *w, uint16_t *port)
{
	unsigned n = 0;
	size_t i;

	if (w->len > 5 || (w->len > 1 && w->p[0] == '0'))
		return false;
	for (i = 0; i < w->len; i++) {
		if (w->p[i] < '0' || w->p[i] > '9')
			return false;
		n = n * 10 + (unsigned)(w->p[i] - '0');
	}
	*port = (uint16_t)n;
	return n <= 65535;
}

/* An address, written as its family is. */
static bool read_ip(const struct word *w, bool six, struct address *a)
{
	return !memchr(w->p, ':', w->len) == !six && address_read(a, w->p, w->len);
}

/* Section 2.1: PROXY TCP4 SOURCE DESTINATION PORT PORT, or PROXY UNKNOWN and what may be. */
static enum proxy_got read_v1(struct proxy_header *h, const char *p, size_t len)
{
	const char *end = memchr(p, '\n', len < V1_MAX ? len : V1_MAX);
	struct word family, from, to, from_port, to_port;
	struct address client, own;
	uint16_t port;
	bool six;

	if (!end && len < V1_MAX)
		return PROXY_MORE;
	if (!end)
		return refused(h, "a line that is too long");
	h->length = (size_t)(end - p) + 1;
	if (end[-1] != '\r')
		return refused(h, "a line without its end");
	end--;
	p += sizeof(v1_sign);
	if (!next_word(&p, end, &family))
		return refused(h, "no address family");
	if (word_is(&family, "UNKNOWN"))
		return PROXY_DONE;
	six = word_is(&family, "TCP6");
	if (!six && !word_is(&family, "TCP4"))
		return refused(h, "an address family that is not known");
	if (!next_word(&p, end, &from) || !next_word(&p, end, &to) ||
	    !next_word(&p, end, &from_port) || !next_word(&p, end, &to_port) || p != end ||
	    end[-1] == ' ' || !read_ip(&from, six, &client) || !read_ip(&to, six, &own) ||
	    !read_port(&to_port, &port) || !read_port(&from_port, &port))
		return refused(h, "addresses that are none");
	client.port = port;
	h->client = client;
	return PROXY_DONE;
}

enum proxy_got proxy_protocol_read(struct proxy_header *h, const void *data, size_t len)
{
	*h = (struct proxy_header){0};
	if (len == 0)
		return PROXY_MORE;
	if (memcmp(data, v2_sign, len < sizeof(v2_sign) ? len : sizeof(v2_sign)) == 0)
		return read_v2(h, data, len);
	if (memcmp(data, v1_sign, len < sizeof(v1_sign) ? len : sizeof(v1_sign)) == 0)
		return len < sizeof(v1_sign) ? PROXY_MORE : read_v1(h, data, len);
	return refused(h, "no PROXY header");
}
