// SPDX-License-Identifier: GPL-2.0
/*
 * Regions: one record for each physical range of memory that has no struct
 * page and takes part in DMA.
 *
 * A region answers what would otherwise be asked of a struct page: is the
 * memory there, which attribute must a mapping of it use, has the kernel an
 * alias, behind which PCI device does it lie. That every mapper of a physical
 * range has to be known for its attributes to agree is an idea of the VCM
 * discussion of 2010.
 *
 * get_dev_pagemap() is the nearest relative, but it finds ZONE_DEVICE memory,
 * which has pages, only.
 */
#define pr_fmt(fmt) "dma-region: " fmt

#include <linux/debugfs.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-region.h>
#include <linux/export.h>
#include <linux/iommu-dma.h>
#include <linux/ioport.h>
#include <linux/jump_label.h>
#include <linux/maple_tree.h>
#include <linux/memory_hotplug.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/pageless.h>
#include <linux/pci.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/scatterlist.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/swiotlb.h>
#include "debug.h"

/* Every registered region, by PFN; look-ups are lockless. */
static struct maple_tree regions = MTREE_INIT(regions, MT_FLAGS_USE_RCU);

/*
 * To claim and insert, or to erase and unclaim, is one step for others. What is
 * lent has no claim, and is taken back under this.
 */
static DEFINE_MUTEX(regions_mutex);

/* Protects the list of users of every region; never held long. */
static DEFINE_SPINLOCK(users_lock);

static const char *const region_attr_names[] = {
	[DMA_REGION_WB]		= "write-back",
	[DMA_REGION_WC]		= "write-combining",
	[DMA_REGION_UC]		= "uncached",
	[DMA_REGION_MMIO]	= "mmio",
};

/* Spares the cache maintenance of pages a look for memory without. */
DEFINE_STATIC_KEY_FALSE(dma_regions_exist_key);

#ifdef CONFIG_SPARSEMEM_VMEMMAP
#define PFN_VALID_STEP	PAGES_PER_SUBSECTION
#elif defined(CONFIG_SPARSEMEM)
#define PFN_VALID_STEP	PAGES_PER_SECTION
#else
#define PFN_VALID_STEP	1UL
#endif

/* Has any PFN in [pfn, end) a struct page? Visits what can differ only. */
static bool range_has_page(unsigned long pfn, unsigned long end)
{
#ifdef CONFIG_SPARSEMEM
	/* A range may be absurdly large; where the last section ends is known. */
	end = min(end, section_nr_to_pfn(__highest_present_section_nr + 1));
#endif
	for (; pfn < end; pfn = ALIGN(pfn + 1, PFN_VALID_STEP)) {
#ifdef CONFIG_SPARSEMEM
		/* 256 GiB are 2048 sections, and 131072 subsections. */
		if (!valid_section(__pfn_to_section(pfn))) {
			pfn = ALIGN(pfn + 1, PAGES_PER_SECTION) - 1;
			continue;
		}
#endif
		if (pfn_valid(pfn))
			return true;
	}
	return false;
}

static int region_find_bar(struct dma_region *region)
{
#ifdef CONFIG_PCI
	struct resource range = DEFINE_RES_MEM(dma_region_phys(region),
					       dma_region_size(region));
	struct resource *bar = pci_find_resource(region->pdev, &range);
	struct pci_bus_region bus;

	if (bar) {
		pcibios_resource_to_bus(region->pdev->bus, &bus, bar);
		region->bus_offset = (s64)bus.start - (s64)bar->start;
		return 0;
	}
#endif
	return -EINVAL;
}

static int region_check(struct dma_region *region)
{
	bool mmio = region->attr == DMA_REGION_MMIO;

	if (!region->npages || region->pfn > PAGELESS_PFN_MAX ||
	    region->npages - 1 > PAGELESS_PFN_MAX - region->pfn)
		return -EINVAL;
	if (region->attr > DMA_REGION_MMIO ||
	    !PAGE_ALIGNED((unsigned long)region->kaddr))
		return -EINVAL;
	/* The CPU reaches a BAR through __iomem, other memory has no BAR. */
	if (mmio ? !!region->kaddr : !!region->pdev)
		return -EINVAL;
	if (region->pdev)
		return region_find_bar(region);
	return 0;
}

