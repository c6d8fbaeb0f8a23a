/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_DMA_REGION_H
#define _LINUX_DMA_REGION_H

#include <linux/completion.h>
#include <linux/errno.h>
#include <linux/jump_label.h>
#include <linux/list.h>
#include <linux/percpu-refcount.h>
#include <linux/pfn.h>
#include <linux/types.h>
#include <linux/xarray.h>

struct device;
struct pci_dev;
struct resource;

/**
 * enum dma_region_attr - the memory attribute of a region
 * @DMA_REGION_WB: ordinary memory, every CPU mapping is cacheable
 * @DMA_REGION_WC: ordinary memory, every CPU mapping is write-combining
 * @DMA_REGION_UC: ordinary memory, every CPU mapping is uncached
 * @DMA_REGION_MMIO: device memory: a PCI BAR, or I/O space without a driver
 *	model; never cached, never bounced, never copied by the CPU
 */
enum dma_region_attr {
	DMA_REGION_WB,
	DMA_REGION_WC,
	DMA_REGION_UC,
	DMA_REGION_MMIO,
};

/**
 * struct dma_region - a physical range of memory without struct page
 * @pfn: first page frame number
 * @npages: number of pages
 * @attr: the attribute that every mapper of the range must use
 * @encrypted: the memory is encrypted, devices must use the encryption bit
 * @kaddr: kernel alias of the first byte, page aligned, mapped with @attr for
 *	the whole range for as long as the region is registered; or NULL.
 *	Always NULL for %DMA_REGION_MMIO: what the CPU has there is __iomem
 * @pdev: for %DMA_REGION_MMIO, the PCI device whose BAR holds the range, or
 *	NULL: then no device is given a route to it
 * @name: for people, in debugfs and in the log
 * @lent: made by dma_region_lend(): the range stays its owner's
 *
 * One record a range is what replaces an array of struct pages. The owner of
 * the memory fills in the public members before dma_region_register() and
 * keeps them until dma_region_unregister() returns.
 */
struct dma_region {
	unsigned long		pfn;
	unsigned long		npages;
	enum dma_region_attr	attr;
	bool			encrypted;
	void			*kaddr;
	struct pci_dev		*pdev;
	const char		*name;
	bool			lent;

	/* private: */
	s64			bus_offset;	/* bus minus physical address */
	struct xarray		routes;		/* see pci_p2pdma_route() */
	struct percpu_ref	ref;		/* one each hold */
	struct completion	released;	/* the last hold is gone */
	struct list_head	users;
	bool			memtype;	/* arch_dma_region_reserve()d */
	struct resource		*res;		/* requested by us, or NULL */
};

/**
 * struct dma_region_user - a long user of a region
 * @revoke: called once, in process context, when the region goes away; see
 *	dma_region_attach()
 * @name: for people, in debugfs
 */
struct dma_region_user {
	void (*revoke)(struct dma_region_user *user);
	const char		*name;

	/* private: */
	struct dma_region	*region;
	struct list_head	node;
	struct completion	revoked;
};

#ifdef CONFIG_DMA_PAGELESS
int dma_region_register(struct dma_region *region);
void dma_region_unregister(struct dma_region *region);

int dma_region_lend(struct pci_dev *pdev, int bar);
void dma_region_recall(phys_addr_t phys, u64 size);
void dma_region_deny(struct pci_dev *pdev);
void dma_region_allow(struct pci_dev *pdev);

struct dma_region *dma_region_get(phys_addr_t phys, size_t size);
void dma_region_put(struct dma_region *region);
int dma_region_attach(struct dma_region *region, struct dma_region_user *user);
void dma_region_detach(struct dma_region_user *user);

struct dma_region *dma_region_find(phys_addr_t phys, size_t size);
void *dma_region_kaddr(phys_addr_t phys, size_t size);
void *dma_region_sync_kaddr(phys_addr_t phys, size_t size);
bool dma_region_overlaps(unsigned long pfn, unsigned long npages);
bool dma_region_has_iova_route(struct dma_region *region, struct device *dev);
int dma_region_check_attr(const struct dma_region *region,
			  enum dma_region_attr attr, const char *who);

DECLARE_STATIC_KEY_FALSE(dma_regions_exist_key);

/* Was ever one registered? A branch that is patched in then, where it can be. */
static __always_inline bool dma_regions_exist(void)
{
	return static_branch_unlikely(&dma_regions_exist_key);
}
#else
static inline int dma_region_register(struct dma_region *region)
{
	return -EOPNOTSUPP;
}

static inline void dma_region_unregister(struct dma_region *region)
{
}

static inline int dma_region_lend(struct pci_dev *pdev, int bar)
{
	return -EOPNOTSUPP;
}

static inline void dma_region_recall(phys_addr_t phys, u64 size)
{
}

static inline void dma_region_deny(struct pci_dev *pdev)
{
}

static inline void dma_region_allow(struct pci_dev *pdev)
{
}

static inline struct dma_region *dma_region_get(phys_addr_t phys, size_t size)
{
	return NULL;
}

static inline void dma_region_put(struct dma_region *region)
{
}

static inline int dma_region_attach(struct dma_region *region,
				    struct dma_region_user *user)
{
	return -EOPNOTSUPP;
}

static inline void dma_region_detach(struct dma_region_user *user)
{
}

static inline struct dma_region *dma_region_find(phys_addr_t phys, size_t size)
{
	return NULL;
}

static inline void *dma_region_kaddr(phys_addr_t phys, size_t size)
{
	return NULL;
}

static inline void *dma_region_sync_kaddr(phys_addr_t phys, size_t size)
{
	return NULL;
}

static inline bool dma_region_overlaps(unsigned long pfn, unsigned long npages)
{
	return false;
}

static inline bool dma_region_has_iova_route(struct dma_region *region,
					     struct device *dev)
{
	return false;
}

static inline int dma_region_check_attr(const struct dma_region *region,
					enum dma_region_attr attr,
					const char *who)
{
	return -EOPNOTSUPP;
}

static __always_inline bool dma_regions_exist(void)
{
	return false;
}
#endif /* CONFIG_DMA_PAGELESS */

/* Claim the attribute where the architecture tracks it: 0 or -EBUSY. */
#ifdef CONFIG_ARCH_HAS_DMA_REGION_MEMTYPE
int arch_dma_region_reserve(phys_addr_t phys, u64 size,
			    enum dma_region_attr attr);
void arch_dma_region_release(phys_addr_t phys, u64 size);
#else
static inline int arch_dma_region_reserve(phys_addr_t phys, u64 size,
					  enum dma_region_attr attr)
{
	return 0;
}

static inline void arch_dma_region_release(phys_addr_t phys, u64 size)
{
}
#endif

static inline phys_addr_t dma_region_phys(const struct dma_region *region)
{
	return PFN_PHYS(region->pfn);
}

static inline u64 dma_region_size(const struct dma_region *region)
{
	return (u64)region->npages << PAGE_SHIFT;
}

/* Do the bytes [phys, phys + size) all lie in the region? */
static inline bool dma_region_covers(const struct dma_region *region,
				     phys_addr_t phys, size_t size)
{
	return phys >= dma_region_phys(region) &&
	       phys - dma_region_phys(region) < dma_region_size(region) &&
	       size <= dma_region_size(region) -
		       (phys - dma_region_phys(region));
}

#endif /* _LINUX_DMA_REGION_H */
