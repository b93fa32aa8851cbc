# SPDX-License-Identifier: GPL-2.0
#
# What a user types; how the module is made of its parts stands in Kbuild.

KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build
PREFIX ?= /usr

NAME := tcp_close_wait
VERSION := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
SOURCE := $(DESTDIR)$(PREFIX)/src/$(NAME)-$(VERSION)

all: module

help:
	@echo 'make              build the module for the running kernel'
	@echo '                  (KVER= for another, or KDIR= for its build tree)'
	@echo 'make demo         see leaks explained and cured in a throw-away VM'
	@echo 'make check        run every test; as root, like demo'
	@echo 'make install      install the module through DKMS; as root'
	@echo 'make uninstall    remove it'
	@echo 'make clean        remove what was built'

module:
	$(if $(wildcard $(KDIR)/Makefile),,$(error no kernel headers in $(KDIR): \
		apt install linux-headers-$(KVER)))
	$(MAKE) -C '$(KDIR)' M='$(CURDIR)' modules

check:
	selftests/check

demo:
	demo/demo

# DESTDIR is for packagers: the files only, without touching this machine's DKMS.
install:
	install -d '$(SOURCE)'
	cp -r Kbuild dkms.conf LICENSE module '$(SOURCE)'
	find '$(SOURCE)' -type f '!' -name '*.[ch]' '!' -name 'Kbuild*' \
		'!' -name dkms.conf '!' -name LICENSE -delete
	$(if $(DESTDIR),,dkms install $(NAME)/$(VERSION))

uninstall:
	$(if $(DESTDIR),,-dkms remove $(NAME)/$(VERSION) --all)
	rm -rf '$(SOURCE)'

clean:
	@if test -e '$(KDIR)/Makefile'; then \
		$(MAKE) -C '$(KDIR)' M='$(CURDIR)' clean; fi
	$(MAKE) -C selftests clean

.PHONY: all help module check demo install uninstall clean
