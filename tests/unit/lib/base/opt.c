/* Options: each case runs opt_parse() in a child, since it may exit, and looks at status and
 * output. */
#include "base/opt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "unit.h"

struct values {
	bool flag, echo;
	const char *url, *config;
	int64_t count, bytes;
	double wait;
	int slow;
	struct opt_list listen;
	struct opt_places places;
};

static const char *const slow_choices[] = {"disconnect", "resync", NULL};

static const struct opt opts[] = {
    {'f', "flag", NULL, OPT_TRUE, offsetof(struct values, flag), 0, 0, NULL, "a flag"},
    {0, "no-echo", NULL, OPT_FALSE, offsetof(struct values, echo), 0, 0, NULL, "no echo"},
    {'u', "url", "URL", OPT_STRING, offsetof(struct values, url), 0, 0, NULL, "the hub"},
    {'n', "count", "N", OPT_INT, offsetof(struct values, count), 1, 100, NULL, "how many"},
    {'b', "bytes", "BYTES", OPT_SIZE, offsetof(struct values, bytes), 16, 1 << 30, NULL, "size"},
    {'w', "wait", "SECONDS", OPT_SECONDS, offsetof(struct values, wait), -1, 1e6, NULL, "how long"},
    {0, "slow", "WHAT", OPT_CHOICE, offsetof(struct values, slow), 0, 0, slow_choices,
     "slow members"},
    {0, "listen", "HOST:PORT", OPT_LIST, offsetof(struct values, listen), 0, 0, NULL, "where"},
    {'c', "config", "FILE", OPT_CONFIG, offsetof(struct values, config), 0, 0, NULL, "settings"},
    {0},
};

static int check_text(const struct opt *o, const char *text, char *why, size_t cap)
{
	if (o->letter != 'u' || strcmp(text, "bad") != 0)
		return 0;
	snprintf(why, cap, "'%s' is bad", text);
	return -EINVAL;
}

static const struct opt_program program = {.name = "tool",
					   .synopsis = "[-f] [-u URL] NAME",
					   .summary = "Does a thing.",
					   .opts = opts,
					   .check = check_text,
					   .places = offsetof(struct values, places)};