static void region_unclaim(struct dma_region *region)
{
	phys_addr_t phys = dma_region_phys(region);

	if (region->res)
		release_mem_region(phys, dma_region_size(region));
	if (region->memtype)
		arch_dma_region_release(phys, dma_region_size(region));
}

static int region_add_busy(struct resource *res, void *arg)
{
	*(u64 *)arg += resource_size(res);
	return 0;
}

/*
 * Whoever hands out physical address space looks at the resource tree. The
 * driver of an NVDIMM or a BAR has requested what it owns; RAM above "mem=" is
 * nobody's.
 */
static int region_claim(struct dma_region *region)
{
	phys_addr_t phys = dma_region_phys(region);
	u64 size = dma_region_size(region), busy = 0;

	if (region->attr != DMA_REGION_MMIO) {
		if (arch_dma_region_reserve(phys, size, region->attr))
			return -EBUSY;
		region->memtype = true;
	}
	walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_MEM | IORESOURCE_BUSY,
			    phys, phys + size - 1, &busy, region_add_busy);
	if (busy == size)
		return 0;
	region->res = request_mem_region(phys, size, region->name);
	if (region->res)
		return 0;
	region_unclaim(region);
	return -EBUSY;
}

static void region_released(struct percpu_ref *ref)
{
	complete(&container_of(ref, struct dma_region, ref)->released);
}

static int region_check_free(struct dma_region *region)
{
	if (range_has_page(region->pfn, region->pfn + region->npages))
		return -EINVAL;
	if (dma_region_overlaps(region->pfn, region->npages))
		return -EEXIST;
	return 0;
}

static int region_insert(struct dma_region *region)
{
	return mtree_insert_range(&regions, region->pfn,
				  region->pfn + region->npages - 1, region,
				  GFP_KERNEL);
}

/*
 * The claim may recall what was lent, see request_mem_region(), and may so wait
 * for others: not with memory hotplug locked out, which looks at the tree in
 * turn. What was free before can have pages after it.
 */
static int region_claim_and_insert(struct dma_region *region)
{
	int ret = region_check_free(region);

	if (!ret)
		ret = region_claim(region);
	if (ret)
		return ret;
	get_online_mems();
	ret = region_check_free(region);
	if (!ret)
		ret = region_insert(region);
	put_online_mems();
	if (ret)
		region_unclaim(region);
	return ret;
}

/**
 * dma_region_register - make memory without struct page known for DMA
 * @region: the record of the range; its public members are filled in
 *
 * From here on lists may name the range's PFNs, see sg_set_pfn(), and nobody
 * can give it struct pages: memory hot-add and devm_memremap_pages() of an
 * overlapping range fail with -EBUSY. Undo with dma_region_unregister().
 *
 * Where nobody has requested the range as an I/O memory resource yet, so that
 * it is busy, the region does. On x86 it also claims the range's memory type,
 * except for device memory, which user space may go on mapping as it likes.
 *
 * A range that is only lent, see dma_region_lend(), is recalled first.
 *
 * Context: Process context, may sleep, and waits for whoever holds a lent
 * range. Not under a lock that memory or CPU hotplug takes.
 * Return: 0, or an error that leaves nothing behind: %-EINVAL if the range is
 * empty, wraps, has a PFN with a struct page or one too large for a list's
 * entry, is not within a BAR of its PCI device, or if the kernel alias is not
 * page aligned or is one of device memory; %-EEXIST if it overlaps a region;
 * %-EBUSY if the range is mapped with another attribute, or if only a part of
 * it has been requested; %-ENOMEM.
 */
int dma_region_register(struct dma_region *region)
{
	int ret = region_check(region);

	if (ret)
		return ret;
	if (!region->lent)
		dma_region_recall(dma_region_phys(region),
				  dma_region_size(region));
	ret = percpu_ref_init(&region->ref, region_released, 0, GFP_KERNEL);
	if (ret)
		return ret;
	init_completion(&region->released);
	INIT_LIST_HEAD(&region->users);
	xa_init(&region->routes);
	region->memtype = false;
	region->res = NULL;

	/* Before anybody can find it, and outside of the locks of hotplug. */
	static_branch_enable(&dma_regions_exist_key);
	if (region->lent) {
		/* A BAR is no RAM, and may be P2PDMA memory as well. */
		ret = region_insert(region);
	} else {
		mutex_lock(&regions_mutex);
		ret = region_claim_and_insert(region);
		mutex_unlock(&regions_mutex);
	}
	if (ret)
		percpu_ref_exit(&region->ref);
	return ret;
}
EXPORT_SYMBOL_GPL(dma_region_register);

