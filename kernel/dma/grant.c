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
#include <linux/dma-region.h>
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/mmu_context.h>
#include <linux/pci.h>
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

/**
 * dma_grant_possible - is there memory whose owner grants DMA, in a user's range?
 * @addr: the user's address of the first byte, untagged
 * @len: number of bytes
 *
 * For who would go on with the CPU where DMA has failed. Nothing is held.
 *
 * Context: As dma_grant_user().
 * Return: true if a mapping in the range has an owner to be asked.
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
		found |= vma_has_owner(vma);
	mmap_read_unlock(current->mm);
	return found;
}

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
