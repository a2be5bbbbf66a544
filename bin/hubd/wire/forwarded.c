/* Both fields are read from the front, in one pass: the client is the last hop that is not trusted,
 * but what follows one that names no address begins anew. */
#include "wire/forwarded.h"

#include <string.h>

#define NODE_MAX 64 /* bytes of the longest that names an address, and more */

bool trust_has(const struct trust *t, const struct address *a)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (network_has(&t->at[i], a))
			return true;
	return false;
}

const char *trust_add(struct trust *t, const char *list, struct http1_span *at)
{
	struct http1_span rest = {list, strlen(list)};
	const char *wrong = NULL;

	while (!wrong && http1_element(&rest, at)) {
		if (t->n == TRUST_MAX)
			return "too many networks";
		wrong = network_read(&t->at[t->n], at->p, at->len);
		t->n += !wrong;
	}
	return wrong;
}

/* --- the way */

struct way {
	const struct trust *trust;
	struct address client;
	bool open; /* nobody is known from here on */
};

static void hop(struct way *w, struct http1_span node)
{
	struct address a = {.known = false};

	if (!address_read_port(&a, node.p, node.len)) {
		w->open = true;
	} else if (w->open || !trust_has(w->trust, &a)) {
		w->client = a;
		w->open = false;
	}
}

/* --- X-Forwarded-For: addresses with commas between; no page of a standard */

static void read_x_for(struct way *w, struct http1_span list)
{
	struct http1_span node;

	while (http1_element(&list, &node))
		if (node.len)
			hop(w, node);
}

/* --- Forwarded: RFC 7239 section 4 */

static void skip_blank(struct http1_span *s)
{
	while (s->len && http1_blank(*s->p))
		s->p++, s->len--;
}

/* Takes one character off, if it is that. */
static bool skip_char(struct http1_span *s, char c)
{
	if (!s->len || *s->p != c)
		return false;
	s->p++;
	s->len--;
	return true;
}

static struct http1_span take_token(struct http1_span *s)
{
	struct http1_span token = {s->p, 0};

	while (s->len && http1_class[(unsigned char)*s->p] & HTTP1_TOKEN)
		s->p++, s->len--, token.len++;
	return token;
}

/* A quoted string (RFC 9110 section 5.6.4) without its quotes and backslashes, as far as it fits
 * into NODE_MAX bytes; what does not fit is no address. */
static bool take_quoted(struct http1_span *s, char *out, size_t *len)
{
	size_t n = 0;

	if (!skip_char(s, '"'))
		return false;
	while (s->len && *s->p != '"') {
		if (skip_char(s, '\\') && !s->len)
			return false;
		if (n < NODE_MAX)
			out[n++] = *s->p;
		s->p++;
		s->len--;
	}
	*len = n;
	return skip_char(s, '"');
}

/* token "=" ( token / quoted-string ). False where it is none. */
static bool read_pair(struct http1_span *s, struct http1_span *name, char *value, size_t *len)
{
	struct http1_span token;

	*name = take_token(s);
	if (!name->len || !skip_char(s, '='))
		return false;
	if (s->len && *s->p == '"')
		return take_quoted(s, value, len);
	token = take_token(s);
	*len = token.len < NODE_MAX ? token.len : NODE_MAX;
	memcpy(value, token.p, *len);
	return token.len > 0;
}

/* One element: pairs with semicolons between, at most one of each name, which is looked after for
 * the one that counts. */
static bool read_element(struct way *w, struct http1_span *s)
{
	char node[NODE_MAX], value[NODE_MAX];
	struct http1_span name;
	size_t node_len = 0, len;
	bool any = false, has_for = false;

	do {
		skip_blank(s);
		if (!s->len || *s->p == ';' || *s->p == ',')
			continue;
		if (!read_pair(s, &name, value, &len))
			return false;
		any = true;
		if (http1_is(name, "for")) {
			if (has_for)
				return false;
			has_for = true;
			node_len = len;
			memcpy(node, value, len);
		}
		skip_blank(s);
	} while (skip_char(s, ';'));
	if (any)
		hop(w, (struct http1_span){node, node_len});
	return true;
}

static bool read_forwarded(struct way *w, struct http1_span s)
{
	do {
		if (!read_element(w, &s))
			return false;
	} while (skip_char(&s, ','));
	return s.len == 0;
}

int forwarded_client(const struct trust *t, const struct http1_head *head, struct address *client)
{
	struct http1_span fields = head->fields, name, value;
	struct way w = {.trust = t, .open = true};

	if (!trust_has(t, client))
		return 0;
	while (http1_next(&fields, &name, &value)) {
		if (t->field == FORWARDED_X_FOR && http1_is(name, "x-forwarded-for"))
			read_x_for(&w, value);
		else if (t->field == FORWARDED_RFC && http1_is(name, "forwarded") &&
			 !read_forwarded(&w, value))
			return 400;
	}
	if (!w.open)
		*client = w.client;
	return 0;
}