static struct dma_region_user *region_next_user(struct dma_region *region)
{
	struct dma_region_user *user;

	spin_lock_irq(&users_lock);
	user = list_first_entry_or_null(&region->users, typeof(*user), node);
	if (user)
		list_del_init(&user->node);
	spin_unlock_irq(&users_lock);
	return user;
}

static void region_revoke(struct dma_region *region)
{
	struct dma_region_user *user;

	while ((user = region_next_user(region))) {
		user->revoke(user);
		percpu_ref_put(&region->ref);
		/* The user's owner may free it as soon as it knows. */
		complete(&user->revoked);
	}
}

/**
 * dma_region_unregister - take memory back from DMA
 * @region: a registered region
 *
 * Refuses new holds, revokes every long user one after the other, and waits
 * until the last hold is gone; it says so in the log every 30 seconds. After
 * that no list may name the range, no device reaches it, and @region and the
 * memory are the caller's alone. With DMA_API_DEBUG a mapping that is still
 * there gets a warning. What holds for freed pages holds here, too: behind an
 * I/O MMU that flushes lazily, a device that goes on with addresses which were
 * unmapped may hit the memory until the next flush, some milliseconds later.
 *
 * Context: Process context, sleeps. Not under a lock that a user's revoke
 * callback, or whoever holds the region for a transfer, needs.
 */
void dma_region_unregister(struct dma_region *region)
{
	percpu_ref_kill(&region->ref);
	region_revoke(region);
	while (!wait_for_completion_timeout(&region->released, 30 * HZ))
		pr_warn("%s: still waiting for the last user\n", region->name);

	/* Of what was lent others may have mappings of their own. */
	if (!region->lent)
		debug_dma_check_unmapped(dma_region_phys(region),
					 dma_region_size(region),
					 region->name);
	if (region->lent) {
		mtree_erase(&regions, region->pfn);
	} else {
		mutex_lock(&regions_mutex);
		mtree_erase(&regions, region->pfn);
		region_unclaim(region);
		mutex_unlock(&regions_mutex);
	}
	synchronize_rcu();
	xa_destroy(&region->routes);
	percpu_ref_exit(&region->ref);
}
EXPORT_SYMBOL_GPL(dma_region_unregister);

/* A BAR that dma_region_lend() has registered; freed by its last recall. */
struct lent_region {
	struct dma_region	region;
	struct list_head	node;
	refcount_t		recalls;	/* and 1 for the list */
	bool			recalled;
	struct completion	gone;
};

/* To find that a BAR may be lent and to lend it is one step for a recall. */
static DEFINE_MUTEX(lent_mutex);
static LIST_HEAD(lent_regions);

static struct lent_region *lent_find(u64 phys, u64 size)
{
	struct lent_region *lent;

	list_for_each_entry(lent, &lent_regions, node) {
		u64 start = dma_region_phys(&lent->region);

		if (phys < start + dma_region_size(&lent->region) &&
		    start < phys + size)
			return lent;
	}
	return NULL;
}

static void lent_put(struct lent_region *lent)
{
	if (refcount_dec_and_test(&lent->recalls))
		kfree(lent);
}

static void lent_recall(struct lent_region *lent)
{
	dma_region_unregister(&lent->region);
	mutex_lock(&lent_mutex);
	list_del(&lent->node);
	mutex_unlock(&lent_mutex);
	complete_all(&lent->gone);
	lent_put(lent);
}

/**
 * dma_region_recall - take back what was lent of a physical range
 * @phys: physical address of the first byte
 * @size: number of bytes
 *
 * Unregisters each region that dma_region_lend() has made and that overlaps the
 * range, see dma_region_unregister(), or waits for whoever does. Regions of
 * other owners are left alone. It can be lent again at once; a BAR that is not
 * claimed any more, see release_resource(), cannot.
 *
 * Context: Process context, sleeps. As dma_region_unregister().
 */
