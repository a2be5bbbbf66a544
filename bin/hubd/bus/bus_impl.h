/* What the files of the bus share; private to them. All but the inbox is the link's thread's own.
 */
#ifndef HUBD_BUS_IMPL_H
#define HUBD_BUS_IMPL_H

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "bus/batch.h"
#include "bus/bus.h"
#include "bus/redis_conn.h"
#include "bus/redis_url.h"
#include "bus/scripts.h"
#include "session/session.h"
#include "session/stored.h"

#define BUS_PREFIX "hub:"
#define BUS_PATIENCE_MS 10000 /* for which a record, or who asks, waits for Redis */
#define BUS_FAILING_MS 3000   /* without an answer, after which Redis counts as failing */
#define BUS_ANSWER_MS 15000   /* after which the connection is given up */
#define BUS_WAIT_MS 2000      /* for replicas */
#define BUS_TICK_MS 100
#define BUS_LATE_MS 1000
#define BUS_CHECK_MS \
	2000 /* between two looks at where a session is, twice as long each time that */
#define BUS_CHECK_MAX_MS 16000 /* nothing has come */
#define BUS_CHECKS 100	       /* of them in a tick */
#define BUS_HELLO_MS 5000      /* to get up */
#define BUS_AGAIN_MS 200       /* to the next attempt, twice as long each time, */
#define BUS_AGAIN_MAX_MS 2000
#define BUS_KEPT BUS_PREFIX "kept"				 /* a hash and a channel */
#define BUS_SESSIONS BUS_PREFIX "sessions"			 /* a channel */
#define BUS_NAME (sizeof(BUS_PREFIX) + ENVELOPE_SESSION_MAX + 8) /* of a key */

struct link;
struct far;

/* A command that is to be answered. */
struct call {
	struct call *next;
	/* Takes what the answer says; NULL: the connection is gone, and nobody knows whether it was
	 * done. far is not freed before. */
	void (*done)(struct link *l, struct call *call, const redisReply *reply);
	struct far *far;	 /* or NULL */
	struct archive_job *job; /* or NULL */
	enum script script;	 /* of one that is a script's: SCRIPTS: none */
	uint64_t sent_ms;
	uint64_t head; /* far's, when it was sent */
	struct buf command;
};

/* What happens to a session at its link: subscribing (hearing comes first), then opening, then
 * open; or lost: another one of its name begins, and this one is kept for what is under way. */
enum far_step { FAR_SUBSCRIBING, FAR_OPENING, FAR_OPEN, FAR_LOST };

/* Records on their way, of which nothing else of the session is under way. */
struct flight {
	struct offer *first, *last; /* empty: nobody waits for them any more */
	size_t n;
	bool known; /* they are records already: replicas are to have these */
	char id[BATCH_ID_MAX + 1];
	bool doubtful;	/* the connection went: it may have been done */
	uint64_t heard; /* it was, and has come: seq of its first, else 0 */
};

struct far {
	struct far *hash_next;
	struct far *prev, *next; /* all of the link's */
	struct session *session; /* a reference */
	enum far_step step;
	bool subscribed;	     /* on this connection */
	unsigned calls;		     /* under way */
	uint64_t head;		     /* the last seq that is here, */
	char last[BATCH_ID_MAX + 1]; /* and its batch */
	uint64_t tail;		     /* the first that Redis keeps, when that was asked last */

	struct offer *first, *last_offer; /* to be sent */
	struct flight flight;
	bool flying;
	bool due; /* in the link's list of those that may send */
	struct far *due_next;
	uint64_t pause_ms;     /* nothing is sent before */
	uint64_t unheard;      /* the last of a flight that landed, which is to come first, */
	uint64_t unheard_ms;   /* but not any later than this */
	struct far *wait_next; /* its flight waits for replicas */

	uint64_t who;	/* the count of who is there elsewhere, of which this is told */
	bool who_due;	/* it is to be asked once more, */
	bool who_asked; /* which is under way */
	bool declare;	/* the others are to be told once more who is here */

	bool looking;
	bool missed; /* something came that is not here: a look is to follow */
	uint64_t looked_ms;
	int64_t check_ms; /* to the next look; 0: as at first */
	struct archive_job
	    *asks; /* who wants to know where it is, before the look that is under way */
	struct archive_job *asked; /* the same: when that one is done */
};

