# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034 # variables are for the jobs
# What the jobs share that have a disk read and write PCI BARs.

pci=/sys/bus/pci/devices

# pci_device ID [N]: the first, or Nth, with this device ID of QEMU's
pci_device() { basename "$(dirname "$(grep -l "$1" $pci/*/device | sed -n "${2:-1}p")")"; }
find_edu() { edu=$(pci_device 0x11e8); }
find_ivshmem() { ivshmem=$(pci_device 0x1110); }

check_that_nobody_holds_a_bar() {
	check 'nobody holds a BAR any more' sh -c '! grep -q ": ." /sys/kernel/debug/dma_regions'
}

# the disk with the serial number "bar" has a controller memory buffer, in its BAR 2
find_bar_disk() {
	bar_disk=$(grep -lw bar /sys/block/nvme[0-9]n1/device/serial)
	controller=${bar_disk%/serial}	# or, with multipath, the subsystem
	[ ! -e "$controller/iopolicy" ] || controller=$(echo "$controller"/nvme[0-9])
	bar_disk_pci=$(basename "$(readlink -f "$controller/device")")
	bar_disk=$(basename "${bar_disk%/device/serial}")
	own_bar=$pci/$bar_disk_pci/resource2
	own_bar_offset=0x1000000	# NVMe has queues at its start
	export BAR_IO_DISK="/dev/$bar_disk" BAR_IO_DISK_PCI="$bar_disk_pci"
}
