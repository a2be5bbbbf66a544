/* hubtoken verify: tokens in, the claims of the good ones out. */
#include <stddef.h>
#include <time.h>

#include "base/err.h"
#include "command.h"
#include "token/token.h"

struct options {
	struct opt_list keys, audiences, issuers;
};

#define FIELD(f) offsetof(struct options, f)

static const struct opt options_table[] = {
    {'k', "key", "FILE", OPT_LIST, FIELD(keys), 0, 0, NULL,
     "a key that may have signed; may be repeated"},
    {0, "audience", "NAME", OPT_LIST, FIELD(audiences), 0, 0, NULL,
     "who one is: aud must name it; may be repeated"},
    {0, "issuer", "NAME", OPT_LIST, FIELD(issuers), 0, 0, NULL,
     "what iss must be; may be repeated"},
    {0},
};

static const struct opt_program program = {
    .name = "hubtoken verify",
    .synopsis = "-k FILE [--audience NAME ...] [--issuer NAME ...]",
    .summary =
	"Checks each line of standard input, a token, and writes the claims of the good ones.",
    .opts = options_table};

static int check_line(const char *text, size_t len, unsigned long number, struct buf *out,
		      void *arg)
{
	const struct token_rules *rules = arg;
	struct timespec now;
	struct token t;
	enum token_error e;

	clock_gettime(CLOCK_REALTIME, &now);
	e = token_verify(rules, text, len, (double)now.tv_sec + (double)now.tv_nsec / 1e9, &t);
	if (e) {
		command_refuse(number, e, &t.claims);
	} else {
		command_put_json(out, t.claims.json, t.claims.len);
		command_memory(buf_puts(out, "\n"));
	}
	token_free(&t);
	return e ? EX_NO : 0;
}

int checking_main(int argc, char **argv)
{
	struct options o = {0};
	struct token_rules rules = {0};
	struct token_keys *keys;
	int status;

	if (opt_parse(&program, argc, argv, &o) != argc)
		err_die(EX_USAGE, "no operand is wanted (try 'hubtoken verify --help')");
	if (!o.keys.n)
		err_die(EX_USAGE, "-k FILE is missing (try 'hubtoken verify --help')");
	keys = command_keys(&o.keys);
	rules.keys = keys;
	rules.expected = (struct token_expected){.audiences = o.audiences.item,
						 .naudiences = o.audiences.n,
						 .issuers = o.issuers.item,
						 .nissuers = o.issuers.n};
	status = command_lines(check_line, &rules) ? EX_NO : EX_OK;
	token_keys_free(keys);
	return status;
}
