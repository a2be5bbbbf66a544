/* Recordings of sessions, hub-recording(5): newline-delimited JSON, a header line first, then one
 * message a line with `t`, its time. On disk as it is, or compressed (zstd), or sealed (encrypted
 * and authenticated), or signed; a reader finds out which by itself. Nothing here needs a hub.
 *
 * Writing is in chunks: what was put since the last sync becomes one chunk on the disk, as a whole
 * or not at all. So a crash costs the last chunk only, and a file is appended to by cutting off
 * what is behind its last whole one. Memory is bounded by the longest line and one chunk, whatever
 * the file's size. For one thread at a time. */
#ifndef HUB_RECORDING_H
#define HUB_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/envelope.h"

#define RECORDING_VERSION 1
#define RECORDING_LINE_MAX (17 << 20) /* bytes of a line, without its line feed */
#define RECORDING_EPOCH_MAX 64

struct buf; /* base/buf.h */
struct recording;
struct recorder;
struct seal_keys; /* seal.h */

/* What a line is. Only what a member sent carries `from`; lines without are marks of the recorder
 * or the hub's own words. Which records are state follows from the last SNAPSHOT of their session:
 * those with a seq up to that of the SNAPSHOT are, later ones are of the log. */
enum recording_kind {
	RECORDING_HEADER,   /* {"type":"recording","version":1,...} */
	RECORDING_STATE,    /* a state record of a snapshot: out of the order of seq */
	RECORDING_RECORD,   /* a record of the session's log */
	RECORDING_GAP,	    /* {"type":"gap",...}: records that the file has not */
	RECORDING_SNAPSHOT, /* {"type":"snapshot",...}: state records follow, then seq + 1 */
	RECORDING_OTHER,    /* a line of a kind that this version does not know, to be passed over;
			     * also a direct message */
};

/* A line that was read. Borrowed: good until the next call. */
struct recording_line {
	enum recording_kind kind;
	const char *text; /* as it stands, without its line feed */
	size_t len;
	size_t body;	  /* the message without `t` is text[0, body) and a closing brace */
	uint64_t number;  /* of the line, from 1; 0: not known, after recording_seek() */
	uint64_t t_us;	  /* microseconds since the recording's start; the last one where the line
			   * has none */
	uint64_t seq;	  /* STATE, RECORD, SNAPSHOT; GAP: from_seq */
	uint64_t to_seq;  /* GAP; seq - 1 where it is not known that any record is missing */
	uint64_t records; /* SNAPSHOT: how many state records there are */
	struct span session; /* its session_id; of the header where the line has none; or p NULL */
	struct span type;    /* unescaped */
	struct span from;    /* the sender's client id; p NULL where there is none */
	struct span epoch;   /* GAP, SNAPSHOT: what the numbers are of; p NULL where as before */
	struct span reason;  /* GAP; p NULL where there is none */
	struct span run;     /* OTHER, of type "joined": the life of the hub; else p NULL */
};

/* What the header says. */
struct recording_head {
	uint64_t start_ms;			/* t 0, in ms since 1970 */
	char session[ENVELOPE_SESSION_MAX + 1]; /* empty: of several */
	char epoch[RECORDING_EPOCH_MAX + 1];	/* empty: unknown */
};

enum recording_status {
	RECORDING_OK,
	RECORDING_END,	      /* the end, as it should be */
	RECORDING_UNFINISHED, /* the end of what there is: the recorder was cut off, or still
			       * writes; everything before is as it was written */
	RECORDING_BAD,	      /* damaged, forged or no recording: see recording_why() */
	RECORDING_FAILED,     /* cannot be read: errno is in recording_why() */
};

/* Opens path ("-": standard input) and reads its header, which is the first line that
 * recording_next() gives. keys may be NULL; it must live as long as the reader. With a seal key
 * only sealed recordings are taken, with a key to verify only those signed with it; what is signed
 * is then given once its signature was found good. Returns NULL with the reason, without the path,
 * in why and *status an exit status (EX_NOINPUT, EX_DATAERR, EX_NOPERM for a missing or wrong key,
 * EX_IOERR, EX_OSERR). */
struct recording *recording_open(const char *path, const struct seal_keys *keys, char *why,
				 size_t cap, int *status);

/* Opens path as lines that need not be a recording: JSON objects with a `type`, one a line, such as
 * grep(1) leaves of one. A header in the first line is one; without, head is zero. Marks are passed
 * over (RECORDING_OTHER); all other lines are RECORDING_RECORD, with a seq of 0 where they have
 * none; a `t` that is none, or not the last field, is the sender's own, and the line's time is that
 * of the one before. A line without line feed at the end counts, empty lines and a byte order mark
 * do not. Nothing sealed is taken. As recording_open() else; a seek reads it through. */
struct recording *recording_open_lines(const char *path, char *why, size_t cap, int *status);

/* Where the text of a recording comes from that is not in a file: whole lines, as they would stand
 * in a plain one, the header first. Both return 0 or -errno with the reason in why. */
struct recording_from {
	/* Appends some text to out, or nothing at the end. */
	int (*read)(void *arg, struct buf *out, char *why, size_t cap);
	/* What is read next is the header, for a t_us of 0, else the first line whose t is not
	 * below it. */
	int (*go)(void *arg, uint64_t t_us, char *why, size_t cap);
	void (*close)(void *arg);
};

/* Opens such a recording. Takes arg, borrows from; as recording_open() else. */
struct recording *recording_open_from(const struct recording_from *from, void *arg,
				      const struct seal_keys *keys, char *why, size_t cap,
				      int *status);

/* Lines that come one by one: a reader that is fed, and one line for it, the header or a line
 * behind it, as recording_next() would give it. recording_feed() returns NULL, or what is wrong
 * with the line. NULL of recording_feed_new(): no memory. */
