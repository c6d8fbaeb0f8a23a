# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034 # variables are for the jobs
# What the jobs share that have a disk read and write PCI BARs.

pci=/sys/bus/pci/devices

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
