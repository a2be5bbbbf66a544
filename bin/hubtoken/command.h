/* The commands of hubtoken, each with its own options, and what they share. A command reads lines
 * from standard input, and writes a line for each good one. What is wrong with one is said with its
 * number, and the others go on; the first failure's status is the program's. */
#ifndef HUBTOKEN_COMMAND_H
#define HUBTOKEN_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/opt.h"
#include "token/token_claims.h"
#include "token/token_keys.h"

#define LINE_LIMIT (64 << 10) /* bytes of a line */

int generate_main(int argc, char **argv);
int signing_main(int argc, char **argv);
int checking_main(int argc, char **argv);
int decoding_main(int argc, char **argv);

/* Reads the keys of the files; exits where one is bad. */
struct token_keys *command_keys(const struct opt_list *files);

/* Calls each(text, len, number, out, arg) for every line of standard input that is not empty; it
 * appends to out what is written, and returns 0 or an exit status. What arrived together is written
 * together. Returns the first status that was not 0. A reader that goes away ends the program. */
int command_lines(int (*each)(const char *text, size_t len, unsigned long number, struct buf *out,
			      void *arg),
		  void *arg);

/* Says what is wrong with the token, or the claims c, of a line. */
void command_refuse(unsigned long number, enum token_error e, const struct token_claims *c);

/* Writes all of it to standard output, and empties it. */
void command_write(struct buf *out);

/* Appends JSON as one line: what ends lines in its white space becomes spaces. */
void command_put_json(struct buf *out, const char *json, size_t len);

/* Exits where a buffer's call failed. */
void command_memory(int error);

#endif
