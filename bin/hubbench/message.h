/* What is published: a text with fields that change from message to message, each of constant
 * width, so that all messages of a template have one length and a field's place is known. */
#ifndef HUBBENCH_MESSAGE_H
#define HUBBENCH_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "mark.h"

#define MESSAGE_FIELDS_MAX 8
#define MESSAGE_MAX (16u << 20) /* bytes */

/* In a text: {mark} (see mark.h, wanted, once), {n}, {publisher} and {session} (digits), {x} and
 * {y} (a place that moves, as a number), {pad} (what is missing to the wanted size, once) and
 * {size} (bytes of the mark and the pad together, for protocols that announce them). */
struct message_template {
	char *text;
	size_t len, mark_at;
	struct {
		uint32_t at;
		uint8_t kind;
	} field[MESSAGE_FIELDS_MAX];
	unsigned nfields;
};

/* Makes a template of text; run: the first MARK_RUN_LEN bytes of the marks. bytes 0: as it comes,
 * without a pad. Escapes \r \n \t \\ are taken. Returns 0, or -errno with the reason in why:
 * -EINVAL; -EMSGSIZE where bytes is less than it takes. */
int message_compile(struct message_template *t, const char *text, size_t bytes, const char *run,
		    char *why, size_t cap);
void message_free(struct message_template *t);

/* How long a text is at least. */
size_t message_least(const char *text);

/* Writes one message, of t->len bytes. */
void message_write(const struct message_template *t, char *out, const struct mark *m,
		   uint32_t session);

/* A copy of text with the session's number for each {session}, which is shorter; *len: how long.
 * NULL: no memory. */
char *message_for_session(const char *text, uint32_t session, size_t *len);

/* Takes escapes out of a text of the command line; returns a new string. */
char *message_unescape(const char *text);

#endif
