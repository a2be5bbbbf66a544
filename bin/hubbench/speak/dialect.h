/* The room speak/: what is said, and what it means. It owns how a server speaks (this header, and
 * one file for each dialect), the mark by which a message is found again (mark.h), and the
 * templates of messages (template.h), and guess.h, by which a server that speaks otherwise is
 * known. All of it is pure: texts in, meanings out, and the other way round. It has no sockets and
 * keeps nothing of a client; run/ sends what is to be said and counts what came, plan/ asks what a
 * dialect can do. Any thread may call. */
#ifndef HUBBENCH_DIALECT_H
#define HUBBENCH_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "speak/mark.h"
#include "speak/script.h"

struct buf;

/* What a member keeps to come back as the one it was. */
struct seat {
	char epoch[65], resume[65];
};

/* Who wants to become a member. */
struct dialect_client {
	uint32_t session;
	const struct seat *seat; /* NULL: it was none before */
	uint64_t since;		 /* with a seat: the last `seq` that it knows of */
	/* hub: it wants what is that near to a place; r 0: all. */
	struct dialect_area {
		double x, z, r;
	} area;
};

/* What a message from the server means. */
enum dialect_got {
	DIALECT_NOTHING, /* nothing that matters here */
	DIALECT_UNKNOWN, /* a message that is none of this run */
	DIALECT_BAD,	 /* not what the dialect speaks */
	DIALECT_MESSAGE, /* a message of the run: mark, and its `seq` */
	DIALECT_MARKS,	 /* the same with marks alone, one or more: the first is at p */
	DIALECT_FOREIGN, /* a record of somebody else: seq, where it has one */
	DIALECT_GAP,	 /* records up to seq will not come */
	DIALECT_ACK,	 /* of the client's message of that number */
	DIALECT_REFUSED, /* the same, where one is named; p, len: the code */
	DIALECT_OPENED,	 /* the server has spoken first: hello() is to be said */
	DIALECT_GREETED, /* the client may join */
	DIALECT_JOINED,	 /* seq: the last so far; seat; snapshot; recovered */
	DIALECT_LEFT,
	DIALECT_DENIED, /* the server does not let it in; p, len: why */
	DIALECT_SAY,	/* p, len: the answer that it wants */
};

#define DIALECT_NO_NUMBER UINT64_MAX

/* What goes with it; what is not named above is not set. */
struct dialect_news {
	struct mark mark;
	uint64_t seq, number; /* DIALECT_NO_NUMBER: none */
	const char *p;	      /* in the message, or constant */
	size_t len;
	bool snapshot;	/* state records of before seq follow */
	bool recovered; /* what was missed follows */
	struct seat seat;
};

struct dialect {
	const char *name;
	const char *path; /* where the URL has none */
	bool unix_lines;  /* speaks over unix: too, in lines */
	bool seq;	  /* its records are numbered: one stream for each member */
	bool resumes;	  /* who comes back gets what it missed */
	bool greets;	  /* the server speaks first */
	bool answers;	  /* joining has an answer */
	bool own_words;	  /* takes --join and --answer */
	bool events;	  /* takes --event, --room, --join-event and --namespace */

	const char *leave; /* what a member says to leave; NULL: it just goes */

	const char *const *paths; /* that it reads of JSON, see script->paths */
	size_t npaths;

	/* The template of its messages, as a new string; NULL: no memory. */
	char *(*message)(const struct script *s);

	/* Appends the answer to a server that has spoken first. Returns 0 or -ENOMEM. NULL: none
	 * does. */
	int (*hello)(const struct script *s, const struct dialect_client *c, struct buf *out);

	/* Appends what a client says to become a member. Returns 1; 0: nothing is to be said; or
	 * -ENOMEM. */
	int (*join)(const struct script *s, const struct dialect_client *c, struct buf *out);

	/* Appends what moves a client's area. Returns 0 or -ENOMEM. NULL: there are none. */
	int (*move)(const struct dialect_area *area, struct buf *out);

	/* Reads one message of len bytes; what is in *news is good as long as these. */
	enum dialect_got (*take)(const struct script *s, const char *p, size_t len,
				 struct dialect_news *news);
};

extern const struct dialect dialect_hub, dialect_raw, dialect_socketio;

/* All of them, and their names in the same order; NULL at the end. */
extern const struct dialect *const dialects[];
extern const char *const dialect_names[];

#endif
