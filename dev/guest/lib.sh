# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034 # variables are for the jobs
# What the jobs share: results, devices, and dm-writecache on the NVDIMM.

disk=nvme0n1
source=/dev/nvme1n1
pmem=pmem0
trace=/sys/kernel/debug/tracing

ok() { echo "ok - $1"; }
not_ok() { echo "not ok - $1: $2"; }
skip() { echo "skip - $1: $2"; }
row() { printf '  %-22s %s\n' "$1" "$2"; }

# check NAME COMMAND: passes if the command does; its last words are the reason
check() {
	name=$1
	shift
	if "$@" >/tmp/check 2>&1; then
		ok "$name"
	else
		not_ok "$name" "$(tail -n 2 /tmp/check | tr '\n' ' ')"
		return 1
	fi
}

# equal NAME FOUND WANTED
equal() {
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "found $2, not $3"; fi
}

# harness_results NAME PROGRAM ARGUMENTS: what a selftest of the kernel says, in our words
harness_results() {
	name=$1 program=$2
	shift
	"$@" 2>&1 | awk -v name="$name" -v program="$program" '
	/^#  *RUN/ { why = "" }
	/^# .* allocations failed/ { print "  " substr($0, 3) }
	/^# .*\.c:[0-9]+:/ && !why { why = substr($0, 3) }
	/^(not )?ok [0-9]/ {
		line = $0
		sub(/^(not )?ok [0-9]+ /, "", line)
		test = line
		sub(/ # SKIP.*/, "", test)
		sub(/^[a-z0-9_]+\./, "", test)
		if (line ~ / # SKIP/) {
			sub(/.* # SKIP */, "", line)
			print "skip - " name ", " test ": " line
		} else if ($1 == "not")
			print "not ok - " name ", " test ": " why
		else
			print "ok - " name ", " test
		fflush()
	}
	/^# Totals/ { ended = 1 }
	END { if (!ended) print "not ok - " name ": " program " did not come to its end" }'
}

mib() { echo "$(($1 / 1048576)) MiB"; }

# give_up: the job cannot go on; what failed has been said
give_up() {
	echo "end of $job"
	poweroff -f
}

# the second NVMe disk may have been probed first: the serial number decides
find_disks() {
	for device in /sys/block/nvme*n1; do
		case $(cat "$device/device/serial") in
		cached*) disk=${device##*/} ;;
		source*) source=/dev/${device##*/} ;;
		esac
	done
	controller=/sys/block/$disk/device	# or, with multipath, the subsystem
	[ ! -e "$controller/iopolicy" ] || controller=$(echo "$controller"/nvme[0-9])
	disk_pci=$(basename "$(readlink -f "$controller/device")")
}

# find_nvdimm NAMESPACE: where its data lies
find_nvdimm() {
	region_phys=$(cat "/sys/bus/nd/devices/$1/resource")
	region_bytes=$(cat "/sys/bus/nd/devices/$1/size")
	first_pfn=$((region_phys / 4096))
	npages=$((region_bytes / 4096))
}

show_devices() {
	echo
	row 'kernel' "$(uname -r)"
	row 'NVDIMM' "$pmem, $(mib "$region_bytes") at $region_phys"
	row 'disk' "$disk, $(mib $(($(sectors $disk) * 512))), PCI $disk_pci"
	row 'I/O MMU' "$(ls /sys/class/iommu | tr '\n' ' ')domain $(cat "/sys/bus/pci/devices/$disk_pci/iommu_group/type")"
	row 'seed' "$seed"
}

sectors() { cat "/sys/block/$1/size"; }

# written DISK: bytes that the disk was told to write since boot
written() { awk '{ printf "%d\n", $7 * 512 }' "/sys/block/$1/stat"; }

# create_cache OPTIONS: dm-writecache 'wc': the NVDIMM caches the whole disk
create_cache() {
	dmsetup create wc --table \
		"0 $(sectors $disk) writecache p /dev/$disk /dev/$pmem 4096 $*" &&
		test -b /dev/mapper/wc
}

# the status says: error, number of blocks, free ones, those under write-back
cached_blocks() { dmsetup status wc | awk '{ print $5 - $6 }'; }

# What 'ndctl create-namespace -m fsdax' does: a pfn device in front of the namespace
give_pages() (
	cd /sys/bus/nd || return
	echo namespace0.0 >drivers/nd_pmem/unbind &&
		echo ram >devices/pfn0.0/mode &&
		cat /proc/sys/kernel/random/uuid >devices/pfn0.0/uuid &&
		echo namespace0.0 >devices/pfn0.0/namespace &&
		echo pfn0.0 >drivers/nd_pmem/bind &&
		test -b "/dev/$pmem"
)
