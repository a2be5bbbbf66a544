/* hubcat: joins standard input and output to a session. main.c owns the whole and decides when it
 * ends; input.c turns lines into messages; output.c writes; show.c says what is written; report.c
 * speaks to the person. Nothing here blocks: where one side is slow, the other is no longer read.
 */
#ifndef HUBCAT_H
#define HUBCAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/line.h"
#include "client/client.h"
#include "json/filter.h"
#include "watch.h"

#define LINE_LIMIT ((1 << 20) - 1) /* bytes of an input line, and of what -m makes of it */
#define QUEUE_LIMIT (4 << 20)	   /* bytes sent and not acknowledged */

struct options {
	bool listen, publish, raw, echo, reconnect, verbose, state, acks;
	const char *url, *type, *filter, *map, *since;
	int64_t count; /* 0: no end */
	double wait;   /* seconds; negative: for ever */
	double linger; /* seconds; negative: for ever; by default as -n has it */
	const char *session;
};

struct hubcat;

/* Standard input on its way to the hub. */
struct input {
	struct hubcat *h;
	struct watch watch;
	uv_idle_t idle; /* reads where watching is not possible: a file is always ready */
	bool watched;	/* else idle */
	bool blocked;	/* the client's queue is full */
	bool eof;	/* the end of input was read */
	bool ended;	/* nothing more will be sent */
	bool has_line;	/* text is to be sent */
	const char *text;
	size_t text_len;
	char *piece;	     /* what was read last */
	const char *p, *end; /* what is left of it */
	struct line line;
	uint64_t number; /* of the line */
	uint64_t bad;	 /* lines that were skipped */
	struct buf made; /* what -t or -m made of a line, one message a line */
	size_t made_sent;
	struct filter *map;
};

/* Standard output. */
struct output {
	struct hubcat *h;
	struct watch watch;
	bool watched;
	bool socket;
	bool broken; /* nobody reads any more */
	struct buf data;
	size_t written; /* of data */
};

struct hubcat {
	struct options o;
	uv_loop_t loop;
	struct url url;
	char where[URL_TEXT_MAX];
	struct client *client;
	struct input in;
	struct output out;
	struct filter *filter;
	bool color;
	uint64_t shown; /* records and direct messages printed */

	uv_signal_t signals[3];
	uv_timer_t patience; /* -w */
	uv_timer_t linger;   /* -q */
	uv_timer_t grace;    /* for what is on its way when told to stop */
	uv_timer_t redraw;   /* the status line */
	bool status_line, status_drawn, interactive;
	char state[128];

	enum { RUNNING, HANDING_OVER, LEAVING, FLUSHING, DONE } phase;
	bool joined, joined_once;
	bool was_open; /* the connection, before it was lost */
	bool hub_errors;
	bool told;			 /* of this join something was said */
	uint64_t state_left;		 /* --state: records to come */
	uint64_t acked;			 /* messages, when the hub's log was new */
	uint64_t progress_ms, confirmed; /* for -w */
	int status;
};

/* main.c: the end, in order: hands over what was read, leaves, writes what was received, exits with
 * status, or what bad lines and errors make of 0. The first call counts. */
void hubcat_finish(struct hubcat *h, int status);

/* Something went forward: -w starts anew. */
void hubcat_progress(struct hubcat *h);

/* All of the input was read and given to the client. */
void hubcat_input_done(struct hubcat *h);

/* Everything received is written, or never will be. */
void hubcat_output_done(struct hubcat *h);

/* input.c */
int input_start(struct input *in, struct hubcat *h);
void input_writable(struct input *in);
void input_stop(struct input *in);
uint64_t input_unsent(const struct input *in); /* messages read and not given to the client */
void input_free(struct input *in);

/* convert.c: appends to out the messages that a line makes, one a line. Returns false with the
 * reason. */
bool convert_line(struct hubcat *h, const char *text, size_t len, struct buf *out, char *why,
		  size_t cap);
bool convert_needed(const struct options *o);
bool convert_check(const char *text, size_t len, char *why, size_t cap);
bool convert_blank(const char *text, size_t len);

/* output.c */
int output_start(struct output *out, struct hubcat *h);
void output_line(struct output *out, const char *text, size_t len);
void output_flush(struct output *out);
bool output_empty(const struct output *out);
void output_free(struct output *out);

/* show.c */
void show_message(struct hubcat *h, const struct client_message *m);
void show_joined(struct hubcat *h, const struct client_joined *j);

/* color.c: appends JSON text with terminal colours. Returns 0 or -ENOMEM. */
int color_json(struct buf *out, const char *text, size_t len);

/* report.c */
void report_start(struct hubcat *h);
void report_state(struct hubcat *h, const struct client_status *s);
void report_place(struct hubcat *h, const struct client_joined *j);
void report_clear(struct hubcat *h); /* before anything else is written to the terminal */
void report(struct hubcat *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void report_detail(struct hubcat *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
