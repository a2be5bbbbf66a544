/* Options from one table. Each value is stored by opt_set(), whatever it comes from, so that the
 * command line and the configuration file accept exactly the same. */
#include "base/opt.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"

#define OPT_FILE_MAX (1 << 20) /* bytes of a configuration file */
#define OPT_MAX 128	       /* options in one table */
#define OPT_LONG 256	       /* getopt's value for the first entry's long name */
#define OPT_HELP_COLUMN 30

enum { OPT_HELP = OPT_LONG + OPT_MAX, OPT_VERSION };

/* One pass over one source. An option's first occurrence in a source replaces a list, later ones
 * add. */
struct opt_pass {
	const struct opt_program *prog;
	char *values;
	bool file; /* the source is the configuration file, where names have no dashes */
	bool seen[OPT_MAX];
	char why[512];
};

static bool opt_is_end(const struct opt *o)
{
	return !o->letter && !o->name;
}

static bool opt_has_arg(const struct opt *o)
{
	return o->kind != OPT_TRUE && o->kind != OPT_FALSE;
}

/* "--name", or "-n" where there is no long name; "name" in a file. */
static void opt_title(const struct opt *o, bool file, char *out, size_t cap)
{
	if (o->name)
		snprintf(out, cap, "%s%s", file ? "" : "--", o->name);
	else
		snprintf(out, cap, "-%c", o->letter);
}

struct opt_unit {
	const char *name;
	double factor;
};

