// SPDX-License-Identifier: GPL-2.0
/*
 * DMA to memory without struct page that user space has mapped: who asks the
 * owner of the mapping, and what owners answer.
 *
 * follow_pfn() and its users were removed because a PFN out of a page table
 * says nothing of how long the memory stays. Here nobody looks at page tables.
 * The owner says what it has mapped, and gives a hold on it.
 */
#include <linux/dma-grant.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/dma-region.h>
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/mmu_context.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>

/* Has the VMA an owner to be asked, as far as its kind is concerned? */
static bool vma_has_owner(struct vm_area_struct *vma)
{
	return vma->vm_ops && vma->vm_ops->dma_grant &&
	       !is_cow_mapping(vma->vm_flags);
}

static int grant_locked(unsigned long addr, size_t len, bool write,
			struct dma_grant *grant)
{
	struct vm_area_struct *vma = vma_lookup(current->mm, addr);

	if (!vma || !vma_has_owner(vma) ||
	    !(vma->vm_flags & (write ? VM_WRITE : VM_READ)) ||
	    !arch_vma_access_permitted(vma, write, false, false))
		return -EFAULT;
	*grant = (struct dma_grant) { };
	return vma->vm_ops->dma_grant(vma, addr,
				      min_t(size_t, len, vma->vm_end - addr),
				      grant);
}

static int grant_once(unsigned long addr, size_t len, bool write,
		      struct dma_grant *grant)
{
	int ret;

	if (mmap_read_lock_killable(current->mm))
		return -EINTR;
	ret = grant_locked(addr, len, write, grant);
	mmap_read_unlock(current->mm);
	return ret;
}

/**
 * dma_grant_user - ask for DMA to memory that user space has mapped
 * @addr: the user's address of the first byte, untagged
 * @len: number of bytes
 * @write: devices will write to it
 * @grant: where to store what was granted
 *
 * To be tried where pin_user_pages() has failed with %-EFAULT. The grant covers
 * what one owner has mapped in one piece; for the rest the caller asks again.
 *
 * Context: Process context of whoever has the mapping, may sleep. Not under
 * the mmap lock.
 * Return: 0, and a hold in @grant; %-EFAULT if there is no such mapping or it
 * does not permit the access, if it is private, if it has no owner to be asked
 * or that does not grant it; %-EBUSY if the memory is registered with another
 * attribute; %-EINTR or %-ENOMEM.
 */
int dma_grant_user(unsigned long addr, size_t len, bool write,
		   struct dma_grant *grant)
{
	int ret, tries = 2;

	if (!current->mm)
		return -EFAULT;
	while (tries--) {
		ret = grant_once(addr, len, write, grant);
		if (ret != -EAGAIN)
			return ret;
		ret = dma_region_lend(grant->pdev, grant->bar);
		pci_dev_put(grant->pdev);
		if (ret)
			return ret == -ENOMEM ? ret : -EFAULT;
	}
	/* Lent, and taken back at once. */
	return -EFAULT;
}
EXPORT_SYMBOL_GPL(dma_grant_user);

/**
 * dma_hold_put - give back the hold of an owner
 * @hold: the hold, of a grant
 *
 * Context: Process context, may sleep. As dma_grant_user().
 */
void dma_hold_put(struct dma_hold *hold)
{
	/* It may be gone afterwards, and @put cannot let go of its own code. */
	struct module *owner = hold->ops->owner;

	hold->ops->put(hold);
	module_put(owner);
}

/**
 * dma_grant_put - give back what dma_grant_user() has granted
 * @grant: the grant
 *
 * Nobody does DMA to the memory any more.
 *
 * Context: Process context, may sleep. As dma_grant_user().
 */
void dma_grant_put(struct dma_grant *grant)
{
	if (grant->region)
		dma_region_put(grant->region);
	else
		dma_hold_put(grant->hold);
}
EXPORT_SYMBOL_GPL(dma_grant_put);

/* All but memory with pages, which is as good for the CPU as any other. */
static bool vma_has_no_pages(struct vm_area_struct *vma, unsigned long addr)
{
	struct dma_grant grant = { };
	bool has_pages;
	int ret;

	if (!vma_has_owner(vma))
		return false;
	ret = vma->vm_ops->dma_grant(vma, max(addr, vma->vm_start), 1, &grant);
	if (ret == -EAGAIN)
		pci_dev_put(grant.pdev);
	if (ret)
		return true;
	has_pages = !grant.region;
	dma_grant_put(&grant);
	return !has_pages;
}

/**
 * dma_grant_possible - is there memory whose owner grants DMA, in a user's range?
 * @addr: the user's address of the first byte, untagged
 * @len: number of bytes
 *
 * For who would go on with the CPU where DMA has failed. Nothing is held.
 *
 * Context: As dma_grant_user().
 * Return: true if a mapping in the range has an owner to be asked, and that
 * does not say that the memory has struct pages.
 */