void dma_region_recall(phys_addr_t phys, u64 size)
{
	struct lent_region *lent;
	bool first;

	/* The key is turned before dma_region_lend() looks at the BAR. */
	if (!dma_regions_exist() || !size)
		return;
	mutex_lock(&lent_mutex);
	while ((lent = lent_find(phys, size))) {
		first = !lent->recalled;
		lent->recalled = true;
		refcount_inc(&lent->recalls);
		mutex_unlock(&lent_mutex);

		if (first)
			lent_recall(lent);
		else
			wait_for_completion(&lent->gone);
		lent_put(lent);
		mutex_lock(&lent_mutex);
	}
	mutex_unlock(&lent_mutex);
}
EXPORT_SYMBOL_GPL(dma_region_recall);

#ifdef CONFIG_PCI
/**
 * dma_region_deny - take back what was lent of a device's BARs, and lend none
 * @pdev: the PCI device
 *
 * For who is going to reset the device or to turn the decoding of its BARs off:
 * afterwards no other device reaches them by way of dma_region_lend(). Calls
 * may be nested; each one is undone by dma_region_allow().
 *
 * Context: As dma_region_recall().
 */
void dma_region_deny(struct pci_dev *pdev)
{
	int bar;

	mutex_lock(&lent_mutex);
	pdev->dma_denied++;
	mutex_unlock(&lent_mutex);
	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if (pci_resource_flags(pdev, bar) & IORESOURCE_MEM)
			dma_region_recall(pci_resource_start(pdev, bar),
					  pci_resource_len(pdev, bar));
}
EXPORT_SYMBOL_GPL(dma_region_deny);

/**
 * dma_region_allow - let the BARs of a device be lent again
 * @pdev: the PCI device of a dma_region_deny()
 *
 * Context: Process context, may sleep.
 */
void dma_region_allow(struct pci_dev *pdev)
{
	mutex_lock(&lent_mutex);
	WARN_ON(!pdev->dma_denied--);
	mutex_unlock(&lent_mutex);
}
EXPORT_SYMBOL_GPL(dma_region_allow);

static int lend_bar(struct pci_dev *pdev, struct resource *res)
{
	struct lent_region *lent = lent_find(res->start, resource_size(res));
	int ret;

	if (lent)
		return lent->recalled ? -ENODEV : 0;
	lent = kzalloc(sizeof(*lent), GFP_KERNEL);
	if (!lent)
		return -ENOMEM;
	lent->region.pfn = PHYS_PFN(res->start);
	lent->region.npages = PHYS_PFN(resource_size(res));
	lent->region.attr = DMA_REGION_MMIO;
	lent->region.pdev = pdev;
	lent->region.name = res->name ?: "PCI BAR";
	lent->region.lent = true;
	refcount_set(&lent->recalls, 1);
	init_completion(&lent->gone);

	ret = PAGE_ALIGNED(res->start) ? dma_region_register(&lent->region) :
					 -EINVAL;
	if (ret)
		kfree(lent);
	else
		list_add(&lent->node, &lent_regions);
	return ret;
}

/**
 * dma_region_lend - register a PCI BAR for whoever wants DMA to it
 * @pdev: the PCI device
 * @bar: which of its BARs
 *
 * Nobody has to own a BAR for one device to reach that of another. This makes
 * a region of it, unless it was made before, that gives way: no resource is
 * requested, and dma_region_recall() takes it back, which dma_region_register(),
 * devm_memremap_pages() and the PCI core do when they need the range. A holder
 * finds it with dma_region_get(), as long as it is there.
 *
 * Context: Process context, may sleep. Not under a lock that memory or CPU
 * hotplug takes, nor the mmap lock.
 * Return: 0, or an error that leaves nothing behind: %-EINVAL if the BAR is no
 * memory or is smaller than a page; %-ENODEV if it is not assigned, just being
 * recalled, or denied by dma_region_deny(); %-EEXIST if somebody has registered
 * a part of it; %-ENOMEM.
 */
