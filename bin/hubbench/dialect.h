/* How a server speaks: one file for each dialect, one table of functions. Functions are called from
 * the loop that owns the connection. */
#ifndef HUBBENCH_DIALECT_H
#define HUBBENCH_DIALECT_H

#include "bench.h"

struct dialect {
	const char *name;
	const char *path; /* where the URL has none */
	bool unix_lines;  /* speaks over unix: too, in lines */
	bool seq;	  /* its records are numbered: one stream for each member */
	bool resumes;	  /* who comes back gets what it missed */

	const char *const *paths; /* that it reads of JSON, see run->paths */
	size_t npaths;

	/* The template of its messages, as a new string. */
	char *(*message)(const struct run *r);
	/* The connection stands: joins. Calls conn_joined() now or later. */
	void (*open)(struct loop *l, struct conn *c);
	/* Takes one message. */
	void (*take)(struct loop *l, struct conn *c, const char *p, size_t len);
	/* Leaves and calls conn_left() later; NULL: just goes. */
	void (*leave)(struct loop *l, struct conn *c);
};

extern const struct dialect dialect_hub, dialect_raw, dialect_socketio;

/* Takes every mark in a message that publishers number themselves; for dialects without seq.
 * Returns how many there were. */
unsigned dialect_take_marks(struct loop *l, struct conn *c, const char *p, size_t len);

#endif
