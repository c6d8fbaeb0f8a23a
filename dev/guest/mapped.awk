# SPDX-License-Identifier: GPL-2.0
# Reads dma_map_* trace events and prints shell variables: how many bytes were
# mapped for one device to read, inside and outside [first, last].
#
# Addresses are compared as text: hexadecimal without leading zeros, so that the
# longer one is the greater, and two of equal length sort as their digits do.

function le(a, b) { return length(a) == length(b) ? a "" <= b "" : length(a) < length(b) }
function inside(address) { return le(first, address) && le(address, last) }

# field(name): what stands between "name=" and the next blank, without braces
function field(name,   at, text) {
	at = index($0, " " name "=")
	if (!at)
		return ""
	text = substr($0, at + length(name) + 2)
	text = substr(text, 1, index(text " ", " ") - 1)
	return substr(text, 1, 1) == "{" ? substr(text, 2, length(text) - 2) : text
}

function hex(text,   i, value) {
	for (i = 1; i <= length(text); i++)
		value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
	return value
}

function account(bytes, within) {
	if (within) { maps++; inside_bytes += bytes } else outside_bytes += bytes
}

/swiotlb_bounced: / && index($0, device) { bounced++ }
!index($0, device " dir=TO_DEVICE") { next }
/TRUNCATED/ { truncated++ }

/ dma_map_(page|phys): / { account(field("size"), inside(field("phys_addr"))) }

# A list is inside if each entry starts there; the sizes are those of its segments.
/ dma_map_sg: / {
	nsizes = split(field("sizes"), sizes, ",")
	nents = split(field("phys_addrs"), entries, ",")
	total = 0
	for (i = 1; i <= nsizes; i++) total += hex(substr(sizes[i], 3))
	within = nents > 0
	for (i = 1; i <= nents; i++) within = within && inside(substr(entries[i], 3))
	if (nents > longest) longest = nents
	account(total, within)
}

END {
	printf "maps=%d inside_bytes=%.0f outside_bytes=%.0f longest=%d truncated=%d bounced=%d\n",
		maps, inside_bytes, outside_bytes, longest, truncated, bounced
}
