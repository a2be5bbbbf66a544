/* hubreplay keygen: makes keys. */
#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "base/opt.h"
#include "edit/edit.h"
#include "recording/seal.h"

struct options {
	const char *seal, *sign;
};

#define FIELD(f) offsetof(struct options, f)

static const struct opt options_table[] = {
    {0, "seal", "FILE", OPT_STRING, FIELD(seal), 0, 0, NULL,
     "a new file for a new key that seals and opens"},
    {0, "sign", "FILE", OPT_STRING, FIELD(sign), 0, 0, NULL,
     "a new file for a new key that signs; FILE.pub gets the one that verifies"},
    {0},
};

static const struct opt_program program = {
    .name = "hubreplay keygen",
    .synopsis = "[--seal FILE] [--sign FILE]",
    .summary = "Makes keys for recordings. Secret ones get the mode 0600.",
    .opts = options_table};

static void make(enum seal_key kind, const char *path)
{
	char why[300];
	int status = path ? seal_key_make(kind, path, why, sizeof(why)) : 0;

	if (status)
		err_die(status, "%s", why);
}

int keygen_main(int argc, char **argv)
{
	struct options o = {0};

	if (opt_parse(&program, argc, argv, &o) != argc || (!o.seal && !o.sign))
		err_die(EX_USAGE,
			"--seal FILE, --sign FILE or both (try 'hubreplay keygen --help')");
	if ((o.seal && strcmp(o.seal, "-") == 0) || (o.sign && strcmp(o.sign, "-") == 0))
		err_die(EX_USAGE, "a key goes to a file of its own, not to standard output");
	make(SEAL_SECRET, o.seal);
	make(SEAL_SIGN, o.sign);
	return EX_OK;
}
