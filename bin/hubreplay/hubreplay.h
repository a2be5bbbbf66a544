/* hubreplay: the subcommand that has no room yet. */
#ifndef HUBREPLAY_H
#define HUBREPLAY_H

/* Takes its arguments with its own name first, and returns the exit status. */
int play_main(int argc, char **argv);

#endif
