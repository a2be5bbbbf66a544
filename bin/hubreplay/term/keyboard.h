/* The keys of a terminal on stdin. Its mode is put back whenever the program ends or stops: that is
 * the caller's to ask for, with keyboard_raw() or keyboard_stop(). */
#ifndef HUBREPLAY_KEYBOARD_H
#define HUBREPLAY_KEYBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>
#include <uv.h>

enum keyboard_key { KEYBOARD_NONE, KEYBOARD_SPACE, KEYBOARD_Q, KEYBOARD_LEFT, KEYBOARD_RIGHT };

/* Run from the loop for each key but KEYBOARD_NONE. */
typedef void keyboard_pressed(enum keyboard_key key, void *arg);

/* Zeroed at the start. The fields are for keyboard.c only. */
struct keyboard {
	keyboard_pressed *pressed;
	void *arg;
	bool there; /* stdin is a terminal, and listened to */
	bool raw;   /* its mode is ours */
	struct termios saved;
	uv_poll_t poll;
};

/* Listens, in raw mode, without keeping the loop alive. Does nothing where stdin is no terminal. */
void keyboard_start(struct keyboard *k, uv_loop_t *loop, keyboard_pressed *pressed, void *arg);

/* Sets the mode, or puts it back; may be called again and again, and where nothing was started. In
 * the background the terminal is left alone. */
void keyboard_raw(struct keyboard *k, bool raw);

/* Puts the mode back and closes; the loop must run once more. */
void keyboard_stop(struct keyboard *k);

/* The key that text begins with; *used: its bytes, at least 1. n > 0. */
enum keyboard_key keyboard_decode(const char *text, size_t n, size_t *used);

#endif
