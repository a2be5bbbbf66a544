#include "bus/scripts.h"

/* Assemblers of gcc and clang take files as they are; the Makefile knows of it. */
#define EMBED(name)                                                              \
	__asm__(".pushsection .rodata\n"                                         \
		".local script_" #name "\n"                                      \
		".local script_" #name "_end\n"                                  \
		"script_" #name ":\n"                                            \
		".incbin \"bin/hubd/bus/" #name ".lua\"\n"                       \
		"script_" #name "_end:\n"                                        \
		".byte 0\n"                                                      \
		".popsection\n");                                                \
	extern const char script_##name[] __attribute__((visibility("hidden"))); \
	extern const char script_##name##_end[] __attribute__((visibility("hidden")))

EMBED(publish);
EMBED(open);
EMBED(look);
EMBED(renew);
EMBED(delete);
EMBED(here);
EMBED(lease);
EMBED(release);

struct span script_text(enum script script)
{
	static const struct {
		const char *text, *end;
	} of[SCRIPTS_ALL] = {
	    [SCRIPT_PUBLISH] = {script_publish, script_publish_end},
	    [SCRIPT_OPEN] = {script_open, script_open_end},
	    [SCRIPT_LOOK] = {script_look, script_look_end},
	    [SCRIPT_RENEW] = {script_renew, script_renew_end},
	    [SCRIPT_DELETE] = {script_delete, script_delete_end},
	    [SCRIPT_HERE] = {script_here, script_here_end},
	    [SCRIPT_LEASE] = {script_lease, script_lease_end},
	    [SCRIPT_RELEASE] = {script_release, script_release_end},
	};

	return (struct span){of[script].text, (size_t)(of[script].end - of[script].text)};
}
