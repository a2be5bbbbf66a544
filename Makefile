# hub: one Makefile for everything. All output goes below build/.
#
#   make          the programs          make demo     the main job on real data
#   make check    lint and all tests    make bench    hubd beside its peers (first: make bench-peers)
#   make asan     the tests under AddressSanitizer and UBSan (make tsan: threads)
#   make fuzz     the fuzz targets, FUZZ_SECONDS each; FUZZ_SEED: the same again
#   make conformance   hubd's parsers beside those of others (npm brings one)
#   make deps     installs what pkg-config does not find
#   make install  programs, library, pages, completions, below DESTDIR and PREFIX
#   make dist     a tarball, the same from the same commit      make deb   Debian's packages

CC ?= cc
OBJCOPY ?= objcopy
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build
share = $(PREFIX)/share/hub
completions = $(PREFIX)/share/bash-completion/completions
zsh_completions ?= $(PREFIX)/share/zsh/site-functions
libdir ?= $(PREFIX)/lib
FUZZ_SECONDS ?= 60
VERSION := 0.1.0
SOVERSION := 0

programs := hubd hubcat hubbench hubreplay hubtoken
pkgs := libwebsockets libuv liburing libsodium libzstd openssl sqlite3 libpq hiredis zlib
warn := -Wall -Wextra -Wpedantic -Wshadow -Wconversion

# Not asked for on a machine where `make deps` is still to run.
pkg_cflags = $(shell pkg-config --cflags $(pkgs) 2>/dev/null)
pkg_libs = $(shell pkg-config --libs $(pkgs) 2>/dev/null) -ljq -lm

cppflags = -D_GNU_SOURCE -DHUB_VERSION='"$(VERSION)"' -Ilib $(pkg_cflags) $(CPPFLAGS)
cflags = -std=c11 $(warn) -pthread $(CFLAGS)
ldflags = -pthread -Wl,--as-needed $(LDFLAGS)
compile = $(CC) $(cppflags) $(cflags) -MMD -MP

