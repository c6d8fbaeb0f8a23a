/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_DMA_GRANT_H
#define _LINUX_DMA_GRANT_H

#include <linux/errno.h>
#include <linux/types.h>

struct dma_region;
struct pci_dev;

/**
 * struct dma_grant - memory without struct page that user space has mapped
 * @phys: physical address of the first byte
 * @len: number of bytes: at least one, at most as many as were asked for
 * @region: the region that covers them. Held: whoever got the grant gives it
 *	back with dma_region_put()
 * @pdev: with %-EAGAIN, the PCI device whose BAR is to be lent; referenced
 * @bar: which one
 *
 * What vm_operations_struct.dma_grant fills in. It is called for a VMA that is
 * mapped shared and with the access that is asked for, under the mmap lock or
 * the VMA lock; it tries, and never waits. It must know what is mapped from
 * what it put into the VMA itself, without a look at page tables. Returns::
 *
 *	0		@phys, @len and @region are set
 *	-EFAULT		this memory is not granted
 *	-EBUSY		it is registered with another attribute
 *	-EAGAIN		nobody has registered it yet: without the lock
 *			dma_region_lend() is called for @pdev and @bar, and
 *			the owner is asked once more
 *
 * The hold outlasts the mapping. What ends it early is that the owner of the
 * region takes it back, see dma_region_unregister().
 */
struct dma_grant {
	phys_addr_t		phys;
	size_t			len;
	struct dma_region	*region;
	struct pci_dev		*pdev;
	int			bar;
};

#ifdef CONFIG_DMA_PAGELESS
int dma_grant_user(unsigned long addr, size_t len, bool write,
		   struct dma_grant *grant);
bool dma_grant_possible(unsigned long addr, size_t len);
int dma_grant_bar(struct pci_dev *pdev, int bar, phys_addr_t phys, size_t len,
		  struct dma_grant *grant);
#else
static inline int dma_grant_user(unsigned long addr, size_t len, bool write,
				 struct dma_grant *grant)
{
	return -EFAULT;
}

static inline bool dma_grant_possible(unsigned long addr, size_t len)
{
	return false;
}
#endif

#endif /* _LINUX_DMA_GRANT_H */