bool dma_grant_possible(unsigned long addr, size_t len)
{
	struct vm_area_struct *vma;
	bool found = false;

	if (!current->mm || !len)
		return false;
	VMA_ITERATOR(vmi, current->mm, addr);
	mmap_read_lock(current->mm);
	for_each_vma_range(vmi, vma, addr + len)
		found = found || vma_has_no_pages(vma, addr);
	mmap_read_unlock(current->mm);
	return found;
}

static int grant_piece(struct sg_table *sgt, size_t offset, size_t len,
		       struct dma_grant *grant)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_sg(sgt, sg, i) {
		if (offset < sg->length) {
			grant->phys = sg_phys(sg) + offset;
			grant->len = min_t(size_t, len, sg->length - offset);
			return 0;
		}
		offset -= sg->length;
	}
	return -EFAULT;
}

/**
 * dma_grant_sgtable - vm_operations_struct.dma_grant of who maps listed pages
 * @sgt: the list of the pages of all of the memory
 * @offset: what the user's address is mapped to, from the start of the memory
 * @len: number of bytes
 * @hold: the owner's, who has taken the reference that is given back with it
 * @grant: where to store what is granted
 *
 * The memory may be scattered, behind an I/O MMU; what lies in one piece is
 * granted. How the CPU has it mapped does not matter: whoever maps pages for a
 * device that is not coherent maintains the caches.
 *
 * Context: Any.
 * Return: 0; or %-EFAULT if @offset is not in the memory or the owner's module
 * is just being removed, and the reference is still the caller's.
 */
int dma_grant_sgtable(struct sg_table *sgt, size_t offset, size_t len,
		      struct dma_hold *hold, struct dma_grant *grant)
{
	if (grant_piece(sgt, offset, len, grant) ||
	    !try_module_get(hold->ops->owner))
		return -EFAULT;
	grant->hold = hold;
	return 0;
}
EXPORT_SYMBOL_GPL(dma_grant_sgtable);

/* Some devices have coherent memory that is no RAM of the kernel's. */
static bool coherent_has_pages(struct device *dev)
{
#ifdef CONFIG_DMA_DECLARE_COHERENT
	if (dev->dma_mem)
		return false;
#endif
	return !IS_ENABLED(CONFIG_DMA_GLOBAL_POOL) || dev_is_dma_coherent(dev);
}

/**
 * dma_grant_coherent - vm_operations_struct.dma_grant of who maps coherent memory
 * @dev: the device that dma_alloc_attrs() was called for
 * @cpu_addr: what it has returned
 * @dma_addr: the address that it has stored
 * @size: how much memory it was
 * @attrs: its attributes
 * @offset: as for dma_grant_sgtable()
 * @len: number of bytes
 * @hold: as for dma_grant_sgtable()
 * @grant: where to store what is granted
 *
 * For memory that was mapped with dma_mmap_attrs().
 *
 * Context: Process context, may sleep, may be called under the mmap lock.
 * Return: as dma_grant_sgtable(); %-EFAULT also if the memory may have no
 * struct pages, as that of a device's own pool; %-ENOMEM.
 */
int dma_grant_coherent(struct device *dev, void *cpu_addr, dma_addr_t dma_addr,
		       size_t size, unsigned long attrs, size_t offset,
		       size_t len, struct dma_hold *hold,
		       struct dma_grant *grant)
{
	struct sg_table sgt;
	int ret;

	if (!coherent_has_pages(dev))
		return -EFAULT;
	ret = dma_get_sgtable_attrs(dev, &sgt, cpu_addr, dma_addr, size, attrs);
	if (ret)
		return ret == -ENOMEM ? ret : -EFAULT;
	ret = dma_grant_sgtable(&sgt, offset, len, hold, grant);
	sg_free_table(&sgt);
	return ret;
}
EXPORT_SYMBOL_GPL(dma_grant_coherent);

#ifdef CONFIG_PCI
/**
 * dma_grant_bar - vm_operations_struct.dma_grant of who maps a PCI BAR
 * @pdev: the PCI device; it cannot be removed meanwhile
 * @bar: which of its BARs
 * @phys: physical address of the first byte, within the BAR
 * @len: number of bytes, within the BAR
 * @grant: where to store what is granted
 *
 * Grants what a region covers that is there already, or asks for the BAR to be
 * lent. The grant ends with the region: that of dma_region_lend() when the
 * device is removed or the BAR is moved.
 *
 * Context: Any.
 * Return: as &struct dma_grant says.
 */
int dma_grant_bar(struct pci_dev *pdev, int bar, phys_addr_t phys, size_t len,
		  struct dma_grant *grant)
{
	struct dma_region *region = dma_region_get(phys, 1);

	if (!region) {
		grant->pdev = pci_dev_get(pdev);
		grant->bar = bar;
		return -EAGAIN;
	}
	if (dma_region_check_attr(region, DMA_REGION_MMIO, current->comm)) {
		dma_region_put(region);
		return -EBUSY;
	}
	grant->phys = phys;
	grant->len = min_t(u64, len, dma_region_phys(region) +
				     dma_region_size(region) - phys);
	grant->region = region;
	return 0;
}
EXPORT_SYMBOL_GPL(dma_grant_bar);
#endif
