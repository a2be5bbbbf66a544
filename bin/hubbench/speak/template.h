/* What is published: a text with fields that change from message to message, each of constant
 * width, so that all messages of a template have one length and a field's place is known. */
#ifndef HUBBENCH_TEMPLATE_H
#define HUBBENCH_TEMPLATE_H

#include <stddef.h>
#include <stdint.h>

#include "speak/mark.h"

#define TEMPLATE_FIELDS_MAX 8
#define TEMPLATE_MAX (16u << 20) /* bytes */

/* In a text: {mark} (see mark.h, wanted, once), {n}, {publisher} and {session} (digits), {x} and
 * {y} (a place that moves, as a number), {pad} (what is missing to the wanted size, once) and
 * {size} (bytes of the mark and the pad together, for protocols that announce them). */
struct template
{
	char *text;
	size_t len, mark_at;
	struct {
		uint32_t at;
		uint8_t kind;
	} field[TEMPLATE_FIELDS_MAX];
	unsigned nfields;
};

/* Makes a template of text; run: the first MARK_RUN_LEN bytes of the marks. bytes 0: as it comes,
 * without a pad. Escapes \r \n \t \\ are taken. Returns 0, and
 * template_free() takes *t; or -errno with the reason in why: -EINVAL; -EMSGSIZE where bytes is
 * less than it takes; -ENOMEM. */
int template_compile(struct template *t, const char *text, size_t bytes, const char *run, char *why,
		     size_t cap);
void template_free(struct template *t);

/* How many bytes a text, escapes taken out, makes at least. */
size_t template_least(const char *text);

/* Writes one message, of t->len bytes, without a NUL behind it. */
void template_write(const struct template *t, char *out, const struct mark *m, uint32_t session);

/* A copy of text with the session's number for each {session}, which is shorter; *len: how long.
 * NULL: no memory. */
char *template_for_session(const char *text, uint32_t session, size_t *len);

/* Takes escapes out of a text of the command line. A new string; NULL: no memory. */
char *template_unescape(const char *text);

#endif