/* Parses args in a child that then prints the values; returns its status, its output in out. */
static int run(char *out, size_t cap, char **args)
{
	int fds[2], status, argc = 0;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	fflush(stdout);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct values v = {.echo = true, .url = "default", .listen = {{"d"}, 1}};
		int first;

		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		while (args[argc])
			argc++;
		first = opt_parse(&program, argc, args, &v);
		printf(
		    "flag=%d echo=%d url=%s count=%lld bytes=%lld wait=%g slow=%d listen=", v.flag,
		    v.echo, v.url, (long long)v.count, (long long)v.bytes, v.wait, v.slow);
		for (size_t i = 0; i < v.listen.n; i++)
			printf("%s,", v.listen.item[i]);
		printf(" rest=%s", args[first] ? args[first] : "-");
		fflush(stdout);
		_exit(0);
	}
	close(fds[1]);
	while (len < cap - 1 && (n = read(fds[0], out + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define RUN(out, ...) run(out, sizeof(out), (char *[]){"tool", __VA_ARGS__, NULL})

static void test_defaults_stay(void **state)
{
	char out[1024];

	(void)state;
	assert_int_equal(RUN(out, "name"), 0);
	assert_string_equal(
	    out, "flag=0 echo=1 url=default count=0 bytes=0 wait=0 slow=0 listen=d, rest=name");
}

static void test_all_kinds(void **state)
{
	char out[1024];

	(void)state;
	assert_int_equal(RUN(out, "-f", "--no-echo", "-uunix:/x", "x", "-n", "7", "--bytes=64k",
			     "-w", "-1", "--slow", "resync", "--listen", "a", "--listen=b"),
			 0);
	assert_string_equal(
	    out, "flag=1 echo=0 url=unix:/x count=7 bytes=65536 wait=-1 slow=1 listen=a,b, rest=x");
}

static void test_units(void **state)
{
	static const struct {
		const char *arg, *want;
	} good[] = {{"--wait=500ms", "wait=0.5 "},   {"--wait=2.5s", "wait=2.5 "},
		    {"--wait=5m", "wait=300 "},	     {"--wait=1h", "wait=3600 "},
		    {"--wait=1d", "wait=86400 "},    {"--bytes=1G", "bytes=1073741824 "},
		    {"--bytes=2M", "bytes=2097152 "}};
	char out[1024];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(good); i++) {
		assert_int_equal(RUN(out, (char *)good[i].arg), 0);
		assert_non_null(strstr(out, good[i].want));
	}
}

static void test_bad_usage(void **state)
{
	static const struct {
		const char *arg, *want;
	} bad[] = {
	    {"--nope", "tool: unknown option --nope (try 'tool --help')\n"},
	    {"-x", "tool: unknown option -x (try 'tool --help')\n"},
	    {"-u", "tool: an argument is missing after -u (try 'tool --help')\n"},
	    {"--url", "tool: an argument is missing after --url (try 'tool --help')\n"},
	    {"--flag=1", "tool: no argument is allowed for --flag (try 'tool --help')\n"},
	    {"--help=1", "tool: no argument is allowed for --help (try 'tool --help')\n"},
	    {"-n0", "tool: --count: '0' is out of range (1 to 100) (try 'tool --help')\n"},
	    {"-n101", "tool: --count: '101' is out of range (1 to 100) (try 'tool --help')\n"},
	    {"-n99999999999999999999",
	     "tool: --count: '99999999999999999999' is out of range (1 to 100) "
	     "(try 'tool --help')\n"},
	    {"-n5x", "tool: --count: '5x' is not a whole number (try 'tool --help')\n"},
	    {"-n1.5", "tool: --count: '1.5' is not a whole number (try 'tool --help')\n"},
	    {"-n", "tool: an argument is missing after -n (try 'tool --help')\n"},
	    {"-b1",
	     "tool: --bytes: '1' is out of range (16 to 1073741824 bytes) (try 'tool --help')\n"},
	    {"-b1T",
	     "tool: --bytes: '1T' is not a size such as 65536, 64k, 16M, 1G (try 'tool --help')\n"},
	    {"-winf", "tool: --wait: 'inf' is not a time such as 10, 2.5s, 500ms, 5m, 1h, 1:02:03 "
		      "(try 'tool "
		      "--help')\n"},
	    {"-w0x10", "tool: --wait: '0x10' is not a time such as 10, 2.5s, 500ms, 5m, 1h, "
		       "1:02:03 (try 'tool "
		       "--help')\n"},
	    {"--slow=no", "tool: --slow: 'no' is none of disconnect, resync (try 'tool --help')\n"},
	    {"-c/nonexistent/x", "tool: /nonexistent/x: No such file or directory\n"},
	};
	char out[1024];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
		int want = strncmp(bad[i].arg, "-c", 2) == 0 ? EX_CONFIG : EX_USAGE;

		assert_int_equal(RUN(out, (char *)bad[i].arg), want);
		assert_string_equal(out, bad[i].want);
	}
}

static void test_list_is_bounded(void **state)
{
	char *args[OPT_LIST_MAX + 3] = {"tool"};
	char out[1024];

	(void)state;
	for (int i = 1; i <= OPT_LIST_MAX + 1; i++)
		args[i] = "--listen=x";
	assert_int_equal(run(out, sizeof(out), args), EX_USAGE);
	assert_non_null(strstr(out, "--listen: given more than 16 times"));
}

static void test_help_and_version(void **state)
{
	char out[4096];

	(void)state;
	assert_int_equal(RUN(out, "--help"), 0);
	assert_non_null(strstr(out, "usage: tool [-f] [-u URL] NAME\nDoes a thing.\n\n"));
	assert_non_null(strstr(out, "\n  -u, --url URL               the hub\n"));
	assert_non_null(strstr(out, "\n      --slow WHAT             slow members\n"));
	assert_int_equal(RUN(out, "-V"), 0);
	assert_string_equal(out, "tool " HUB_VERSION "\n");
}

/* Writes text to a temporary file, runs with it and args, removes it. */
static int run_file(char *out, size_t cap, const char *text, char *arg)
{
	char path[] = "/tmp/hub-opt-XXXXXX", want[64];
	int fd = mkstemp(path), status;
	char *at;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	status = run(out, cap, (char *[]){"tool", "-c", path, arg, NULL});
	/* The name differs each time. */
	snprintf(want, sizeof(want), "%s:", path);
	at = strstr(out, want);
	if (at)
		memmove(at, at + strlen(path), strlen(at + strlen(path)) + 1);
	unlink(path);
	return status;
}

static void test_file(void **state)
{
	char out[1024];

	(void)state;
	assert_int_equal(
	    run_file(out, sizeof(out),
		     "# settings\n\nflag\n  no-echo # off\ncount = 5\r\nurl=unix:/a#b\n"
		     "slow = resync\nlisten = a\nlisten = b",
		     "name"),
	    0);
	assert_string_equal(
	    out, "flag=1 echo=0 url=unix:/a#b count=5 bytes=0 wait=0 slow=1 listen=a,b, rest=name");
}

static void test_command_line_wins(void **state)
{
	char out[1024];

	(void)state;
	assert_int_equal(run_file(out, sizeof(out), "count = 5\n", "--count=6"), 0);
	assert_non_null(strstr(out, "count=6 "));
	assert_int_equal(run_file(out, sizeof(out), "listen = a\nlisten = b\n", "--listen=c"), 0);
	assert_non_null(strstr(out, "listen=c, "));
}

static void test_bad_file(void **state)
{
	static const struct {
		const char *text, *want;
	} bad[] = {
	    {"\nnope = 1\n", "tool: :2: unknown option 'nope'\n"},
	    {"config = x\n", "tool: :1: unknown option 'config'\n"},
	    {"count\n", "tool: :1: 'count' needs a value: count = N\n"},
	    {"flag = 1\n", "tool: :1: 'flag' takes no value\n"},
	    {"= 1\n", "tool: :1: unknown option ''\n"},
	    {"flag\nurl = bad # as check_text() says\n", "tool: :2: url: 'bad' is bad\n"},
	    {"#\n#\ncount = 1000\n", "tool: :3: count: '1000' is out of range (1 to 100)\n"},
	};
	char out[1024];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
		assert_int_equal(run_file(out, sizeof(out), bad[i].text, "name"), EX_CONFIG);
		assert_string_equal(out, bad[i].want);
	}
}

