# SPDX-License-Identifier: GPL-2.0
#
# What a user types; how the module is made of its parts stands in Kbuild.

KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build
PREFIX ?= /usr

NAME := tcp_close_wait
VERSION := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
# DKMS looks nowhere else, so PREFIX is for the tool.
SOURCE := $(DESTDIR)/usr/src/$(NAME)-$(VERSION)

all: module tools

help:
	@echo 'make              build the module for the running kernel, and the tool'
	@echo '                  (KVER= for another, or KDIR= for its build tree)'
	@echo 'make demo         see leaks explained and cured in a throw-away VM'
	@echo 'make check        run the tests on every kernel; as root, like demo'
	@echo '                  (KERNELS= for some of the kernels)'
	@echo 'make check-all    and those that take long: hours'
	@echo 'make check-debug  every test on kernels built for debugging: hours'
	@echo 'make stress       everything at once, for MINUTES= (10) on SMP= (2 4)'
	@echo 'make bench        measure it against the tools of today; as root'
	@echo 'make install      the module through DKMS, and the tool; as root'
	@echo 'make uninstall    remove them'
	@echo 'make deb          Debian packages, in dist/; as root'
	@echo 'make clean        remove what was built'

module:
	$(if $(wildcard $(KDIR)/Makefile),,$(error no kernel headers in $(KDIR): \
		apt install linux-headers-$(KVER)))
	$(MAKE) -C '$(KDIR)' M='$(CURDIR)' modules

tools:
	$(MAKE) -C tools

check:
	selftests/check

check-all:
	selftests/check --all

# Each of these machines keeps two processors busy.
check-debug:
	JOBS="$${JOBS:-1}" \
	KERNELS="$${KERNELS:-$$(selftests/vm/debug-kernel --list | xargs)}" \
		selftests/check kernels

stress:
	selftests/stress

# The table in README.md, from the last run's results.
support-table:
	selftests/support-table

bench:
	selftests/bench/bench

deb:
	selftests/vm/deb

demo:
	demo/demo

# A version that DKMS has already is built anew, for each kernel that had it; where it
# cannot be, for want of headers, the old one stays.
define dkms_install
	had=$$(dkms status $(NAME)/$(VERSION)) || exit; \
	status=0; \
	for kernel in '$(KVER)' $$(echo "$$had" | \
		sed -n 's/^.*, *\([^,]*\), *[^,:]*: *installed.*/\1/p' | grep -vxF '$(KVER)'); do \
		if echo "$$had" | grep -qF ", $$kernel,"; then \
			if ! [ -e "/lib/modules/$$kernel/build/Makefile" ]; then \
				echo "no headers of $$kernel: its module stays the old one" >&2; \
				status=1; \
				continue; \
			fi; \
			dkms remove $(NAME)/$(VERSION) -k "$$kernel" || exit; \
		fi; \
		dkms install $(NAME)/$(VERSION) -k "$$kernel" || status=$$?; \
	done; \
	exit "$$status"
endef

# DESTDIR is for packagers: the files only, without touching this machine's DKMS.
install: install-module install-tools
	$(if $(DESTDIR),,$(dkms_install))

# Some of it is done in another directory.
check-destdir:
	$(if $(DESTDIR),$(if $(filter /%,$(firstword $(DESTDIR))),,\
		$(error DESTDIR has to be an absolute path, not '$(DESTDIR)')))

install-module: check-destdir
	$(if $(DESTDIR)$(shell command -v dkms 2>/dev/null),,$(error no dkms: apt install dkms))
	rm -rf '$(SOURCE)'
	install -d '$(SOURCE)'
	cp -r Kbuild dkms.conf LICENSE module '$(SOURCE)'
	find '$(SOURCE)' -type f '!' -name '*.[ch]' '!' -name 'Kbuild*' \
		'!' -name dkms.conf '!' -name LICENSE -delete

install-tools: check-destdir
	$(MAKE) -C tools install DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)'

uninstall: check-destdir
	$(if $(DESTDIR),,-dkms remove $(NAME)/$(VERSION) --all)
	rm -rf '$(SOURCE)'
	$(MAKE) -C tools uninstall DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)'

clean:
	@if test -e '$(KDIR)/Makefile'; then \
		$(MAKE) -C '$(KDIR)' M='$(CURDIR)' clean; fi
	$(MAKE) -C selftests clean
	$(MAKE) -C tools clean

.PHONY: all help module tools check check-all check-debug stress bench \
	support-table demo deb install check-destdir install-module install-tools \
	uninstall clean
