/* Out of claims. What the claim `hub` does not name is not given; without that claim everything is,
 * but admin. */
#include "auth/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "auth/globs.h"

static const char *const names[RIGHTS] = {
    [RIGHT_JOIN] = "join",   [RIGHT_PUBLISH] = "publish",   [RIGHT_READ] = "read",
    [RIGHT_TYPES] = "types", [RIGHT_PRESENCE] = "presence", [RIGHT_ADMIN] = "admin",
};

/* What tokens of many users may give alike. */
struct grant {
	struct interned in; /* first */
	struct intern *all;
	double rate;
	struct globs may[TOKEN_HUB_LISTS];
	bool presence, admin;
	uint32_t len;
	char text[]; /* the globs */
};

struct identity {
	struct interned in;  /* first */
	struct grant *grant; /* a reference */
	struct blob *shown;  /* a reference, or NULL: the user's JSON is in it, and the info's */
	double exp, iat;
	uint32_t end_s;
	uint16_t user_len; /* in `shown` */
	uint16_t sub_len;  /* in `text`; 0: it is what the user's JSON has in its quotes */
	uint16_t jti_len, claims_len; /* in `text`, behind that */
	char text[];
};

_Static_assert(TOKEN_HUB_GLOBS <= GLOBS_MAX, "a list of a token has room");
_Static_assert(TOKEN_MAX <= UINT16_MAX, "claims are shorter than their token");

#define USER ",\"user\":"
#define INFO ",\"user_info\":"

static struct grant nothing;
struct identity identity_none = {.grant = &nothing, .exp = -1, .iat = -1};

const char *right_name(enum right right)
{
	return names[right];
}

struct identity *identity_ref(struct identity *id)
{
	if (id && id != &identity_none)
		interned_ref(&id->in);
	return id;
}

static void grant_unref(struct grant *g)
{
	if (g && intern_drop(g->all, &g->in))
		free(g);
}

void identity_unref(struct identity *id)
{
	struct grant *g = id ? id->grant : NULL;

	if (!g || g == &nothing || !intern_drop(g->all, &id->in))
		return;
	blob_unref(id->shown);
	grant_unref(g);
	free(id);
}

/* --- what is given */

static bool same_grant(const struct interned *x, const struct interned *y)
{
	const struct grant *a = (const struct grant *)x, *b = (const struct grant *)y;

	return a->rate == b->rate && a->presence == b->presence && a->admin == b->admin &&
	       a->len == b->len && memcmp(a->may, b->may, sizeof(a->may)) == 0 &&
	       memcmp(a->text, b->text, a->len) == 0;
}

/* Adds the globs of a list, or those that stand for one that is absent. */
static int add_list(struct globs *globs, struct buf *text, const struct token_hub *hub, int right,
		    struct span sub)
{
	bool all = !hub->given || right == RIGHT_TYPES || right == RIGHT_READ;
	char glob[TOKEN_HUB_GLOB_MAX];
	struct json_walk w;
	struct json_item item;
	int r = 0, n;

	if (!hub->list[right].value)
		return all ? globs_add(globs, text, (struct span){"*", 1}, sub) : 0;
	json_walk_begin(&w, hub->list[right].value, hub->list[right].len);
	while (r == 0 && json_walk_next(&w, &item)) {
		n = json_item_text(&item, glob, sizeof(glob));
		r = globs_add(globs, text, (struct span){glob, (size_t)n}, sub);
	}
	return r;
}

/* A new reference, or NULL where memory is out. */
static struct grant *read_grant(struct intern *all, const struct token_hub *hub, struct span sub)
{
	struct globs may[TOKEN_HUB_LISTS];
	struct grant *g = NULL, *kept;
	struct buf text = {0};
	int r = 0;

	memset(may, 0, sizeof(may)); /* they are compared */
	for (int i = 0; r == 0 && i < TOKEN_HUB_LISTS; i++)
		r = add_list(&may[i], &text, hub, i, sub);
	if (r == 0)
		g = malloc(sizeof(*g) + text.len);
	if (!g)
		goto done;
	*g = (struct grant){.in = {.hash = intern_hash(all, (struct span){text.data, text.len})},
			    .all = all,
			    .rate = hub->rate,
			    .presence = hub->presence || !hub->given,
			    .admin = hub->admin,
			    .len = (uint32_t)text.len};
	memcpy(g->may, may, sizeof(may));
	if (text.len)
		memcpy(g->text, text.data, text.len);
	kept = (struct grant *)intern_keep(all, &g->in, same_grant);
	if (kept != g)
		free(g);
	g = kept;
done:
	buf_free(&text);
	return g;
}

/* --- who it is */

static bool same_identity(const struct interned *x, const struct interned *y)
{
	const struct identity *a = (const struct identity *)x, *b = (const struct identity *)y;

	return a->grant == b->grant && a->exp == b->exp && a->iat == b->iat &&
	       a->end_s == b->end_s && a->user_len == b->user_len && a->sub_len == b->sub_len &&
	       a->jti_len == b->jti_len && a->claims_len == b->claims_len &&
	       !a->shown == !b->shown &&
	       memcmp(a->text, b->text, (size_t)a->sub_len + a->jti_len + a->claims_len) == 0 &&
	       (!a->shown || (a->shown->len == b->shown->len &&
			      memcmp(a->shown->text, b->shown->text, a->shown->len) == 0));
}

/* The two claims that are shown, found by their names. */
struct shown {
	struct json_item user, info;
};

