/* The compact form: three parts in base64url, each looked at only when all before it was good. */
#include "token/token.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "token/token_base64.h"

/* Where the parts are, and what the header says. */
struct parts {
	const char *header, *claims, *signature;
	size_t header_len, claims_len, signature_len;
	size_t signed_len; /* the first two with their dot: what the signature is of */
	enum token_alg alg;
	size_t kid_len;
	char kid[TOKEN_KID_MAX];
};

static enum token_error split(const char *text, size_t len, struct parts *p)
{
	const char *end = text + len, *first = memchr(text, '.', len), *second;

	if (!first)
		return TOKEN_NOT_COMPACT;
	second = memchr(first + 1, '.', (size_t)(end - first - 1));
	if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
		return TOKEN_NOT_COMPACT;
	p->header = text;
	p->header_len = (size_t)(first - text);
	p->claims = first + 1;
	p->claims_len = (size_t)(second - first - 1);
	p->signature = second + 1;
	p->signature_len = (size_t)(end - second - 1);
	p->signed_len = (size_t)(second - text);
	return p->header_len ? TOKEN_OK : TOKEN_NOT_COMPACT;
}

/* --- the header */

/* Without "application/", which may be left out (RFC 7515 4.1.9). */
static bool type_is(const char *text, size_t len, const char *want)
{
	static const char prefix[] = "application/";

	if (len > sizeof(prefix) - 1 && strncasecmp(text, prefix, sizeof(prefix) - 1) == 0) {
		text += sizeof(prefix) - 1;
		len -= sizeof(prefix) - 1;
	}
	return len == strlen(want) && strncasecmp(text, want, len) == 0;
}

/* A token for something else, by its explicit type (RFC 8725 3.11), or one within another. */
static bool typ_good(const struct json_item *item, bool content)
{
	char text[64];
	int n = item->type == JSON_STRING ? json_item_text(item, text, sizeof(text)) : -1;

	if (n < 0)
		return false;
	if (content)
		return !type_is(text, (size_t)n, "JWT");
	return type_is(text, (size_t)n, "JWT") || type_is(text, (size_t)n, "at+jwt");
}

static enum token_error read_parameter(const struct json_item *item, struct parts *p, bool *alg)
{
	char name[16];
	int n;

	if (json_item_is(item, "alg")) {
		n = item->type == JSON_STRING ? json_item_text(item, name, sizeof(name)) : -1;
		*alg = n >= 0 && token_alg_find(name, (size_t)n, &p->alg);
		return *alg ? TOKEN_OK : TOKEN_BAD_ALG;
	}
	if (json_item_is(item, "crit") || json_item_is(item, "b64"))
		return TOKEN_CRITICAL;
	if (json_item_is(item, "typ"))
		return typ_good(item, false) ? TOKEN_OK : TOKEN_BAD_TYP;
	if (json_item_is(item, "cty"))
		return typ_good(item, true) ? TOKEN_OK : TOKEN_BAD_TYP;
	if (json_item_is(item, "kid")) {
		n = item->type == JSON_STRING ? json_item_text(item, p->kid, sizeof(p->kid)) : -1;
		p->kid_len = n > 0 ? (size_t)n : 0;
		return n > 0 ? TOKEN_OK : TOKEN_BAD_KID;
	}
	return TOKEN_OK; /* jku, jwk, x5u and their like are never followed */
}

/* Decodes the header into json, of TOKEN_HEADER_MAX bytes; *len is its length. */
static enum token_error header_decode(const struct parts *p, char *json, size_t *len)
{
	int n = token_base64_decode(p->header, p->header_len, json, TOKEN_HEADER_MAX);
	struct json_scan scan;

	if (p->header_len > TOKEN_HEADER_MAX / 3 * 4 + 4)
		return TOKEN_TOO_LARGE;
	if (n < 0)
		return TOKEN_BAD_BASE64;
	if (json_scan(NULL, json, (size_t)n, NULL, &scan) != JSON_OK || scan.type != JSON_OBJECT)
		return TOKEN_BAD_HEADER;
	*len = scan.end - scan.start;
	memmove(json, json + scan.start, *len);
	return json_unique(json, *len) ? TOKEN_OK : TOKEN_DUPLICATE;
}

static enum token_error header_read(struct parts *p)
{
	char json[TOKEN_HEADER_MAX];
	struct json_walk w;
	struct json_item item;
	bool alg = false;
	size_t len;
	enum token_error e = header_decode(p, json, &len);

	if (e)
		return e;
	json_walk_begin(&w, json, len);
	while (!e && json_walk_next(&w, &item))
		e = read_parameter(&item, p, &alg);
	return e ? e : alg ? TOKEN_OK : TOKEN_BAD_ALG;
}

