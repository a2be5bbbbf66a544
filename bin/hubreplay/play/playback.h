/* hubreplay play: recordings to a hub, in their own time. This room owns a recording that plays:
 *
 *	playback   the whole: options, the terminal, and when it ends
 *	player     sends each line when it is due
 *	reel       the files as one line of time
 *	sendable   makes of a recorded line the messages that are sent
 *	outlets    the connections, and which session is played over which
 *	losses     what is not in the session, or may be in it twice
 *	pace       a timer for exact instants
 *
 * A player is new (its first session is not joined yet), going, or through (all is sent, and waits
 * for its acks); it stands still while it is paused, blocked or stopped. What is below tells by a
 * table or a function that it was handed; only playback ends the whole.
 *
 * Called by main.c, once in the life of the process, on a loop of its own; calls files/, term/ and
 * the library. */
#ifndef HUBREPLAY_PLAYBACK_H
#define HUBREPLAY_PLAYBACK_H

/* Takes its arguments with its own name first; returns the exit status, or ends the program with
 * it. */
int playback_main(int argc, char **argv);

#endif
