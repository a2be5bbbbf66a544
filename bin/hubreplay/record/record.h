/* hubreplay record: sessions to files or a database, as it happens. This room owns a
 * recording that runs:
 *
 *	record          the whole: begins it, and decides when it ends
 *	record_options  the command line
 *	link            a connection to the hub, with up to CLIENT_SESSIONS_MAX sessions
 *	hub_answer      what the hub's answers say
 *	track           a file, or a session in a database, and where each of its sessions stands
 *
 * A recording runs, is ending (takes what the sessions have up to now), and is done. It ends by a
 * signal, by the first failure, or when all connections have closed. A link tells of what comes by
 * a table of functions that it was handed; a track returns what became of it; only record acts on
 * either.
 *
 * Called by main.c, once in the life of the process, on a loop of its own; calls table/, files/ and
 * the library. */
#ifndef HUBREPLAY_RECORD_H
#define HUBREPLAY_RECORD_H

/* Takes its arguments with its own name first; returns the exit status, or ends the program with
 * it. */
int record_main(int argc, char **argv);

#endif
