#!/usr/bin/env bash
# hiredis 0.14.1 with the adapter for libuv that it ships, libuv 1.44.2: a refused connection is silence.
#
# One would expect a connection that is refused to be reported: by the connect callback with REDIS_ERR,
# and by a NULL reply to every command that waits. So it is when one calls redisAsyncHandleWrite
# oneself. With hiredis' adapter nothing is called: libuv hands the error to the adapter as a status,
# once, and stops watching; the adapter returns on any status but 0 and tells hiredis nothing. The loop
# has no more work and ends, the commands stay unanswered, and the context's own err field stays 0.
#
# A hub that starts before its Redis would wait for ever without a line in its log. Write the adapter
# oneself (some 40 lines) and call redisAsyncHandleRead or -Write on a bad status too.
#
# Assumes apt-get and dpkg of Debian 12, and gcc.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v gcc >"$tmp/log" || skip "no gcc"
hiredis=0.14.1-3 uv=1.44.2-1+deb12u1
(cd "$tmp" && timeout 40 apt-get download "libhiredis-dev=$hiredis" "libhiredis0.14=$hiredis" "libuv1-dev=$uv" "libuv1=$uv") \
	>"$tmp/log" 2>&1 || skip "no hiredis $hiredis or libuv $uv"
for deb in "$tmp"/*.deb; do dpkg -x "$deb" "$tmp/pkg"; done
lib=$tmp/pkg/usr/lib/$(gcc -print-multiarch)

cat >"$tmp/try.c" <<'EOF'
#include <arpa/inet.h>
#include <hiredis/adapters/libuv.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static int connects, replies;

static void on_connect(const redisAsyncContext *ac, int status) { (void)ac; connects += status == REDIS_ERR; }
static void on_reply(redisAsyncContext *ac, void *reply, void *arg) { (void)ac; (void)arg; replies += reply == NULL; }

/* A port that was free a moment ago and that nobody listens on. */
static int closed_port(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(fd, (struct sockaddr *)&a, n) || getsockname(fd, (struct sockaddr *)&a, &n)) return -1;
  close(fd);
  return ntohs(a.sin_port);
}

static redisAsyncContext *start(uv_loop_t *loop) {
  redisAsyncContext *ac = redisAsyncConnect("127.0.0.1", closed_port());
  connects = replies = 0;
  if (loop) redisLibuvAttach(ac, loop);
  redisAsyncSetConnectCallback(ac, on_connect);
  for (int i = 0; i < 3; i++) redisAsyncCommand(ac, on_reply, NULL, "PING");
  return ac;
}

int main(void) {
  redisAsyncContext *ac = start(NULL);
  struct pollfd p = {.fd = ac->c.fd, .events = POLLOUT};
  poll(&p, 1, 5000);
  redisAsyncHandleWrite(ac);
  printf("by hand: %d connect callback, %d replies\n", connects, replies);

  ac = start(uv_default_loop());
  int active = uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  printf("adapter: %d connect callback, %d replies, err %d, loop %s\n", connects, replies, ac->err, active ? "alive" : "ended");
  fprintf(stderr, "hiredis %d.%d.%d, libuv %s\n", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH, uv_version_string());
}
EOF
gcc -I"$tmp/pkg/usr/include" "$tmp/try.c" -o "$tmp/try" -L"$lib" -lhiredis -luv 2>"$tmp/log" || skip "does not compile"
export LD_LIBRARY_PATH=$lib
seen=$(timeout 15 "$tmp/try" 2>"$tmp/version") || :
expected='by hand: 1 connect callback, 3 replies
adapter: 0 connect callback, 0 replies, err 0, loop ended'

cat "$tmp/version"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
