#!/usr/bin/env bash
# liburing 2.3 on Linux 6.x: by io_uring a socket that is non-blocking waits all the same, to send and to receive.
#
# O_NONBLOCK is a property of the socket: send(2) and recv(2) on one say EAGAIN where they would wait, whatever their
# flags. One would expect the same of IORING_OP_SEND and IORING_OP_RECV, which "issue the equivalent of" these calls
# (io_uring_enter(2)); and a server that took non-blocking sockets and its EAGAIN over from epoll builds on it. But the
# kernel waits for the socket by itself, and the completion comes when the peer has read, or never. Only MSG_DONTWAIT
# among the flags of the operation gives EAGAIN, at once, as a completion.
#
# A server that collects the sends of a turn, hands them over and takes the completions would be stopped by the first
# client that does not read.
#
# Assumes apt-get and dpkg of Debian 12, gcc, a kernel from 6.0 on that allows io_uring.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v gcc >"$tmp/log" || skip "no gcc"
version=2.3-3
(cd "$tmp" && timeout 40 apt-get download "liburing2=$version" "liburing-dev=$version") >"$tmp/log" 2>&1 ||
	skip "no liburing $version"
for deb in "$tmp"/*.deb; do dpkg -x "$deb" "$tmp/pkg"; done
lib=$tmp/pkg/usr/lib/$(gcc -print-multiarch)

cat >"$tmp/try.c" <<'EOF'
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static struct io_uring ring;
static char much[1 << 20];

static void completion(const char *what) {
  struct __kernel_timespec second = {1, 0};
  struct io_uring_cqe *cqe;
  int r = io_uring_wait_cqe_timeout(&ring, &cqe, &second);
  printf("%s: %s\n", what, r < 0 ? "waits" : cqe->res < 0 ? strerror(-cqe->res) : "done");
  if (r == 0) io_uring_cqe_seen(&ring, cqe);
}

int main(void) {
  int fd[2], empty[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) < 0) return 2;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, empty) < 0) return 2;
  if (io_uring_queue_init(8, &ring, 0) < 0) return 3;
  while (send(fd[0], much, sizeof(much), 0) > 0)
    ;
  printf("send(2), no flags: %s\n", strerror(errno));
  io_uring_prep_send(io_uring_get_sqe(&ring), fd[0], "x", 1, MSG_DONTWAIT);
  io_uring_submit(&ring);
  completion("IORING_OP_SEND, MSG_DONTWAIT");
  io_uring_prep_send(io_uring_get_sqe(&ring), fd[0], "x", 1, 0);
  io_uring_submit(&ring);
  completion("IORING_OP_SEND, no flags");
  while (recv(fd[1], much, sizeof(much), 0) > 0)
    ;
  completion("the same, when the peer has read");
  printf("recv(2), no flags: %s\n", recv(empty[0], much, 1, 0) < 0 ? strerror(errno) : "done");
  io_uring_prep_recv(io_uring_get_sqe(&ring), empty[0], much, 1, MSG_DONTWAIT);
  io_uring_submit(&ring);
  completion("IORING_OP_RECV, MSG_DONTWAIT");
  io_uring_prep_recv(io_uring_get_sqe(&ring), empty[0], much, 1, 0);
  io_uring_submit(&ring);
  completion("IORING_OP_RECV, no flags");
}
EOF
gcc -I"$tmp/pkg/usr/include" "$tmp/try.c" -o "$tmp/try" "$lib/liburing.a" 2>"$tmp/log" || skip "does not compile"
code=0
seen=$(timeout 20 "$tmp/try") || code=$?
[ "$code" != 3 ] || skip "no io_uring here"
[ "$code" = 0 ] || skip "does not run"
again='Resource temporarily unavailable'
expected="send(2), no flags: $again
IORING_OP_SEND, MSG_DONTWAIT: $again
IORING_OP_SEND, no flags: waits
the same, when the peer has read: done
recv(2), no flags: $again
IORING_OP_RECV, MSG_DONTWAIT: $again
IORING_OP_RECV, no flags: waits"

echo "liburing $version, Linux $(uname -r)"
printf 'expected: EAGAIN of all but the one that is done\nas stated:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