int dma_region_lend(struct pci_dev *pdev, int bar)
{
	struct resource *res = pci_resource_n(pdev, bar);
	int ret = -ENODEV;

	if (!(res->flags & IORESOURCE_MEM))
		return -EINVAL;
	static_branch_enable(&dma_regions_exist_key);
	mutex_lock(&lent_mutex);
	if (res->parent && !pdev->dma_denied)
		ret = lend_bar(pdev, res);
	mutex_unlock(&lent_mutex);
	return ret;
}
EXPORT_SYMBOL_GPL(dma_region_lend);
#else
int dma_region_lend(struct pci_dev *pdev, int bar)
{
	return -EOPNOTSUPP;
}
#endif /* CONFIG_PCI */

/**
 * dma_region_check_attr - may a user map memory of a region as it asks?
 * @region: the region, held
 * @attr: the attribute that the user wants
 * @who: the user, for the log
 *
 * Every mapper of a physical range must use the same attribute.
 *
 * Context: Any.
 * Return: 0; %-EBUSY if the region has another attribute: the log names both.
 */
int dma_region_check_attr(const struct dma_region *region,
			  enum dma_region_attr attr, const char *who)
{
	if (region->attr == attr)
		return 0;
	pr_warn_ratelimited("%s: %s asks for %s memory, it is %s\n",
			    region->name, who, region_attr_names[attr],
			    region_attr_names[region->attr]);
	return -EBUSY;
}
EXPORT_SYMBOL_GPL(dma_region_check_attr);

/**
 * dma_region_find - look up the region of a range, for who holds it already
 * @phys: physical address of the first byte
 * @size: number of bytes
 *
 * For implementations of the DMA API: the maker of the list holds the region.
 * Finds a region that is being unregistered, too, until its last hold is gone.
 *
 * Context: Any; lockless.
 * Return: the region that covers all of the range, or NULL.
 */
struct dma_region *dma_region_find(phys_addr_t phys, size_t size)
{
	struct dma_region *region;

	rcu_read_lock();
	region = mtree_load(&regions, PHYS_PFN(phys));
	if (region && !dma_region_covers(region, phys, size))
		region = NULL;
	rcu_read_unlock();
	return region;
}
EXPORT_SYMBOL_GPL(dma_region_find);

/**
 * dma_region_get - hold the region of a range for one transfer
 * @phys: physical address of the first byte
 * @size: number of bytes
 *
 * As long as the hold lasts the memory stays, and dma_region_unregister()
 * waits. There is no callback: use it for what ends by itself, in bounded
 * time, and dma_region_attach() otherwise.
 *
 * Context: Any; lockless.
 * Return: the region, to be given to dma_region_put(); NULL if no region
 * covers all of the range or it is being unregistered.
 */
struct dma_region *dma_region_get(phys_addr_t phys, size_t size)
{
	struct dma_region *region;

	rcu_read_lock();
	region = dma_region_find(phys, size);
	if (region && !percpu_ref_tryget_live_rcu(&region->ref))
		region = NULL;
	rcu_read_unlock();
	return region;
}
EXPORT_SYMBOL_GPL(dma_region_get);

/**
 * dma_region_put - let go of a hold
 * @region: what dma_region_get() returned
 *
 * Context: Any.
 */
void dma_region_put(struct dma_region *region)
{
	percpu_ref_put(&region->ref);
}
EXPORT_SYMBOL_GPL(dma_region_put);

/**
 * dma_region_attach - become a long user of a region
 * @region: the region, held by the caller
 * @user: the user; its public members are filled in
 *
 * The attachment is a hold of its own and lasts until dma_region_detach(), or
 * until the region is unregistered. In that case @user->revoke is called, and
 * when it returns the attachment is over: all DMA of the user to and from the
 * region has ended and been unmapped, the kernel alias is not used any more,
 * and neither starts again. revoke may sleep, and must not call
 * dma_region_detach(); whoever owns @user still does, later.
 *
 * Context: Any; takes a spinlock, never waits.
 * Return: 0, or %-ENODEV if the region is being unregistered.
 */
int dma_region_attach(struct dma_region *region, struct dma_region_user *user)
{
	unsigned long flags;
	int ret = -ENODEV;

	init_completion(&user->revoked);
	INIT_LIST_HEAD(&user->node);
	user->region = region;

	spin_lock_irqsave(&users_lock, flags);
	if (percpu_ref_tryget_live(&region->ref)) {
		list_add_tail(&user->node, &region->users);
		ret = 0;
	}
	spin_unlock_irqrestore(&users_lock, flags);
	return ret;
}
EXPORT_SYMBOL_GPL(dma_region_attach);

