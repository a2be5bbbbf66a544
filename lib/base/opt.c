/* The command line, by getopt_long(3): twice, first for the configuration file and what is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/opt_impl.h"

#define OPT_LONG 256 /* getopt's value for the first entry's long name */

enum { OPT_HELP = OPT_LONG + OPT_MAX, OPT_VERSION };

static _Noreturn void opt_bad_usage(const struct opt_program *prog, const char *what,
				    const char *which)
{
	err_die(EX_USAGE, "%s%s (try '%s --help')", what, which, prog->name);
}

/* getopt's tables, made from ours. */
struct opt_tables {
	char letters[2 * OPT_MAX + 4];
	struct option names[OPT_MAX + 3];
};

static void opt_tables_fill(const struct opt *opts, struct opt_tables *t)
{
	char *letter = t->letters;
	struct option *name = t->names;

	*letter++ = ':'; /* tells a missing argument from an unknown option; silent */
	for (size_t i = 0; !opt_is_end(&opts[i]) && i < OPT_MAX; i++) {
		if (opts[i].letter) {
			*letter++ = opts[i].letter;
			if (opt_has_arg(&opts[i]))
				*letter++ = ':';
		}
		if (opts[i].name)
			*name++ = (struct option){
			    opts[i].name, opt_has_arg(&opts[i]) ? required_argument : no_argument,
			    NULL, OPT_LONG + (int)i};
	}
	*letter++ = 'h';
	*letter++ = 'V';
	*letter = '\0';
	*name++ = (struct option){"help", no_argument, NULL, OPT_HELP};
	*name++ = (struct option){"version", no_argument, NULL, OPT_VERSION};
	*name = (struct option){0};
}

/* Says what getopt refused; c is its ':' or '?'. */
static _Noreturn void opt_refused(const struct opt_program *prog, int c, char **argv)
{
	char title[64];

	if (optopt >= OPT_HELP)
		opt_bad_usage(prog, "no argument is allowed for ",
			      optopt == OPT_HELP ? "--help" : "--version");
	if (optopt >= OPT_LONG)
		snprintf(title, sizeof(title), "--%s", prog->opts[optopt - OPT_LONG].name);
	else if (optopt)
		snprintf(title, sizeof(title), "-%c", optopt);
	else
		snprintf(title, sizeof(title), "%s", argv[optind - 1]);
	if (c == ':')
		opt_bad_usage(prog, "an argument is missing after ", title);
	if (optopt >= OPT_LONG)
		opt_bad_usage(prog, "no argument is allowed for ", title);
	opt_bad_usage(prog, "unknown option ", title);
}

/* The index in the table for what getopt returned. */
static size_t opt_index(const struct opt_program *prog, int c)
{
	size_t i = 0;

	if (c >= OPT_LONG)
		return (size_t)(c - OPT_LONG);
	while (prog->opts[i].letter != c)
		i++;
	return i;
}

/* Goes over the command line. Looking only for the configuration file, it also finds what getopt
 * refuses and answers --help. Returns that file's name, or NULL. */
static const char *opt_walk(struct opt_pass *pass, int argc, char **argv, bool config_only)
{
	const struct opt_program *prog = pass->prog;
	struct opt_tables t;
	const char *config = NULL;
	int c;

	opt_tables_fill(prog->opts, &t);
	opterr = 0;
	optind = 0; /* GNU: starts over, also its hidden state */
	while ((c = getopt_long(argc, argv, t.letters, t.names, NULL)) != -1) {
		size_t i;

		if (c == 'h' || c == OPT_HELP)
			opt_help(prog);
		if (c == 'V' || c == OPT_VERSION) {
			printf("%s %s\n", prog->name, HUB_VERSION);
			opt_said();
		}
		if (c == ':' || c == '?')
			opt_refused(prog, c, argv);
		i = opt_index(prog, c);
		if (prog->opts[i].kind == OPT_CONFIG)
			config = optarg;
		if (!config_only && opt_set(pass, i, optarg) < 0)
			opt_bad_usage(prog, pass->why, "");
	}
	return config;
}

int opt_file_again(const char *path, char *why, size_t cap)
{
	struct stat st;

	if (strcmp(path, "-") != 0 && (stat(path, &st) < 0 || S_ISREG(st.st_mode)))
		return 0; /* what is not there says so when it is opened */
	snprintf(why, cap, "%s: cannot be read again, for it is no regular file", path);
	return -EINVAL;
}

static int parse(const struct opt_program *prog, int argc, char **argv, void *values, bool again,
		 char *why, size_t cap)
{
	struct opt_pass pass = {.prog = prog, .values = values};
	const char *config = opt_walk(&pass, argc, argv, true);

	if (config && again && opt_file_again(config, why, cap) < 0)
		return -EINVAL;
	if (config && opt_read_file(prog, config, values, why, cap) < 0)
		return -EINVAL;
	opt_walk(&pass, argc, argv, false);
	return 0;
}

int opt_parse_again(const struct opt_program *prog, int argc, char **argv, void *values, char *why,
		    size_t cap)
{
	return parse(prog, argc, argv, values, true, why, cap);
}

/* A standard descriptor that is closed would go to the next file or socket that is opened. What is
 * opened in its place can do nothing: writing to standard output fails as it should. */
static void keep_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_WRONLY);
}

int opt_parse(const struct opt_program *prog, int argc, char **argv, void *values)
{
	char why[1024];

	keep_standard();
	err_init(prog->name, ERR_INFO);
	if (parse(prog, argc, argv, values, false, why, sizeof(why)) < 0)
		err_die(EX_CONFIG, "%s", why);
	return optind;
}