#define BUS_NODES 64

/* Another hubd that has members. */
struct node {
	uint64_t id;
	bool asked; /* whether it is there */
};

struct link {
	struct bus *bus;
	unsigned index;
	struct redis_url url;
	pthread_t thread;
	bool started;

	/* The inbox, under `lock`. */
	pthread_mutex_t lock;
	struct offer *offers, **offers_last;
	struct archive_job *jobs, **jobs_last;
	bool stop;
	int wake_fd; /* eventfd: there is something in it */

	struct redis_conn pub, sub;
	unsigned attempt;
	bool up;	   /* pub is: it speaks to a master that has the scripts */
	bool said;	   /* that it is down */
	bool refused;	   /* the last batch was, which was said */
	uint64_t began_ms; /* the attempt, */
	uint64_t again_ms; /* or when the next one is */
	uint64_t pause_ms;
	uint64_t down_ms;	   /* since when, 0: it is up */
	uint64_t ping_ms, late_ms; /* when to ping next, and to look for who waits too long */
	char server[48];	   /* its run id, */
	char client[24];	   /* and ours there */
	bool greeted;		   /* these are good */
	char sha[SCRIPTS][41];
	struct call *calls, **calls_last; /* in the order of their answers */

	struct far **table; /* by name, chained */
	size_t size, n;
	struct far *all, *check_at;
	struct far *due, **due_last;
	struct far *waiting; /* for replicas, */
	size_t waits;	     /* of which so many WAIT are to tell; each tells of all before it */
	uint64_t batches;    /* so far */
	struct node node[BUS_NODES];
	unsigned nnodes;
	uint64_t beat_ms;	   /* when to say next that this one is there, */
	bool beats;		   /* and whether it has said so */
	bool kept_asked;	   /* what operators have set is under way */
	struct archive_job *asked; /* of other hubds; */
	uint64_t questions;	   /* how many so far */
	struct buf scratch;
	struct incoming in[BATCH_RECORDS];

	_Atomic(const char *) failing;
};

struct bus {
	struct archive archive; /* first */
	const struct bus_settings *set;
	const struct session_env *env;
	struct registry *registry;
	struct ssl_ctx_st *tls;
	unsigned char secret[64];
	size_t secret_len;
	atomic_size_t queued; /* bytes of records on their way */
	uint64_t node;	      /* this hubd, from start to end */
	size_t n;
	struct link link[];
};

/* Whether something that began at from_ms has lasted for longer than ms. Where that is behind
 * now_ms, which may have been read before, it has not. */
static inline bool bus_lasts(uint64_t now_ms, uint64_t from_ms, int64_t ms)
{
	return (int64_t)(now_ms - from_ms) > ms;
}

/* --- bus_call.c */

struct call *call_new(struct far *f,
		      void (*done)(struct link *, struct call *, const redisReply *));
void call_free(struct call *call); /* one that was never sent; NULL is fine */

/* Appends what every call of a script begins with: the command, its number of arguments from n
 * (those of ARGV), and the session's keys. Returns 0 or -ENOMEM. */
int call_script(struct link *l, struct call *call, enum script script, const struct session *s,
		size_t n);

/* Sends a call, whose command is set; takes it. */
void link_call(struct link *l, struct call *call);
void call_queue(struct link *l, struct call *call); /* it has been sent */
void call_end(struct link *l, struct call *call, const redisReply *reply);
void link_wake(struct link *l);

/* --- bus_queue.c: none of it sends anything */

/* One that waits, and its end. */
void publish_last(struct far *f, struct offer *o);
void publish_end(struct link *l, struct offer *o, enum hub_code code, uint64_t seq,
		 const char *why);

/* What waits of it may be sent. */
void publish_due(struct link *l, struct far *f);

/* The record is in Redis: nothing is sent before it comes, for a short time. */
void publish_unheard(struct far *f, uint64_t seq);

/* The flight's records are in Redis, from that seq on; 0: they are not. */
void publish_numbered(struct link *l, struct far *f, uint64_t first);

/* The flight ends, whose offers are numbered; or it is not the last: they wait again, in front. */
void publish_landed(struct link *l, struct far *f);
void publish_again(struct far *f);

