/* What one option says. Each value is stored by opt_set(), whatever it comes from, so that the
 * command line and the configuration file accept exactly the same. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/opt_impl.h"
#include "base/quantity.h"

/* "--name", or "-n" where there is no long name; "name" in a file. */
static void opt_title(const struct opt *o, const char *file, char *out, size_t cap)
{
	if (o->name)
		snprintf(out, cap, "%s%s", file ? "" : "--", o->name);
	else
		snprintf(out, cap, "-%c", o->letter);
}

/* Reads a number with its unit, and perhaps a minus, into *out. Returns 0 or -EINVAL. */
static int opt_number(const char *text, enum opt_kind kind, double *out)
{
	bool minus = *text == '-';
	const char *digits = text + minus, *end;
	int r;

	if (kind == OPT_SECONDS) {
		r = quantity_seconds(digits, out);
	} else if (kind == OPT_SIZE) {
		r = quantity_bytes(digits, out);
	} else {
		end = quantity_number(digits, out);
		r = end && !*end && !strchr(digits, '.') ? 0 : -EINVAL;
	}
	if (r == 0 && minus)
		*out = -*out;
	return r;
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
	double n;
	int r = opt_number(text, o->kind, &n);

	if (r == -EINVAL) {
		snprintf(pass->why, sizeof(pass->why), "%s: '%s' is not %s", title, text,
			 seconds	       ? QUANTITY_SECONDS
			 : o->kind == OPT_SIZE ? "a size such as 65536, 64k, 16M, 1G"
					       : "a whole number");
		return r;
	}
	/* 2^53: beyond it a double no longer holds every whole number. */
	if (n < o->min || n > o->max || n > 9007199254740992.0 || n < -9007199254740992.0)
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

static struct opt_places *opt_places_in(const struct opt_program *prog, const void *values)
{
	return prog->places ? (struct opt_places *)((char *)(uintptr_t)values + prog->places)
			    : NULL;
}

static void opt_note_place(struct opt_pass *pass, size_t i)
{
	struct opt_places *places = opt_places_in(pass->prog, pass->values);

	if (!places)
		return;
	if (pass->file)
		places->file = pass->file;
	places->line[i] = pass->line;
}

bool opt_place(const struct opt_program *prog, const void *values, const char *name, char *out,
	       size_t cap)
{
	const struct opt_places *places = opt_places_in(prog, values);
	size_t i = 0;

	*out = '\0';
	while (!opt_is_end(&prog->opts[i]) && strcmp(prog->opts[i].name, name) != 0)
		i++;
	if (opt_is_end(&prog->opts[i]) || !places->line[i])
		return false;
	snprintf(out, cap, "%s:%d: ", places->file, places->line[i]);
	return true;
}

/* Whether the program has something against a text. */
static bool opt_bad_text(struct opt_pass *pass, const struct opt *o, const char *title,
			 const char *text)
{
	char wrong[300];

	if ((o->kind != OPT_STRING && o->kind != OPT_LIST) || !pass->prog->check ||
	    pass->prog->check(o, text, wrong, sizeof(wrong)) == 0)
		return false;
	snprintf(pass->why, sizeof(pass->why), "%s: %s", title, wrong);
	return true;
}

int opt_set(struct opt_pass *pass, size_t i, const char *text)
{
	const struct opt *o = &pass->prog->opts[i];
	void *field = pass->values + o->offset;
	bool first = !pass->seen[i];
	char title[64];

	pass->seen[i] = true;
	opt_title(o, pass->file, title, sizeof(title));
	opt_note_place(pass, i);
	if (opt_bad_text(pass, o, title, text))
		return -EINVAL;
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

static bool opt_same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool opt_same(const struct opt *o, const void *a, const void *b)
{
	const struct opt_list *x = a, *y = b;

	switch (o->kind) {
	case OPT_TRUE:
	case OPT_FALSE:
		return *(const bool *)a == *(const bool *)b;
	case OPT_STRING:
	case OPT_CONFIG:
		return opt_same_text(*(const char *const *)a, *(const char *const *)b);
	case OPT_INT:
	case OPT_SIZE:
		return *(const int64_t *)a == *(const int64_t *)b;
	case OPT_SECONDS:
		return memcmp(a, b, sizeof(double)) == 0;
	case OPT_CHOICE:
		return *(const int *)a == *(const int *)b;
	case OPT_LIST:
		for (size_t i = 0; i < x->n && x->n == y->n; i++)
			if (!opt_same_text(x->item[i], y->item[i]))
				return false;
		return x->n == y->n;
	}
	return true;
}

void opt_changes(const struct opt_program *prog, const void *before, const void *after,
		 void (*each)(const struct opt *o, void *arg), void *arg)
{
	for (const struct opt *o = prog->opts; !opt_is_end(o); o++)
		if (!opt_same(o, (const char *)before + o->offset, (const char *)after + o->offset))
			each(o, arg);
}
