/* --help: the table as text, as wide as the terminal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/opt_impl.h"

#define OPT_HELP_COLUMN 30

/* Columns of the terminal that help goes to; 0: it is none, or very narrow. */
static int opt_columns(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col > OPT_HELP_COLUMN + 20 ? size.ws_col : 0;
}

/* Prints text from column `at` on; what does not fit goes on at the indent. A [bracket] stays
 * whole. */
static void opt_wrap(const char *text, int at, int indent)
{
	int columns = opt_columns();
	bool front = true;

	while (*text) {
		size_t n = 0;

		for (int depth = 0; text[n] && (text[n] != ' ' || depth > 0); n++)
			depth += text[n] == '[' ? 1 : text[n] == ']' ? -1 : 0;
		if (columns && !front && at + 1 + (int)n >= columns) {
			printf("\n%*s", indent, "");
			at = indent;
		} else if (!front) {
			putchar(' ');
			at++;
		}
		printf("%.*s", (int)n, text);
		at += (int)n;
		front = false;
		text += n + (text[n] == ' ');
	}
	putchar('\n');
}

static void opt_help_line(char letter, const char *name, const char *arg, const char *help)
{
	char left[128];
	int len = snprintf(left, sizeof(left), letter ? "  -%c" : "    ", letter);

	if (name)
		len += snprintf(left + len, sizeof(left) - (size_t)len, "%s--%s",
				letter ? ", " : "  ", name);
	if (arg && len < (int)sizeof(left))
		len += snprintf(left + len, sizeof(left) - (size_t)len, " %s", arg);
	if (len >= OPT_HELP_COLUMN - 1)
		printf("%s\n%*s", left, OPT_HELP_COLUMN, "");
	else
		printf("%-*s", OPT_HELP_COLUMN, left);
	opt_wrap(help, OPT_HELP_COLUMN, OPT_HELP_COLUMN);
}

_Noreturn void opt_said(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		err_die(EX_IOERR, "write error: %s", strerror(errno));
	exit(EX_OK);
}

_Noreturn void opt_help(const struct opt_program *prog)
{
	int front = printf("usage: %s%s", prog->name, *prog->synopsis ? " " : "");

	opt_wrap(prog->synopsis, front, front);
	printf("%s\n\n", prog->summary);
	for (const struct opt *o = prog->opts; !opt_is_end(o); o++)
		opt_help_line(o->letter, o->name, opt_has_arg(o) ? o->arg : NULL, o->help);
	opt_help_line('h', "help", NULL, "print this text and exit");
	opt_help_line('V', "version", NULL, "print the version and exit");
	opt_said();
}