static void test_places(void **state)
{
	char out[100], path[] = "/tmp/opt.XXXXXX", arg[] = "--count=7", config[] = "-c";
	char *args[] = {"tool", arg, config, path, NULL};
	static const char text[] = "flag\ncount = 5\n\nlisten = a\nlisten = b\n";
	struct values v = {0};
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	opt_parse(&program, 4, args, &v);
	assert_true(opt_place(&program, &v, "listen", out, sizeof(out)));
	assert_string_equal(out + strlen(path), ":5: ");
	assert_true(opt_place(&program, &v, "flag", out, sizeof(out)));
	/* The command line has it, or nobody. */
	assert_false(opt_place(&program, &v, "count", out, sizeof(out)));
	assert_false(opt_place(&program, &v, "slow", out, sizeof(out)));
	assert_string_equal(out, "");
	unlink(path);
}

static void test_double_dash(void **state)
{
	char out[1024];

	(void)state;
	assert_int_equal(RUN(out, "-f", "--", "-x"), 0);
	assert_non_null(strstr(out, "rest=-x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults_stay),
	    cmocka_unit_test(test_all_kinds),
	    cmocka_unit_test(test_units),
	    cmocka_unit_test(test_bad_usage),
	    cmocka_unit_test(test_list_is_bounded),
	    cmocka_unit_test(test_help_and_version),
	    cmocka_unit_test(test_file),
	    cmocka_unit_test(test_command_line_wins),
	    cmocka_unit_test(test_bad_file),
	    cmocka_unit_test(test_places),
	    cmocka_unit_test(test_double_dash),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
