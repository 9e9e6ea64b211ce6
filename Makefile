# lbpair - one non-recursive Makefile.  `make help` lists what it can do.

CC      ?= cc
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr
DESTDIR ?=
TIME    ?= 60
SAN     ?=
V       ?=
VERSION := 0.1.0

comma := ,
O     := build$(if $(SAN),-$(subst $(comma),+,$(SAN)))
Q     := $(if $(V),,@)
say    = $(if $(V),,@printf '  %-7s %s\n' "$(1)" "$(2)")

WARN := -std=c17 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
        -Wpointer-arith -Wcast-qual -Wformat=2 -Wvla -Wwrite-strings -Wundef
CPPFLAGS += -D_GNU_SOURCE -I. -DLBPAIR_VERSION='"$(VERSION)"' -MMD -MP
HARDEN   := -fno-strict-aliasing -fstack-protector-strong -fPIE $(if $(SAN),,-D_FORTIFY_SOURCE=2)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
LINK     := -pie -pthread -Wl,-z,relro,-z,now $(SANFLAGS)
LIBS_lbd := -lev -ljansson -lssl -lcrypto -lcap-ng -lm

LBD_SRC    := $(filter-out lbd/main.c,$(wildcard lbd/*.c lbd/*/*.c))
COMMON_SRC := $(wildcard common/*.c)
UNIT       := $(patsubst tests/unit/%.c,$(O)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ       := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
BENCH      := $(patsubst tests/bench/%.c,$(O)/bench/%,$(wildcard tests/bench/*.c))
obj         = $(patsubst %.c,$(O)/%.o,$(1))

.DELETE_ON_ERROR:
.PHONY: all help clean
all: $(O)/bin/lbd

help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

$(O)/lbd.a: $(call obj,$(LBD_SRC))
$(O)/common.a: $(call obj,$(COMMON_SRC))
$(O)/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(O)/bin/lbd: $(O)/lbd/main.o $(O)/lbd.a $(O)/common.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LINK) -o $@ $^ $(LIBS_lbd) $(LDFLAGS)

$(O)/unit/%: $(O)/tests/unit/%.o $(O)/lbd.a $(O)/common.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LINK) -o $@ $^ -lcmocka $(LIBS_lbd) $(LDFLAGS)

$(O)/bench/%: $(O)/tests/bench/%.o
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LINK) -o $@ $^ -lm $(LDFLAGS)

$(O)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(CFLAGS) $(HARDEN) $(WARN) $(SANFLAGS) -pthread -c -o $@ $<

clean: ## remove everything that was built
	rm -rf build build-*

-include $(shell find $(O) -name '*.d' 2>/dev/null)
