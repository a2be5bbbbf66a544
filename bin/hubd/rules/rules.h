/* Rules: a folder of jq files that say what events mean, rules(5). This room owns the files, the
 * programs that were compiled of them, and what a program's output means: a list of actions. It
 * knows no connection and no session; who performs actions is dialect/act.c.
 *
 * The files: rules.c the folder, program.c one program, guard.c ends those that run too long,
 * actions.c reads outputs, value.c writes JSON, cases.c tries a folder's test cases.
 *
 * libjq's states may be used by any thread, but by one at a time: of each file every worker has a
 * program of its own. A set of files is never changed: a new one takes its place, and shares the
 * programs of files that are the same. */
#ifndef HUBD_RULES_H
#define HUBD_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"

#define RULES_NAME_MAX 64	     /* bytes of a type that may have a file: [A-Za-z0-9_.:~@-] */
#define RULES_FILES_MAX 256	     /* in a folder */
#define RULES_FILE_MAX (64 * 1024)   /* bytes of one */
#define RULES_ACTIONS_MAX 64	     /* of one event */
#define RULES_BYTES_MAX (256 * 1024) /* of JSON in them */
#define RULES_CPU_MS 50		     /* of its thread's time, in which a program must have ended */
#define RULES_WHY_MAX 512	     /* bytes of what went wrong */

struct rules;
struct rules_file;

/* Events that come from no message. */
#define RULES_CONNECT "connect"
#define RULES_DISCONNECT "disconnect"

/* Reads and compiles all EVENT.jq in dir, for so many workers. before, or NULL: what does not
 * compile stays as it is there, or away, and say() is told "FILE:LINE: what"; without it that is an
 * error, too. Returns a new set, which may share files with the one before, or NULL with why. */
struct rules *rules_load(const char *dir, unsigned workers, const struct rules *before,
			 void (*say)(const char *text), char *why, size_t cap);

void rules_free(struct rules *r); /* NULL is fine; for any thread */

/* Calls each() with the path of every file that is not the same in two sets, either of which may be
 * NULL, and with what has happened to it. */
void rules_changes(const struct rules *before, const struct rules *after,
		   void (*each)(const char *path, const char *what, void *arg), void *arg);

/* The file for messages of that type, or NULL. One hash and, where there is one, a comparison. */
const struct rules_file *rules_find(const struct rules *r, struct span type);

/* The file for RULES_CONNECT or RULES_DISCONNECT, which no message means; or for any other. */
const struct rules_file *rules_find_moment(const struct rules *r, struct span event);

/* For people: DIR/EVENT.jq. */
const char *rules_file_name(const struct rules_file *f);

/* What a program gets. All of it JSON but client, session and door, which need no escapes; what is
 * empty is null. */
struct rules_event {
	struct span event;  /* the type */
	struct span args;   /* an array */
	bool own_fields;    /* no array, but an object, the own fields of a message: the one element
			       of it; where these are only an object `data`, that, and where they
			       are only an array `args`, that is it */
	struct span user;   /* who the token says it is */
	struct span claims; /* the token's */
	struct span client; /* its id */
	struct span session;  /* in which it came */
	struct span sessions; /* an array: those that it is in */
	const char *door;
};

enum action_kind {
	ACTION_JOIN,
	ACTION_LEAVE,
	ACTION_PUBLISH,	 /* text is a message: an object with a `type`, without a session_id */
	ACTION_EMIT,	 /* the same */
	ACTION_REPLY,	 /* text is JSON */
	ACTION_ERROR,	 /* text is for people */
	ACTION_CLOSE,	 /* the same: at most ACTION_REASON_MAX bytes */
	ACTION_RESTORED, /* of no program: what the client was in it is in again */
};

enum action_to { TO_AS_ASKED, TO_OTHERS, TO_ALL };

/* Where it joins: at the head, behind a seq, or behind a place of the log, which text says. */
enum action_since { SINCE_NOW, SINCE_SEQ, SINCE_PLACE };

#define ACTION_REASON_MAX 120
#define ACTION_CODE_MAX 32 /* bytes of an error's code: [a-z0-9_] */

struct action {
	enum action_kind kind;
	enum action_to to;
	enum action_since from; /* ACTION_JOIN */
	bool quiet;		/* the same: it does not want its own records back */
	bool forgets;		/* the same: it is not to come back to where it was */
	bool restores;		/* the same: of no program; it was in there */
	bool several;		/* ACTION_REPLY: text is an array of values */
	unsigned code;		/* ACTION_CLOSE */
	uint64_t since;		/* ACTION_JOIN */
	size_t text, text_len;	/* in actions.text, as the others; NUL-terminated */
	size_t session, session_len;
	size_t name, name_len; /* ACTION_ERROR: the code; no length: it names none */
};

struct actions {
	unsigned n;
	struct action at[RULES_ACTIONS_MAX + 1]; /* ACTION_RESTORED is one more */
	struct buf text;
};

/* Runs the file's program of that worker, in whose thread this is. Returns its actions, which are
 * good until the worker's next run; or NULL, with why: it failed, and nothing is to be done. */
struct actions *rules_run(const struct rules *r, const struct rules_file *f, unsigned worker,
			  const struct rules_event *e, char *why, size_t cap);

/* Runs all cases in dir, and says what came of them in TAP. Returns an exit status: 0 all are as
 * expected, 1 some are not, 65 a case cannot be read, 78 the rules. */
int rules_try(const char *dir);

#endif
