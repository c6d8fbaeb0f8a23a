# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Data goes through dm-writecache to the disk: written, written back, accounted
# for, verified. The caller has run find_disks and find_nvdimm.

random=$((32 * 1048576))
events='dma/dma_map_sg dma/dma_map_page dma/dma_map_phys swiotlb/swiotlb_bounced'

# Only what the device reads (DMA_TO_DEVICE is 1); a bounce has no direction.
trace_events() {
	for event in $events; do
		[ -e "$trace/events/$event" ] || continue
		[ "${event%%/*}" = swiotlb ] || echo 'dir == 1' >"$trace/events/$event/filter"
		echo "$1" >"$trace/events/$event/enable"
	done
}

sum_of() { dd if="$1" bs=1M iflag=direct count=$((copied / 1048576)) 2>/dev/null | sha256sum | cut -c 1-64; }

run_fio() {
	fio --name=random --offset=$copied --size=$random --rw=randwrite --bsrange=4k-32k --blockalign=4k \
		--ioengine=psync --direct=1 --randseed="$seed" --verify=crc32c --thread --minimal "$@"
}

# The source first, in order; then as much again in random order, so that what
# lies side by side on the disk is scattered over the NVDIMM.
write_through_cache() {
	copied=$(($(sectors "${source#/dev/}") * 512))
	written_before=$(written $disk)
	echo 32768 >$trace/buffer_size_kb
	trace_events 1

	check "dm-writecache takes $pmem" create_cache 0 || give_up
	check 'dd writes the source through the cache' \
		dd if="$source" of=/dev/mapper/wc bs=1M iflag=direct oflag=direct conv=fsync,notrunc
	check 'fio writes blocks in random order' run_fio --filename=/dev/mapper/wc --do_verify=0 --end_fsync=1
	row 'blocks in the cache' "$(cached_blocks) of 4096 bytes"
	sum_of "$source" >source.sum
	sum_of /dev/mapper/wc >cache.sum
	check 'the cache gives back the source' cmp source.sum cache.sum
}

write_back() {
	check 'flush writes everything back' dmsetup message wc 0 flush
	equal 'no block is left in the cache' "$(cached_blocks)" 0
	check 'dmsetup remove' dmsetup remove wc
	trace_events 0
	bytes=$(($(written $disk) - written_before))
	row 'written back' "$bytes bytes, $(mib $bytes)"
	equal 'every byte came to the disk' "$((bytes >= copied + random))" 1
}

account_mappings() {
	cat $trace/per_cpu/cpu*/stats | awk '/^(overrun|dropped events)/ { lost += $NF } END { print lost + 0 }' >lost
	equal 'no trace event was lost' "$(cat lost)" 0
	cat $trace/trace >events
	awk -v device="$disk_pci" -v first="$(printf %x $((region_phys)))" \
		-v last="$(printf %x $((region_phys + region_bytes - 1)))" -f /guest/mapped.awk events >mapped
	. ./mapped
	row 'mapped' "$inside_bytes bytes inside the NVDIMM in $maps mappings; the longest list has $longest entries"
	equal 'the mappings inside the NVDIMM cover every byte written back' "$inside_bytes" "$bytes"
	equal 'nothing outside the NVDIMM was written to the disk' "$outside_bytes" 0
	equal 'no list was cut short in the trace' "$truncated" 0
	check 'the kernel can trace bounces' test -e $trace/events/swiotlb/swiotlb_bounced
	equal 'nothing was bounced' "$bounced" 0
}

# The cache is gone: this is what the disk itself has.
verify_disk() {
	sum_of /dev/$disk >disk.sum
	row 'source, sha256' "$(cat source.sum)"
	row 'disk, sha256' "$(cat disk.sum)"
	check 'the disk has the source' cmp source.sum disk.sum
	check 'the disk has what fio wrote' run_fio --filename=/dev/$disk --verify_only
}
