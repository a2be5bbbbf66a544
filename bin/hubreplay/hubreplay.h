/* hubreplay: records sessions to files and plays them back. main.c finds the subcommand; those
 * that need no hub are in edit/, and each is run once in the life of the process. */
#ifndef HUBREPLAY_H
#define HUBREPLAY_H

/* Each takes its arguments with its own name first, and returns the exit status. */
int record_main(int argc, char **argv);
int play_main(int argc, char **argv);

#endif