static const struct opt_unit opt_sizes[] = {{"", 1},	    {"k", 1 << 10}, {"K", 1 << 10},
					    {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};
static const struct opt_unit opt_times[] = {{"", 1},	 {"ms", 0.001}, {"s", 1}, {"m", 60},
					    {"h", 3600}, {"d", 86400},	{NULL, 0}};
static const struct opt_unit opt_counts[] = {{"", 1}, {NULL, 0}};

/* Reads a number with its unit into *out. Whole numbers only, unless fraction is set. */
static int opt_number(const char *text, const struct opt_unit *units, bool fraction, double *out)
{
	size_t digits = strspn(text, fraction ? "0123456789.-" : "0123456789-");
	char *end;
	double n;

	if (!digits)
		return -EINVAL;
	errno = 0;
	n = fraction ? strtod(text, &end) : (double)strtoll(text, &end, 10);
	/* strspn has kept out what strtod knows besides: white space, hexadecimal, exponents,
	 * names. */
	if (end != text + digits)
		return -EINVAL;
	if (errno)
		return -ERANGE;
	for (; units->name; units++) {
		if (strcmp(units->name, end) == 0) {
			*out = n * units->factor;
			return 0;
		}
	}
	return -EINVAL;
}

/* A bound in plain digits, in whatever unit the option has. */
static int opt_range(struct opt_pass *pass, const struct opt *o, const char *title,
		     const char *text)
{
	snprintf(pass->why, sizeof(pass->why), "%s: '%s' is out of range (%.15g to %.15g%s)", title,
		 text, o->min, o->max,
		 o->kind == OPT_SIZE	  ? " bytes"
		 : o->kind == OPT_SECONDS ? " seconds"
					  : "");
	return -ERANGE;
}

static int opt_set_number(struct opt_pass *pass, const struct opt *o, const char *title,
			  const char *text, void *field)
{
	bool seconds = o->kind == OPT_SECONDS;
	const struct opt_unit *units = seconds		     ? opt_times
				       : o->kind == OPT_SIZE ? opt_sizes
							     : opt_counts;
	double n;
	int r = opt_number(text, units, seconds, &n);

	if (r == -EINVAL) {
		snprintf(pass->why, sizeof(pass->why), "%s: '%s' is not a %s", title, text,
			 seconds	       ? "time such as 10, 2.5s, 500ms, 5m, 1h"
			 : o->kind == OPT_SIZE ? "size such as 65536, 64k, 16M, 1G"
					       : "whole number");
		return r;
	}
	/* 2^53: beyond it a double no longer holds every whole number. */
	if (r < 0 || n < o->min || n > o->max || n > 9007199254740992.0 || n < -9007199254740992.0)
		return opt_range(pass, o, title, text);
	if (seconds)
		*(double *)field = n;
	else
		*(int64_t *)field = (int64_t)n;
	return 0;
}

static int opt_set_choice(struct opt_pass *pass, const struct opt *o, const char *title,
			  const char *text, int *field)
{
	size_t len;

	for (int i = 0; o->choices[i]; i++) {
		if (strcmp(o->choices[i], text) == 0) {
			*field = i;
			return 0;
		}
	}
	len = (size_t)snprintf(pass->why, sizeof(pass->why), "%s: '%s' is none of", title, text);
	for (int i = 0; o->choices[i] && len < sizeof(pass->why); i++)
		len += (size_t)snprintf(pass->why + len, sizeof(pass->why) - len, "%s %s",
					i ? "," : "", o->choices[i]);
	return -EINVAL;
}

static int opt_set_list(struct opt_pass *pass, const char *title, const char *text, bool first,
			struct opt_list *list)
{
	if (first)
		list->n = 0;
	if (list->n == OPT_LIST_MAX) {
		snprintf(pass->why, sizeof(pass->why), "%s: given more than %d times", title,
			 OPT_LIST_MAX);
		return -E2BIG;
	}
	list->item[list->n++] = text;
	return 0;
}

/* Stores text for the i-th option. Returns 0, or -errno with the reason in pass->why. */
static int opt_set(struct opt_pass *pass, size_t i, const char *text)
{
	const struct opt *o = &pass->prog->opts[i];
	void *field = pass->values + o->offset;
	bool first = !pass->seen[i];
	char title[64];

	pass->seen[i] = true;
	opt_title(o, pass->file, title, sizeof(title));
	switch (o->kind) {
	case OPT_TRUE:
		*(bool *)field = true;
		return 0;
	case OPT_FALSE:
		*(bool *)field = false;
		return 0;
	case OPT_STRING:
	case OPT_CONFIG:
		*(const char **)field = text;
		return 0;
	case OPT_INT:
	case OPT_SIZE:
	case OPT_SECONDS:
		return opt_set_number(pass, o, title, text, field);
	case OPT_CHOICE:
		return opt_set_choice(pass, o, title, text, field);
	case OPT_LIST:
		return opt_set_list(pass, title, text, first, field);
	}
	return -EINVAL;
}

/* The whole file as a string that is never freed: options point into it. A mapping of its own, so
 * that only what the file fills takes memory. */
static char *opt_read(const char *path)
{
	char *text =
	    mmap(NULL, OPT_FILE_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t len = 0;
	ssize_t n;
	int fd;

	if (text == MAP_FAILED)
		err_die(EX_OSERR, "%s: %s", path, strerror(errno));
	fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err_die(EX_CONFIG, "%s: %s", path, strerror(errno));
	while ((n = read(fd, text + len, OPT_FILE_MAX - len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err_die(EX_CONFIG, "%s: %s", path, strerror(errno));
		len += (size_t)n;
		if (len == OPT_FILE_MAX)
			err_die(EX_CONFIG, "%s: longer than %d bytes", path, OPT_FILE_MAX - 1);
	}
	if (fd != STDIN_FILENO)
		close(fd);
	if (memchr(text, '\0', len))
		err_die(EX_CONFIG, "%s: not a text file", path);
	return text;
}

static char *opt_trim(char *s)
{
	char *end;

	s += strspn(s, " \t\r");
	end = s + strlen(s);
	while (end > s && strchr(" \t\r", end[-1]))
		end--;
	*end = '\0';
	return s;
}

/* Cuts a comment: a '#' that begins the line or has white space before it. */
static void opt_cut_comment(char *line)
{
	for (char *p = line; (p = strchr(p, '#')); p++) {
		if (p == line || p[-1] == ' ' || p[-1] == '\t') {
			*p = '\0';
			return;
		}
	}
}

/* One line, "name = value" or "name". Returns 0 or -errno with the reason in pass->why. */
static int opt_line(struct opt_pass *pass, char *line)
{
	const struct opt *opts = pass->prog->opts;
	char *name, *value;
	size_t i;

	opt_cut_comment(line);
	value = strchr(line, '=');
	if (value)
		*value++ = '\0';
	name = opt_trim(line);
	value = value ? opt_trim(value) : NULL;
	if (!*name && !value)
		return 0;
	for (i = 0; !opt_is_end(&opts[i]); i++)
		if (opts[i].name && strcmp(opts[i].name, name) == 0 && opts[i].kind != OPT_CONFIG)
			break;
	if (opt_is_end(&opts[i])) {
		snprintf(pass->why, sizeof(pass->why), "unknown option '%s'", name);
		return -EINVAL;
	}
	if (opt_has_arg(&opts[i]) && !value) {
		snprintf(pass->why, sizeof(pass->why), "'%s' needs a value: %s = %s", name, name,
			 opts[i].arg ? opts[i].arg : "VALUE");
		return -EINVAL;
	}
	if (!opt_has_arg(&opts[i]) && value) {
		snprintf(pass->why, sizeof(pass->why), "'%s' takes no value", name);
		return -EINVAL;
	}
	return opt_set(pass, i, value);
}

static void opt_read_file(const struct opt_program *prog, const char *path, void *values)
{
	struct opt_pass pass = {.prog = prog, .values = values, .file = true};
	char *text = opt_read(path), *line;

	for (int number = 1; (line = strsep(&text, "\n")); number++)
		if (opt_line(&pass, line) < 0)
			err_die(EX_CONFIG, "%s:%d: %s", path, number, pass.why);
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
		printf("%s\n%*s%s\n", left, OPT_HELP_COLUMN, "", help);
	else
		printf("%-*s%s\n", OPT_HELP_COLUMN, left, help);
}

/* Ends the program after text for a person has gone to stdout. */
static _Noreturn void opt_said(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		err_die(EX_IOERR, "write error: %s", strerror(errno));
	exit(EX_OK);
}

static _Noreturn void opt_help(const struct opt_program *prog)
{
	printf("usage: %s %s\n%s\n\n", prog->name, prog->synopsis, prog->summary);
	for (const struct opt *o = prog->opts; !opt_is_end(o); o++)
		opt_help_line(o->letter, o->name, opt_has_arg(o) ? o->arg : NULL, o->help);
	opt_help_line('h', "help", NULL, "print this text and exit");
	opt_help_line('V', "version", NULL, "print the version and exit");
	opt_said();
}

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

int opt_parse(const struct opt_program *prog, int argc, char **argv, void *values)
{
	struct opt_pass pass = {.prog = prog, .values = values};
	const char *config;

	err_init(prog->name, ERR_INFO);
	config = opt_walk(&pass, argc, argv, true);
	if (config)
		opt_read_file(prog, config, values);
	opt_walk(&pass, argc, argv, false);
	return optind;
}