/* --- the signature */

static bool could_be(const struct token_key *k, const struct parts *p)
{
	if (k->alg != p->alg || !k->verifies)
		return false;
	return !p->kid_len || !k->kid_len ||
	       (k->kid_len == p->kid_len && memcmp(k->kid, p->kid, p->kid_len) == 0);
}

static enum token_error signature_check(const struct token_keys *keys, const char *text,
					const struct parts *p, const struct token_key **by)
{
	unsigned char signature[TOKEN_SIGNATURE_MAX];
	int n = token_base64_decode(p->signature, p->signature_len, signature, sizeof(signature));
	enum token_error e = TOKEN_NO_KEY;

	if (n < 0)
		return TOKEN_BAD_BASE64;
	for (size_t i = 0; i < token_keys_count(keys); i++) {
		const struct token_key *k = token_keys_at(keys, i);

		if (!could_be(k, p))
			continue;
		e = TOKEN_BAD_SIGNATURE;
		if (token_key_verify(k, text, p->signed_len, signature, (size_t)n)) {
			*by = k;
			return TOKEN_OK;
		}
	}
	return e;
}

/* --- the whole */

static enum token_error claims_decode(const struct parts *p, struct token *t)
{
	int n;

	if (buf_reserve(&t->memory, p->claims_len + 1) < 0)
		return TOKEN_NO_MEMORY;
	n = token_base64_decode(p->claims, p->claims_len, t->memory.data + t->memory.len,
				p->claims_len);
	if (n < 0)
		return TOKEN_BAD_BASE64;
	return token_claims_read(&t->claims, t->memory.data + t->memory.len, (size_t)n);
}

enum token_error token_verify(const struct token_rules *rules, const char *text, size_t len,
			      double now, struct token *t)
{
	struct parts p = {0};
	enum token_error e;

	*t = (struct token){0};
	if (len > (rules->max ? rules->max : TOKEN_MAX))
		return TOKEN_TOO_LARGE;
	e = split(text, len, &p);
	if (!e)
		e = header_read(&p);
	if (!e)
		e = signature_check(rules->keys, text, &p, &t->key);
	if (!e)
		e = claims_decode(&p, t);
	return e ? e : token_claims_check(&t->claims, &rules->expected, now);
}

enum token_error token_decode(const char *text, size_t len, size_t max, struct token *t)
{
	unsigned char signature[TOKEN_SIGNATURE_MAX];
	struct parts p = {0};
	enum token_error e;

	*t = (struct token){0};
	if (len > (max ? max : TOKEN_MAX))
		return TOKEN_TOO_LARGE;
	e = split(text, len, &p);
	if (e)
		return e;
	if (buf_reserve(&t->memory, TOKEN_HEADER_MAX + p.claims_len + 1) < 0)
		return TOKEN_NO_MEMORY;
	e = header_decode(&p, t->memory.data, &t->header_len);
	if (e)
		return e;
	t->header = t->memory.data;
	t->memory.len = t->header_len;
	if (token_base64_decode(p.signature, p.signature_len, signature, sizeof(signature)) < 0)
		return TOKEN_BAD_BASE64;
	return claims_decode(&p, t);
}

void token_free(struct token *t)
{
	buf_free(&t->memory);
	*t = (struct token){0};
}

static int put_header(const struct token_key *key, struct buf *out)
{
	struct buf json = {0};
	int r = buf_printf(&json, "{\"alg\":\"%s\",\"typ\":\"JWT\"", token_alg_name(key->alg));

	if (r == 0 && key->kid_len && (r = buf_puts(&json, ",\"kid\":")) == 0)
		r = buf_put_json(&json, key->kid, key->kid_len);
	if (r == 0 && (r = buf_puts(&json, "}")) == 0)
		r = token_base64_encode(out, json.data, json.len);
	buf_free(&json);
	return r;
}

int token_sign(const struct token_key *key, const char *claims, size_t len, struct buf *out)
{
	unsigned char signature[TOKEN_SIGNATURE_MAX];
	size_t before = out->len;
	int n, r = put_header(key, out);

	if (r == 0 && (r = buf_puts(out, ".")) == 0)
		r = token_base64_encode(out, claims, len);
	if (r == 0) {
		n = token_key_sign(key, out->data + before, out->len - before, signature);
		r = n < 0 ? -EINVAL : buf_puts(out, ".");
		if (r == 0)
			r = token_base64_encode(out, signature, (size_t)n);
	}
	if (r < 0)
		out->len = before;
	return r;
}
