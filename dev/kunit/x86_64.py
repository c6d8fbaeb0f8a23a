# SPDX-License-Identifier: GPL-2.0
# The machine of the KUnit boots for kunit.py --qemu_config; what a boot adds is in 'boots'.
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(linux_arch='x86_64',
			   kconfig='''
CONFIG_SERIAL_8250=y
CONFIG_SERIAL_8250_CONSOLE=y''',
			   qemu_arch='x86_64',
			   kernel_path='arch/x86/boot/bzImage',
			   # kunit.py gives the machine 1 GiB
			   kernel_command_line='console=ttyS0 panic=-1 mem=512M pageless_kunit.ram=32M@512M '
			       # a camera is for the guest jobs
			       'initcall_blacklist=vivid_init '
			       'dm-mod.create="linear,,0,rw,0 131072 linear /dev/nvme0n1 0;'
			       f'crypt,,1,rw,0 131072 crypt aes-xts-plain64 {"c5" * 32} 0 /dev/nvme0n1 0" '
			       'dm-mod.waitfor=/dev/nvme0n1 '
			       'blk_pageless_disk_kunit.disks=nvme0n1,dm-0 blk_pageless_disk_kunit.phys=0x22000000',
			   # SeaBIOS, not qboot: the boots behind an I/O MMU need its ACPI tables.
			   # One thread for both CPUs: see dev/jobs
			   extra_qemu_params=['-M', 'q35,kernel-irqchip=split', '-smp', '2', '-accel', 'tcg,thread=single'])
