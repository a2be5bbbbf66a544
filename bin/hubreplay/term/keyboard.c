/* Keys from stdin. Invariant: while raw is false the terminal is as it was found. */
#include "term/keyboard.h"

#include <errno.h>
#include <unistd.h>

void keyboard_raw(struct keyboard *k, bool raw)
{
	struct termios mode = k->saved;

	if (!k->there || k->raw == raw)
		return;
	k->raw = raw;
	if (raw) {
		mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		mode.c_cc[VMIN] = 1;
		mode.c_cc[VTIME] = 0;
	}
	/* In the background there is nothing to set. */
	if (tcgetpgrp(STDIN_FILENO) == getpgrp())
		tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
}

enum keyboard_key keyboard_decode(const char *text, size_t n, size_t *used)
{
	*used = 1;
	if (text[0] == ' ')
		return KEYBOARD_SPACE;
	if (text[0] == 'q')
		return KEYBOARD_Q;
	if (n < 3 || text[0] != '\033' || (text[1] != '[' && text[1] != 'O'))
		return KEYBOARD_NONE;
	*used = 3;
	return text[2] == 'C' ? KEYBOARD_RIGHT : text[2] == 'D' ? KEYBOARD_LEFT : KEYBOARD_NONE;
}

static void on_keys(uv_poll_t *poll, int status, int events)
{
	struct keyboard *k = poll->data;
	char text[64];
	ssize_t n = status < 0 ? 0 : read(STDIN_FILENO, text, sizeof(text));
	size_t used;

	(void)events;
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			uv_poll_stop(poll);
		return;
	}
	for (size_t i = 0; i < (size_t)n; i += used) {
		enum keyboard_key key = keyboard_decode(text + i, (size_t)n - i, &used);

		if (key != KEYBOARD_NONE)
			k->pressed(key, k->arg);
	}
}

void keyboard_start(struct keyboard *k, uv_loop_t *loop, keyboard_pressed *pressed, void *arg)
{
	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &k->saved) < 0 ||
	    uv_poll_init(loop, &k->poll, STDIN_FILENO) < 0)
		return;
	k->pressed = pressed;
	k->arg = arg;
	k->there = true;
	k->poll.data = k;
	uv_poll_start(&k->poll, UV_READABLE, on_keys);
	uv_unref((uv_handle_t *)&k->poll);
	keyboard_raw(k, true);
}

void keyboard_stop(struct keyboard *k)
{
	keyboard_raw(k, false);
	if (k->there)
		uv_close((uv_handle_t *)&k->poll, NULL);
	k->there = false;
}