/**
 * dma_region_detach - end an attachment
 * @user: a user that dma_region_attach() accepted
 *
 * Waits for a revoke callback that is running. If the region was revoked
 * before, there is nothing left to do. Afterwards @user is the caller's.
 *
 * Context: Process context, may sleep; not from the revoke callback.
 */
void dma_region_detach(struct dma_region_user *user)
{
	bool attached;

	spin_lock_irq(&users_lock);
	attached = !list_empty(&user->node);
	list_del_init(&user->node);
	spin_unlock_irq(&users_lock);

	if (attached)
		percpu_ref_put(&user->region->ref);
	else
		wait_for_completion(&user->revoked);
}
EXPORT_SYMBOL_GPL(dma_region_detach);

/**
 * dma_region_kaddr - the kernel alias of a range
 * @phys: physical address of the first byte
 * @size: number of bytes
 *
 * The caller holds the region, and the address is good for as long.
 *
 * Context: Any; lockless.
 * Return: the kernel virtual address of the first byte, or NULL if no region
 * covers all of the range or it has no alias.
 */
void *dma_region_kaddr(phys_addr_t phys, size_t size)
{
	struct dma_region *region;
	void *kaddr = NULL;

	rcu_read_lock();
	region = dma_region_find(phys, size);
	if (region && region->kaddr)
		kaddr = region->kaddr + (phys - dma_region_phys(region));
	rcu_read_unlock();
	return kaddr;
}
EXPORT_SYMBOL_GPL(dma_region_kaddr);

/* May the CPU's caches hold lines of it? Not what it cannot reach, or uncached. */
static bool region_is_cached(const struct dma_region *region)
{
	return region->kaddr && region->attr == DMA_REGION_WB;
}

/**
 * dma_region_sync_kaddr - through which address to maintain the CPU's caches
 * @phys: physical address of the first byte
 * @size: number of bytes
 *
 * For arch_sync_dma_for_device() and arch_sync_dma_for_cpu(), see
 * dma_sync_kaddr(). Where caches are indexed by virtual address these are the
 * lines of the kernel alias; whoever has made another alias, for user space,
 * flushes that, as with pages.
 *
 * Context: Any; lockless. Whoever has mapped the range holds the region.
 * Return: the kernel alias of the first byte, or NULL if there is nothing to
 * maintain: the range is empty or in no one region, is device memory, or its
 * region has no alias or an uncached one.
 */
void *dma_region_sync_kaddr(phys_addr_t phys, size_t size)
{
	struct dma_region *region;
	void *kaddr = NULL;

	rcu_read_lock();
	region = dma_region_find(phys, size);
	if (size && region && region_is_cached(region))
		kaddr = region->kaddr + (phys - dma_region_phys(region));
	rcu_read_unlock();
	return kaddr;
}

/**
 * dma_region_overlaps - is any PFN of a range in a region?
 * @pfn: first page frame number
 * @npages: number of pages, not 0
 *
 * For whoever is about to give the range struct pages. Memory hotplug is
 * locked for writing, or the answer may be out of date at once.
 */
bool dma_region_overlaps(unsigned long pfn, unsigned long npages)
{
	unsigned long index = pfn;

	return mt_find(&regions, &index, pfn + npages - 1);
}

/**
 * sg_kaddr - Return the kernel alias of a page-less sg entry
 * @sg:		SG entry
 *
 * The caller holds the region of the entry, and the address is good for as
 * long.
 *
 * Context: Any.
 * Return: the kernel virtual address of the entry's first byte, through which
 * all of its bytes can be read and written; NULL if the region has none, for
 * device memory, for an entry that does not lie in one region, and for a
 * paged entry: use sg_virt() or kmap_local_page() there.
 **/
void *sg_kaddr(struct scatterlist *sg)
{
	if (sg_has_page(sg) || sg_is_mmio(sg))
		return NULL;
	return dma_region_kaddr(sg_phys(sg), sg->length);
}
EXPORT_SYMBOL_GPL(sg_kaddr);

/**
 * sg_has_kaddr - Has the kernel an alias to maintain caches through?
 * @sg:		SG entry
 *
 * Return: true for a paged entry, whose alias the kernel has or can make, and
 * for a page-less one with an sg_kaddr().
 **/
