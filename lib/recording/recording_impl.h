/* Inside a reader of recordings: for recording*.c alone. */
#ifndef HUB_RECORDING_IMPL_H
#define HUB_RECORDING_IMPL_H

#include "recording/recording.h"
#include "recording/recording_source.h"

#define BOM "\xef\xbb\xbf" /* a byte order mark, which text of other makers may begin with */
#define BOM_LEN 3
#define RECORDING_SESSIONS_MAX 1000000			 /* with a snapshot, in one recording */
#define RECORDING_T_MAX (UINT64_C(1000000000) * 1000000) /* us: some 30 years */

/* Where a line comes from, so far: the line of the last snapshot of a session decides what its
 * records are. */
struct recording_session {
	char *name; /* NULL: free */
	uint8_t len;
	uint64_t state_seq; /* records up to it are state */
};

struct recording_sessions {
	struct recording_session *slot;
	size_t cap, n; /* cap: a power of two */
};

/* Text that a parsed line borrows where its strings have escapes. */
struct recording_room {
	char type[ENVELOPE_TYPE_MAX];
	char session[ENVELOPE_SESSION_MAX];
};

/* What a header says of a signature. */
struct recording_signer {
	bool there;
	char key[SEAL_HASH_TEXT + 1];
};

struct recording {
	struct source source;
	const struct seal_keys *keys;
	struct recording_head head;
	struct recording_signer signer;

	/* Text, at: the next line. Where signatures are checked, lines up to good may be given, and
	 * those up to scanned are in the chain; else scanned has no line feed before it. */
	struct buf text;
	size_t at, scanned, good;
	bool lines;    /* need not be a recording: recording_open_lines() */
	bool headless; /* its first line is no header */
	bool check;    /* with a key; else the chain alone, as the lines are given */
	struct seal_chain *chain;
	bool chain_known; /* else the next signature begins it */
	unsigned char link[SEAL_HASH];
	bool signed_end;	    /* the last signature was read */
	uint64_t unsigned_lines;    /* since the last one */
	struct source_place place;  /* behind what is whole and, where checked, signed */
	struct source_place before; /* the place before the end that place is behind */

	uint64_t number; /* of the last line given, or read as a signature */
	bool numbered;
	uint64_t t_us;
	struct recording_sessions sessions;
	struct recording_room room;
	bool again; /* the line at again_at is given again */
	size_t again_at, again_len;
	enum recording_status ended; /* RECORDING_OK: not yet */
	char why[400];

	/* Where the frames of a compressed file begin, for seeking. */
	uint64_t *frames;
	size_t nframes;
	bool framed;
};

/* --- recording_line.c */

/* Reads one line into *line, with all that follows from it alone; the session is the header's where
 * it has none. Returns NULL, or what is wrong with it. */
const char *recording_parse(const struct recording *r, const char *text, size_t len,
			    struct recording_line *line, struct recording_room *room);

/* The same of a line that need not be one of a recording. */
const char *recording_parse_any(const struct recording *r, const char *text, size_t len,
				struct recording_line *line, struct recording_room *room);

/* Reads a header. Returns NULL, or what is wrong with it. */
const char *recording_parse_header(const char *text, size_t len, struct recording_head *head,
				   struct recording_signer *signer);

/* A signature, as a line without line feed. Reading is exact: what does not read as it is written
 * is none. */
struct recording_signature {
	unsigned char hash[SEAL_HASH];
	unsigned char signature[SEAL_SIGNATURE];
	bool end;
};
int recording_put_signature(struct buf *out, const struct recording_signature *s);
bool recording_get_signature(const char *text, size_t len, struct recording_signature *s);

/* Says what kind of record it is, and keeps what snapshots and gaps say. Returns false where there
 * are too many sessions, or no memory. */
bool recording_classify(struct recording_sessions *sessions, struct recording_line *line);
void recording_sessions_clear(struct recording_sessions *sessions);

/* --- recording.c */

/* The next line of text, its signature checked; number counts it. Returns RECORDING_OK, or how the
 * recording ends, with why set. */
enum recording_status recording_text(struct recording *r, const char **text, size_t *len);

/* The first line, text, as a line. */
void recording_give_header(const struct recording *r, const char *text, size_t len,
			   struct recording_line *line);

/* Forgets all that was read, and goes on at that offset of the file. Returns 0 or -errno. */
int recording_go(struct recording *r, uint64_t offset);

/* Whether the file can be gone back in. */
bool recording_seekable(const struct recording *r);

/* --- recording_open.c */

/* Opens as recording_open() does; takes fd. *headless: it failed for a file that ends before its
 * header does, and may have been meant to be a recording. */
struct recording *recording_open_fd(int fd, const struct seal_keys *keys, bool *headless, char *why,
				    size_t cap, int *status);

/* --- recording_resume.c */

/* Where a recorder may go on in a file: its beginning where there is no header yet. */
struct recording_resume {
	struct source_place place;
	unsigned char link[SEAL_HASH]; /* of the last signature before it */
	bool finished;		       /* what is behind the place is the end only */
};

/* Reads a file through; takes fd. Returns 0 or an exit status. */
int recording_resume(int fd, const struct recorder_options *options, struct recorder_past *past,
		     struct recording_resume *at, char *why, size_t cap);

#endif
