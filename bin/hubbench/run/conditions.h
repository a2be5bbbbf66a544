/* The conditions of an earlier run, for one that is to be compared with it. */
#ifndef HUBBENCH_CONDITIONS_H
#define HUBBENCH_CONDITIONS_H

struct options;
struct result;

/* What a command line says that its scenario is none. */
#define CONDITIONS_NONE (-1)

/* Fills *o, which has the defaults, with what r was run under, but for what *said, the command
 * line, excludes by what it says. The command line is to be read into *o afterwards. Of another
 * scenario only the clients and times are taken. Where the server is, is no condition. Texts are
 * good as long as *r. Call it once. */
void conditions_take(struct options *o, const struct options *said, const struct result *r);

#endif
