/* The subcommands that make something of recordings without a hub. Each reads a file once, from
 * the front, in memory that its sessions and their state bound, and not its length:
 *
 *	info, verify   tell what is in files, and whether it is as it should be
 *	export         the records, for other programs
 *	cut, merge     new recordings; session_state is what a session's records leave behind
 *	import         a recording of what others have recorded, which import_*.c read
 *	keygen         makes keys
 *
 * A file of the room is one subcommand, with its options (import_command.c is that of import).
 * Called by main.c, once in the life of the process; it calls files/ and the library. Each takes
 * its arguments with its own name first and returns the exit status, or ends the program with it.
 */
#ifndef HUBREPLAY_EDIT_H
#define HUBREPLAY_EDIT_H

int cut_main(int argc, char **argv);
int export_main(int argc, char **argv);
int info_main(int argc, char **argv);
int import_main(int argc, char **argv);
int keygen_main(int argc, char **argv);
int merge_main(int argc, char **argv);
int verify_main(int argc, char **argv);

#endif
