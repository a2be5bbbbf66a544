/* Outgoing messages of a client, each kept until the hub has answered for it, so that after a
 * reconnect exactly those go out again that have no answer, under the same msg_id. A message
 * without a msg_id gets one of ours: the tag and its number, in base 36. Invariant: bytes and
 * entries stand in the order of putting; what is answered goes once all before it is. */
#ifndef HUB_SENDQ_H
#define HUB_SENDQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SENDQ_WINDOW 2048 /* entries under way; half of the ids that a hub remembers */
#define SENDQ_TAG_LEN 6

enum sendq_kind {
	SENDQ_MESSAGE, /* the hub answers with its msg_id */
	SENDQ_CONTROL, /* done once the hub has answered anything that was sent behind it */
	SENDQ_FENCE,   /* a ping of ours, so that something stands behind a control line */
};

struct sendq_entry {
	uint32_t len;	 /* bytes of its line; 0: answered, and taken out */
	uint32_t id_at;	 /* where the sender's own msg_id stands in the line, without quotes */
	uint16_t id_len; /* 0: the msg_id is ours */
	uint8_t kind;
	bool done;
	bool refused; /* for now: it is to be sent again */
	uint64_t tag; /* the owner's name for it */
};

struct sendq {
	size_t limit;	/* bytes held, but for one entry that is longer alone; set by the owner */
	size_t largest; /* bytes that the hub takes, without line feed; set by the owner; 0: not
			   known */
	char tag[SENDQ_TAG_LEN + 1]; /* [0-9a-z]; set by the owner, unlike that of other clients */

	/* Below: for sendq.c only, but for reading len and answered. */
	char *data;
	size_t cap;
	size_t start; /* of the first byte held */
	size_t len;   /* of all that is held */
	size_t sent;  /* of len: handed to the connection */
	size_t whole; /* of sent: whole entries */
	size_t open;  /* of len: may be sent */

	struct sendq_entry *ring;
	uint64_t ring_cap;
	/* Numbers of entries; first <= sent_to <= open_to <= next. */
	uint64_t first;	  /* the first one held */
	uint64_t sent_to; /* before it all are sent as a whole */
	uint64_t open_to; /* before it all may be sent */
	uint64_t next;	  /* the next one to be put */
	uint64_t heard;	  /* before it the hub has handled all */
	uint64_t begun;	  /* before it all were sent at some time, if only in part */

	uint64_t answered; /* bytes, since the start */
};

/* Where a message's own msg_id stands, as written and without quotes; len 0: it has none. */
struct sendq_id {
	uint32_t at;
	uint16_t len;
};

/* Adds one JSON object in one line, without white space or a line feed at the end. A SENDQ_MESSAGE
 * without an id gets one before its closing brace. Returns 0; -EAGAIN where it does not fit now;
 * -EMSGSIZE where the hub takes none so long; -ENOMEM. */
int sendq_put(struct sendq *q, const char *text, size_t len, enum sendq_kind kind,
	      struct sendq_id id, uint64_t tag);

/* Puts a fence behind the last entry where that one would not be known to be handled. Returns 0 or
 * -ENOMEM. */
int sendq_fence(struct sendq *q);

/* What may be sent now; *len is 0 where nothing may. Good until the next sendq_put(). */
const char *sendq_unsent(const struct sendq *q, size_t *len);

/* Says that n bytes of that are sent. */
void sendq_advance(struct sendq *q, size_t n);

enum sendq_answer {
	SENDQ_FOREIGN, /* an id that is not ours, and of nothing that is under way */
	SENDQ_KNOWN,   /* ours, but answered before */
	SENDQ_DONE,    /* the entry is done */
};

/* Takes the id that an answer names, as the hub sent it, without quotes. *tag: of what is DONE; may
 * be NULL. */
enum sendq_answer sendq_answered(struct sendq *q, const char *id, size_t len, uint64_t *tag);

/* One entry that the hub did not take; borrowed until the next call that changes the queue. */
struct sendq_refused {
	uint64_t number, tag;
	const char *text; /* its line, without line feed */
	size_t len;
	size_t
	    ours; /* bytes of text before its closing brace that are our msg_id; 0: the sender's */
};

/* The entry under way that the id names. Returns false where there is none. */
bool sendq_find(const struct sendq *q, const char *id, size_t len, struct sendq_refused *out);

/* The hub found a line too long to read its msg_id. Of those under way it is the longest. */
bool sendq_too_long(const struct sendq *q, struct sendq_refused *out);

/* The first entry that is longer than q->largest. Returns false where there is none. */
bool sendq_over(const struct sendq *q, struct sendq_refused *out);

/* It will never be sent again; or: it is refused for now, and waits for sendq_rewind(). */
void sendq_refuse(struct sendq *q, uint64_t number, bool passes);

/* Whether all is answered that was sent behind the first one that is refused for now. What is
 * before that may have to wait for what the others wait for, too: a store. */
bool sendq_quiet(const struct sendq *q);

/* The tag of the first entry without an answer; UINT64_MAX: there is none. */
uint64_t sendq_oldest(const struct sendq *q);

/* Before sending all again, on a new connection or, where it is quiet, on the same. Returns how
 * many entries had been sent before, if only in part. */
size_t sendq_rewind(struct sendq *q);

/* How many have no answer, fences not counted. */
size_t sendq_count(const struct sendq *q);

bool sendq_empty(const struct sendq *q);

void sendq_free(struct sendq *q);

#endif
