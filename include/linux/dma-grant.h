/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_DMA_GRANT_H
#define _LINUX_DMA_GRANT_H

#include <linux/errno.h>
#include <linux/types.h>

struct device;
struct dma_region;
struct module;
struct pci_dev;
struct sg_table;

struct dma_hold;

/**
 * struct dma_hold_ops - what the owner of memory does with its holds
 * @owner: the module of @put, or NULL
 * @put: takes one back, and frees the memory with the last. May sleep, and may
 *	be called under the mmap lock, as vm_operations_struct.close is
 */
struct dma_hold_ops {
	struct module	*owner;
	void		(*put)(struct dma_hold *hold);
};

/**
 * struct dma_hold - what keeps memory that has struct pages, and an owner
 * @ops: the owner's
 *
 * Memory of dma_alloc_coherent() is RAM. It is mapped by get_user_pages() no
 * more than a PCI BAR is, because a reference to a page does not keep it: its
 * owner frees it all the same. What keeps it is the owner's own reference
 * count. This is part of what that counts; each grant has one reference, which
 * the owner has taken, and one to the module.
 *
 * Unlike a region it cannot be revoked: the memory stays until the last hold
 * has been given back.
 */
struct dma_hold {
	const struct dma_hold_ops	*ops;
};

/**
 * struct dma_grant - memory that user space has mapped and nobody can pin
 * @phys: physical address of the first byte
 * @len: number of bytes: at least one, at most as many as were asked for
 * @region: the region that covers them, held; NULL if they have struct pages
 * @hold: then the hold of their owner. Whoever got the grant gives either of
 *	the two back, with dma_grant_put() or dma_region_put()
 * @bounded: who takes it back is user space, and waits: the grant is only for
 *	who ends DMA without user space, which may be the same
 * @pdev: with %-EAGAIN, the PCI device whose BAR is to be lent; referenced
 * @bar: which one
 *
 * What vm_operations_struct.dma_grant fills in. It is called for a VMA that is
 * mapped shared and with the access that is asked for, under the mmap lock or
 * the VMA lock; it tries, and never waits. It must know what is mapped from
 * what it put into the VMA itself, without a look at page tables. Returns::
 *
 *	0		@phys, @len, and @region or @hold are set
 *	-EFAULT		this memory is not granted
 *	-EBUSY		it is registered with another attribute
 *	-EAGAIN		nobody has registered it yet: without the lock
 *			dma_region_lend() is called for @pdev and @bar, and
 *			the owner is asked once more
 *
 * The hold outlasts the mapping. What ends it early is that the owner of a
 * region takes it back, see dma_region_unregister().
 */
struct dma_grant {
	phys_addr_t		phys;
	size_t			len;
	struct dma_region	*region;
	struct dma_hold		*hold;
	bool			bounded;
	struct pci_dev		*pdev;
	int			bar;
};

#ifdef CONFIG_DMA_PAGELESS
int dma_grant_user(unsigned long addr, size_t len, bool write,
		   struct dma_grant *grant);
void dma_grant_put(struct dma_grant *grant);
void dma_hold_put(struct dma_hold *hold);
bool dma_grant_possible(unsigned long addr, size_t len);
int dma_grant_bar(struct pci_dev *pdev, int bar, phys_addr_t phys, size_t len,
		  struct dma_grant *grant);
int dma_grant_sgtable(struct sg_table *sgt, size_t offset, size_t len,
		      struct dma_hold *hold, struct dma_grant *grant);
int dma_grant_coherent(struct device *dev, void *cpu_addr, dma_addr_t dma_addr,
		       size_t size, unsigned long attrs, size_t offset,
		       size_t len, struct dma_hold *hold,
		       struct dma_grant *grant);
#else
static inline int dma_grant_user(unsigned long addr, size_t len, bool write,
				 struct dma_grant *grant)
{
	return -EFAULT;
}

static inline void dma_grant_put(struct dma_grant *grant)
{
}

static inline void dma_hold_put(struct dma_hold *hold)
{
}

static inline bool dma_grant_possible(unsigned long addr, size_t len)
{
	return false;
}
#endif

#endif /* _LINUX_DMA_GRANT_H */
