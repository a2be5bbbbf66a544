/* hubtoken: the table of subcommands. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "command.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

static const struct command commands[] = {
    {"keygen", generate_main, "make a key to sign with, and the one that verifies"},
    {"sign", signing_main, "make tokens of claims"},
    {"verify", checking_main, "whether tokens are good, and what they say"},
    {"inspect", decoding_main, "what tokens say, unverified"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int help(void)
{
	printf("usage: hubtoken COMMAND [OPTION]...\n"
	       "Makes and checks tokens (JWT) for hubd, and the keys for them.\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-10s%s\n", commands[i].name, commands[i].summary);
	printf("\n'hubtoken COMMAND --help' tells the options of one.\n");
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	err_init("hubtoken", ERR_INFO);
	if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0)
		return help();
	if (strcmp(name, "-V") == 0 || strcmp(name, "--version") == 0) {
		printf("hubtoken %s\n", HUB_VERSION);
		return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (!*name)
		err_die(EX_USAGE, "which command? (try 'hubtoken --help')");
	err_die(EX_USAGE, "there is no command '%s' (try 'hubtoken --help')", name);
}
