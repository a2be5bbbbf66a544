/* Options in their parts; private to them. Each calls only those below it:
 *
 *	opt.c		the command line
 *	opt_file.c	the configuration file
 *	opt_help.c	--help
 *	opt_value.c	what one option says, whatever it comes from */
#ifndef HUB_OPT_IMPL_H
#define HUB_OPT_IMPL_H

#include "base/opt.h"

/* One pass over one source. An option's first occurrence in a source replaces a list, later ones
 * add. */
struct opt_pass {
	const struct opt_program *prog;
	char *values;
	const char *file; /* the source is this one, where names have no dashes; NULL: argv */
	int line;
	bool seen[OPT_MAX];
	char why[512];
};

static inline bool opt_is_end(const struct opt *o)
{
	return !o->letter && !o->name;
}

static inline bool opt_has_arg(const struct opt *o)
{
	return o->kind != OPT_TRUE && o->kind != OPT_FALSE;
}

/* Stores text for the i-th option. Returns 0, or -errno with the reason in pass->why. */
int opt_set(struct opt_pass *pass, size_t i, const char *text);

/* Returns 0, or -EINVAL with what is wrong, and in which line, in why. */
int opt_read_file(const struct opt_program *prog, const char *path, void *values, char *why,
		  size_t cap);

/* Prints what there is and ends the program. */
_Noreturn void opt_help(const struct opt_program *prog);

/* Ends the program after text for a person has gone to stdout. */
_Noreturn void opt_said(void);

#endif
