/* hubtoken sign: claims in, tokens out. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "command.h"
#include "token/token.h"

struct options {
	struct opt_list keys, audiences;
	const char *kid, *claims, *sub, *issuer;
	double ttl;
};

#define FIELD(f) offsetof(struct options, f)

static const struct opt options_table[] = {
    {'k', "key", "FILE", OPT_LIST, FIELD(keys), 0, 0, NULL,
     "the key to sign with; may be repeated"},
    {0, "kid", "ID", OPT_STRING, FIELD(kid), 0, 0, NULL, "which of several keys (the only one)"},
    {0, "ttl", "SECONDS", OPT_SECONDS, FIELD(ttl), 0, 315360000, NULL,
     "how long a token without exp is good; 0: for ever (1h)"},
    {'c', "claims", "JSON", OPT_STRING, FIELD(claims), 0, 0, NULL,
     "one object of claims, in place of standard input"},
    {0, "sub", "NAME", OPT_STRING, FIELD(sub), 0, 0, NULL,
     "who it is for: one token, in place of standard input"},
    {0, "audience", "NAME", OPT_LIST, FIELD(audiences), 0, 0, NULL,
     "aud, where the claims have none; may be repeated"},
    {0, "issuer", "NAME", OPT_STRING, FIELD(issuer), 0, 0, NULL, "iss, where the claims have none"},
    {0},
};

static const struct opt_program program = {
    .name = "hubtoken sign",
    .synopsis =
	"-k FILE [--kid ID] [--ttl SECONDS] [-c JSON] [--sub NAME] [--audience NAME ...] [--issuer "
	"NAME]",
    .summary = "Makes a token of each line of standard input, a JSON object of claims.",
    .opts = options_table};

struct signing {
	struct options o;
	const struct token_key *key;
	double now;
};

static void put_claim(struct buf *out, const char *name, const char *text)
{
	command_memory(buf_printf(out, ",\"%s\":", name));
	command_memory(buf_put_json(out, text, strlen(text)));
}

/* The claims, with those added that they lack. */
static void complete(const struct signing *s, const struct token_claims *c, struct buf *out)
{
	size_t first;

	command_put_json(out, c->json, c->len - 1);
	first = out->len;
	if (s->o.sub && !c->sub.len)
		put_claim(out, "sub", s->o.sub);
	if (s->o.issuer && !c->iss.len)
		put_claim(out, "iss", s->o.issuer);
	for (size_t i = 0; !c->aud.value && i < s->o.audiences.n; i++) {
		command_memory(buf_puts(out, i ? "," : ",\"aud\":["));
		command_memory(
		    buf_put_json(out, s->o.audiences.item[i], strlen(s->o.audiences.item[i])));
	}
	if (!c->aud.value && s->o.audiences.n)
		command_memory(buf_puts(out, "]"));
	if (c->iat < 0)
		command_memory(buf_printf(out, ",\"iat\":%.0f", s->now));
	if (c->exp < 0 && s->o.ttl > 0)
		command_memory(buf_printf(out, ",\"exp\":%.0f", s->now + s->o.ttl));
	command_memory(buf_puts(out, "}"));
	/* In an object that was empty the first claim needs no comma. */
	for (size_t i = first; i > 0 && out->data[first] == ','; i--) {
		if (out->data[i - 1] == '{')
			out->data[first] = ' ';
		else if (out->data[i - 1] == ' ' || out->data[i - 1] == '\t')
			continue;
		break;
	}
}

static int sign_line(const char *text, size_t len, unsigned long number, struct buf *out, void *arg)
{
	const struct signing *s = arg;
	struct token_claims c;
	struct buf given = {0}, whole = {0};
	enum token_error e;
	int r = 0;

	command_memory(buf_put(&given, text, len));
	e = token_claims_read(&c, given.data, len);
	if (!e) {
		complete(s, &c, &whole);
		e = token_claims_read(&c, whole.data, whole.len); /* what options gave counts too */
	}
	if (!e && c.exp >= 0 && c.exp <= c.iat)
		e = TOKEN_BAD_TIMES;
	if (e) {
		command_refuse(number, e, &c);
		r = EX_DATAERR;
	} else {
		command_memory(token_sign(s->key, whole.data, whole.len, out));
		command_memory(buf_puts(out, "\n"));
	}
	buf_free(&given);
	buf_free(&whole);
	return r;
}

int signing_main(int argc, char **argv)
{
	struct signing s = {.o = {.ttl = 3600}, .now = (double)time(NULL)};
	struct token_keys *keys;
	struct buf out = {0};
	const char *one;
	int status;

	if (opt_parse(&program, argc, argv, &s.o) != argc)
		err_die(EX_USAGE, "no operand is wanted (try 'hubtoken sign --help')");
	if (!s.o.keys.n)
		err_die(EX_USAGE, "-k FILE is missing (try 'hubtoken sign --help')");
	keys = command_keys(&s.o.keys);
	s.key = token_keys_signer(keys, s.o.kid);
	if (!s.key)
		err_die(EX_DATAERR, "%s",
			s.o.kid ? "no one key that can sign has this --kid"
				: "not one key that can sign; --kid chooses");
	one = s.o.claims ? s.o.claims : s.o.sub ? "{}" : NULL;
	if (one) {
		status = sign_line(one, strlen(one), 1, &out, &s);
		command_write(&out);
	} else {
		status = command_lines(sign_line, &s);
	}
	buf_free(&out);
	token_keys_free(keys);
	return status;
}
