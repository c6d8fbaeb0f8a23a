# SPDX-License-Identifier: GPL-2.0
# make -s -f dev/objects.mk tree=DIR config=FILE folder=PATH [objects|folders]
# prints the objects of one folder that a configuration builds, or the folders
# that it descends into: kbuild itself makes any object that it is asked for,
# configured or not.

objects:

srctree := $(tree)
src := $(tree)/$(folder)
obj := $(folder)
include $(config)
include $(firstword $(wildcard $(src)/Kbuild $(src)/Makefile))

top := $(filter %.o,$(obj-y) $(obj-m) $(lib-y) $(lib-m))
parts := $(foreach o,$(top:.o=),$($(o)-y) $($(o)-m) $($(o)-objs))

.PHONY: objects folders
objects:
	@printf '%s\n' $(addprefix $(folder)/,$(filter %.o,$(top) $(parts)))
folders:
	@printf '%s\n' $(addprefix $(folder)/,$(patsubst %/,%,$(filter %/,$(obj-y) $(obj-m))))
