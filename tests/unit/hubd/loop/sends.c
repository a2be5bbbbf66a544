/* Sends that leave together: in order, once, as far as the socket takes them, by io_uring or not.
 */
#include "loop/sends.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

#define PAIRS 300 /* more than fit */

static bool by_ring;
static unsigned told, dropped;
static struct told {
	size_t place;
	unsigned pieces;
	ssize_t n;
} was[2 * PAIRS];

static void on_done(void *arg, const struct iovec *piece, unsigned pieces, ssize_t n)
{
	was[told++] = (struct told){(size_t)arg, pieces, n};
	assert_non_null(piece->iov_base);
}

static void on_drop(void *what)
{
	assert_int_equal(told, *(unsigned *)what); /* behind those that it was kept for */
	dropped++;
}

static struct sends *begin(void)
{
	struct sends *s = sends_new(by_ring);

	assert_non_null(s);
	told = dropped = 0;
	return s;
}

static void pair(int fd[2])
{
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), errno);
}

static void leave(void **state)
{
	struct sends *s = begin();
	static char text[PAIRS][8];
	int fd[PAIRS][2];
	uint32_t round = sends_round(s);
	char got[16];

	(void)state;
	for (size_t i = 0; i < PAIRS; i++) {
		pair(fd[i]);
		snprintf(text[i], sizeof(text[i]), "%zu", i);
	}
	assert_int_equal(sends_add(s, fd[0][0], "x", 1, on_done, NULL), -1); /* they are not open */
	sends_open(s);
	for (size_t i = 0; i < PAIRS; i++)
		assert_int_equal(
		    sends_add(s, fd[i][0], text[i], strlen(text[i]), on_done, (void *)i),
		    i % SENDS_MAX);
	assert_int_equal(told, SENDS_MAX); /* as many as fit have left */
	sends_close(s);
	assert_int_equal(told, PAIRS);
	assert_int_not_equal(sends_round(s), round);
	assert_int_equal(sends_add(s, fd[0][0], "x", 1, on_done, NULL), -1);
	for (size_t i = 0; i < PAIRS; i++) {
		assert_int_equal(was[i].place, i);
		assert_int_equal(was[i].n, strlen(text[i]));
		assert_int_equal(read(fd[i][1], got, sizeof(got)), strlen(text[i]));
		assert_memory_equal(got, text[i], strlen(text[i]));
		assert_int_equal(read(fd[i][1], got, sizeof(got)), -1);
		close(fd[i][0]);
		close(fd[i][1]);
	}
	sends_free(s);
}

/* A peer that takes some, one that takes nothing, one that is gone, and a good one behind them. */
static void are_told(void **state)
{
	struct sends *s = begin();
	static char much[4 << 20];
	int fd[4][2];
	char got[4];
	ssize_t n;

	(void)state;
	for (int i = 0; i < 4; i++)
		pair(fd[i]);
	while ((n = send(fd[1][0], much, sizeof(much), MSG_DONTWAIT)) > 0)
		;
	close(fd[2][1]);
	sends_open(s);
	sends_add(s, fd[0][0], much, sizeof(much), on_done, (void *)0);
	sends_add(s, fd[1][0], "1", 1, on_done, (void *)1);
	sends_add(s, fd[2][0], "2", 1, on_done, (void *)2);
	sends_add(s, fd[3][0], "3", 1, on_done, (void *)3);
	assert_int_equal(told, 0);
	sends_go(s);
	assert_int_equal(told, 4);
	assert_in_range(was[0].n, 1, sizeof(much) - 1);
	assert_int_equal(was[1].n, -EAGAIN);
	assert_int_equal(was[2].n, -EPIPE);
	assert_int_equal(was[3].n, 1);
	assert_int_equal(read(fd[3][1], got, sizeof(got)), 1);
	/* None of it is sent again. */
	sends_close(s);
	assert_int_equal(told, 4);
	sends_free(s);
	for (int i = 0; i < 4; i++) {
		close(fd[i][0]);
		if (i != 2)
			close(fd[i][1]);
	}
}

static void in_pieces(void **state)
{
	static char much[SENDS_PIECES_BYTES];
	struct sends *s = begin();
	int fd[3][2], place;
	char got[16];

	(void)state;
	sends_open(s);
	for (int i = 0; i < 3; i++) {
		pair(fd[i]);
		place = sends_add(s, fd[i][0], "a", 1, on_done, (void *)(size_t)i);
		assert_true(sends_add_piece(s, place, "bc", 2));
		assert_false(sends_add_piece(s, place, much, sizeof(much)));
		assert_true(sends_add_piece(s, place, "", 0));
		assert_true(sends_add_piece(s, place, "def", 3));
		assert_false(sends_add_piece(s, place, "g", 1));
	}
	sends_close(s);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(was[i].place, i);
		assert_int_equal(was[i].pieces, SENDS_PIECES);
		assert_int_equal(was[i].n, 6);
		assert_int_equal(read(fd[i][1], got, sizeof(got)), 6);
		assert_memory_equal(got, "abcdef", 6);
		close(fd[i][0]);
		close(fd[i][1]);
	}
	sends_free(s);
}

static void keep(void **state)
{
	struct sends *s = begin();
	unsigned none = 0, two = 2;
	int fd[2][2];

	(void)state;
	pair(fd[0]);
	pair(fd[1]);
	sends_keep(s, &none, on_drop);
	assert_int_equal(dropped, 1); /* nothing is on its way */
	sends_open(s);
	sends_add(s, fd[0][0], "a", 1, on_done, (void *)0);
	sends_keep(s, &two, on_drop);
	sends_add(s, fd[1][0], "b", 1, on_done, (void *)1);
	assert_int_equal(dropped, 1);
	sends_go(s);
	assert_int_equal(dropped, 2);
	sends_add(s, fd[0][0], "c", 1, on_done, (void *)0);
	two = 3;
	for (int i = 0; i < SENDS_MAX; i++) /* as many as fit */
		sends_keep(s, &two, on_drop);
	assert_int_equal(dropped, 2 + SENDS_MAX);
	sends_close(s);
	assert_int_equal(told, 3);
	sends_free(s);
	for (int i = 0; i < 2; i++) {
		close(fd[i][0]);
		close(fd[i][1]);
	}
}

static void without(void **state)
{
	unsigned none = 0;

	(void)state;
	told = dropped = 0;
	sends_open(NULL);
	assert_int_equal(sends_add(NULL, -1, "x", 1, on_done, NULL), -1);
	sends_keep(NULL, &none, on_drop);
	assert_int_equal(dropped, 1);
	sends_close(NULL);
}

static int with_ring(void **state)
{
	(void)state;
	by_ring = true;
	return 0;
}

static int without_ring(void **state)
{
	(void)state;
	by_ring = false;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(leave, with_ring),
	    cmocka_unit_test_setup(are_told, with_ring),
	    cmocka_unit_test_setup(in_pieces, with_ring),
	    cmocka_unit_test_setup(keep, with_ring),
	    cmocka_unit_test_setup(leave, without_ring),
	    cmocka_unit_test_setup(are_told, without_ring),
	    cmocka_unit_test_setup(in_pieces, without_ring),
	    cmocka_unit_test_setup(keep, without_ring),
	    cmocka_unit_test(without),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("sends", tests, NULL, NULL);
}
