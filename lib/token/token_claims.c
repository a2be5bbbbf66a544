/* Claims: types when they are read, values when they are checked. */
#include "token/token_claims.h"

#include <stdlib.h>
#include <string.h>

/* NumericDate: a number of seconds, also with a fraction (RFC 7519 section 2). */
static bool read_time(const struct json_item *item, double *out)
{
	char text[32];

	if (item->type != JSON_NUMBER || item->len >= sizeof(text))
		return false;
	memcpy(text, item->value, item->len);
	text[item->len] = '\0';
	*out = strtod(text, NULL);
	return *out >= 0 && *out <= TOKEN_TIME_MAX;
}

static bool read_text(const struct json_item *item, struct token_text *out)
{
	int n = item->type == JSON_STRING ? json_item_text(item, out->text, sizeof(out->text)) : -1;

	out->len = n > 0 ? (uint16_t)n : 0;
	return n > 0 && !memchr(out->text, '\0', out->len);
}

static bool read_audience(const struct json_item *item, struct json_item *out)
{
	struct json_walk w;
	struct json_item one;

	*out = *item;
	if (item->type == JSON_STRING)
		return true;
	if (item->type != JSON_ARRAY)
		return false;
	json_walk_begin(&w, item->value, item->len);
	while (json_walk_next(&w, &one))
		if (one.type != JSON_STRING)
			return false;
	return true;
}

/* Returns NULL, or which claim is not of its type. */
static const char *read_claim(struct token_claims *c, const struct json_item *item)
{
	if (json_item_is(item, "exp"))
		return read_time(item, &c->exp) ? NULL : "exp";
	if (json_item_is(item, "nbf"))
		return read_time(item, &c->nbf) ? NULL : "nbf";
	if (json_item_is(item, "iat"))
		return read_time(item, &c->iat) ? NULL : "iat";
	if (json_item_is(item, "sub"))
		return read_text(item, &c->sub) ? NULL : "sub";
	if (json_item_is(item, "iss"))
		return read_text(item, &c->iss) ? NULL : "iss";
	if (json_item_is(item, "jti"))
		return read_text(item, &c->jti) ? NULL : "jti";
	if (json_item_is(item, "aud"))
		return read_audience(item, &c->aud) ? NULL : "aud";
	if (json_item_is(item, "hub"))
		return token_hub_read(&c->hub, item);
	return NULL;
}

enum token_error token_claims_read(struct token_claims *c, char *text, size_t len)
{
	struct json_scan scan;
	struct json_walk w;
	struct json_item item;

	*c = (struct token_claims){.exp = -1, .nbf = -1, .iat = -1};
	if (json_scan(NULL, text, len, NULL, &scan) != JSON_OK || scan.type != JSON_OBJECT)
		return TOKEN_BAD_CLAIMS;
	c->json = text + scan.start;
	c->len = scan.end - scan.start;
	if (!json_unique(c->json, c->len))
		return TOKEN_DUPLICATE;
	json_walk_begin(&w, c->json, c->len);
	while (!c->wrong && json_walk_next(&w, &item))
		c->wrong = read_claim(c, &item);
	return c->wrong ? TOKEN_BAD_CLAIM : TOKEN_OK;
}

static bool among(const char *text, size_t len, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(list[i]) == len && memcmp(list[i], text, len) == 0)
			return true;
	return false;
}

static bool one_audience(const struct json_item *item, const struct token_expected *want)
{
	char text[TOKEN_SUB_MAX];
	int n = json_item_text(item, text, sizeof(text));

	return n > 0 && among(text, (size_t)n, want->audiences, want->naudiences);
}

static bool audience_good(const struct token_claims *c, const struct token_expected *want)
{
	struct json_walk w;
	struct json_item item;

	if (!c->aud.value)
		return want->naudiences == 0;
	if (c->aud.type == JSON_STRING)
		return one_audience(&c->aud, want);
	json_walk_begin(&w, c->aud.value, c->aud.len);
	while (json_walk_next(&w, &item))
		if (one_audience(&item, want))
			return true;
	return false;
}

enum token_error token_claims_check(const struct token_claims *c, const struct token_expected *want,
				    double now)
{
	if (c->exp >= 0 && now >= c->exp + TOKEN_LEEWAY)
		return TOKEN_EXPIRED;
	if (c->nbf >= 0 && c->nbf > now + TOKEN_LEEWAY)
		return TOKEN_NOT_YET;
	if (c->iat > now + TOKEN_LEEWAY || (c->exp >= 0 && c->iat >= 0 && c->exp <= c->iat))
		return TOKEN_BAD_TIMES;
	if (want->nissuers && !among(c->iss.text, c->iss.len, want->issuers, want->nissuers))
		return TOKEN_BAD_ISSUER;
	return audience_good(c, want) ? TOKEN_OK : TOKEN_BAD_AUDIENCE;
}
