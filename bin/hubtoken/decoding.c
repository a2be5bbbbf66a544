/* hubtoken inspect: what tokens say, whoever wrote them. */
#include <stddef.h>

#include "base/err.h"
#include "command.h"
#include "token/token.h"

static const struct opt options_table[] = {{0}};

static const struct opt_program program = {
    .name = "hubtoken inspect",
    .synopsis = "",
    .summary =
	"Writes what is in each line of standard input, a token. Checks no signature and no time.",
    .opts = options_table};

static int decode_line(const char *text, size_t len, unsigned long number, struct buf *out,
		       void *arg)
{
	struct token t;
	enum token_error e = token_decode(text, len, LINE_LIMIT, &t);

	(void)arg;
	if (e) {
		command_refuse(number, e, &t.claims);
	} else {
		command_memory(buf_puts(out, "{\"verified\":false,\"header\":"));
		command_put_json(out, t.header, t.header_len);
		command_memory(buf_puts(out, ",\"claims\":"));
		command_put_json(out, t.claims.json, t.claims.len);
		command_memory(buf_puts(out, "}\n"));
	}
	token_free(&t);
	return e ? EX_DATAERR : 0;
}

int decoding_main(int argc, char **argv)
{
	char none;

	if (opt_parse(&program, argc, argv, &none) != argc)
		err_die(EX_USAGE, "no operand is wanted (try 'hubtoken inspect --help')");
	err_log(ERR_WARN, "nothing is verified: anybody can have written this");
	return command_lines(decode_line, NULL);
}