bool sg_has_kaddr(struct scatterlist *sg)
{
	return sg_has_page(sg) || sg_kaddr(sg);
}
EXPORT_SYMBOL_GPL(sg_has_kaddr);

static enum pci_p2pdma_map_type region_route(struct dma_region *region,
					     struct device *dev)
{
	if (!region->pdev || !dev_is_pci(dev))
		return PCI_P2PDMA_MAP_NOT_SUPPORTED;
	return pci_p2pdma_route(region->pdev, to_pci_dev(dev),
				&region->routes);
}

static bool region_bus_reachable(struct device *dev, u64 bus, size_t size)
{
	u64 mask = dma_get_mask(dev);

	return bus <= mask && (!size || size - 1 <= mask - bus);
}

static int region_bus_address(struct dma_region *region, struct device *dev,
			      phys_addr_t phys, size_t size, dma_addr_t *addr)
{
	u64 bus = phys + region->bus_offset;

	if (!region_bus_reachable(dev, bus, size))
		return -EREMOTEIO;
	*addr = bus;
	return 0;
}

/**
 * dma_region_bus_address - does a device reach memory by its PCI bus address?
 * @region: the region
 * @dev: the device
 * @phys: physical address of the first byte, in the region
 * @size: number of bytes
 * @addr: where to store the bus address
 *
 * Return: 1 if so: then @addr is all that the device needs; 0 if the memory
 * has to be mapped; %-EREMOTEIO if there is no route, or the device cannot
 * address where it ends.
 */
int dma_region_bus_address(struct dma_region *region, struct device *dev,
			   phys_addr_t phys, size_t size, dma_addr_t *addr)
{
	if (region->attr != DMA_REGION_MMIO)
		return 0;
	switch (region_route(region, dev)) {
	case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE:
		return 0;
	case PCI_P2PDMA_MAP_BUS_ADDR:
		return region_bus_address(region, dev, phys, size, addr) ?: 1;
	default:
		return -EREMOTEIO;
	}
}

/**
 * dma_region_can_map - can memory of a region be mapped for a device?
 * @region: the region
 * @dev: the device
 *
 * Whatever the device's addressing capabilities are, and not by bus address.
 *
 * Return: false if the device is not cache coherent, the memory is cached and
 * the architecture cannot maintain caches through an alias; and behind an I/O
 * MMU, if the encryption bit that its page tables have would be the wrong one.
 */
bool dma_region_can_map(struct dma_region *region, struct device *dev)
{
	bool mmio = region->attr == DMA_REGION_MMIO;

	if (use_dma_iommu(dev) &&
	    !iommu_dma_encryption_fits(mmio, region->encrypted))
		return false;
	return dev_is_dma_coherent(dev) || !region_is_cached(region) ||
	       IS_ENABLED(CONFIG_ARCH_HAS_SYNC_DMA_PAGELESS);
}

/**
 * dma_region_has_iova_route - does a device reach memory through an I/O MMU?
 * @region: the region
 * @dev: the device, which is alive
 *
 * At whatever address the I/O MMU's tables have it, which need not be those of
 * the DMA API. Then there are no bus addresses: every request goes up to the
 * host bridge to be translated, and device memory is where that sends it on to,
 * also if the device is below the same switch, or has the BAR itself.
 *
 * Context: Any.
 * Return: false if the host bridge is not known to forward such requests, if
 * either is no PCI device, or if the encryption bit that the I/O MMU's tables
 * have would be the wrong one.
 */
bool dma_region_has_iova_route(struct dma_region *region, struct device *dev)
{
	bool mmio = region->attr == DMA_REGION_MMIO;

	if (!iommu_dma_encryption_fits(mmio, region->encrypted))
		return false;
	if (!mmio)
		return true;
	return region->pdev && dev_is_pci(dev) &&
	       pci_p2pdma_host_forwards(region->pdev, to_pci_dev(dev));
}
EXPORT_SYMBOL_GPL(dma_region_has_iova_route);

/**
 * dma_region_can_bounce - can memory of a region ever be bounced for a device?
 * @region: the region
 * @dev: the device
 * @size: number of bytes
 *
 * Return: false if there is no alias to copy through, no bounce buffer, or
 * none of that size.
 */
