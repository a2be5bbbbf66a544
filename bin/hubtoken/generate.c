/* hubtoken keygen: a new key, as a JWK, and what others may know of it, as a JWKS. */
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/key_file.h"
#include "command.h"
#include "token/token_jwk.h"

struct options {
	int alg;
	const char *kid, *output;
};

#define FIELD(f) offsetof(struct options, f)

/* In the order of enum token_alg. */
static const char *const algs[] = {"HS256", "HS384", "HS512", "EdDSA",
				   "ES256", "RS256", "PS256", NULL};

static const struct opt options_table[] = {
    {'a', "alg", "ALG", OPT_CHOICE, FIELD(alg), 0, 0, algs,
     "HS256, HS384, HS512, EdDSA, ES256, RS256 or PS256 (EdDSA)"},
    {0, "kid", "ID", OPT_STRING, FIELD(kid), 0, 0, NULL,
     "the key's id (its thumbprint, or a random one)"},
    {'o', "output", "FILE", OPT_STRING, FIELD(output), 0, 0, NULL,
     "a new file for the key; FILE.pub gets the public one (standard output)"},
    {0},
};

static const struct opt_program program = {
    .name = "hubtoken keygen",
    .synopsis = "[-a ALG] [--kid ID] [-o FILE]",
    .summary = "Makes a key. Its file gets the mode 0600; a file that is there is never touched.",
    .opts = options_table};

static void name_key(struct token_key *k, const char *kid)
{
	size_t len = kid ? strlen(kid) : 0;

	if (kid && (!len || len > TOKEN_KID_MAX))
		err_die(EX_USAGE, "--kid: 1 to %d bytes", TOKEN_KID_MAX);
	if (!kid) {
		command_memory(token_jwk_name(k));
		return;
	}
	memcpy(k->kid, kid, len);
	k->kid_len = len;
}

static struct token_key *new_key(enum token_alg alg)
{
	struct token_key *k = token_key_new(alg);

	if (k)
		return k;
	err_die(EX_OSERR, "no memory, or no randomness");
}

/* Both or none. */
static void write_files(const char *path, const struct buf *secret, const struct buf *public)
{
	char beside[4096], why[4500];
	int status = key_file_write(path, true, secret->data, secret->len, why, sizeof(why));

	if (!status && public->len) {
		if ((size_t)snprintf(beside, sizeof(beside), "%s.pub", path) >= sizeof(beside))
			err_die(EX_CANTCREAT, "%s: the name is too long", path);
		status = key_file_write(beside, false, public->data, public->len, why, sizeof(why));
		if (status)
			unlink(path);
	}
	if (status)
		err_die(status, "%s", why);
}

int generate_main(int argc, char **argv)
{
	struct options o = {.alg = TOKEN_EDDSA};
	struct buf secret = {0}, public = {0};
	struct token_key *k;

	if (opt_parse(&program, argc, argv, &o) != argc)
		err_die(EX_USAGE, "no operand is wanted (try 'hubtoken keygen --help')");
	k = new_key((enum token_alg)o.alg);
	name_key(k, o.kid);
	command_memory(token_jwk_write(k, true, &secret));
	command_memory(buf_puts(&secret, "\n"));
	if (!token_alg_hmac(k->alg)) {
		command_memory(buf_puts(&public, "{\"keys\":["));
		command_memory(token_jwk_write(k, false, &public));
		command_memory(buf_puts(&public, "]}\n"));
	}
	if (o.output && strcmp(o.output, "-") != 0)
		write_files(o.output, &secret, &public);
	else
		command_write(&secret);
	if (secret.data)
		sodium_memzero(secret.data, secret.cap);
	buf_free(&secret);
	buf_free(&public);
	token_key_free(k);
	return EX_OK;
}
