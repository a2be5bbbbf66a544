/* What a run measured: filled by the engine, read by everything that reports. The reports compute
 * nothing that is not derived from here, so that the table, the JSON and the page agree. */
#ifndef HUBBENCH_RESULT_H
#define HUBBENCH_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hist.h"

/* Durations, apart. Those of messages count from the intended instant, but for those that end in
 * _SENT, which count from the moment the generator handed the bytes to the kernel. */
enum metric {
	METRIC_CONNECT,	  /* connect(2) until connected */
	METRIC_TLS,	  /* then, until TLS stands */
	METRIC_HANDSHAKE, /* then, until WebSocket stands */
	METRIC_JOIN,	  /* then, from asking to join to the answer */
	METRIC_ACK,	  /* publish until ack, or until the own echo where that is the answer */
	METRIC_ACK_SENT,
	METRIC_FIRST, /* publish until the first receiver has it */
	METRIC_LAST,  /* publish until the last receiver has it */
	METRIC_EVERY, /* publish until delivery, of every receiver */
	METRIC_EVERY_SENT,
	METRIC_STALE,  /* of a crowd: the age of the newest that an observer knows of an avatar, at
			* random instants; at best it is up to the time from one move to the next */
	METRIC_BEHIND, /* the same: for how long there has been something newer; 0: not */
	METRIC_RESUME, /* a lost connection until its first message after it is back */
	METRIC_BACK,   /* the first attempt to come back until it is a member again */
	METRIC_LAG,    /* the generator's own: how late it did what was due */
	METRICS,
};

/* A name as in JSON and --expect, such as "every_sent"; and what it is, for people. */
const char *metric_name(enum metric m);
const char *metric_title(enum metric m);

/* Deliveries, counted by receiver. */
struct audit_counts {
	uint64_t expected;  /* published messages times their receivers */
	uint64_t delivered; /* each once */
	uint64_t lost, duplicated, reordered;
	uint64_t withheld; /* behind a gap that the server announced */
	uint64_t unknown;  /* what came and was no message of this run, answers aside */
	/* Members that have all; and those of them that saw another order than the first. */
	uint64_t compared, differing;
};

/* One second of the run; rates are counts within it. */
struct result_second {
	double at; /* seconds since the start of measuring; negative while connecting, warming up */
	uint64_t clients; /* joined at its end */
	uint64_t due, sent, acked, delivered, bytes_in;
	uint64_t backlog;		 /* due and not sent, at its end */
	uint64_t p50_ns, p99_ns, max_ns; /* METRIC_EVERY, or METRIC_ACK where nobody receives */
	double cpu;			 /* the busiest thread of the generator, 0 to 1 */
	uint64_t server_rss;		 /* bytes; 0: not watched */
	double server_cpu;		 /* CPUs in use */
};

enum verdict { VERDICT_OK, VERDICT_SATURATED, VERDICT_GENERATOR_BOUND, VERDICT_FAILED };
const char *verdict_name(enum verdict v); /* "ok", "saturated", "generator-bound", "failed" */

/* A rate that `search` tried. */
struct result_trial {
	double rate, achieved;
	uint64_t p99_ns;
	bool met;
	enum verdict verdict;
};

/* An --expect and how it went; expect_check() notes it. */
struct result_check {
	char *text; /* "p99<50ms" */
	bool met;
	char why[128]; /* "every.p99 is 12.3 ms" */
};

struct result {
	/* What was asked for. */
	char *url, *scenario, *dialect, *label;
	uint64_t clients, sessions, publishers, threads, bytes;
	double rate;	 /* messages/s of all publishers together; 0: closed model, or none */
	uint64_t closed; /* messages in flight a publisher; 0: open model */
	double coalesce; /* seconds */
	bool poisson, acks, no_echo;
	double churn;	/* members/s that are replaced */
	uint64_t slow;	/* members that do not read for a while */
	uint64_t nodes; /* that clients are spread over; 0: one */
	bool kill_node; /* one is killed halfway */
	char *play;	/* the recording; NULL: none */
	double speed;	/* so many times as fast as it was; 0: none */
	bool deflate;
	double tick; /* seconds; 0: none. This and what follows: of a crowd */
	bool batch, conflate, compact, delta;
	uint64_t observers, world, area; /* area 0: all is seen */
	double duration, warmup;	 /* seconds */
	uint64_t seed;

	/* What happened, while measuring. */
	double started; /* seconds since 1970 */
	double seconds; /* really measured */
	bool interrupted;
	uint64_t clients_joined, clients_failed, reconnects;
	uint64_t due, sent, acked, errors; /* messages; errors: refusals by the server */
	uint64_t delivered, bytes_in;	   /* deliveries and their bytes on the wire */
	uint64_t backlog_max, backlog_end;
	uint64_t observed, observed_bytes; /* of a crowd: moves that its observers got */
	uint64_t missing; /* the same, at the end: avatars of which one has not the last move, */
	uint64_t ghosts;  /* and those that one still has, though they are far away */
	char first_error[256]; /* for people; empty: none */
	struct hist metric[METRICS];
	struct audit_counts audit;

	/* The generator itself. */
	double cpu_max;	       /* share of the busiest thread, 0 to 1 */
	double cpu_s;	       /* of all threads */
	uint64_t cores_shared; /* CPUs that the server may run on, too; 0: none, or not known */

	/* The server; pids 0: not watched. */
	unsigned pids;
	uint64_t rss_before, rss_joined, rss_max, rss_end; /* bytes */
	double server_cpu_s;

	enum verdict verdict;
	char verdict_why[256];

	struct result_second *series;
	size_t nseries;
	struct result_trial *trials;
	size_t ntrials;
	struct result_check *checks;
	size_t nchecks;
};

/* Gives back what it holds, all of it from malloc(3), and zeroes it; not *r. A result is large: it
 * lives on the heap, from calloc(3). */
void result_free(struct result *r);

/* Reads a result that report_json() wrote, with or without lines of seconds before it; the last in
 * the file counts. r is zeroed before, and is for result_free() after success. Returns 0, or -errno
 * with the reason in why: -EINVAL where there is none. */
int result_read(const char *file, struct result *r, char *why, size_t cap);

/* The same for a text of at most INT_MAX bytes; why has no name of a file before it. */
int result_parse(const char *text, size_t len, struct result *r, char *why, size_t cap);

/* The metric that is meant where none is named: every, or ack where nobody receives, or else the
 * first of resume, join, handshake and connect that has values. METRIC_EVERY where none has. */
enum metric result_main_metric(const struct result *r);

/* Whether a metric has values that say something. In the closed model nothing is due before it is
 * sent, and the metrics from the send are the same as the others. */
bool result_shows(const struct result *r, enum metric m);

/* Derived figures, the same everywhere. NAN where there is none. */
double result_offered(const struct result *r);		/* due messages/s */
double result_achieved(const struct result *r);		/* sent messages/s */
double result_delivery_rate(const struct result *r);	/* deliveries/s */
double result_bytes_per_client(const struct result *r); /* (rss_joined - rss_before) / clients */
double result_bytes_per_second(const struct result *r); /* that a client gets */
double result_bytes_per_update(const struct result *r); /* of a crowd: bytes for each move */
double result_per_cpu(const struct result *r); /* deliveries per CPU-second of the server */

#endif
