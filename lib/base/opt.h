/* Options: one table per program gives the command line, the configuration file and --help.
 * For main-level code: opt_parse() writes help to stdout and exits as the style of the programs
 * asks (0 after help and version, 64 on bad usage, 78 on a bad configuration file). */
#ifndef HUB_OPT_H
#define HUB_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opt_kind {
	OPT_TRUE,    /* bool: no argument, sets true */
	OPT_FALSE,   /* bool: no argument, sets false */
	OPT_STRING,  /* const char *: borrows from argv or lives for ever */
	OPT_INT,     /* int64_t between min and max */
	OPT_SIZE,    /* int64_t bytes between min and max; accepts k, M, G (powers of 1024) */
	OPT_SECONDS, /* double seconds between min and max; accepts ms, s, m, h, d */
	OPT_CHOICE,  /* int: the index of the argument in choices */
	OPT_LIST,    /* struct opt_list: may be repeated */
	OPT_CONFIG,  /* const char *: the configuration file, read before the command line */
};

#define OPT_LIST_MAX 16

struct opt_list {
	const char *item[OPT_LIST_MAX];
	size_t n;
};

struct opt {
	char letter;	  /* 0: none */
	const char *name; /* NULL: none */
	const char *arg;  /* what --help calls the argument; NULL for flags */
	enum opt_kind kind;
	size_t offset; /* of the field in the program's options structure */
	double min, max;
	const char *const *choices; /* NULL-terminated, for OPT_CHOICE */
	const char *help;
};

#define OPT_MAX 128 /* options in one table */

/* Where in the configuration file each option got its value; 0: not from there. */
struct opt_places {
	const char *file;
	int line[OPT_MAX];
};

struct opt_program {
	const char *name;
	const char *synopsis;	/* what follows the name on the usage line */
	const char *summary;	/* one sentence */
	const struct opt *opts; /* ends with an entry without letter and name */
	/* What is wrong with a text as the value of an option, in why; 0: nothing. NULL: texts may
	 * be anything. */
	int (*check)(const struct opt *o, const char *text, char *why, size_t cap);
	size_t
	    places; /* offset of a struct opt_places in the options structure; 0: there is none */
};

/* Fills *values (holding the defaults) from the configuration file, then from the command line,
 * which wins, lists included. A file has lines "name = value", or "name" for a flag; a "#" at the
 * start of a line or behind white space begins a comment. Adds -h/--help and -V/--version. Calls
 * err_init() with the program's name and ERR_INFO. Returns the index of the first operand in argv.
 */
int opt_parse(const struct opt_program *prog, int argc, char **argv, void *values);

/* The same once more, of a command line that opt_parse() has taken: the file may have changed.
 * Returns 0, or -EINVAL with FILE:LINE and what is wrong there in why; then *values is of no use.
 */
int opt_parse_again(const struct opt_program *prog, int argc, char **argv, void *values, char *why,
		    size_t cap);

/* "FILE:LINE: " for an option that got its value from the configuration file, else "". Returns
 * whether it did. */
bool opt_place(const struct opt_program *prog, const void *values, const char *name, char *out,
	       size_t cap);

/* Whether a file that was read once can be read a second time, without waiting for somebody to
 * write it: 0, also where it is missing; or -EINVAL with its name and the reason in why. */
int opt_file_again(const char *path, char *why, size_t cap);

/* Calls each() for every option whose value is not the same in two structures. */
void opt_changes(const struct opt_program *prog, const void *before, const void *after,
		 void (*each)(const struct opt *o, void *arg), void *arg);

#endif