bool dma_region_can_bounce(struct dma_region *region, struct device *dev,
			   size_t size)
{
	return region->kaddr && is_swiotlb_active(dev) &&
	       size <= swiotlb_max_mapping_size(dev);
}

static int region_map_enter(struct dma_region_map_state *state,
			    struct device *dev, struct scatterlist *sg)
{
	struct dma_region *region = dma_region_find(sg_phys(sg), sg->length);
	enum pci_p2pdma_map_type map = PCI_P2PDMA_MAP_THRU_HOST_BRIDGE;

	if (!region)
		return sg_is_mmio(sg) ? -EREMOTEIO : -EINVAL;
	if (region->attr == DMA_REGION_MMIO)
		map = region_route(region, dev);
	if (map == PCI_P2PDMA_MAP_THRU_HOST_BRIDGE &&
	    !dma_region_can_map(region, dev))
		return -EREMOTEIO;
	state->region = region;
	state->map = map;
	return 0;
}

/**
 * dma_region_map_segment - what to do with a page-less entry in map_sg
 * @state: declared outside of the loop over the list, initialized to zero
 * @dev: the device that the list is mapped for
 * @sg: a page-less entry
 *
 * For implementations of dma_map_ops.map_sg, beside pci_p2pdma_map_segment(),
 * whose three outcomes it shares. The look-up of the region and of the route
 * is done again only where an entry leaves the region of the one before.
 *
 * Context: Any.
 * Return: 0 if the implementation maps sg_phys(), with the protection for
 * device memory if sg_is_mmio(); 1 if the entry has been given its PCI bus
 * address and needs nothing else; %-EINVAL if no region covers the entry or
 * it is of the other kind; %-EREMOTEIO if @dev has no route to it, or cannot
 * address where the route ends.
 */
int dma_region_map_segment(struct dma_region_map_state *state,
			   struct device *dev, struct scatterlist *sg)
{
	bool is_mmio;
	int ret;

	if (!state->region ||
	    !dma_region_covers(state->region, sg_phys(sg), sg->length)) {
		ret = region_map_enter(state, dev, sg);
		if (ret)
			return ret;
	}
	is_mmio = state->region->attr == DMA_REGION_MMIO;
	if (sg_is_mmio(sg) != is_mmio)
		return -EINVAL;

	switch (state->map) {
	case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE:
		return 0;
	case PCI_P2PDMA_MAP_BUS_ADDR:
		/* Unmapping could not tell a bus address from another. */
		if (!IS_ENABLED(CONFIG_NEED_SG_DMA_FLAGS))
			return -EREMOTEIO;
		ret = region_bus_address(state->region, dev, sg_phys(sg),
					 sg->length, &sg->dma_address);
		if (ret)
			return ret;
		sg_dma_len(sg) = sg->length;
		sg_dma_mark_bus_address(sg);
		return 1;
	default:
		return -EREMOTEIO;
	}
}

#ifdef CONFIG_DEBUG_FS
static void region_show_users(struct seq_file *m, struct dma_region *region)
{
	struct dma_region_user *user;

	spin_lock_irq(&users_lock);
	list_for_each_entry(user, &region->users, node)
		seq_printf(m, " %s", user->name);
	spin_unlock_irq(&users_lock);
}

/* first and last PFN, attribute, flags, name, and the users attached to it */
static int dma_regions_show(struct seq_file *m, void *unused)
{
	MA_STATE(mas, &regions, 0, 0);
	struct dma_region *region;

	rcu_read_lock();
	mas_for_each(&mas, region, ULONG_MAX) {
		seq_printf(m, "%#lx-%#lx %s%s%s %s:", region->pfn,
			   region->pfn + region->npages - 1,
			   region_attr_names[region->attr],
			   region->encrypted ? " encrypted" : "",
			   region->kaddr ? " alias" : "", region->name);
		region_show_users(m, region);
		seq_putc(m, '\n');
	}
	rcu_read_unlock();
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(dma_regions);

static int __init dma_region_debugfs(void)
{
	debugfs_create_file("dma_regions", 0400, NULL, NULL,
			    &dma_regions_fops);
	return 0;
}
late_initcall(dma_region_debugfs);
#endif /* CONFIG_DEBUG_FS */