static bool find_shown(struct shown *s, const struct auth *auth, const struct token_claims *c)
{
	struct json_walk w;
	struct json_item item;

	json_walk_begin(&w, c->json, c->len);
	while (json_walk_next(&w, &item)) {
		if (json_item_is(&item, "sub"))
			s->user = item;
		if (auth->info_claim && json_item_is(&item, auth->info_claim))
			s->info = item;
	}
	return s->info.len <= IDENTITY_INFO_MAX;
}

/* Returns 0 or -ENOMEM. */
static int make_shown(struct identity *id, const struct shown *s)
{
	struct buf b = {0};
	int r = 0;

	if (s->user.value && (r = buf_puts(&b, USER)) == 0)
		r = buf_put(&b, s->user.value, s->user.len);
	if (r == 0 && s->info.value && (r = buf_puts(&b, INFO)) == 0)
		r = buf_put(&b, s->info.value, s->info.len);
	/* It becomes a part of lines. */
	for (size_t i = 0; r == 0 && i < b.len; i++)
		if (b.data[i] == '\n' || b.data[i] == '\r')
			b.data[i] = ' ';
	if (r == 0 && b.len && !(id->shown = blob_new(b.data, b.len)))
		r = -ENOMEM;
	buf_free(&b);
	return r;
}

/* In so many seconds from now, of a time of the wall clock. */
static uint32_t end_of(double exp, double wall_s, uint64_t mono_ms)
{
	double in = exp + TOKEN_LEEWAY - wall_s;

	if (exp < 0 || in > INT32_MAX)
		return 0;
	return (uint32_t)((double)mono_ms / 1000 + (in > 0 ? in : 0)) + 1;
}

/* A new reference, or NULL where memory is out. */
static struct identity *make(const struct auth *auth, const struct token_claims *c,
			     const struct shown *s, double wall_s, uint64_t mono_ms)
{
	struct span sub = {c->sub.text, s->user.escaped ? c->sub.len : 0};
	size_t claims = auth->keeps_claims ? c->len : 0;
	struct identity *id = malloc(sizeof(*id) + sub.len + c->jti.len + claims), *kept;
	char *p;

	if (!id)
		return NULL;
	*id = (struct identity){.exp = c->exp,
				.iat = c->iat,
				.end_s = end_of(c->exp, wall_s, mono_ms),
				.user_len = (uint16_t)s->user.len,
				.sub_len = (uint16_t)sub.len,
				.jti_len = c->jti.len,
				.claims_len = (uint16_t)claims};
	p = mempcpy(id->text, sub.p, sub.len);
	p = mempcpy(p, c->jti.text, c->jti.len);
	memcpy(p, c->json, claims);
	id->grant = read_grant(auth->all, &c->hub, (struct span){c->sub.text, c->sub.len});
	if (!id->grant || make_shown(id, s) < 0) {
		grant_unref(id->grant);
		free(id);
		return NULL;
	}
	id->in.hash = intern_hash(auth->all, identity_jti(id));
	if (id->shown)
		id->in.hash ^=
		    intern_hash(auth->all, (struct span){id->shown->text, id->shown->len});
	kept = (struct identity *)intern_keep(auth->all, &id->in, same_identity);
	if (kept != id) {
		blob_unref(id->shown);
		grant_unref(id->grant);
		free(id);
	}
	return kept;
}

enum token_error identity_verify(const struct auth *auth, struct span token, double wall_s,
				 uint64_t mono_ms, struct identity **out, const char **wrong)
{
	struct token t;
	struct shown shown = {0};
	enum token_error e =
	    token_verify(&auth->rules, token.p ? token.p : "", token.len, wall_s, &t);

	*wrong = t.claims.wrong;
	if (!e && !find_shown(&shown, auth, &t.claims)) {
		*wrong = auth->info_claim;
		e = TOKEN_BAD_CLAIM;
	}
	if (!e && !(*out = make(auth, &t.claims, &shown, wall_s, mono_ms)))
		e = TOKEN_NO_MEMORY;
	token_free(&t);
	return e;
}

/* --- asking */

bool identity_may(const struct identity *id, enum right right, struct span name)
{
	const struct grant *g = id->grant;

	if (right == RIGHT_PRESENCE)
		return g->presence;
	if (right == RIGHT_ADMIN)
		return g->admin;
	return globs_match(&g->may[right], g->text, name);
}

double identity_rate(const struct identity *id)
{
	return id->grant->rate;
}

struct span identity_user(const struct identity *id)
{
	if (!id || !id->user_len)
		return (struct span){0};
	return (struct span){id->shown->text + sizeof(USER) - 1, id->user_len};
}

struct span identity_sub(const struct identity *id)
{
	struct span user = identity_user(id);

	if (!user.len || id->sub_len)
		return user.len ? (struct span){id->text, id->sub_len} : user;
	return (struct span){user.p + 1, user.len - 2};
}

struct span identity_jti(const struct identity *id)
{
	return id && id->jti_len ? (struct span){id->text + id->sub_len, id->jti_len}
				 : (struct span){0};
}

struct span identity_claims(const struct identity *id)
{
	return id && id->claims_len
		   ? (struct span){id->text + id->sub_len + id->jti_len, id->claims_len}
		   : (struct span){0};
}

double identity_exp(const struct identity *id)
{
	return id->exp;
}

double identity_iat(const struct identity *id)
{
	return id->iat;
}

uint32_t identity_end_s(const struct identity *id)
{
	return id->end_s;
}

struct blob *identity_shown(const struct identity *id)
{
	return id ? id->shown : NULL;
}
