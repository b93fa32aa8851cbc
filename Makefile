# SPDX-License-Identifier: GPL-2.0
#
# What a user types; the module itself is described in Kbuild.  `make help`
# lists the targets.

KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build

all: module

help:
	@echo 'make            build the module for the running kernel (KDIR= for another)'
	@echo 'make demo       see a leak explained and cured in a throw-away VM (root)'
	@echo 'make check      run every test (root)'
	@echo 'make clean      remove what was built'

headers:
	@test -e '$(KDIR)/Makefile' || { \
	echo "make: no kernel headers in $(KDIR): apt install linux-headers-$(KVER)" >&2; exit 1; }

module: headers
	$(MAKE) -C '$(KDIR)' M='$(CURDIR)' modules

check:
	selftests/check

demo:
	selftests/vm/demo

clean:
	$(if $(wildcard $(KDIR)/Makefile),$(MAKE) -C '$(KDIR)' M='$(CURDIR)' clean)

.PHONY: all help headers module check demo clean
