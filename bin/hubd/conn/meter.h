/* What a client does in a time, against what it may: buckets that fill as it does, and empty as
 * time goes. Who is over does not lose anything: the hub reads nothing more from it until it may go
 * on. A connection has a meter only while it does something that is counted; idle ones have none.
 */
#ifndef HUBD_METER_H
#define HUBD_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop/bucket.h"
#include "loop/worker.h"

struct address;
struct conn;
struct identity;

typedef uint64_t bucket; /* loop/bucket.h */

struct meter {
	struct turn_entry later; /* first; delayed while slowed */
	struct conn *conn;	 /* NULL: it has gone, and the meter goes when its time comes, */
	bool kept;		 /* ... or is kept for the next one */
	void (*over)(void *arg); /* whom to tell meanwhile that it is slowed no more, or NULL */
	void *arg;
	uint64_t until_ms; /* slowed until then; 0: not */
	bucket messages, bytes, work, errors;
	bucket token; /* messages that its token has a rate for */
	/* What its user and its address are still to be charged for, of this millisecond; see
	 * meter_message(). */
	uint64_t owed_ms;
	uint64_t address; /* as shares_address() has it; 0: it has none that counts */
	size_t owed_bytes;
	unsigned owed;
	uint32_t strikes; /* errors beyond what is allowed */
	bool said;	  /* that it was slowed */
	uint8_t looks;	  /* whether it is needed, that are still to come soon */
};

/* Options of hubd(8), as what one costs, in ns: a division less for each message. 0: no limit. */
struct meter_rates {
	double message, byte;
};

/* So many a second of either (0: no limit), and twice as much at once. */
static inline struct meter_rates meter_rates(int64_t messages, int64_t bytes)
{
	return (struct meter_rates){messages ? 1e9 / (double)messages : 0,
				    bytes ? 1e9 / (double)bytes : 0};
}

/* What requests cost beside their bytes, in nanoseconds of a connection's time: so many joins a
 * second, and so many bytes of answers that are made for one client. */
#define METER_JOIN (50 * 1000000ULL)
#define METER_LOOK (METER_JOIN / 16)
#define METER_ANSWER_BYTE 500ULL
#define METER_WORK_BURST (6400 * 1000000ULL) /* 128 joins, or 13 MB of such answers */

/* Errors are answered; who makes too many is sent away where the last is of his own making, else
 * slowed, and sent away if he goes on nevertheless. */
#define METER_ERROR (20 * 1000000ULL)
#define METER_ERROR_BURST (20000 * 1000000ULL) /* a thousand */
#define METER_STRIKES 1000		       /* errors beyond that, without a rest */

/* A message of so many bytes was handled, of who has rates: for the connection, for its user and
 * for its address. */
void meter_message(struct conn *c, size_t bytes);

/* Of who has no connection that could be slowed: in how many seconds its user, and its address
 * (NULL: none that counts), may send again; 0: now. */
unsigned meter_asker(struct worker *w, const struct identity *id, const struct address *a);

/* A message is one of so many a second, of which a second's worth may come at a time. False where
 * it is one too many; then it does not count. */
bool meter_rate(struct conn *c, double rate);

/* What meter_work() is about, in words for the journal. */
#define METER_JOINS "more joins or lists of members than it may ask for"

/* A request made work of so many ns, in the sense of METER_; why: what is slowed for it. */
void meter_work(struct conn *c, uint64_t cost, const char *why);

/* It joins: counts for its address, where that has a rate, over all of its connections. */
void meter_join(struct conn *c);

/* An error was answered. True where that is more than is allowed; *n: how many there were beyond,
 * without a rest, of those that are strikes; NULL is fine. */
bool meter_error(struct conn *c, bool strikes, unsigned *n);

/* Reads nothing from c for so long; for how long it was slowed before counts no more. */
void meter_slow(struct conn *c, uint64_t ms, const char *why);

/* Gives up a meter that has nothing to say any more; at the end of c: in any case. */
void meter_trim(struct conn *c, bool end);

/* --- of one peer whose connections follow each other, as requests of HTTP do */

/* Takes the meter of a connection that ends, for the next one. NULL: it has nothing to say. */
struct meter *meter_take(struct conn *c);

/* Goes on with it, and takes it; NULL is fine. */
void meter_give(struct conn *c, struct meter *m);

/* For how many ms from now it is slowed. Where that is not 0, over(arg) is called when it is. */
uint64_t meter_waits(struct meter *m, uint64_t now_ms, void (*over)(void *arg), void *arg);

/* No other follows. NULL is fine. */
void meter_end(struct meter *m);

/* TURN_RESUME */
void meter_resume(struct worker *w, struct turn_entry *e);

#endif
