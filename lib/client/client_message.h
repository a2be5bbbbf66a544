/* Reading what comes from a hub: pure functions over one message, which is borrowed. */
#ifndef HUB_CLIENT_MESSAGE_H
#define HUB_CLIENT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/client.h"
#include "client/cursor.h"
#include "json/json.h"

/* What the hub itself said, as far as a client acts on it. */
enum client_said {
	SAID_NOTHING, /* not a message */
	SAID_MEMBER,
	SAID_JOINED,
	SAID_LEFT,
	SAID_PONG,
	SAID_ERROR,
	SAID_ACK,
	SAID_GAP,
	SAID_CLOSE, /* the last line on a Unix socket */
	SAID_RESUME,
	SAID_OTHER,
};

/* What was in it; strings are empty where they were not, or did not fit. */
struct client_answer {
	char session[129];
	const char *msg_id; /* as written, without quotes; borrowed from the text; NULL: none */
	size_t msg_id_len;
	char ping_id[65];
	char client_id[65];
	char epoch[CURSOR_EPOCH_MAX + 1];
	char reason[32];
	char resume[129];
	char run[CURSOR_EPOCH_MAX + 1];
	bool recovered;
	bool rest; /* since was there */
	uint64_t seq, user_count, snapshot, from_seq, to_seq, since;
	uint64_t max_message; /* 0: it does not say */
	uint64_t retry_s;     /* of an error: after so many seconds the same may be taken */
	int close_code;
	char about[2048];
};

/* The set of paths that the functions below need; the caller's, json_paths_free(). NULL: out of
 * memory. */
struct json_paths *client_message_paths(void);

/* Reads one message. m borrows from text and *a. *a is filled but for a member's
 * message; of an ack only session, msg_id and seq. */
enum client_said client_message_read(const struct json_paths *paths, const char *text, size_t len,
				     struct client_message *m, struct client_answer *a);

/* The session of a member's message; empty where it names none. */
void client_message_session(const struct json_paths *paths, const char *text, size_t len,
			    char session[129]);

#endif
