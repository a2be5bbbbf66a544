/* hubreplay: records sessions to files and plays them back. main.c finds the subcommand; each has
 * a file of its own, with its options, and is run once in the life of the process. */
#ifndef HUBREPLAY_H
#define HUBREPLAY_H

/* Each takes its arguments with its own name first, and returns the exit status. */
int record_main(int argc, char **argv);
int play_main(int argc, char **argv);
int info_main(int argc, char **argv);
int verify_main(int argc, char **argv);
int cut_main(int argc, char **argv);
int merge_main(int argc, char **argv);
int export_main(int argc, char **argv);
int keygen_main(int argc, char **argv);

#endif
