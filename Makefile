# lbpair - one non-recursive Makefile.  `make help` lists what it can do.
#
# Each kind of build has an object tree of its own: build, build-clang, build-address+undefined, build-fuzz.

CC      ?= cc
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr
SYSCONFDIR ?= /etc
DESTDIR ?=
TIME    ?= 60
MERGE   ?=
SAN     ?=
FUZZER  ?=
V       ?=
WERROR  ?= -Werror
PYTHON  ?= /usr/bin/python3
VERSION := 0.1.0

comma := ,
KIND  := $(if $(findstring clang,$(CC)),-clang)$(if $(SAN),-$(subst $(comma),+,$(SAN)))
O     := build$(KIND)
Q     := $(if $(V),,@)
say    = $(if $(V),,@printf '  %-7s %s\n' "$(1)" "$(2)")

WARN := -std=c17 -Wall -Wextra $(WERROR) -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
        -Wpointer-arith -Wcast-qual -Wformat=2 -Wvla -Wwrite-strings -Wundef
CPPFLAGS += -D_GNU_SOURCE -I. -MMD -MP
FORTIFY  := $(if $(SAN)$(FUZZER)$(filter -O0,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
HARDEN   := -fno-strict-aliasing -fstack-protector-strong -fPIE $(FORTIFY)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all) \
            $(if $(FUZZER),-fsanitize=fuzzer-no-link)
LINK     := -pie -pthread -Wl,-z,relro,-z,now $(SANFLAGS)
LIBS       := -lev -ljansson -lssl -lcrypto -lcap-ng -lm
LIBS_lbd   := -lnghttp2 -lcares $(LIBS)
LIBS_hafailover := -lnl-3 -lbpf $(LIBS)
LIBS_hactl := $(LIBS)

COMMON_SRC := $(wildcard common/*.c)
LBD_SRC    := $(filter-out lbd/main.c,$(wildcard lbd/*.c lbd/*/*.c))
HACTL_SRC  := $(filter-out %/main.c,$(wildcard hafailover/hactl/*.c))
HAFAILOVER_SRC := $(filter-out %/main.c %.bpf.c hafailover/hactl/%,$(wildcard hafailover/*.c hafailover/*/*.c))
MAIN_lbd        := lbd/main.c
MAIN_hafailover := hafailover/main.c
MAIN_hactl      := hafailover/hactl/main.c
PROGRAMS   := $(foreach p,lbd hafailover hactl,$(if $(wildcard $(MAIN_$(p))),$(p)))
UNIT       := $(patsubst tests/unit/%.c,$(O)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ       := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
BENCH      := $(patsubst tests/bench/%.c,$(O)/bench/%,$(wildcard tests/bench/*.c))
STAND_INS  := $(if $(filter hafailover,$(PROGRAMS)),$(O)/integration_ha/station $(O)/simulation/simulation)
obj         = $(patsubst %.c,$(O)/%.o,$(1))
# A test belongs to the program whose headers it includes; lbd's otherwise.
TESTS_hactl := $(shell grep -ls '"hafailover/hactl/' tests/unit/*.c tests/fuzz/fuzz_*.c)
TESTS_hafailover := $(shell grep -ls '"hafailover/' tests/unit/*.c tests/fuzz/fuzz_*.c)
program_of  = $(firstword $(foreach p,hactl hafailover,$(if $(filter %/$(1).c,$(TESTS_$(p))),$(p))) lbd)

# A second make with everything installed, on all CPUs unless the caller said how many.
built = +$(Q)$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: always all help deps test tested lint fuzz fuzzers bench benched bench-failover demo deb rpm test-testssl test-packages test-kernel \
        install clean
all: $(PROGRAMS:%=$(O)/bin/%) ## the programs, into build/bin
	@:

help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
	@echo; echo 'Knobs: CC=clang  CFLAGS=...  SAN=address,undefined  SAN=thread  O=DIRECTORY  V=1'

deps: ## install what is missing to build, test, lint and fuzz (apt, dnf)
	$(Q)packaging/deps.sh

test: ## all that proves behaviour, installing what is missing; SAN=address,undefined or SAN=thread
	$(Q)packaging/deps.sh build test
	$(built) tested
	$(Q)$(PYTHON) tests/run-tests.py --build $(O) $(if $(SAN),--san $(SAN))
tested: all $(UNIT) $(FUZZ) $(STAND_INS)
	@:

lint: ## format, layers, cppcheck, clang-tidy, shellcheck, man pages; all files unless FILES=...
	$(Q)packaging/deps.sh build test lint
	$(Q)$(PYTHON) tests/lint/run.py --cache $(O)/lint $(FILES)

fuzz: ## libFuzzer on every parser, TIME=60 seconds each; MERGE=1 adds to the corpus in git
	$(Q)packaging/deps.sh build fuzz
	$(built) fuzzers O=build-fuzz CC=clang FUZZER=1 SAN=address,undefined
	$(Q)MERGE=$(MERGE) tests/run-fuzz.sh $(TIME) $(patsubst $(O)/%,build-fuzz/%,$(FUZZ))
fuzzers: $(FUZZ)
	@:

bench: ## lbd beside HAProxy and nginx
	$(Q)packaging/deps.sh build test bench
	$(built) benched
	$(Q)$(PYTHON) tests/bench/run.py --build $(O) $(ARGS)
benched: $(O)/bin/lbd $(BENCH)
	@:

bench-failover: ## a pair in namespaces, broken in every way; ARGS="--scenario c,e --rounds 5 --quick"
	$(Q)packaging/deps.sh build demo
	$(built) all
	$(Q)$(PYTHON) tests/failover/run.py --build $(O) $(ARGS)

demo: ## a pair in network namespaces, broken in five ways; what its client sees; then it is yours
	$(Q)packaging/deps.sh build demo
	$(built) all
	$(Q)exec $(PYTHON) tests/demo/demo.py --build $(O)

deb: ## Debian packages, into $(O)/deb; ARGS=0.1.0+next builds that version of this tree
	$(Q)packaging/deps.sh build package
	$(Q)packaging/deb/build.sh $(O)/deb $(ARGS)
	$(Q)lintian --fail-on error,warning $(O)/deb/lbpair_$(or $(ARGS),$(VERSION))_*.changes

rpm: ## RPM packages, into $(O)/rpm
	$(Q)packaging/deps.sh build package
	$(Q)packaging/rpm/build.sh $(O)/rpm
	$(Q)! command -v rpmlint >/dev/null || rpmlint --config packaging/rpm/rpmlint.toml $(O)/rpm/lbpair-[0-9]*.rpm

test-packages: ## both packages as users have them: a pair of Debian machines, set up, broken, upgraded, removed
	$(Q)packaging/deps.sh build package machines
	$(Q)exec $(PYTHON) tests/package/run.py --build $(O) $(ARGS)

test-kernel: ## what leans on the kernel, on that of Debian 12 in a virtual machine; ARGS="COMMAND" runs that there
	$(Q)packaging/deps.sh build test kernel
	$(built) tested
	$(Q)exec $(PYTHON) tests/kernel/run.py --build $(O) $(ARGS)

test-testssl: ## what testssl finds in lbd's TLS: nothing; ARGS="--full default" all it can ask of one listener
	$(Q)packaging/deps.sh build test testssl
	$(built) all
	$(Q)exec $(PYTHON) tests/testssl/run.py --build $(O) $(ARGS)

SHARE := $(DESTDIR)$(PREFIX)/share
LIB   := $(DESTDIR)$(PREFIX)/lib
put    = $(if $(2),install -D -m $(1) -t $(3) $(2))
install: all ## into $(DESTDIR)$(PREFIX)
	$(call put,755,$(filter-out %/hactl,$(PROGRAMS:%=$(O)/bin/%)),$(DESTDIR)$(PREFIX)/sbin)
	$(call put,755,$(filter %/hactl,$(PROGRAMS:%=$(O)/bin/%)),$(DESTDIR)$(PREFIX)/bin)
	$(call put,644,$(wildcard docs/*.1),$(SHARE)/man/man1)
	$(call put,644,$(wildcard docs/*.5),$(SHARE)/man/man5)
	$(call put,644,$(wildcard docs/*.7),$(SHARE)/man/man7)
	$(call put,644,$(wildcard docs/*.8),$(SHARE)/man/man8)
	$(call put,644,$(wildcard docs/schema/*.json),$(SHARE)/lbpair)
	$(call put,644,README.md CHANGELOG.md LICENSE $(wildcard docs/*.md),$(SHARE)/doc/lbpair)
	$(call put,644,$(wildcard docs/examples/*),$(SHARE)/doc/lbpair/examples)
	$(call put,644,$(wildcard systemd/*.service systemd/*.target),$(LIB)/systemd/system)
	install -D -m 644 systemd/lbpair.sysusers $(LIB)/sysusers.d/lbpair.conf
	install -D -m 644 systemd/lbpair.tmpfiles $(LIB)/tmpfiles.d/lbpair.conf
	install -D -m 644 packaging/completion/hactl.bash $(SHARE)/bash-completion/completions/hactl
	install -D -m 644 packaging/system/logrotate $(DESTDIR)$(SYSCONFDIR)/logrotate.d/lbpair
	install -D -m 644 packaging/system/firewalld-pair.xml $(LIB)/firewalld/services/lbpair.xml
	install -D -m 644 packaging/system/sysctl.conf $(SHARE)/doc/lbpair/examples/sysctl.conf
	install -d -m 750 $(DESTDIR)$(SYSCONFDIR)/lbpair

clean: ## remove everything that was built
	rm -rf build build-*

$(O)/common.a: $(call obj,$(COMMON_SRC))
$(O)/lbd.a: $(call obj,$(LBD_SRC))
$(O)/hafailover.a: $(call obj,$(HAFAILOVER_SRC))
$(O)/hactl.a: $(call obj,$(HACTL_SRC))
$(O)/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

.SECONDEXPANSION:
$(O)/bin/%: $$(call obj,$$(MAIN_$$*)) $(O)/%.a $(O)/common.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LINK) -o $@ $^ $(LIBS_$*) $(LDFLAGS)

$(O)/unit/%: $(O)/tests/unit/%.o $(O)/$$(call program_of,$$*).a $(O)/common.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LINK) -o $@ $^ -lcmocka $(LIBS_$(call program_of,$*)) $(LDFLAGS)

$(O)/integration_ha/station: LINK += -Wl,--wrap=netlink_request
STAND_IN_OBJ = $(call obj,$(wildcard tests/$(notdir $(@D))/*.c))
$(O)/integration_ha/station $(O)/simulation/simulation: $$(STAND_IN_OBJ) $(O)/hafailover.a $(O)/common.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LINK) -o $@ $^ $(LIBS_hafailover) $(LDFLAGS)

# Without libFuzzer a harness replays the files that it is given: any compiler can do that.
REPLAY := $(if $(FUZZER),,$(O)/tests/fuzz/replay.o)
$(O)/fuzz/%: $(O)/tests/fuzz/%.o $(REPLAY) $(O)/$$(call program_of,$$*).a $(O)/common.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LINK) $(if $(FUZZER),-fsanitize=fuzzer) -o $@ $^ \
		$(LIBS_$(call program_of,$*)) $(LDFLAGS)

$(O)/bench/%: $(O)/tests/bench/%.o
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LINK) -o $@ $^ -lssl -lcrypto -lm \
		$(if $(filter uring,$*),-luring) $(LDFLAGS)

# The BPF program becomes a part of hafailover.  Nothing in it tells where or when it was compiled.
BPF_CLANG ?= clang
$(O)/%.bpf.o: %.bpf.c %_packet.bpf.h %_map.h Makefile
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D) && $(BPF_CLANG) -target bpf -O2 -g -ffile-prefix-map=$(CURDIR)=. -Wall -Wextra $(WERROR) \
		-I. -idirafter /usr/include/$(shell uname -m)-linux-gnu -c -o $@ $<
STEERING := $(O)/hafailover/steering/steering
$(STEERING)_object.o: $(STEERING).bpf.o
$(STEERING)_object.o: CPPFLAGS += -DSTEERING_OBJECT='"$(STEERING).bpf.o"'

# Those that say the version are compiled again when it changes, and no others.
VERSIONED := $(call obj,$(shell grep -ls LBPAIR_VERSION lbd/*.c lbd/*/*.c hafailover/*.c hafailover/*/*.c tests/unit/*.c))
$(VERSIONED): CPPFLAGS += -DLBPAIR_VERSION='"$(VERSION)"'
$(VERSIONED): $(O)/version
$(O)/version: always
	$(Q)mkdir -p $(@D); [ "$$(cat $@ 2>/dev/null)" = '$(VERSION)' ] || echo '$(VERSION)' >$@

$(O)/hafailover/%.o $(O)/tests/%.o: CPPFLAGS += -isystem /usr/include/libnl3
$(O)/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(CFLAGS) $(HARDEN) $(WARN) $(SANFLAGS) -pthread -c -o $@ $<

-include $(shell find $(O) -type f -name '*.d' 2>/dev/null)
