// SPDX-License-Identifier: GPL-2.0
/*
 * Which line of the CPU's caches an I/O MMU looks at.
 *
 * The caches are virtually indexed. An entry of the I/O PDIR holds, beside the
 * physical page, a coherence index: what LCI, load coherence index, makes of
 * the virtual address under which the page may be in a cache. See
 * Documentation/arch/parisc/coherence-index.rst.
 */
#include <linux/dma-map-ops.h>
#include <linux/linkage.h>

#include <asm/page.h>

#include "iommu.h"

/* For memory that is in no cache. Nobody reads it, or writes to it. */
u8 iommu_fallback_page[PAGE_SIZE] __page_aligned_bss;

/**
 * iommu_phys_alias - whose lines a transfer has to be coherent with
 * @phys: physical address of memory, with or without struct pages
 * @size: number of bytes; in one region, if there are no pages
 *
 * Context: Any. Whoever maps page-less memory holds its region.
 * Return: the kernel alias of the first byte; or the fallback page if there is
 * none, or none that is cached.
 */
struct iommu_alias iommu_phys_alias(phys_addr_t phys, size_t size)
{
	void *kaddr = NULL;

	dma_sync_kaddr(phys, size, &kaddr);
	return (struct iommu_alias) {
		.addr = (unsigned long)(kaddr ?: iommu_fallback_page)
	};
}