/* The flight ends: it may be there or not. */
void publish_refuse(struct link *l, struct far *f, const char *why);

/* Nothing waits any longer. */
void publish_give_up(struct link *l, struct far *f, const char *why);

void job_end(struct archive_job *job, int status);
void jobs_end(struct archive_job **jobs, int status, uint64_t tail);

/* --- bus_far.c */

struct far *far_find(struct link *l, struct span name);
struct far *far_new(struct link *l, struct session *s); /* takes a reference of its own; or NULL */
bool far_is_unused(const struct far *f);
void far_free(struct link *l, struct far *f);
void far_subscribe(struct link *l, struct far *f);
void far_unsubscribed_all(struct link *l);

/* What Redis has of it is another one, or it is no more: its members go. */
void far_lose(struct link *l, struct far *f, bool deleted);

/* --- bus_here.c */

/* News for the other hubds; takes o. */
void here_news(struct link *l, struct far *f, struct offer *o);

/* What they say: a message that is no batch. */
void here_message(struct link *l, struct far *f, struct span text);

/* Who is there, from open.lua's answer or HGETALL's, from element i on. */
void here_read(struct link *l, struct far *f, const redisReply *reply, size_t i);

/* Asks for that, or tells the others anew, where it is due. */
void here_mend(struct link *l, struct far *f);

/* Says now and then that this hubd is there, and sees whether the others are. */
void here_beat(struct link *l, uint64_t now_ms);

/* --- bus_kept.c: what operators have set; at the first link */

void kept_job(struct link *l, struct archive_job *job);
void kept_subscribe(struct link *l);
void kept_message(struct link *l, struct span text);
void kept_ask(struct link *l); /* for all of it */

/* --- bus_ask.c: what hubds ask each other; at the first link */

void ask_job(struct link *l, struct archive_job *job);
void answer_job(struct link *l, struct archive_job *job);
void asks_subscribe(struct link *l);

/* A message; whether it was of a channel of this kind. */
bool ask_message(struct link *l, struct span channel, struct span text);

/* Ends what has waited for too long, or all. */
void asks_timeouts(struct link *l, uint64_t now_ms, bool all);

/* --- bus_list.c: which sessions there are */

void list_job(struct link *l, struct archive_job *job);
void lists_subscribe(struct link *l);
bool list_message(struct link *l, struct span channel, struct span text); /* as ask_message() */

/* --- bus_publish.c */

void publish_offer(struct link *l, struct offer *o);
void publish_all_due(struct link *l);
void publish_timeouts(struct link *l, uint64_t now_ms);

/* --- bus_look.c */

/* Takes a batch that was heard. */
void look_take(struct link *l, struct far *f, const struct batch_head *head);

/* Asks where it is, unless that is under way. */
void far_look(struct link *l, struct far *f);
void far_checks(struct link *l, uint64_t now_ms);

/* --- bus_open.c */

void open_job(struct link *l, struct archive_job *job);
void open_far(struct link *l, struct far *f);
void open_timeouts(struct link *l, uint64_t now_ms);

/* --- bus_hear.c */

/* A message, or the answer to a subscription. */
void hear(struct link *l, const redisReply *reply);

/* The publishing connection is there again; anew: to another Redis, or one that was started again,
 * which may have forgotten what it was told last. */
void far_resume_all(struct link *l, bool anew);

/* --- bus_fail.c */

/* The connection does not do: begins anew, later, with why in the log. */
void link_fail(struct link *l, const char *why);
void link_close(struct link *l); /* the publishing one, without a word */

/* A call that is made of words; and an answer that nobody wants. */
void call_words(struct link *l, void (*done)(struct link *, struct call *, const redisReply *),
		const struct span *words, size_t n);
void call_ignored(struct link *l, struct call *call, const redisReply *reply);

/* --- bus_greet.c */

/* The publishing connection is open; when all is said the link is up. */
void link_greeting(struct link *l);

/* The hearing one follows to where the other is. */
void link_begin_sub(struct link *l);
void link_sub_opened(struct link *l);

/* --- bus_link.c */

int link_start(struct link *l);
void link_stop(struct link *l);

/* A blocking greeting, before there is a thread: takes the secret from Redis, or leaves it there.
 * 0, or -errno after logging. */
int link_greet(struct link *l);

#endif