src := $(sort $(shell find bin lib -name '*.c'))
tool_src := $(sort $(wildcard tests/tools/*.c tests/bench/*.c tests/conformance/*.c))
lib_obj := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter lib/%,$(src)))
tools := $(tool_src:%.c=$(BUILD)/%)
exe := $(programs:%=$(BUILD)/%)
# Of libhub: those who link with it see libhub.so, those who run with it libhub.so.0.
solib := libhub.so.$(VERSION)
libhub := $(BUILD)/libhub.a $(BUILD)/$(solib) $(BUILD)/libhub.so.$(SOVERSION) $(BUILD)/libhub.so

.PHONY: all demo check test lint lint-objects bench bench-bus bench-crowd bench-peers bench-check conformance asan tsan fuzz install uninstall dist deb deb-try clean deps
.DELETE_ON_ERROR:
.SECONDARY:

all: $(exe) $(libhub)

# An archive for each room, what a unit test links, the lists of those and of the fuzz targets: from
# tests/rooms.
units :=
fuzzers :=
rooms_mk := $(BUILD)/rooms.mk
# In one step, since tests run make beside each other.
$(shell mkdir -p $(BUILD) && tests/check-rooms make $(BUILD) >$(rooms_mk).$$$$ && mv $(rooms_mk).$$$$ $(rooms_mk))
include $(rooms_mk)

# Who includes what: lib/ROOM/x.h is "ROOM/x.h", and so is bin/PROGRAM/ROOM/x.h within its program.
define includes
$(BUILD)/obj/bin/$(1)/%.o $(BUILD)/obj/fuzz/bin/$(1)/%.o $(BUILD)/obj/tests/unit/$(1)/%.o \
    $(BUILD)/obj/tests/fuzz/$(1)/%.o \
    $(BUILD)/obj/fuzz/tests/fuzz/$(1)/%.o: private cppflags += -Ibin/$(1)
endef
$(foreach p,$(programs),$(eval $(call includes,$(p))))
$(BUILD)/obj/tests/% $(BUILD)/obj/fuzz/tests/%: private cppflags += -Itests/unit

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(compile) -c -o $@ $<

# It has them in it.
$(BUILD)/obj/bin/hubd/bus/scripts.o: $(wildcard bin/hubd/bus/*.lua)

# What the programs share.
$(BUILD)/lib.a: $(lib_obj)
	@rm -f $@
	$(AR) rcs $@ $^

# libhub: objects of its own, since they stand anywhere in memory, and one of all that it needs, from
# which nothing is seen but what hub.map names.
$(BUILD)/pic/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(compile) -fPIC -fvisibility=hidden -c -o $@ $<

hub_obj := $(patsubst %.c,$(BUILD)/pic/%.o,$(filter lib/hub/%,$(src)))
hub_needs := $(patsubst %.c,$(BUILD)/pic/%.o,$(filter lib/base/% lib/json/% lib/transport/% lib/client/%,$(src)))
hub_libs = $(shell pkg-config --libs libwebsockets libuv libsodium openssl 2>/dev/null)

$(BUILD)/pic/libhub.o: $(hub_obj) $(hub_needs) lib/hub/hub.map
	@rm -f $(BUILD)/pic/needs.a
	$(AR) rcs $(BUILD)/pic/needs.a $(hub_needs)
	$(CC) $(cflags) -r -nostdlib -o $@ $(hub_obj) $(BUILD)/pic/needs.a
	sed -n 's/^\t*\(hub_[a-z_]*\);$$/\1/p' lib/hub/hub.map >$(BUILD)/pic/names
	$(OBJCOPY) --keep-global-symbols=$(BUILD)/pic/names $@

$(BUILD)/libhub.a: $(BUILD)/pic/libhub.o
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/$(solib): $(hub_obj) $(hub_needs) lib/hub/hub.map
	@rm -f $(BUILD)/pic/needs-shared.a
	$(AR) rcs $(BUILD)/pic/needs-shared.a $(hub_needs)
	$(CC) $(cflags) $(ldflags) -shared -Wl,-soname,libhub.so.$(SOVERSION) -Wl,-z,defs \
	    -Wl,--version-script=lib/hub/hub.map -o $@ $(hub_obj) $(BUILD)/pic/needs-shared.a $(hub_libs)

$(BUILD)/libhub.so $(BUILD)/libhub.so.$(SOVERSION): $(BUILD)/$(solib)
	ln -sf $(solib) $@

$(BUILD)/rooms/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

define program
$(BUILD)/$(1): $(patsubst %.c,$(BUILD)/obj/%.o,$(filter bin/$(1)/%,$(src))) $(BUILD)/lib.a
	$$(CC) $$(cflags) $$(ldflags) -o $$@ $$^ $$(pkg_libs)
endef
$(foreach p,$(programs),$(eval $(call program,$(p))))

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o
	@mkdir -p $(@D)
	$(CC) $(cflags) $(ldflags) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
	    -lcmocka $(pkg_libs)

# It is out of memory when it says so.
$(BUILD)/tests/unit/hubd/session/bonds: private ldflags += -Wl,--wrap=log_append

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(CC) $(cflags) $(ldflags) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(pkg_libs)

# The tools that try one room of hubd.
wire_tools := tests/bench/wire tests/conformance/wire
$(wire_tools:%=$(BUILD)/obj/%.o): private cppflags += -Ibin/hubd
$(wire_tools:%=$(BUILD)/%): $(BUILD)/rooms/bin/hubd/wire.a

# Fuzz targets have objects of their own, since coverage needs clang's flags everywhere.
fuzz_flags = -std=c11 -g -O1 -pthread -fsanitize=fuzzer-no-link,address,undefined \
    -fno-sanitize-recover=undefined

$(BUILD)/obj/fuzz/%.o: %.c Makefile
	@mkdir -p $(@D)
	clang $(cppflags) $(fuzz_flags) -MMD -MP -c -o $@ $<

$(fuzzers):
	@mkdir -p $(@D)
	clang $(fuzz_flags) -fsanitize=fuzzer -o $@ $^ $(pkg_libs)

deps:
	@contrib/install-deps

demo:
	@contrib/install-deps
	@$(MAKE) --no-print-directory -s all
	@examples/demo/run $(BUILD)

# `check` is what a newcomer and the CI run; `test` is the same without installing or lint.
check:
	@contrib/install-deps
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test

test: all $(units) $(tools)
	@tests/run $(BUILD)

lint:
	@tests/lint

# What lint asks make about.
lint-objects: $(patsubst %.c,$(BUILD)/obj/%.o,$(src) $(tool_src)) $(units:$(BUILD)/%=$(BUILD)/obj/%.o) \
    $(patsubst %.c,$(BUILD)/obj/%.o,$(shell find tests/fuzz examples/game -name '*.c'))

bench: all $(tools)
	@tests/bench/run $(BUILD)

# The same in a crowd of avatars, beside Socket.IO and Colyseus.
bench-crowd: all $(tools)
	@tests/bench/crowd $(BUILD)

# Several that are one through Redis, beside those of Socket.IO and beside one alone.
bench-bus: all $(tools)
	@tests/bench/bus $(BUILD)

# The peers that come from npm.
bench-peers:
	@command -v npm >/dev/null || { echo 'bench-peers: npm is missing here' >&2; exit 69; }
	@mkdir -p $(BUILD)/bench/peers
	@cp tests/bench/peers/package.json $(BUILD)/bench/peers
	@cd $(BUILD)/bench/peers && npm install --no-audit --no-fund --no-package-lock --loglevel=error

# hubbench's figures beside those of another generator.
bench-check: all $(tools)
	@tests/bench/check $(BUILD)

conformance: $(BUILD)/tests/conformance/wire
	@tests/conformance/wire-peers $(BUILD)

# The same tests, built apart; 4 workers so that threads meet.
asan:
	@ASAN_OPTIONS=detect_leaks=1 HUB_TEST_WORKERS=4 $(MAKE) --no-print-directory test BUILD=build/asan \
	    CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
tsan:
	@HUB_TEST_WORKERS=4 $(MAKE) --no-print-directory test BUILD=build/tsan \
	    CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=thread"

fuzz: $(fuzzers)
	@tests/fuzz/run $(BUILD) $(FUZZ_SECONDS) $(FUZZ_SEED)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man3 \
	    $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man7 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 755 $(exe) $(DESTDIR)$(PREFIX)/bin
	install -m 644 man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 man/*.3 $(DESTDIR)$(PREFIX)/share/man/man3
	install -m 644 man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 644 man/*.7 $(DESTDIR)$(PREFIX)/share/man/man7
	install -m 644 man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8
	install -d $(DESTDIR)$(share) $(DESTDIR)$(completions)
	install -m 644 contrib/hub.js contrib/hub.d.ts $(DESTDIR)$(share)
	install -d $(DESTDIR)$(share)/dashboard
	install -m 644 contrib/dashboard/index.html $(DESTDIR)$(share)/dashboard
	install -m 644 contrib/completions/hub.bash $(DESTDIR)$(completions)/hubd
	ln -sf hubd $(DESTDIR)$(completions)/hubcat
	ln -sf hubd $(DESTDIR)$(completions)/hubreplay
	ln -sf hubd $(DESTDIR)$(completions)/hubtoken
	ln -sf hubd $(DESTDIR)$(completions)/hubbench
	install -d $(DESTDIR)$(zsh_completions)
	install -m 644 contrib/completions/hub.zsh $(DESTDIR)$(zsh_completions)/_hub
	install -d $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(libdir)/pkgconfig
	install -m 644 lib/hub/hub.h $(DESTDIR)$(PREFIX)/include
	install -m 644 $(BUILD)/libhub.a $(BUILD)/$(solib) $(DESTDIR)$(libdir)
	ln -sf $(solib) $(DESTDIR)$(libdir)/libhub.so.$(SOVERSION)
	ln -sf $(solib) $(DESTDIR)$(libdir)/libhub.so
	sed -e 's|@prefix@|$(PREFIX)|' -e 's|@libdir@|$(libdir)|' -e 's|@version@|$(VERSION)|' lib/hub/hub.pc.in \
	    >$(DESTDIR)$(libdir)/pkgconfig/libhub.pc

uninstall:
	rm -f $(programs:%=$(DESTDIR)$(PREFIX)/bin/%)
	rm -f $(patsubst man/%.1,$(DESTDIR)$(PREFIX)/share/man/man1/%.1,$(wildcard man/*.1))
	rm -f $(patsubst man/%.3,$(DESTDIR)$(PREFIX)/share/man/man3/%.3,$(wildcard man/*.3))
	rm -f $(patsubst man/%.5,$(DESTDIR)$(PREFIX)/share/man/man5/%.5,$(wildcard man/*.5))
	rm -f $(patsubst man/%.7,$(DESTDIR)$(PREFIX)/share/man/man7/%.7,$(wildcard man/*.7))
	rm -f $(programs:%=$(DESTDIR)$(completions)/%) $(DESTDIR)$(share)/hub.js $(DESTDIR)$(share)/hub.d.ts $(DESTDIR)$(share)/dashboard/index.html
	rm -f $(DESTDIR)$(zsh_completions)/_hub
	rm -f $(DESTDIR)$(PREFIX)/include/hub.h $(DESTDIR)$(libdir)/pkgconfig/libhub.pc
	rm -f $(patsubst %,$(DESTDIR)$(libdir)/%,libhub.a libhub.so libhub.so.$(SOVERSION) $(solib))
	rm -f $(patsubst man/%.8,$(DESTDIR)$(PREFIX)/share/man/man8/%.8,$(wildcard man/*.8))

# --- to take away

tarball := $(BUILD)/hub-$(VERSION).tar.gz

dist:
	@mkdir -p $(BUILD)
	@contrib/dist hub-$(VERSION) $(tarball)
	@echo $(tarball)

deb: dist
	@contrib/debian/build $(VERSION) $(tarball) $(BUILD)/deb

# In a Debian of its own: as root, with debootstrap and lintian.
deb-try: deb
	@contrib/debian/try $(BUILD)/deb

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj $(BUILD)/pic -name '*.d' 2>/dev/null)
