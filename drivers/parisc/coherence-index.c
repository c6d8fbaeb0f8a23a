// SPDX-License-Identifier: GPL-2.0
/*
 * Which line of the CPU's caches an I/O MMU looks at.
 *
 * The caches are virtually indexed. An entry of the I/O PDIR holds, beside the
 * physical page, a coherence index: what LCI, load coherence index, makes of
 * the virtual address under which the page may be in a cache. See
 * Documentation/arch/parisc/coherence-index.rst.
 */
#include <kunit/static_stub.h>
#include <linux/dma-map-ops.h>
#include <linux/linkage.h>
#include <linux/scatterlist.h>

#include <asm/page.h>
#include <asm/special_insns.h>

#include "iommu.h"

/* For memory that is in no cache. Nobody reads it, or writes to it. */
static u8 fallback_page[PAGE_SIZE] __page_aligned_bss;

static struct iommu_alias iommu_kernel_alias(const void *kaddr)
{
	return (struct iommu_alias) {
		.addr	     = (unsigned long)(kaddr ?: fallback_page),
		.is_fallback = !kaddr,
	};
}

/**
 * iommu_user_alias - the user address that an entry was imported from
 * @sg: the entry
 * @alias: where to put it
 *
 * If the lines of the entry may be dirty under the address that a user has
 * mapped it at, that is the alias to snoop; nothing has to be flushed then. It
 * is not known for now: lists that are made from user addresses have pages,
 * which get_user_pages() has flushed. It is for those of which only devices
 * may walk, to be answered in the context of the user, who has the pages in
 * his page table.
 *
 * Return: is there one?
 */
bool iommu_user_alias(struct scatterlist *sg, struct iommu_alias *alias)
{
	KUNIT_STATIC_STUB_REDIRECT(iommu_user_alias, sg, alias);
	return false;
}

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
	return iommu_kernel_alias(kaddr);
}

/**
 * iommu_mmio_alias - whose lines a transfer to or from device memory concerns
 *
 * Context: Any.
 * Return: the fallback page, for device memory is in no cache.
 */
struct iommu_alias iommu_mmio_alias(void)
{
	return iommu_kernel_alias(NULL);
}

/**
 * iommu_sg_alias - whose lines the transfer of an entry has to be coherent with
 * @sg: the entry, paged or not
 * @phys: its physical address, sg_phys()
 *
 * Context: Any. Whoever maps a page-less entry holds its region.
 * Return: of these the first that there is:
 *
 * 1. the user address that the entry was imported from;
 * 2. its kernel alias, if that is cached;
 * 3. the fallback page, always for device memory. If user space has mapped
 *    the memory cached, its lines have been flushed.
 */
struct iommu_alias iommu_sg_alias(struct scatterlist *sg, phys_addr_t phys)
{
	struct iommu_alias alias = {};

	if (sg_is_mmio(sg))
		return iommu_mmio_alias();
	if (iommu_user_alias(sg, &alias))
		return alias;
	/* There is no highmem. */
	if (sg_has_page(sg))
		return iommu_kernel_alias(phys_to_virt(phys));
	return iommu_phys_alias(phys, sg->length);
}

/**
 * iommu_lci - load a coherence index
 * @space: the space id, 0 for the kernel's
 * @addr: an address in it that has a translation
 *
 * Changes %sr1 for another space. That, as anywhere else, is good for as long
 * as interrupts are off.
 *
 * Context: Interrupts are off.
 * Return: the index of the page, unshifted.
 */
unsigned long iommu_lci(unsigned long space, unsigned long addr)
{
	unsigned long index;

	KUNIT_STATIC_STUB_REDIRECT(iommu_lci, space, addr);

	if (!space) {
		asm volatile("lci %%r0(%1), %0" : "=r" (index) : "r" (addr));
		return index;
	}
	mtsp(space, SR_TEMP1);
	asm volatile("lci %%r0(%%sr1,%1), %0" : "=r" (index) : "r" (addr));
	return index;
}