struct recording *recording_feed_new(void);
const char *recording_feed(struct recording *r, const char *text, size_t len,
			   struct recording_line *line);

const struct recording_head *recording_head(const struct recording *r);

/* The next line. After anything but RECORDING_OK there is no next one, until a seek. Signatures
 * are checked and not given. */
enum recording_status recording_next(struct recording *r, struct recording_line *line);

/* Why the last call was not RECORDING_OK, with the line at which it happened; never NULL. */
const char *recording_why(const struct recording *r);

/* Where the last call was RECORDING_BAD or RECORDING_UNFINISHED: the number of the line before,
 * from 1 (0: none, or not known), and how many bytes of the file are good, as far as whole chunks
 * tell. */
uint64_t recording_good_lines(const struct recording *r);
uint64_t recording_good_bytes(const struct recording *r);

/* Goes to the first line whose t is not below t_us; works backwards, too, where the file can be
 * seeked. Plain and compressed files are searched, not read through, but for those whose signature
 * is checked. Returns 0, -ESPIPE or -errno; -EBADMSG where that place cannot be reached, for
 * recording_why(). */
int recording_seek(struct recording *r, uint64_t t_us);

/* Of the file: how it is stored. */
bool recording_compressed(const struct recording *r);
bool recording_sealed(const struct recording *r);
bool recording_signed(const struct recording *r); /* as its header says */

void recording_close(struct recording *r); /* NULL is fine */

/* --- writing */

struct recorder_options {
	int level;		      /* of zstd, 1 to 19; 0: not compressed */
	const struct seal_keys *keys; /* borrowed: seals where it has a seal key, signs where it has
				       * a signing key; NULL: neither */
	bool append; /* goes on in a file that is there; else such a file is an error */
	bool fsync;  /* recorder_sync() waits for the disk */
};

/* Where an appended file had come to. */
struct recorder_past {
	bool there;				/* it had at least its header */
	uint64_t lines, t_us;			/* so far; the last t */
	uint64_t start_ms;			/* the recording's start, ms since 1970 */
	uint64_t cut;				/* bytes of an unfinished chunk, to be cut off */
	uint64_t seq;				/* of the last record, gap or snapshot; 0: none */
	char session[ENVELOPE_SESSION_MAX + 1]; /* of the header */
	char epoch[RECORDING_EPOCH_MAX + 1]; /* of the log that seq is of: of the header, or of the
					      * last line that changed it; empty: unknown */
	char run[RECORDING_EPOCH_MAX + 1];   /* of the last {"type":"joined","run":...}; or empty */
};

/* Creates the file (mode 0666 by the umask; "-": standard output), or opens it to go on, under an
 * exclusive lock. Fills *past (NULL: not wanted) where options->append; a file whose header was not
 * written yet counts as new. What is to be cut off of a file stays until something is written.
 * Returns NULL with the reason, without the path, in why and *status an exit status (EX_CANTCREAT,
 * EX_DATAERR for a file that is no recording, is damaged or was stored in another way, EX_NOPERM
 * for a wrong key, EX_UNAVAILABLE where another recorder has the lock, EX_IOERR, EX_OSERR). */
struct recorder *recorder_open(const char *path, const struct recorder_options *options,
			       struct recorder_past *past, char *why, size_t cap, int *status);

/* Takes a chunk, which is whole lines, as a whole or not at all. Returns 0 or -errno. */
typedef int recorder_write(void *arg, const char *text, size_t len);

/* Goes on where past says, in what is no file: write gets the chunks, from recorder_sync(). NULL:
 * no memory. */
struct recorder *recorder_open_to(recorder_write *write, void *arg,
				  const struct recorder_past *past);

/* Puts the header; once, first, for a new file. session NULL: of several; epoch NULL: unknown. */
int recorder_header(struct recorder *w, const char *session, const char *epoch, uint64_t start_ms);

/* Appends a JSON object as a line, with `,"t":MS` before its closing brace, in ms with up to three
 * decimals. Returns 0, -EINVAL for what is no such object or too long, or -ENOMEM. */
int recording_put_line(struct buf *out, const char *text, size_t len, uint64_t t_us);

/* Puts one JSON object as recording_put_line() has it; a t below the last one becomes that. Copies
 * it. A chunk that grows over 1 MiB is synced first, so give the records of a snapshot one t.
 * Returns 0; -EINVAL for what is no such object or too long; or -errno of a sync that failed; the
 * line is then not taken. */
int recorder_put(struct recorder *w, const char *text, size_t len, uint64_t t_us);

/* Put the marks. Names need no escaping; epoch NULL: as before; reason NULL: none. A gap of which
 * it is not known that any record is missing, such as where another log begins, has to_seq =
 * from_seq - 1. Return as recorder_put(). */
int recorder_snapshot(struct recorder *w, const char *session, const char *epoch, uint64_t seq,
		      uint64_t records, uint64_t t_us);
int recorder_gap(struct recorder *w, const char *session, const char *epoch, uint64_t from_seq,
		 uint64_t to_seq, const char *reason, uint64_t t_us);

/* Makes a chunk of what was put and writes it. Returns 0 or -errno; after that the file is as it
 * was after the last good sync, and the recorder takes nothing more until a sync succeeds. */
int recorder_sync(struct recorder *w);

/* Bytes on the disk, and put but not synced. */
uint64_t recorder_size(const struct recorder *w);
size_t recorder_pending(const struct recorder *w);

/* Syncs, writes the end and frees. Returns 0 or -errno. */
int recorder_close(struct recorder *w);

/* Frees without an end: the file stays as after the last sync. */
void recorder_abandon(struct recorder *w);

#endif
