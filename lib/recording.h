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

#include "envelope.h"

#define RECORDING_VERSION 1
#define RECORDING_LINE_MAX (17 << 20) /* bytes of a line, without its line feed */

struct recording;
struct recorder;
struct seal_keys; /* seal.h */

enum recording_kind {
	RECORDING_HEADER, /* {"type":"recording","version":1,...} */
	RECORDING_STATE,  /* a state record of a snapshot: out of the order of seq */
	RECORDING_RECORD, /* a record of the session's log */
	RECORDING_GAP,	  /* {"type":"gap","session_id":...,"from_seq":N,"to_seq":N,...} */
	RECORDING_OTHER,  /* a line of a kind that this version does not know, to be passed over */
};

/* A line that was read. Borrowed: good until the next call. */
struct recording_line {
	enum recording_kind kind;
	const char *text; /* as it stands, without its line feed */
	size_t len;
	uint64_t number;     /* of the line, from 1 */
	uint64_t t_us;	     /* microseconds since the recording's start */
	uint64_t seq;	     /* STATE, RECORD; GAP: from_seq */
	uint64_t to_seq;     /* GAP */
	struct span session; /* its session_id */
	struct span type;    /* unescaped */
	struct span from;    /* STATE, RECORD: the sender's client id; p NULL where there is none */
};

enum recording_status {
	RECORDING_OK,
	RECORDING_END,	      /* the end, as it should be */
	RECORDING_UNFINISHED, /* the end of what there is: the recorder was cut off, or still
			       * writes; everything before is as it was written */
	RECORDING_BAD,	      /* damaged, forged or no recording: see recording_why() */
	RECORDING_FAILED,     /* cannot be read: errno is in recording_why() */
};

/* Opens path ("-": standard input) and reads its beginning. keys may be NULL; it must live as long
 * as the reader. Returns NULL with the reason in why and *status an exit status (EX_NOINPUT,
 * EX_DATAERR, EX_NOPERM for a missing or wrong key, EX_OSERR). */
struct recording *recording_open(const char *path, const struct seal_keys *keys, char *why,
				 size_t cap, int *status);

/* The next line. After anything but RECORDING_OK there is no next one. */
enum recording_status recording_next(struct recording *r, struct recording_line *line);

/* Why the last call was not RECORDING_OK, with the record at which it happened; never NULL. */
const char *recording_why(const struct recording *r);

/* Goes to the first line whose t is not below t_us; works backwards, too, where the file can be
 * seeked. Plain and compressed files are searched, not read through. Returns 0, -ESPIPE or -errno.
 */
int recording_seek(struct recording *r, uint64_t t_us);

/* Of the file: how it is stored. */
bool recording_compressed(const struct recording *r);
bool recording_sealed(const struct recording *r);
bool recording_signed(const struct recording *r); /* known at the end, or from the header */

void recording_close(struct recording *r); /* NULL is fine */

/* --- writing */

struct recorder_options {
	int level;		      /* of zstd; 0: not compressed */
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
	uint64_t cut;				/* bytes of an unfinished chunk that were cut off */
	uint64_t seq;				/* of the last record or gap; 0: none */
	char session[ENVELOPE_SESSION_MAX + 1]; /* of the header */
	char epoch[65]; /* of the log that seq is of: of the header, or of the last line that
			 * changed it; empty: unknown */
};

/* Creates the file (mode 0666 by the umask; "-": standard output), or opens it to go on, under an
 * exclusive lock. Fills *past where options->append. Returns NULL with the reason in why and
 * *status an exit status (EX_CANTCREAT, EX_DATAERR for a file that is no recording or was stored in
 * another way, EX_NOPERM). */
struct recorder *recorder_open(const char *path, const struct recorder_options *options,
			       struct recorder_past *past, char *why, size_t cap, int *status);

/* Puts the header; once, first, for a new file. session NULL: of several. */
int recorder_header(struct recorder *w, const char *session, const char *epoch, uint64_t start_ms);

/* Puts one JSON object in one line, with `,"t":MS` before its closing brace, in ms with up to three
 * decimals. Copies it. Return 0 or -errno of an earlier write; the line is then not written. */
int recorder_put(struct recorder *w, const char *text, size_t len, uint64_t t_us);

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
