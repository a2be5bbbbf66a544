/* The envelope: the fields of a message that the hub reads, and the rewriting of a message into a
 * record by copying bytes (hub(7)). All else in a message passes through untouched. */
#ifndef HUB_ENVELOPE_H
#define HUB_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/json.h"

#define ENVELOPE_MESSAGE_MAX (64 << 20) /* bytes: the most that a hub can be told to take */
#define ENVELOPE_TYPE_MAX 64
#define ENVELOPE_SESSION_MAX 128
#define ENVELOPE_MSG_ID_MAX 64
#define ENVELOPE_KEY_MAX 256
#define ENVELOPE_FIELDS 13 /* top-level fields that are the hub's, or may be */
#define ENVELOPE_TO_MAX 64 /* receivers of one message */

/* The codes of `error` messages, hub(7). */
enum hub_code {
	HUB_OK,
	HUB_BAD_JSON,
	HUB_BAD_TEXT, /* bad_json as well: not even UTF-8 */
	HUB_BAD_TYPE,
	HUB_BAD_FIELD,
	HUB_BAD_SESSION_ID,
	HUB_TOO_LARGE,
	HUB_NO_SESSION,
	HUB_NOT_MEMBER,
	HUB_NOT_FOUND,
	HUB_RATE_LIMITED,
	HUB_UNAUTHORIZED,
	HUB_UNAUTHENTICATED,
	HUB_FORBIDDEN,
	HUB_BANNED,
	HUB_SESSION_FULL,
	HUB_HUB_FULL,
	HUB_STORE_FULL,
	HUB_IN_USE,
	HUB_BANS_FULL,
	HUB_SHUTTING_DOWN,
	HUB_INTERNAL,
	HUB_UNAVAILABLE,
	HUB_HELD,
	HUB_CONFLICT,
	HUB_BAD_REQUEST, /* of HTTP alone: a body that is not framed well, */
	HUB_TIMEOUT,	 /* or does not come */
	HUB_RULE_FAILED,
};

/* Whether the same message may be taken later, as it is. */
bool hub_code_passes(enum hub_code code);

/* The name on the wire, such as "bad_json"; "ok" for HUB_OK. */
const char *hub_code_name(enum hub_code code);

/* A string's characters: borrows from the message, or from the envelope where it was escaped. */
struct span {
	const char *p;
	size_t len;
};

struct envelope {
	const char *text; /* the message without white space around it; borrowed */
	size_t len;

	struct span type;	  /* unescaped; always there */
	struct span type_written; /* the same as written, quotes included */
	struct span session_id;	  /* unescaped and of the right form; p is NULL where absent */
	struct span key;	  /* unescaped; p is NULL where absent */
	struct span key_written;  /* the same as written */
	struct span
	    msg_id; /* as written, quotes included, for sending back; p is NULL where absent */
	struct span timestamp; /* as written; p is NULL where absent */
	struct span to;	       /* as written, a string or an array; p is NULL where absent */

	/* Below: for envelope.c only. */
	struct {
		uint32_t start, end;
	} cut[ENVELOPE_FIELDS]; /* what to leave out, in order of position */
	unsigned ncut;
	bool newline;
	bool has_user;
	bool has_terms; /* fields of terms.h, right or not */
	char type_text[ENVELOPE_TYPE_MAX];
	char session_text[ENVELOPE_SESSION_MAX];
	char key_text[ENVELOPE_KEY_MAX];
};

/* Reads a message. Borrows text, which must stay as long as *e is used; *e must not be copied.
 * Returns HUB_OK, or the code with a sentence for people in why (NUL-terminated, cut at whycap).
 * Where it is known in spite of an error, e->msg_id is set (else its p is NULL), so that the answer
 * can name it. Where type_written is set in spite of one, text, len, type and what is good of key
 * are, too. */
enum hub_code envelope_parse(struct envelope *e, const char *text, size_t len, char *why,
			     size_t whycap);

/* Makes `user` a field of the hub, which it is where the hub knows users: what the sender put in it
 * is left out of the record. Returns HUB_OK, or HUB_BAD_FIELD with the reason in why. */
enum hub_code envelope_own_user(struct envelope *e, char *why, size_t whycap);

/* Appends to out the record up to its `seq`: the message without what the sender put in `from` and
 * `seq`, line feeds and carriage returns among its white space made spaces, then
 * `,"session_id":"S"` and
 * `,"timestamp":N` where the sender gave none, then `,"from":"ID"` and, where user is not empty,
 * `,"user":USER`; the closing brace is left off. The caller appends either "}" or `,"seq":N}`.
 * session_id and from need no escaping, user is JSON. Returns 0 or -ENOMEM. */
int envelope_record(const struct envelope *e, struct buf *out, struct span session_id,
		    uint64_t wall_ms, struct span from, struct span user);

/* Where envelope_record() puts the byte at p, which lies in e->text and in no field that is cut: an
 * offset from the record's first byte. */
size_t envelope_record_at(const struct envelope *e, const char *p);

/* Appends the message's object without any of the hub's fields, line feeds and carriage returns
 * among its white space made spaces. Returns 0 or -ENOMEM. */
int envelope_strip(const struct envelope *e, struct buf *out);

/* Calls each(id, arg) for every receiver in `to`, unescaped, in order, each once. Returns HUB_OK,
 * or HUB_BAD_FIELD with the reason in why where `to` is not a string or an array of 1 to
 * ENVELOPE_TO_MAX strings, each a client id or "@" and a user, of 1 to 256 bytes; then nothing was
 * called. */
enum hub_code envelope_to(const struct envelope *e, void (*each)(struct span id, void *arg),
			  void *arg, char *why, size_t whycap);

/* The types that are the hub's to take (CONTROL MESSAGES in hub(7)), unless the message carries an
 * object in `record`; each with what they are about, for who takes them. */
#define ENVELOPE_CONTROLS(X)            \
	X(ping, ping)                   \
	X(heartbeat, ping)              \
	X(presence, presence)           \
	X(client_info, client_info)     \
	X(session_associate, associate) \
	X(session_leave, leave)         \
	X(interest, interest)           \
	X(version_check, version_check) \
	X(authenticate, authenticate)   \
	X(session_list, session_list)   \
	X(session_delete, steer)        \
	X(session_limit, steer)         \
	X(connection_list, steer)       \
	X(connection_close, steer)      \
	X(ban_list, steer)              \
	X(ban_add, steer)               \
	X(ban_remove, steer)

enum control {
	CONTROL_NONE, /* a message for members */
#define ENVELOPE_CONTROL(type, about) CONTROL_##type,
	ENVELOPE_CONTROLS(ENVELOPE_CONTROL)
#undef ENVELOPE_CONTROL
	    CONTROLS
};

/* Which of them a type, unescaped, is. */
enum control envelope_control(struct span type);

static inline bool envelope_control_type(struct span type)
{
	return envelope_control(type) != CONTROL_NONE;
}

/* True where id is of the form [A-Za-z0-9_.:~@-]{1,128}. */
bool envelope_session_id_ok(const char *id, size_t len);

#endif
