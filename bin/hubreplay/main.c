/* hubreplay: the table of subcommands. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "edit/edit.h"
#include "play/playback.h"
#include "record/record.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

static const struct command commands[] = {
    {"record", record_main, "write what sessions do to files or a database, as it happens"},
    {"play", playback_main, "send recordings to a hub, in their own time"},
    {"info", info_main, "what is in recordings"},
    {"verify", verify_main, "whether recordings are whole and unchanged"},
    {"cut", cut_main, "a part of a recording, as a recording"},
    {"merge", merge_main, "several recordings as one, in the order of time"},
    {"export", export_main, "the records as CSV or JSON lines"},
    {"import", import_main, "a recording of what others have recorded: asciicast, HAR"},
    {"keygen", keygen_main, "make keys to seal and to sign with"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int help(void)
{
	printf("usage: hubreplay COMMAND [OPTION]... [ARGUMENT]...\n"
	       "Records sessions of a hub and plays them back.\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-10s%s\n", commands[i].name, commands[i].summary);
	printf("\n'hubreplay COMMAND --help' tells the options of one.\n");
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	/* A reader that goes away, and a file that may not grow, are errors of write(2). */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	err_init("hubreplay", ERR_INFO);
	if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0)
		return help();
	if (strcmp(name, "-V") == 0 || strcmp(name, "--version") == 0) {
		printf("hubreplay %s\n", HUB_VERSION);
		return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (!*name)
		err_die(EX_USAGE, "which command? (try 'hubreplay --help')");
	err_die(EX_USAGE, "there is no command '%s' (try 'hubreplay --help')", name);
}
