# SPDX-License-Identifier: GPL-2.0
# The verbs. Each prints the commands that it runs; see README.md.

.PHONY: help run check race matrix tree refresh series bisect-check kunit bench clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 15

run: ## the main job: page-less NVDIMM to NVMe, in QEMU (SEED=)
	dev/setup tree kernel guest
	dev/series tree
	dev/kernel x86_64
	dev/initramfs
	dev/boot run

check: ## all tests; STAGE=name for one (dev/stages)
	dev/setup tree kernel guest check
	dev/check $(STAGE)

race: ## take away disks and BARs with I/O in flight, a thousand times (hours)
	dev/setup tree kernel guest
	dev/series tree
	dev/kunit/kernel
	dev/initramfs
	dev/boot --debug race

matrix: ## the machines of other architectures (ARCH=alpha,hppa SHARD=1/4; dev/matrix/machines)
	dev/setup tree kernel
	kernels=$$(dev/matrix/run --kernels $(chosen)) && dev/setup $$kernels
	dev/series tree
	dev/matrix/run $(chosen)

chosen = $(ARCH:%=--arch %) $(SHARD:%=--shard %)
# the kernel's makefiles have an ARCH, too
unexport ARCH
MAKEOVERRIDES =

tree: ## unpack Linux (KERNEL_SRC= folder or tarball of v6.12.y) and apply the series: build/linux
	dev/setup tree
	dev/series tree

refresh: ## store the commits of build/linux, branch series, here (FORCE=1)
	dev/series refresh

series: ## the series as mail, in build/series, tried on a pristine tree
	dev/setup tree
	dev/series series

bisect-check: ## build what each commit touches; FULL=1: the whole kernel at each
	dev/setup tree kernel
	dev/series tree
	dev/bisect

kunit: ## the KUnit suites, all boots (BOOT=name for one of dev/kunit/boots)
	dev/setup tree kernel guest
	dev/check $(if $(BOOT),$(BOOT:%=kunit-%),kunit)

bench: ## what mapping costs, counted in instructions: base against series (MACHINE=x86_64-intel; dev/bench/machines)
	dev/setup tree kernel guest bench
	kernels=$$(dev/bench/run --kernels $(MACHINE)) && dev/setup $$kernels
	dev/series tree
	for kernel in $$(dev/bench/run --kernels $(MACHINE)); do dev/kernel $$kernel || exit; done
	dev/bench/run $(MACHINE)

clean: ## remove build/
	rm -rf build
