/* The configuration file: "name = value", or "name" for a flag, a line. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/opt_impl.h"

#define OPT_FILE_MAX (1 << 20) /* bytes of a configuration file */

/* The whole file as a string that is never freed: options point into it. A mapping of its own, so
 * that only what the file fills takes memory. NULL, with the reason in why. */
static char *opt_read(const char *path, char *why, size_t cap)
{
	char *text =
	    mmap(NULL, OPT_FILE_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t len = 0;
	ssize_t n = 1;
	int fd;

	if (text == MAP_FAILED) {
		snprintf(why, cap, "%s: %s", path, strerror(errno));
		return NULL;
	}
	fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && n != 0 && len < OPT_FILE_MAX) {
		n = read(fd, text + len, OPT_FILE_MAX - len);
		if (n < 0 && errno != EINTR)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	if (fd < 0 || n < 0)
		snprintf(why, cap, "%s: %s", path, strerror(errno));
	else if (len == OPT_FILE_MAX)
		snprintf(why, cap, "%s: longer than %d bytes", path, OPT_FILE_MAX - 1);
	else if (memchr(text, '\0', len))
		snprintf(why, cap, "%s: not a text file", path);
	if (fd > STDIN_FILENO)
		close(fd);
	if (!*why)
		return text;
	munmap(text, OPT_FILE_MAX);
	return NULL;
}

static char *opt_trim(char *s)
{
	char *end;

	s += strspn(s, " \t\r");
	end = s + strlen(s);
	while (end > s && strchr(" \t\r", end[-1]))
		end--;
	*end = '\0';
	return s;
}

/* Cuts a comment: a '#' that begins the line or has white space before it. */
static void opt_cut_comment(char *line)
{
	for (char *p = line; (p = strchr(p, '#')); p++) {
		if (p == line || p[-1] == ' ' || p[-1] == '\t') {
			*p = '\0';
			return;
		}
	}
}

/* One line, "name = value" or "name". Returns 0 or -errno with the reason in pass->why. */
static int opt_line(struct opt_pass *pass, char *line)
{
	const struct opt *opts = pass->prog->opts;
	char *name, *value;
	size_t i;

	opt_cut_comment(line);
	value = strchr(line, '=');
	if (value)
		*value++ = '\0';
	name = opt_trim(line);
	value = value ? opt_trim(value) : NULL;
	if (!*name && !value)
		return 0;
	for (i = 0; !opt_is_end(&opts[i]); i++)
		if (opts[i].name && strcmp(opts[i].name, name) == 0 && opts[i].kind != OPT_CONFIG)
			break;
	if (opt_is_end(&opts[i])) {
		snprintf(pass->why, sizeof(pass->why), "unknown option '%s'", name);
		return -EINVAL;
	}
	if (opt_has_arg(&opts[i]) && !value) {
		snprintf(pass->why, sizeof(pass->why), "'%s' needs a value: %s = %s", name, name,
			 opts[i].arg ? opts[i].arg : "VALUE");
		return -EINVAL;
	}
	if (!opt_has_arg(&opts[i]) && value) {
		snprintf(pass->why, sizeof(pass->why), "'%s' takes no value", name);
		return -EINVAL;
	}
	return opt_set(pass, i, value);
}

int opt_read_file(const struct opt_program *prog, const char *path, void *values, char *why,
		  size_t cap)
{
	struct opt_pass pass = {.prog = prog, .values = values, .file = path};
	char *text, *line;

	*why = '\0';
	text = opt_read(path, why, cap);
	if (!text)
		return -EINVAL;
	while ((line = strsep(&text, "\n"))) {
		pass.line++;
		if (opt_line(&pass, line) == 0)
			continue;
		snprintf(why, cap, "%s:%d: %s", path, pass.line, pass.why);
		return -EINVAL;
	}
	return 0;
}
