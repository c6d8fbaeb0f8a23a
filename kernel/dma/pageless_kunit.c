// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of DMA to and from memory that has no struct page.
 *
 * They map lists for a real PCI device, QEMU's edu, on whatever machine they
 * find: without I/O MMU, behind one, with bounce buffers forced or absent.
 * What must come out is worked out from the machine by fate_of(), entry by
 * entry, from the contract and not from the code:
 *
 *	memory with a kernel alias	mapped, bounced if the device needs it
 *	memory without			mapped, or refused
 *	device memory			mapped, its bus address, or refused
 *
 * The driver of the I/O MMU is watched from between the IOMMU core and it.
 *
 * Cache maintenance is watched where the architecture has none of its own, for
 * a device that is told to need it, see CONFIG_DMA_PAGELESS_KUNIT_SYNC.
 *
 * RAM without struct page is what "mem=" hides from the kernel. The tests
 * write to it and are told where it is, e.g. on a machine with 1 GiB:
 *
 *	mem=512M pageless_kunit.ram=32M@512M
 */
#include <kunit/device.h>
#include <kunit/edu.h>
#include <kunit/pageless.h>
#include <kunit/test.h>
#include <linux/async.h>
#include <linux/delay.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-region.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iommu-dma.h>
#include <linux/iopoll.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/moduleparam.h>
#include <linux/pageless.h>
#include <linux/panic.h>
#include <linux/pci.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/stop_machine.h>
#include <linux/swiotlb.h>
#include "debug.h"
#include "direct.h"
#ifdef CONFIG_XEN_PV
#include <xen/page.h>
#include <xen/xen.h>
#endif

static char *ram;
module_param(ram, charp, 0400);
MODULE_PARM_DESC(ram, "RAM that the kernel does not use, SIZE@START; will be overwritten");

static uint seed;
module_param(seed, uint, 0400);
MODULE_PARM_DESC(seed, "of the random lists; 0 takes one and prints it");

static bool unregister_mapped;
module_param(unregister_mapped, bool, 0400);
MODULE_PARM_DESC(unregister_mapped, "run the case that makes dma-debug warn");

#define MAX_PIECES	8

/* --- the machine ------------------------------------------------------- */

enum place {
	PAGES,		/* memory with struct pages */
	ALIAS,		/* memory without, in a region with a kernel alias */
	BARE,		/* right behind, in a region without alias */
	STRAY,		/* right behind, in no region */
	OWN_BAR,	/* of the device that does the DMA */
	LONE_BAR,	/* right behind, in a region that names no PCI device */
	STRAY_BAR,	/* right behind, in no region */
	PEER_BAR,	/* of another device */
	NR_PLACES
};

static struct {
	phys_addr_t		phys;
	size_t			size;
	u8			*cpu;	/* for the test alone, or NULL */
	struct dma_region	region;
	bool			registered;
} places[NR_PLACES];

#define PAGES_ORDER	5
#define PAGES_SIZE	(PAGE_SIZE << PAGES_ORDER)
#define MEM_SIZE	SZ_8M
#define STRAY_SIZE	SZ_1M
#define OWN_SIZE	SZ_512K
#define LONE_SIZE	SZ_256K
#define STRAY_BAR_SIZE	SZ_256K
#define PEER_SIZE	SZ_1M

static struct {
	bool			driver;		/* is registered */
	struct pci_dev		*pdev, *peer;
	struct device		*dev;
	void __iomem		*io, *peer_io;
	struct iommu_domain	*domain;	/* NULL: DMA is not translated */
	bool			force_bounce;
	u64			mask;
	u64			dma_offset;	/* DMA address minus physical */
	bool			coherent;	/* what it was found as */
	const char		*why_not;
} machine;

static bool is_bar(enum place place)
{
	return place >= OWN_BAR;
}

static bool untrusted(void)
{
	return machine.pdev->untrusted;
}

/*
 * What has a PFN here has another frame for devices in the first domain of Xen,
 * and what follows it here need not do so there.
 */
static unsigned long pfn_to_frame(unsigned long pfn)
{
#ifdef CONFIG_XEN_PV
	if (xen_pv_domain())
		return pfn_to_bfn(pfn);
#endif
	return pfn;
}

static unsigned long frame_to_pfn(unsigned long frame)
{
#ifdef CONFIG_XEN_PV
	if (xen_pv_domain())
		return bfn_to_local_pfn(frame);
#endif
	return frame;
}

/* --- between the IOMMU core and the driver of the I/O MMU -------------- */

#define MAX_CALLS	1024

static struct {
	const struct iommu_domain_ops	*ops;
	struct iommu_domain_ops		shim;
	struct {
		unsigned long	iova;
		size_t		size;
		int		prot;
	} calls[MAX_CALLS];
	unsigned int	ncalls;
	unsigned int	syncs;
	unsigned int	fail_at;	/* 1: the next that is to be mapped */
	s64		mapped;		/* bytes */
} watch;

static void note_call(unsigned long iova, size_t size, int prot)
{
	if (watch.ncalls < MAX_CALLS) {
		watch.calls[watch.ncalls].iova = iova;
		watch.calls[watch.ncalls].size = size;
		watch.calls[watch.ncalls].prot = prot;
	}
	watch.ncalls++;
}

static int watch_map_pages(struct iommu_domain *domain, unsigned long iova,
			   phys_addr_t phys, size_t pgsize, size_t pgcount,
			   int prot, gfp_t gfp, size_t *mapped)
{
	bool fail = watch.fail_at && !--watch.fail_at;
	size_t before = *mapped;
	int ret = 0;

	/* Half of the work is done when it fails. */
	if (fail)
		pgcount /= 2;
	if (pgcount)
		ret = watch.ops->map_pages(domain, iova, phys, pgsize, pgcount,
					   prot, gfp, mapped);
	watch.mapped += *mapped - before;
	note_call(iova, pgsize * pgcount, prot);
	return fail ? -ENOMEM : ret;
}

/* Each run counts as a call; one that fails is done by half, as above. */
static int watch_map_runs(struct iommu_domain *domain, unsigned long iova,
			  const struct iommu_run *runs, unsigned int nruns,
			  int prot, gfp_t gfp, size_t *mapped)
{
	bool fail = watch.fail_at && watch.fail_at <= nruns;
	unsigned int whole = fail ? watch.fail_at - 1 : nruns, i;
	unsigned long next = iova;
	size_t before = *mapped;
	struct iommu_run half;
	int ret = 0;

	watch.fail_at -= min(watch.fail_at, nruns);
	for (i = 0; i < whole; next += runs[i++].size)
		note_call(next, runs[i].size, prot);
	if (whole)
		ret = watch.ops->map_runs(domain, iova, runs, whole, prot, gfp,
					  mapped);
	if (fail && !ret) {
		half.phys = runs[whole].phys;
		half.size = PAGE_ALIGN_DOWN(runs[whole].size / 2);
		note_call(next, half.size, prot);
		if (half.size)
			watch.ops->map_runs(domain, next, &half, 1, prot, gfp,
					    mapped);
		ret = -ENOMEM;
	}
	watch.mapped += *mapped - before;
	return ret;
}

static size_t watch_unmap_pages(struct iommu_domain *domain,
				unsigned long iova, size_t pgsize,
				size_t pgcount,
				struct iommu_iotlb_gather *gather)
{
	size_t unmapped = watch.ops->unmap_pages(domain, iova, pgsize, pgcount,
						 gather);

	watch.mapped -= unmapped;
	return unmapped;
}

static void watch_iotlb_sync(struct iommu_domain *domain,
			     struct iommu_iotlb_gather *gather)
{
	watch.syncs++;
	watch.ops->iotlb_sync(domain, gather);
}

static void watch_start(void)
{
	if (!machine.domain)
		return;
	watch.ops = machine.domain->ops;
	watch.shim = *watch.ops;
	watch.shim.map_pages = watch_map_pages;
	if (watch.ops->map_runs)
		watch.shim.map_runs = watch_map_runs;
	watch.shim.unmap_pages = watch_unmap_pages;
	watch.shim.iotlb_sync = watch_iotlb_sync;
	machine.domain->ops = &watch.shim;
}

static void watch_stop(void)
{
	if (machine.domain)
		machine.domain->ops = watch.ops;
}

static void watch_reset(void)
{
	watch.ncalls = 0;
	watch.syncs = 0;
	watch.fail_at = 0;
}

static int watch_prot(dma_addr_t iova)
{
	unsigned int i;

	for (i = 0; i < min(watch.ncalls, MAX_CALLS); i++)
		if (iova >= watch.calls[i].iova &&
		    iova - watch.calls[i].iova < watch.calls[i].size)
			return watch.calls[i].prot;
	return -ENOENT;
}

/* --- between the DMA API and the caches --------------------------------- */

#define MAX_SYNCS	64

static struct {
	bool		on;
	unsigned int	n;
	unsigned int	bars;	/* times that a BAR was to be maintained */
	struct sync {
		phys_addr_t		phys;
		void			*kaddr;
		size_t			size;
		enum dma_data_direction	dir;
		bool			for_cpu;
	} sync[MAX_SYNCS];
} asked;

static void forget_syncs(void)
{
	asked.n = 0;
	asked.bars = 0;
}

#ifdef CONFIG_DMA_PAGELESS_KUNIT_SYNC
static bool in_bar(phys_addr_t phys)
{
	enum place place;

	for (place = OWN_BAR; place < NR_PLACES; place++)
		if (phys >= places[place].phys &&
		    phys - places[place].phys < places[place].size)
			return true;
	return false;
}

/* As an architecture does it whose routines work on kernel addresses. */
static void note_sync(phys_addr_t phys, size_t size,
		      enum dma_data_direction dir, bool for_cpu)
{
	void *kaddr;

	if (!asked.on)
		return;
	asked.bars += in_bar(phys);
	if (!dma_sync_kaddr(phys, size, &kaddr))
		return;
	if (asked.n < MAX_SYNCS)
		asked.sync[asked.n] = (struct sync) {
			phys, kaddr, size, dir, for_cpu
		};
	asked.n++;
}

void arch_sync_dma_for_device(phys_addr_t phys, size_t size,
			      enum dma_data_direction dir)
{
	note_sync(phys, size, dir, false);
}

void arch_sync_dma_for_cpu(phys_addr_t phys, size_t size,
			   enum dma_data_direction dir)
{
	note_sync(phys, size, dir, true);
}
#endif /* CONFIG_DMA_PAGELESS_KUNIT_SYNC */

#if defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_DEVICE) || \
	defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU) || \
	defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU_ALL)
static void set_coherent(bool coherent)
{
	machine.dev->dma_coherent = coherent;
}
#else
static void set_coherent(bool coherent)
{
}
#endif

/* --- setting it up ----------------------------------------------------- */

static int add_region(enum place place, void *kaddr, struct pci_dev *pdev)
{
	struct dma_region *region = &places[place].region;
	int ret;

	*region = (struct dma_region) {
		.pfn	= PHYS_PFN(places[place].phys),
		.npages	= places[place].size >> PAGE_SHIFT,
		.attr	= is_bar(place) ? DMA_REGION_MMIO : DMA_REGION_WB,
		.kaddr	= kaddr,
		.pdev	= pdev,
		.name	= "dma_pageless",
	};
	ret = dma_region_register(region);
	places[place].registered = !ret;
	return ret;
}

static void remove_region(enum place place)
{
	if (places[place].registered)
		dma_region_unregister(&places[place].region);
	places[place].registered = false;
}

static int find_ram(void)
{
	u64 size = 0, start = 0;
	char *at = ram;

	if (at)
		size = memparse(at, &at);
	if (at && *at == '@')
		start = memparse(at + 1, &at);
	if (!start || !PAGE_ALIGNED(start) ||
	    size < 2 * MEM_SIZE + STRAY_SIZE) {
		machine.why_not = "no RAM given, see pageless_kunit.ram";
		return -ENODEV;
	}

	places[ALIAS].phys = start;
	places[BARE].phys = start + MEM_SIZE;
	places[STRAY].phys = start + 2 * MEM_SIZE;
	places[ALIAS].size = MEM_SIZE;
	places[BARE].size = MEM_SIZE;
	places[STRAY].size = STRAY_SIZE;
	places[ALIAS].cpu = memremap(start, 2 * MEM_SIZE, MEMREMAP_WB);
	if (!places[ALIAS].cpu) {
		machine.why_not = "the RAM cannot be mapped";
		return -ENOMEM;
	}
	places[BARE].cpu = places[ALIAS].cpu + MEM_SIZE;
	return 0;
}

static int find_pages(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, PAGES_ORDER);

	machine.why_not = "no memory";
	if (!page)
		return -ENOMEM;
	places[PAGES].phys = page_to_phys(page);
	places[PAGES].size = PAGES_SIZE;
	places[PAGES].cpu = page_address(page);
	return 0;
}

static phys_addr_t bar_start(struct pci_dev *pdev)
{
	return pci_resource_start(pdev, 0);
}

static phys_addr_t bar_end(struct pci_dev *pdev)
{
	return bar_start(pdev) + pci_resource_len(pdev, 0);
}

static void __iomem *enable(struct pci_dev *pdev)
{
	if (pci_enable_device_mem(pdev))
		return NULL;
	pci_set_master(pdev);
	return pci_iomap(pdev, 0, 0);
}

/* It is when a driver is bound that DMA is configured for a device. */
static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	return 0;
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(EDU_VENDOR, EDU_DEVICE) },
	{}
};

static struct pci_driver edu_driver = {
	.name		= "dma_pageless_kunit",
	.id_table	= edu_ids,
	.probe		= edu_probe,
};

/* Two of them, so that the BAR of the peer ends where ours starts, if so. */
static int find_devices(void)
{
	struct pci_dev *a, *b;

	machine.why_not = "the driver of the edu device cannot be registered";
	if (pci_register_driver(&edu_driver))
		return -ENODEV;
	machine.driver = true;
	a = pci_get_device(EDU_VENDOR, EDU_DEVICE, NULL);
	b = pci_get_device(EDU_VENDOR, EDU_DEVICE, pci_dev_get(a));
	if (a && b && bar_end(a) == bar_start(b))
		swap(a, b);
	machine.why_not = "no PCI device 1234:11e8 (QEMU: -device edu,dma_mask=0xffffffffffffffff)";
	if (!a)
		return -ENODEV;
	machine.pdev = a;
	machine.dev = &a->dev;
	machine.coherent = dev_is_dma_coherent(machine.dev);
	machine.io = enable(a);
	if (!machine.io)
		return -ENODEV;
	machine.peer = b;
	if (b)
		machine.peer_io = enable(b);
	return 0;
}

static void find_bars(void)
{
	places[OWN_BAR].phys = bar_start(machine.pdev);
	places[OWN_BAR].size = OWN_SIZE;
	places[LONE_BAR].phys = places[OWN_BAR].phys + OWN_SIZE;
	places[LONE_BAR].size = LONE_SIZE;
	places[STRAY_BAR].phys = places[LONE_BAR].phys + LONE_SIZE;
	places[STRAY_BAR].size = STRAY_BAR_SIZE;
	if (machine.peer) {
		places[PEER_BAR].phys = bar_start(machine.peer);
		places[PEER_BAR].size = PEER_SIZE;
	}
}

static int add_regions(void)
{
	machine.why_not = "the regions cannot be registered";
	return add_region(ALIAS, places[ALIAS].cpu, NULL) ?:
	       add_region(BARE, NULL, NULL) ?:
	       add_region(OWN_BAR, NULL, machine.pdev) ?:
	       add_region(LONE_BAR, NULL, NULL) ?:
	       (machine.peer ? add_region(PEER_BAR, NULL, machine.peer) : 0);
}

static void find_domain(void)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(machine.dev);

	if (domain && domain->type & __IOMMU_DOMAIN_PAGING)
		machine.domain = domain;
	machine.force_bounce = strstr(saved_command_line, "swiotlb=force");
}

static void fill_memory(void)
{
	get_random_bytes(places[PAGES].cpu, PAGES_SIZE);
	get_random_bytes(places[ALIAS].cpu, 2 * MEM_SIZE);
}

/* Never an error: each case says why it is skipped, and is counted. */
static int machine_init(struct kunit_suite *suite)
{
	wait_for_device_probe();
	async_synchronize_full();
	memset(&machine, 0, sizeof(machine));
	if (find_devices() || find_ram() || find_pages())
		return 0;
	find_bars();
	if (add_regions())
		return 0;
	fill_memory();
	find_domain();
	watch_start();
	machine.why_not = NULL;
	return 0;
}

static void machine_exit(struct kunit_suite *suite)
{
	int i;

	if (machine.pdev)
		watch_stop();
	for (i = 0; i < NR_PLACES; i++)
		remove_region(i);
	if (places[PAGES].cpu)
		free_pages((unsigned long)places[PAGES].cpu, PAGES_ORDER);
	if (places[ALIAS].cpu)
		memunmap(places[ALIAS].cpu);
	memset(places, 0, sizeof(places));
	if (machine.peer_io)
		pci_iounmap(machine.peer, machine.peer_io);
	if (machine.io)
		pci_iounmap(machine.pdev, machine.io);
	pci_dev_put(machine.peer);
	pci_dev_put(machine.pdev);
	if (machine.driver)
		pci_unregister_driver(&edu_driver);
}

static int set_mask(u64 mask)
{
	int ret = dma_set_mask(machine.dev, mask);

	if (!ret)
		machine.mask = mask;
	return ret;
}

static void set_segments(unsigned int max_size, unsigned long boundary)
{
	dma_set_max_seg_size(machine.dev, max_size);
	dma_set_seg_boundary(machine.dev, boundary);
}

static int trusted_init(struct kunit *test)
{
	if (machine.why_not)
		kunit_skip(test, "%s", machine.why_not);
	watch_reset();
	set_segments(UINT_MAX, U32_MAX);
	return set_mask(DMA_BIT_MASK(64));
}

/* 32-bit ARM has operations of its own for what is behind an I/O MMU. */
static void need_dma_iommu(struct kunit *test)
{
	if (!use_dma_iommu(machine.dev))
		kunit_skip(test, "not by way of dma-iommu");
}

static int untrusted_init(struct kunit *test)
{
	int ret = trusted_init(test);

	if (!machine.domain)
		kunit_skip(test, "no I/O MMU: the device is trusted");
	need_dma_iommu(test);
	machine.pdev->untrusted = true;
	return ret;
}

static void any_exit(struct kunit *test)
{
	if (!machine.pdev)
		return;
	machine.pdev->untrusted = false;
	machine.dev->dma_range_map = NULL;
	machine.dma_offset = 0;
	asked.on = false;
	set_coherent(machine.coherent);
}

static void need_iommu(struct kunit *test)
{
	if (!machine.domain)
		kunit_skip(test, "no I/O MMU");
}

static void need_no_iommu(struct kunit *test)
{
	if (machine.domain)
		kunit_skip(test, "an I/O MMU: any address will do");
}

/* It is when its mask is set that a device is found to need any syncs. */
static void need_incoherent(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_ARCH_HAS_SYNC_DMA_PAGELESS))
		kunit_skip(test, "no cache maintenance, see CONFIG_DMA_PAGELESS_KUNIT_SYNC");
	if (!IS_ENABLED(CONFIG_DMA_PAGELESS_KUNIT_SYNC))
		kunit_info(test, "the caches are real: all that is seen is that it works\n");
	set_coherent(false);
	KUNIT_ASSERT_FALSE(test, dev_is_dma_coherent(machine.dev));
	KUNIT_ASSERT_EQ(test, set_mask(machine.mask), 0);
	forget_syncs();
	asked.on = true;
}

static void need_peer(struct kunit *test)
{
	if (!machine.peer)
		kunit_skip(test, "no second edu device");
}

/* --- what must come out ------------------------------------------------ */

struct piece {
	enum place	place;
	int		pos;		/* from the end if negative */
	unsigned int	len;
	unsigned int	skew;		/* pages from the entry's PFN to pos */
	bool		other_kind;	/* the entry says that it is the other */
	bool		pageless;	/* although there are pages */
	int		err;		/* what the table says, if not 0 */
};

struct list {
	const char	*name;
	struct piece	piece[MAX_PIECES];
};

/* What a device gets to see of a piece; or an error below zero. */
enum fate {
	MAPPED,		/* the memory itself, through the I/O MMU if any */
	BOUNCED,
	BUS_ADDRESS,
};

static phys_addr_t piece_phys(const struct piece *p)
{
	return places[p->place].phys + p->pos +
	       (p->pos < 0 ? places[p->place].size : 0);
}

static u8 *piece_cpu(const struct piece *p)
{
	return places[p->place].cpu + (piece_phys(p) - places[p->place].phys);
}

static bool whole_pages(const struct piece *p)
{
	return PAGE_ALIGNED(piece_phys(p)) && PAGE_ALIGNED(p->len);
}

static bool redirects(struct pci_dev *port)
{
	int acs = pci_find_ext_capability(port, PCI_EXT_CAP_ID_ACS);
	u16 ctrl = 0;

	if (acs)
		pci_read_config_word(port, acs + PCI_ACS_CTRL, &ctrl);
	return ctrl & (PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_EC);
}

static bool above(struct pci_dev *port, struct pci_dev *pdev)
{
	for (; pdev; pdev = pci_upstream_bridge(pdev))
		if (pdev == port)
			return true;
	return false;
}

/* Below one bridge, and no port on the way sends requests up to the root? */
static bool switched(struct pci_dev *a, struct pci_dev *b)
{
	for (; a && !above(a, b); a = pci_upstream_bridge(a))
		if (redirects(a))
			return false;
	for (; a && b != a; b = pci_upstream_bridge(b))
		if (redirects(b))
			return false;
	return a;
}

static bool host_bridge_forwards(void)
{
#ifdef CONFIG_X86
	/* That of QEMU's q35 is in no white list, but every AMD Zen forwards. */
	return boot_cpu_data.x86_vendor == X86_VENDOR_AMD &&
	       boot_cpu_data.x86 >= 0x17;
#else
	return false;
#endif
}

static bool addressable(const struct piece *p)
{
	return piece_phys(p) + p->len - 1 + machine.dma_offset <= machine.mask;
}

/*
 * On these machines, bus addresses are physical ones; no I/O MMU makes them fit,
 * and an entry has to have room to say what it is.
 */
static int fate_by_bus(const struct piece *p)
{
	if (!IS_ENABLED(CONFIG_NEED_SG_DMA_FLAGS) ||
	    piece_phys(p) + p->len - 1 > machine.mask)
		return -EREMOTEIO;
	return BUS_ADDRESS;
}

static int fate_of_bar(const struct piece *p)
{
	if (p->place == OWN_BAR)
		return fate_by_bus(p);
	if (p->place != PEER_BAR)
		return -EREMOTEIO;
	if (switched(machine.pdev, machine.peer))
		return fate_by_bus(p);
	if (!host_bridge_forwards())
		return -EREMOTEIO;
	if (machine.domain)
		return untrusted() && !whole_pages(p) ? -EREMOTEIO : MAPPED;
	if (machine.force_bounce || piece_phys(p) + p->len - 1 > machine.mask)
		return -EREMOTEIO;
	return MAPPED;
}

static bool frames_follow(const struct piece *p)
{
	unsigned long first = PHYS_PFN(piece_phys(p));
	unsigned long last = PHYS_PFN(piece_phys(p) + p->len - 1), pfn;

	for (pfn = first; pfn < last; pfn++)
		if (pfn_to_frame(pfn + 1) != pfn_to_frame(pfn) + 1)
			return false;
	return true;
}

static bool needs_bounce(const struct piece *p)
{
	if (machine.domain)
		return untrusted() && !whole_pages(p);
	return machine.force_bounce || !addressable(p) || !frames_follow(p);
}

static int fate_of(const struct piece *p)
{
	if (p->err)
		return p->err;
	if (is_bar(p->place))
		return fate_of_bar(p);
	if (p->place == STRAY)
		return -EINVAL;
	if (!needs_bounce(p))
		return MAPPED;
	if (p->place == BARE)
		return -EREMOTEIO;
	if (!is_swiotlb_allocated() ||
	    p->len > swiotlb_max_mapping_size(machine.dev))
		return p->place == PAGES ? -EIO : -EREMOTEIO;
	return BOUNCED;
}

static unsigned int npieces(const struct list *list)
{
	unsigned int n = 0;

	while (n < MAX_PIECES && list->piece[n].len)
		n++;
	return n;
}

/* The first piece that cannot be mapped decides. */
static int fate_of_list(const struct piece *p, unsigned int n)
{
	for (; n; n--, p++)
		if (fate_of(p) < 0)
			return fate_of(p);
	return 0;
}

static bool has_peer(const struct list *list)
{
	unsigned int i;

	for (i = 0; i < npieces(list); i++)
		if (list->piece[i].place == PEER_BAR)
			return true;
	return false;
}

/* --- a scatterlist, and whether it is what it was ---------------------- */

struct job {
	const struct piece	*piece;
	unsigned int		n;
	struct sg_table		sgt;
	struct kunit_sg_entry	*entry;		/* n + 1: as they came */
	long			bounced;	/* slots in use before */
	u8			salt;		/* of what the device writes */
	enum dma_data_direction	dir;
};

static void set_piece(struct scatterlist *sg, const struct piece *p)
{
	unsigned long pfn = PHYS_PFN(piece_phys(p)) - p->skew;
	unsigned int offset = piece_phys(p) - PFN_PHYS(pfn);

	if (p->place == PAGES && !p->pageless)
		sg_set_page(sg, pfn_to_page(pfn), p->len, offset);
	else
		WARN_ON(sg_set_pfn(sg, pfn, p->len, offset,
				   is_bar(p->place) != p->other_kind ?
				   PAGELESS_MMIO : 0));
}

static void fill_job(struct job *job)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(job->sgt.sgl, sg, job->n + 1, i) {
		if (i < job->n)
			set_piece(sg, &job->piece[i]);
		kunit_get_sg_entry(sg, &job->entry[i]);
	}
}

/* One entry follows that nobody may look at. */
static struct job *new_job(struct kunit *test, const struct piece *piece,
			   unsigned int n, enum dma_data_direction dir)
{
	struct job *job = kunit_kzalloc(test, sizeof(*job), GFP_KERNEL);
	static u8 salt;

	KUNIT_ASSERT_NOT_NULL(test, job);
	job->salt = ++salt;
	job->piece = piece;
	job->n = n;
	job->dir = dir;
	job->entry = kunit_kcalloc(test, n + 1, sizeof(*job->entry),
				   GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, job->entry);
	job->sgt.sgl = kunit_new_sgl(test, n + 1);
	job->sgt.orig_nents = n;
	fill_job(job);
	return job;
}

/* What an earlier use of the table may leave behind. */
static void leave_stale(struct job *job, dma_addr_t address, unsigned int len)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(job->sgt.sgl, sg, job->n, i) {
		sg_dma_address(sg) = address;
		sg_dma_len(sg) = len;
	}
}

static void expect_as_it_came(struct kunit *test, struct job *job)
{
	kunit_expect_sg_entries(test, job->sgt.sgl, job->entry, job->n + 1);
}

static long bounce_slots(void)
{
#if defined(CONFIG_SWIOTLB) && defined(CONFIG_DEBUG_FS)
	if (machine.dev->dma_io_tlb_mem)
		return atomic_long_read(&machine.dev->dma_io_tlb_mem->total_used);
#endif
	return 0;
}

static void expect_no_bounce_slots(struct kunit *test, struct job *job)
{
	int retries = 100;	/* other devices bounce, too */

	while (bounce_slots() > job->bounced && retries--)
		msleep(20);
	KUNIT_EXPECT_LE(test, bounce_slots(), job->bounced);
}

static void expect_tracked(struct kunit *test, int nsegs)
{
#ifdef CONFIG_DMA_API_DEBUG
	struct dma_debug_entry *entry;

	KUNIT_EXPECT_EQ(test, device_dma_allocations(machine.dev, &entry),
			nsegs);
#endif
}

static void expect_no_iova(struct kunit *test)
{
	unsigned int i;
	size_t pos;

	if (!machine.domain)
		return;
	KUNIT_EXPECT_EQ(test, watch.mapped, 0);
	for (i = 0; i < min(watch.ncalls, MAX_CALLS); i++)
		for (pos = 0; pos < watch.calls[i].size; pos += PAGE_SIZE)
			KUNIT_EXPECT_EQ(test, 0,
					iommu_iova_to_phys(machine.domain,
							   watch.calls[i].iova + pos));
}

static void expect_nothing_left(struct kunit *test, struct job *job)
{
	expect_as_it_came(test, job);
	expect_tracked(test, 0);
	expect_no_iova(test);
	expect_no_bounce_slots(test, job);
}

static int map_job(struct job *job)
{
	job->bounced = bounce_slots();
	watch.ncalls = 0;
	watch.syncs = 0;
	return dma_map_sgtable(machine.dev, &job->sgt, job->dir, 0);
}

static void unmap_job(struct job *job)
{
	dma_unmap_sgtable(machine.dev, &job->sgt, job->dir, 0);
}

/* --- what the device sees ---------------------------------------------- */

/* A run of bytes of the list, within a page, a piece and a segment. */
struct chunk {
	struct kunit		*test;
	struct job		*job;
	const struct piece	*piece;
	unsigned int		pos;	/* in the piece */
	unsigned int		len;
	struct scatterlist	*seg;
	unsigned int		seg_pos;
};

static dma_addr_t chunk_dma(const struct chunk *c)
{
	return sg_dma_address(c->seg) + c->seg_pos;
}

static phys_addr_t chunk_phys(const struct chunk *c)
{
	return piece_phys(c->piece) + c->pos;
}

static u8 *chunk_cpu(const struct chunk *c)
{
	return piece_cpu(c->piece) + c->pos;
}

/* What answers at the chunk's DMA address? */
static phys_addr_t chunk_behind(const struct chunk *c)
{
	phys_addr_t bus = chunk_dma(c) - machine.dma_offset;

	if (machine.domain)
		return iommu_iova_to_phys(machine.domain, chunk_dma(c));
	if (is_bar(c->piece->place))
		return chunk_dma(c);
	return PFN_PHYS(frame_to_pfn(PHYS_PFN(bus))) + offset_in_page(bus);
}

static u8 *chunk_bounce(const struct chunk *c)
{
	return phys_to_virt(chunk_behind(c));
}

static bool in_bounce_buffer(phys_addr_t phys)
{
	return swiotlb_find_pool(machine.dev, phys);
}

static int expected_prot(const struct chunk *c)
{
	int prot = is_bar(c->piece->place) ? IOMMU_MMIO : 0;

	/* ARM's own have the I/O MMU's driver decide. */
	if (!prot && use_dma_iommu(machine.dev))
		prot = IOMMU_CACHE;
	if (c->job->dir != DMA_FROM_DEVICE)
		prot |= IOMMU_READ;
	if (c->job->dir != DMA_TO_DEVICE)
		prot |= IOMMU_WRITE;
	return prot;
}

static dma_addr_t piece_bus(const struct piece *p)
{
	struct pci_dev *pdev = p->place == OWN_BAR ? machine.pdev :
						     machine.peer;

	return pci_bus_address(pdev, 0) + piece_phys(p) - bar_start(pdev);
}

static void check_bus_address(struct chunk *c)
{
	KUNIT_EXPECT_TRUE(c->test, sg_dma_is_bus_address(c->seg));
	KUNIT_EXPECT_EQ(c->test, chunk_dma(c), piece_bus(c->piece) + c->pos);
	KUNIT_EXPECT_EQ(c->test, sg_dma_len(c->seg), c->piece->len);
}

static void check_memory(struct chunk *c, bool bounced)
{
	phys_addr_t behind = chunk_behind(c);

	KUNIT_EXPECT_FALSE(c->test, sg_dma_is_bus_address(c->seg));
	if (machine.domain)
		KUNIT_EXPECT_EQ(c->test, watch_prot(chunk_dma(c)),
				expected_prot(c));
	KUNIT_ASSERT_EQ(c->test, in_bounce_buffer(behind), bounced);
	if (!bounced)
		KUNIT_EXPECT_EQ(c->test, behind, chunk_phys(c));
	else if (c->job->dir != DMA_FROM_DEVICE)
		KUNIT_EXPECT_MEMEQ(c->test, chunk_bounce(c), chunk_cpu(c),
				   c->len);
}

static void check_chunk(struct chunk *c)
{
	if (fate_of(c->piece) == BUS_ADDRESS)
		check_bus_address(c);
	else
		check_memory(c, fate_of(c->piece) == BOUNCED);
}

static u8 device_byte(const struct job *job, phys_addr_t phys)
{
	return phys * 31 + job->salt * 101;
}

/* In place of the device, which gets to see the bounce buffer only. */
static void device_writes(struct chunk *c)
{
	unsigned int i;

	if (fate_of(c->piece) == BOUNCED)
		for (i = 0; i < c->len; i++)
			chunk_bounce(c)[i] = device_byte(c->job,
							 chunk_phys(c) + i);
}

static void expect_device_bytes(struct kunit *test, const struct job *job,
				const struct piece *p)
{
	unsigned int i;

	if (fate_of(p) != BOUNCED)
		return;
	for (i = 0; i < p->len; i++)
		if (piece_cpu(p)[i] != device_byte(job, piece_phys(p) + i))
			break;
	KUNIT_EXPECT_EQ_MSG(test, i, p->len, "not what the device wrote");
}

static void expect_same_bytes(struct chunk *c)
{
	if (fate_of(c->piece) == BOUNCED)
		KUNIT_EXPECT_MEMEQ(c->test, chunk_bounce(c), chunk_cpu(c),
				   c->len);
}

static void cpu_writes(struct chunk *c)
{
	if (fate_of(c->piece) == BOUNCED)
		memset(chunk_cpu(c), 0x5a, c->len);
}

static void next_chunk(struct chunk *c)
{
	c->len = min3(c->piece->len - c->pos, sg_dma_len(c->seg) - c->seg_pos,
		      (unsigned int)PAGE_SIZE - offset_in_page(chunk_phys(c)));
	c->len = min_t(unsigned int, c->len,
		       PAGE_SIZE - offset_in_page(chunk_dma(c)));
}

/* False once the segments end. */
static bool skip_chunk(struct chunk *c, unsigned int *nsegs)
{
	c->pos += c->len;
	c->seg_pos += c->len;
	if (c->pos == c->piece->len) {
		c->piece++;
		c->pos = 0;
	}
	if (c->seg_pos == sg_dma_len(c->seg)) {
		c->seg_pos = 0;
		if (!--*nsegs)
			return false;
		c->seg = sg_next(c->seg);
	}
	return true;
}

/* Bytes in the order of the list; the segments must hold all of them. */
static void visit_chunks(struct kunit *test, struct job *job,
			 void (*visit)(struct chunk *c))
{
	struct chunk c = {
		.test = test, .job = job, .piece = job->piece,
		.seg = job->sgt.sgl,
	};
	unsigned int nsegs = job->sgt.nents;

	do {
		KUNIT_ASSERT_LT(test, c.piece - job->piece, job->n);
		KUNIT_ASSERT_NE(test, sg_dma_len(c.seg), 0);
		next_chunk(&c);
		visit(&c);
	} while (skip_chunk(&c, &nsegs));
	KUNIT_EXPECT_EQ(test, c.piece - job->piece, job->n);
}

static void check_segments(struct kunit *test, struct job *job)
{
	u64 boundary = dma_get_seg_boundary(machine.dev);
	struct scatterlist *sg;
	unsigned int i;

	KUNIT_EXPECT_LE(test, job->sgt.nents, job->n);
	expect_tracked(test, job->sgt.nents);
	for_each_sg(job->sgt.sgl, sg, job->sgt.nents, i) {
		u64 first = sg_dma_address(sg);
		u64 last = first + sg_dma_len(sg) - 1;

		KUNIT_EXPECT_LE(test, sg_dma_len(sg),
				dma_get_max_seg_size(machine.dev));
		if (!sg_dma_is_bus_address(sg))
			KUNIT_EXPECT_EQ(test, first & ~boundary,
					last & ~boundary);
		if (!machine.domain)
			KUNIT_EXPECT_LE(test, last, machine.mask);
	}
}

/* Maps, looks, lets the device write, unmaps, looks; or is refused. */
static void run_job(struct kunit *test, struct job *job)
{
	int ret = map_job(job);
	unsigned int i;

	KUNIT_EXPECT_EQ(test, ret, fate_of_list(job->piece, job->n));
	if (!ret) {
		check_segments(test, job);
		visit_chunks(test, job, check_chunk);
		if (job->dir != DMA_TO_DEVICE)
			visit_chunks(test, job, device_writes);
		unmap_job(job);
		for (i = 0; job->dir != DMA_TO_DEVICE && i < job->n; i++)
			expect_device_bytes(test, job, &job->piece[i]);
	}
	expect_nothing_left(test, job);
}

/* --- lists ------------------------------------------------------------- */

static const struct list lists[] = {
	{ "a page", { { PAGES, 0, 4096 } } },
	{ "paged, odd", { { PAGES, 0x123, 0x1e5d }, { PAGES, 0x3fff, 1 } } },
	{ "alias", { { ALIAS, 0, 4096 } } },
	{ "alias, odd", { { ALIAS, 0x7f1, 1 }, { ALIAS, 0x1803, 0x2fff } } },
	{ "alias, large", { { ALIAS, 0x100000, 0x100000 } } },
	{ "no alias", { { BARE, 0, 0x3000 } } },
	{ "no alias, odd", { { BARE, 0xfff, 2 }, { BARE, 0x2345, 0x1001 } } },
	{ "no alias, large", { { BARE, 0x200000, 0x400000 } } },
	{ "last byte of the regions", { { BARE, -1, 1 }, { ALIAS, -1, 1 } } },
	{ "regions that touch", {
		{ ALIAS, -0x1000, 0x1000 }, { BARE, 0, 0x1000 },
	} },
	{ "regions that touch, reversed", {
		{ BARE, 0, 0x1000 }, { ALIAS, -0x1000, 0x1000 },
	} },
	{ "paged and alias", {
		{ PAGES, 0x234, 0x567 }, { ALIAS, 0x1000, 0x1000 },
		{ PAGES, 0x2000, 0x1000 }, { ALIAS, 0x3001, 3 },
	} },
	{ "all memory", {
		{ PAGES, 0x7ff, 0x801 }, { BARE, 0x5000, 0x1000 },
		{ ALIAS, 0x6abc, 0xabc }, { BARE, 0x7001, 0x1fff },
		{ PAGES, 0x3000, 0x2000 },
	} },
	{ "offset above a page", {
		{ BARE, 0x3456, 0x1000, .skew = 2 },
		{ ALIAS, 0x8123, 0x111, .skew = 3 },
		{ PAGES, 0x4321, 0x1234, .skew = 1 },
	} },
	{ "own BAR", { { OWN_BAR, 0x10, 0x20 } } },
	{ "own BAR twice", {
		{ OWN_BAR, 0x1000, 0x1000 }, { OWN_BAR, 0x2000, 0x1000 },
	} },
	{ "own BAR first", {
		{ OWN_BAR, 0, 0x1000 }, { ALIAS, 0x1000, 0x800 },
		{ PAGES, 0x1000, 0x123 },
	} },
	{ "own BAR last", {
		{ PAGES, 0x1000, 0x123 }, { ALIAS, 0x1000, 0x800 },
		{ OWN_BAR, 0, 0x1000 },
	} },
	{ "own BAR between", {
		{ ALIAS, 0x9000, 0x1000 }, { OWN_BAR, 0x4000, 0x1000 },
		{ ALIAS, 0xb000, 0x1000 }, { OWN_BAR, 0x6001, 0x10 },
		{ OWN_BAR, 0x7002, 0x10 }, { PAGES, 0x1000, 0x1000 },
	} },
	{ "BAR of another", { { PEER_BAR, 0x1000, 0x2000 } } },
	{ "BAR of another, odd", { { PEER_BAR, 0x1234, 0x1001 } } },
	{ "both BARs", {
		{ OWN_BAR, 0x1000, 0x1000 }, { PEER_BAR, 0x3000, 0x1000 },
		{ OWN_BAR, 0x5000, 0x1000 },
	} },
	{ "BAR between memory", {
		{ ALIAS, 0x1000, 0x1000 }, { PEER_BAR, 0, 0x1000 },
		{ BARE, 0x1000, 0x1000 }, { PEER_BAR, 0x2000, 0x1000 },
		{ PAGES, 0x1000, 0x1000 },
	} },
	{ "everything", {
		{ PAGES, 0x1000, 0x1800 }, { BARE, 0x3000, 0x1000 },
		{ OWN_BAR, 0x8000, 0x2000 }, { PEER_BAR, 0x6000, 0x1000 },
		{ ALIAS, 0xf003, 0x1001 }, { OWN_BAR, 0x3000, 0x10 },
		{ PAGES, 0x8000, 0x80 },
	} },
	{ "BAR without device", { { LONE_BAR, 0, 0x1000 } } },
	{ "own BAR, then one without device", {
		{ OWN_BAR, 0x1000, 0x1000 }, { LONE_BAR, 0, 0x1000 },
	} },
};

KUNIT_ARRAY_PARAM_DESC(list, lists, name);

static void need_bars_of(struct kunit *test, const struct list *list)
{
	if (has_peer(list))
		need_peer(test);
}

static void list_gets_what_the_table_says(struct kunit *test)
{
	const struct list *list = test->param_value;
	enum dma_data_direction dir;

	need_bars_of(test, list);
	for (dir = DMA_BIDIRECTIONAL; dir <= DMA_FROM_DEVICE; dir++)
		run_job(test, new_job(test, list->piece, npieces(list), dir));
}

static void list_is_synced(struct kunit *test)
{
	const struct list *list = test->param_value;
	struct job *job = new_job(test, list->piece, npieces(list),
				  DMA_BIDIRECTIONAL);

	need_bars_of(test, list);
	if (map_job(job))
		kunit_skip(test, "cannot be mapped here");

	visit_chunks(test, job, device_writes);
	dma_sync_sgtable_for_cpu(machine.dev, &job->sgt, job->dir);
	visit_chunks(test, job, expect_same_bytes);

	visit_chunks(test, job, cpu_writes);
	dma_sync_sgtable_for_device(machine.dev, &job->sgt, job->dir);
	visit_chunks(test, job, expect_same_bytes);

	unmap_job(job);
	expect_nothing_left(test, job);
}

/* No two are adjacent, so that nothing is merged into larger pages. */
static const struct piece *single_pages(struct kunit *test, unsigned int n)
{
	struct piece *piece = kunit_kcalloc(test, n, sizeof(*piece),
					    GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, piece);
	for (i = 0; i < n; i++) {
		piece[i].place = i % 3 ? ALIAS : BARE;
		piece[i].pos = 2 * i * PAGE_SIZE;
		piece[i].len = PAGE_SIZE;
	}
	return piece;
}

/* More than a table of an I/O MMU has entries. */
static void list_is_longer_than_a_table(struct kunit *test)
{
	const unsigned int n = min(700UL, MEM_SIZE / PAGE_SIZE / 2);
	struct job *job = new_job(test, single_pages(test, n), n,
				  DMA_BIDIRECTIONAL);

	need_dma_iommu(test);
	run_job(test, job);
}

static u32 rnd(struct rnd_state *state, u32 below)
{
	return prandom_u32_state(state) % below;
}

/* One behind the other: no two share a line of the CPU's cache. */
static void random_piece(struct rnd_state *state, struct piece *p, int *pos)
{
	static const enum place choice[] = {
		PAGES, ALIAS, BARE, OWN_BAR, PEER_BAR, ALIAS, PAGES,
	};
	enum place place = choice[rnd(state, ARRAY_SIZE(choice))];
	bool whole = rnd(state, 2);

	if (place == PEER_BAR && !machine.peer)
		place = ALIAS;
	p->place = place;
	p->len = whole ? PAGE_SIZE : 1 + rnd(state, 3 * SZ_1K);
	p->pos = whole ? ALIGN(pos[place], PAGE_SIZE) :
			 ALIGN(pos[place], 64) + rnd(state, 64);
	pos[place] = p->pos + p->len;
}

static unsigned int random_pieces(struct rnd_state *state, struct piece *piece,
				  unsigned int max)
{
	unsigned int n = 1 + rnd(state, max), i;
	int pos[NR_PLACES] = {};

	memset(piece, 0, max * sizeof(*piece));
	for (i = 0; i < n; i++) {
		random_piece(state, &piece[i], pos);
		if (pos[PAGES] > PAGES_SIZE)
			break;
	}
	return max(i, 1U);
}

#define RANDOM_LISTS	100
#define RANDOM_PIECES	24

static void random_list_gets_what_the_table_says(struct kunit *test)
{
	u32 used = seed ?: get_random_u32();
	struct rnd_state state;
	struct piece *piece;
	unsigned int i, n;

	kunit_info(test, "pageless_kunit.seed=%u\n", used);
	prandom_seed_state(&state, used);
	piece = kunit_kcalloc(test, RANDOM_PIECES, sizeof(*piece), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, piece);
	for (i = 0; i < RANDOM_LISTS; i++) {
		n = random_pieces(&state, piece, RANDOM_PIECES);
		run_job(test, new_job(test, piece, n, rnd(&state, 3)));
	}
}

/* --- refusals ---------------------------------------------------------- */

static const struct list refused[] = {
	{ "memory in no region", { { STRAY, 0, 0x1000, .err = -EINVAL } } },
	{ "device memory in no region", {
		{ STRAY_BAR, 0, 0x1000, .err = -EREMOTEIO },
	} },
	{ "device memory of no device", {
		{ LONE_BAR, 0, 0x1000, .err = -EREMOTEIO },
	} },
	{ "BAR taken for memory", {
		{ OWN_BAR, 0, 0x1000, .other_kind = true, .err = -EINVAL },
	} },
	{ "memory with alias taken for device memory", {
		{ ALIAS, 0x9000, 0x1000, .other_kind = true, .err = -EINVAL },
	} },
	{ "memory taken for device memory", {
		{ BARE, 0x9000, 0x1000, .other_kind = true, .err = -EINVAL },
	} },
	{ "two regions", { { ALIAS, -1, 2, .err = -EINVAL } } },
	{ "end of a region exceeded", {
		{ BARE, -0x10, 0x20, .err = -EINVAL },
	} },
	{ "two regions of device memory", {
		{ OWN_BAR, -4, 8, .err = -EREMOTEIO },
	} },
	{ "a PFN that has a page", {
		{ PAGES, 0xb000, 0x1000, .pageless = true, .err = -EINVAL },
	} },
};

KUNIT_ARRAY_PARAM_DESC(refused, refused, name);

/* Can be mapped on every machine, but for what cannot be bounced. */
static const struct piece good[] = {
	{ PAGES, 0x1234, 0x789 }, { ALIAS, 0x3333, 0x1111 },
	{ OWN_BAR, 0x1000, 0x123 }, { ALIAS, 0x6000, 0x2000 },
	{ PAGES, 0x4000, 0x1000 },
};

/* At each place of a list that is mapped and unmapped before. */
static void entry_is_refused_in_a_table_used_before(struct kunit *test)
{
	const struct list *bad = test->param_value;
	struct piece pieces[ARRAY_SIZE(good)];
	struct job *job;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		memcpy(pieces, good, sizeof(good));
		job = new_job(test, pieces, ARRAY_SIZE(good), DMA_TO_DEVICE);
		run_job(test, job);
		pieces[i] = bad->piece[0];
		fill_job(job);
		run_job(test, job);
	}
}

static void entry_is_refused_in_a_table_full_of_junk(struct kunit *test)
{
	const struct list *bad = test->param_value;
	struct piece pieces[ARRAY_SIZE(good)];
	struct job *job;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		memcpy(pieces, good, sizeof(good));
		pieces[i] = bad->piece[0];
		job = new_job(test, pieces, ARRAY_SIZE(good), DMA_TO_DEVICE);
		leave_stale(job, 0x5a5a5a5a, 0x777);
		run_job(test, job);
	}
}

/* Rounded to IOVA granules even an empty entry is longer for a while. */
static void empty_entry_is_restored(struct kunit *test)
{
	static const struct piece pieces[] = {
		{ ALIAS, 0x3010, 0 }, { PAGES, 0x2020, 0 },
		{ STRAY, 0, 0x1000, .err = -EINVAL },
	};

	need_iommu(test);
	run_job(test, new_job(test, pieces, ARRAY_SIZE(pieces), DMA_TO_DEVICE));
}

/* A table that was bounced once and need not be any more. */
static void table_is_used_with_and_without_bouncing(struct kunit *test)
{
	static const struct piece odd[] = {
		{ ALIAS, 0x123, 0x234 }, { PAGES, 0x345, 0x1456 },
		{ ALIAS, 0x2345, 0x234 },
	};
	struct job *job = new_job(test, odd, ARRAY_SIZE(odd), DMA_TO_DEVICE);

	need_dma_iommu(test);
	machine.pdev->untrusted = true;
	run_job(test, job);
	machine.pdev->untrusted = false;
	run_job(test, job);
	machine.pdev->untrusted = true;
	run_job(test, job);
}

/* Full: nothing is left of what fitted. */
static void bounce_buffer_is_full(struct kunit *test)
{
	unsigned int n = 400, i;
	struct piece *pieces;
	struct job *job;

	if (!machine.force_bounce || machine.domain)
		kunit_skip(test, "not everything is bounced");
	pieces = kunit_kcalloc(test, n, sizeof(*pieces), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pieces);
	for (i = 0; i < n; i++) {
		pieces[i].place = ALIAS;
		pieces[i].pos = (i * SZ_256K) % MEM_SIZE;
		pieces[i].len = swiotlb_max_mapping_size(machine.dev);
	}
	job = new_job(test, pieces, n, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, map_job(job), -EIO);
	expect_nothing_left(test, job);
}

/* The mask of a device that sees what the kernel uses, and not our RAM. */
static u64 small_mask(void)
{
	return DMA_BIT_MASK(fls64(places[ALIAS].phys - 1));
}

static void set_small_mask(struct kunit *test)
{
	need_no_iommu(test);
	if (small_mask() >= places[ALIAS].phys)
		kunit_skip(test, "the RAM does not start at a power of two");
	KUNIT_ASSERT_EQ(test, set_mask(small_mask()), 0);
}

static void memory_above_the_mask_is_bounced_or_refused(struct kunit *test)
{
	const struct list *list = test->param_value;
	enum dma_data_direction dir;

	need_bars_of(test, list);
	set_small_mask(test);
	for (dir = DMA_BIDIRECTIONAL; dir <= DMA_FROM_DEVICE; dir++)
		run_job(test, new_job(test, list->piece, npieces(list), dir));
}

/* As sata_nv does for both of its ports while one of them has commands. */
static void mask_is_set_again_while_a_list_is_bounced(struct kunit *test)
{
	static const struct piece pieces[] = {
		{ ALIAS, 0x1000, 0x1000 }, { ALIAS, 0x3123, 0x345 },
	};
	struct job *job = new_job(test, pieces, ARRAY_SIZE(pieces),
				  DMA_FROM_DEVICE);

	set_small_mask(test);
	if (map_job(job))
		kunit_skip(test, "nothing is bounced here");
	/* The list has still the fate that it had by machine.mask. */
	KUNIT_EXPECT_EQ(test, 0, dma_set_mask(machine.dev, DMA_BIT_MASK(64)));
	visit_chunks(test, job, device_writes);
	unmap_job(job);
	for (int i = 0; i < ARRAY_SIZE(pieces); i++)
		expect_device_bytes(test, job, &pieces[i]);
	expect_nothing_left(test, job);
}

/* --- segments ---------------------------------------------------------- */

static const struct limits {
	unsigned int	max_size;
	unsigned long	boundary;
} limits[] = {
	{ SZ_4K, U32_MAX },
	{ SZ_8K, U32_MAX },
	{ SZ_64K, SZ_8K - 1 },
	{ SZ_64K, SZ_16K - 1 },
	{ SZ_8K, SZ_8K - 1 },
	{ SZ_64K, SZ_64K - 1 },
};

static void limits_desc(const struct limits *l, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%#x bytes, boundary %#lx",
		 l->max_size, l->boundary);
}

KUNIT_ARRAY_PARAM(limits, limits, limits_desc);

/* Its own pieces must not exceed what is asked of the result. */
static bool can_keep(const struct limits *l, const struct piece *p)
{
	unsigned int span = PAGE_ALIGN(offset_in_page(piece_phys(p)) + p->len);
	u64 bus;

	if (p->len > l->max_size)
		return false;
	if (fate_of(p) != BUS_ADDRESS)
		return span <= l->boundary + 1;
	/* It stays where it is. */
	bus = piece_bus(p);
	return (bus | l->boundary) == ((bus + p->len - 1) | l->boundary);
}

static bool list_can_keep(const struct limits *l, const struct list *list)
{
	unsigned int i;

	for (i = 0; i < npieces(list); i++)
		if (!can_keep(l, &list->piece[i]))
			return false;
	return machine.peer || !has_peer(list);
}

static void segments_keep_the_limits(struct kunit *test)
{
	const struct limits *l = test->param_value;
	unsigned int i;

	need_iommu(test);
	set_segments(l->max_size, l->boundary);
	for (i = 0; i < ARRAY_SIZE(lists); i++)
		if (list_can_keep(l, &lists[i]))
			run_job(test, new_job(test, lists[i].piece,
					      npieces(&lists[i]),
					      DMA_TO_DEVICE));
}

static void expect_segments(struct kunit *test, const struct piece *piece,
			    unsigned int n, unsigned int nsegs)
{
	struct job *job = new_job(test, piece, n, DMA_TO_DEVICE);

	if (fate_of_list(piece, n))
		kunit_skip(test, "cannot be mapped here");
	KUNIT_ASSERT_EQ(test, map_job(job), 0);
	KUNIT_EXPECT_EQ(test, job->sgt.nents, nsegs);
	check_segments(test, job);
	visit_chunks(test, job, check_chunk);
	unmap_job(job);
	expect_nothing_left(test, job);
}

static void memory_of_every_kind_is_one_segment(struct kunit *test)
{
	static const struct piece pieces[] = {
		{ PAGES, 0x1800, 0x800 }, { BARE, 0x5000, 0x1000 },
		{ ALIAS, 0x7000, 0x2000 }, { PAGES, 0x5000, 0x1000 },
		{ BARE, 0x9000, 0x123 },
	};

	need_iommu(test);
	expect_segments(test, pieces, ARRAY_SIZE(pieces), 1);
}

static void memory_and_device_memory_are_one_segment(struct kunit *test)
{
	static const struct piece pieces[] = {
		{ PAGES, 0x1000, 0x1000 }, { PEER_BAR, 0x5000, 0x1000 },
		{ ALIAS, 0x7000, 0x2000 }, { PEER_BAR, 0x8000, 0x1000 },
	};

	need_iommu(test);
	need_peer(test);
	if (fate_of_bar(&pieces[1]) != MAPPED)
		kunit_skip(test, "the BAR is not mapped here");
	expect_segments(test, pieces, ARRAY_SIZE(pieces), 1);
}

static void bus_address_is_a_segment_of_its_own(struct kunit *test)
{
	static const struct piece pieces[] = {
		{ PAGES, 0x1000, 0x1000 }, { ALIAS, 0x5000, 0x1000 },
		{ OWN_BAR, 0x7000, 0x1000 }, { OWN_BAR, 0x8000, 0x1000 },
		{ ALIAS, 0x8000, 0x1000 }, { PAGES, 0x8000, 0x1000 },
	};

	need_iommu(test);
	expect_segments(test, pieces, ARRAY_SIZE(pieces), 4);
}

/* The last run ends where the memory of a bus address begins. */
static void bus_address_does_not_continue_a_run(struct kunit *test)
{
	static const struct piece pieces[] = {
		{ ALIAS, 0x1000, 0x1000 }, { PEER_BAR, -0x1000, 0x1000 },
		{ OWN_BAR, 0, 0x1000 },
	};

	need_iommu(test);
	need_peer(test);
	if (bar_end(machine.peer) != bar_start(machine.pdev))
		kunit_skip(test, "the BARs of the two edu devices do not touch");
	expect_segments(test, pieces, ARRAY_SIZE(pieces), 2);
}

static void unmap_of_a_mixed_list_flushes_once(struct kunit *test)
{
	static const struct piece pieces[] = {
		{ PAGES, 0x1800, 0x123 }, { BARE, 0x5123, 0x1001 },
		{ OWN_BAR, 0x1000, 0x10 }, { ALIAS, 0x7000, 0x2000 },
		{ PAGES, 0x5000, 0x1000 },
	};
	struct job *job = new_job(test, pieces, ARRAY_SIZE(pieces),
				  DMA_TO_DEVICE);

	need_dma_iommu(test);
	KUNIT_ASSERT_EQ(test, map_job(job), 0);
	watch.syncs = 0;
	unmap_job(job);
	KUNIT_EXPECT_EQ(test, watch.syncs,
			machine.domain->type == IOMMU_DOMAIN_DMA_FQ ? 0 : 1);
}

/* --- failures in the middle -------------------------------------------- */

/* Physically apart: a call of the driver each, of more than one page. */
static const struct piece apart[] = {
	{ ALIAS, 0x1000, 0x2000 }, { PAGES, 0x4123, 0x1789 },
	{ BARE, 0x6000, 0x2000 }, { OWN_BAR, 0x1000, 0x123 },
	{ ALIAS, 0x9000, 0x1800 }, { PEER_BAR, 0x1000, 0x2000 },
	{ PAGES, 0x8000, 0x1000 },
};

/* As many of them as can be mapped. */
static unsigned int napart(void)
{
	if (fate_of_bar(&apart[3]) < 0)
		return 3;
	if (!machine.peer || fate_of_bar(&apart[5]) < 0)
		return 5;
	return ARRAY_SIZE(apart);
}

/* Which call was the first that was not there to fail? */
static unsigned int fail_at_each_call(struct kunit *test, struct job *job)
{
	unsigned int n;
	int ret;

	for (n = 1; n < 64; n++) {
		watch.fail_at = n;
		ret = map_job(job);
		if (!ret)
			break;
		KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
		expect_nothing_left(test, job);
	}
	KUNIT_ASSERT_EQ(test, ret, 0);
	watch.fail_at = 0;
	unmap_job(job);
	expect_nothing_left(test, job);
	return n;
}

static void driver_fails_at_each_call(struct kunit *test)
{
	struct job *job = new_job(test, apart, napart(), DMA_TO_DEVICE);

	need_iommu(test);
	KUNIT_EXPECT_GE(test, fail_at_each_call(test, job), 4);
}

static void driver_fails_at_each_page(struct kunit *test)
{
	const unsigned int n = 40;
	struct job *job = new_job(test, single_pages(test, n), n,
				  DMA_TO_DEVICE);

	need_dma_iommu(test);
	KUNIT_EXPECT_EQ(test, fail_at_each_call(test, job), n + 1);
}

/* IOVA space of 16 MiB: what fails may not keep any of it. */
static void iova_space_is_given_back(struct kunit *test)
{
	static const struct piece pieces[] = {
		{ ALIAS, 0, SZ_4M }, { BARE, 0, SZ_4M },
	};
	struct job *job = new_job(test, pieces, ARRAY_SIZE(pieces),
				  DMA_TO_DEVICE);
	unsigned int i;

	need_iommu(test);
	KUNIT_ASSERT_EQ(test, set_mask(DMA_BIT_MASK(24)), 0);
	for (i = 0; i < 8; i++) {
		watch.fail_at = 1;
		KUNIT_EXPECT_EQ(test, map_job(job), -ENOMEM);
	}
	watch.fail_at = 0;
	run_job(test, job);
}

static void iova_space_is_too_small(struct kunit *test)
{
	static const struct piece pieces[] = {
		{ ALIAS, 0, MEM_SIZE }, { BARE, 0, MEM_SIZE },
	};
	struct job *job = new_job(test, pieces, ARRAY_SIZE(pieces),
				  DMA_TO_DEVICE);

	need_dma_iommu(test);
	KUNIT_ASSERT_EQ(test, set_mask(DMA_BIT_MASK(24)), 0);
	KUNIT_EXPECT_EQ(test, map_job(job), -ENOMEM);
	expect_nothing_left(test, job);
}

#ifdef CONFIG_FAILSLAB
/* The route to a BAR is calculated again, its result stored anew. */
static void forget_route(struct kunit *test)
{
	remove_region(OWN_BAR);
	KUNIT_ASSERT_EQ(test, add_region(OWN_BAR, NULL, machine.pdev), 0);
}

/* True if the Nth allocation was there to fail. */
static bool map_with_failure(struct job *job, unsigned int nth, int *ret)
{
	bool failed;

	current->fail_nth = nth;
	*ret = map_job(job);
	failed = !current->fail_nth;
	current->fail_nth = 0;
	return failed;
}

static void allocation_fails_at_each_step(struct kunit *test)
{
	struct job *job = new_job(test, good, ARRAY_SIZE(good), DMA_TO_DEVICE);
	unsigned int nth = 0;
	bool failed;
	int ret;

	if (fate_of_list(good, ARRAY_SIZE(good)))
		kunit_skip(test, "the list cannot be mapped here");
	do {
		forget_route(test);
		failed = map_with_failure(job, ++nth, &ret);
		if (ret)
			KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
		else
			unmap_job(job);
		expect_nothing_left(test, job);
	} while (failed && nth < 100);
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_FALSE(test, failed);
	KUNIT_EXPECT_GT(test, nth, 1);
}
#else
static void allocation_fails_at_each_step(struct kunit *test)
{
	kunit_skip(test, "no CONFIG_FAILSLAB");
}
#endif /* CONFIG_FAILSLAB */

/* --- single ranges ----------------------------------------------------- */

struct phys_range {
	const char	*name;
	struct piece	piece;
	unsigned long	attrs;
	bool		fails;	/* on every machine */
};

static const struct phys_range ranges[] = {
	{ "a page", { PAGES, 0x1000, 0x1000 } },
	{ "pages, odd", { PAGES, 0x1234, 0x2345 } },
	{ "alias", { ALIAS, 0x1000, 0x1000 } },
	{ "alias, odd", { ALIAS, 0x1fff, 2 } },
	{ "no alias", { BARE, 0x1000, 0x3000 } },
	{ "no alias, odd", { BARE, 0x1001, 0x2fff } },
	{ "last byte", { BARE, -1, 1 } },
	{ "own BAR", { OWN_BAR, 0x1000, 0x1000 }, DMA_ATTR_MMIO },
	{ "own BAR, odd", { OWN_BAR, 0x1234, 0x21 }, DMA_ATTR_MMIO },
	{ "BAR of another", { PEER_BAR, 0x1000, 0x1000 }, DMA_ATTR_MMIO },
	{ "BAR without device", { LONE_BAR, 0, 0x1000 }, DMA_ATTR_MMIO },
	{ "BAR in no region", { STRAY_BAR, 0, 0x1000 }, DMA_ATTR_MMIO },
	{ "memory in no region", { STRAY, 0, 0x1000 }, 0, true },
	{ "two regions", { ALIAS, -1, 2 }, 0, true },
	{ "end of a region exceeded", { BARE, -1, 2 }, 0, true },
	{ "BAR taken for memory", { OWN_BAR, 0, 0x1000 }, 0, true },
	{ "BAR in no region taken for memory", {
		STRAY_BAR, 0, 0x1000 }, 0, true },
	{ "memory taken for device memory", {
		BARE, 0, 0x1000 }, DMA_ATTR_MMIO, true },
	{ "memory with alias taken for device memory", {
		ALIAS, 0, 0x1000 }, DMA_ATTR_MMIO, true },
};

KUNIT_ARRAY_PARAM_DESC(range, ranges, name);

/* Device memory is not routed: the caller knows. */
static int fate_of_range(const struct phys_range *r)
{
	if (r->fails)
		return -EIO;
	if (!is_bar(r->piece.place))
		return fate_of(&r->piece);
	return machine.force_bounce && !machine.domain ? -EIO : MAPPED;
}

/* A range as a list with one segment, for who looks at chunks. */
static int map_range(struct job *job, const struct phys_range *r)
{
	dma_addr_t addr;

	job->bounced = bounce_slots();
	watch.ncalls = 0;
	addr = dma_map_phys(machine.dev, piece_phys(&r->piece), r->piece.len,
			    job->dir, r->attrs);
	if (dma_mapping_error(machine.dev, addr))
		return -EIO;
	sg_dma_address(job->sgt.sgl) = addr;
	sg_dma_len(job->sgt.sgl) = r->piece.len;
	job->sgt.nents = 1;
	return 0;
}

static void unmap_range(struct job *job, const struct phys_range *r)
{
	dma_unmap_phys(machine.dev, sg_dma_address(job->sgt.sgl),
		       r->piece.len, job->dir, r->attrs);
}

/* The rows above know no bus addresses, and BARs are mapped as they are. */
static void check_range(struct chunk *c)
{
	check_memory(c, !is_bar(c->piece->place) &&
		     fate_of(c->piece) == BOUNCED);
}

static void range_gets_what_the_table_says(struct kunit *test)
{
	const struct phys_range *r = test->param_value;
	enum dma_data_direction dir;
	struct job *job;
	int ret;

	if (r->piece.place == PEER_BAR)
		need_peer(test);
	for (dir = DMA_BIDIRECTIONAL; dir <= DMA_FROM_DEVICE; dir++) {
		job = new_job(test, &r->piece, 1, dir);
		ret = map_range(job, r);
		KUNIT_EXPECT_EQ(test, ret < 0, fate_of_range(r) < 0);
		if (!ret) {
			visit_chunks(test, job, check_range);
			if (dir != DMA_TO_DEVICE)
				visit_chunks(test, job, device_writes);
			unmap_range(job, r);
			if (dir != DMA_TO_DEVICE)
				expect_device_bytes(test, job, &r->piece);
		}
		expect_nothing_left(test, job);
	}
}

/* dma-debug may not wait for what failed to be unmapped. */
static void range_that_failed_is_not_tracked(struct kunit *test)
{
	const struct phys_range *r = test->param_value;
	struct job *job = new_job(test, &r->piece, 1, DMA_TO_DEVICE);

	need_iommu(test);
	watch.fail_at = 1;
	KUNIT_EXPECT_EQ(test, map_range(job, r), -EIO);
	expect_nothing_left(test, job);
}

/* By the page of the DMA address, not by that of the call. */
static void offset_above_a_page_is_unmapped(struct kunit *test)
{
	static const struct piece piece = { PAGES, 0x3123, 0x1800 };
	struct job *job = new_job(test, &piece, 1, DMA_TO_DEVICE);
	dma_addr_t addr;

	job->bounced = bounce_slots();
	watch.ncalls = 0;
	addr = dma_map_page(machine.dev, virt_to_page(places[PAGES].cpu),
			    piece.pos, piece.len, job->dir);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(machine.dev, addr));
	dma_unmap_page(machine.dev, addr, piece.len, job->dir);
	expect_nothing_left(test, job);
}

static void range_is_synced(struct kunit *test)
{
	static const struct phys_range odd = {
		.piece = { ALIAS, 0x1234, 0x2345 },
	};
	struct job *job = new_job(test, &odd.piece, 1, DMA_BIDIRECTIONAL);
	dma_addr_t addr;

	if (map_range(job, &odd))
		kunit_skip(test, "cannot be mapped here");
	addr = sg_dma_address(job->sgt.sgl);

	visit_chunks(test, job, device_writes);
	dma_sync_single_for_cpu(machine.dev, addr, odd.piece.len, job->dir);
	visit_chunks(test, job, expect_same_bytes);

	visit_chunks(test, job, cpu_writes);
	dma_sync_single_for_device(machine.dev, addr, odd.piece.len, job->dir);
	visit_chunks(test, job, expect_same_bytes);

	unmap_range(job, &odd);
	expect_nothing_left(test, job);
}

/* --- a device that is not cache coherent -------------------------------- */

static bool has_lines(const struct piece *p)
{
	return p->place == PAGES || p->place == ALIAS;
}

/* The lines of a piece from @pos on, or of what it is bounced through. */
static void expect_sync(struct kunit *test, const struct sync *sync,
			const struct piece *p, unsigned int pos)
{
	KUNIT_EXPECT_EQ(test, sync->size, p->len - pos);
	if (fate_of(p) == BOUNCED) {
		KUNIT_EXPECT_TRUE(test, in_bounce_buffer(sync->phys));
		KUNIT_EXPECT_PTR_EQ(test, sync->kaddr,
				    phys_to_virt(sync->phys));
	} else {
		KUNIT_EXPECT_EQ(test, sync->phys, piece_phys(p) + pos);
		KUNIT_EXPECT_PTR_EQ(test, sync->kaddr,
				    (void *)piece_cpu(p) + pos);
	}
}

static void expect_no_syncs(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, asked.n, 0);
	KUNIT_EXPECT_EQ(test, asked.bars, 0);
	forget_syncs();
}

/* Since the last look, in the order of the list, and nothing else. */
static void expect_syncs(struct kunit *test, struct job *job, unsigned int pos,
			 bool for_cpu)
{
	unsigned int i, n = 0;

	if (!IS_ENABLED(CONFIG_DMA_PAGELESS_KUNIT_SYNC))
		return;
	for (i = 0; i < job->n; i++) {
		if (!has_lines(&job->piece[i]))
			continue;
		KUNIT_ASSERT_LT(test, n, asked.n);
		expect_sync(test, &asked.sync[n], &job->piece[i], pos);
		KUNIT_EXPECT_EQ(test, asked.sync[n].dir, job->dir);
		KUNIT_EXPECT_EQ(test, asked.sync[n].for_cpu, for_cpu);
		n++;
	}
	KUNIT_EXPECT_EQ(test, asked.n, n);
	KUNIT_EXPECT_EQ(test, asked.bars, 0);
	forget_syncs();
}

static void maintain_list(struct kunit *test, struct job *job,
			  unsigned long attrs)
{
	int ret;

	job->bounced = bounce_slots();
	ret = dma_map_sgtable(machine.dev, &job->sgt, job->dir, attrs);
	KUNIT_ASSERT_EQ(test, ret, fate_of_list(job->piece, job->n));
	if (ret)
		kunit_skip(test, "cannot be mapped here");
	if (attrs & DMA_ATTR_SKIP_CPU_SYNC)
		expect_no_syncs(test);
	else
		expect_syncs(test, job, 0, false);

	dma_sync_sgtable_for_cpu(machine.dev, &job->sgt, job->dir);
	expect_syncs(test, job, 0, true);
	dma_sync_sgtable_for_device(machine.dev, &job->sgt, job->dir);
	expect_syncs(test, job, 0, false);

	dma_unmap_sgtable(machine.dev, &job->sgt, job->dir, attrs);
	if (attrs & DMA_ATTR_SKIP_CPU_SYNC)
		expect_no_syncs(test);
	else
		expect_syncs(test, job, 0, true);
	expect_nothing_left(test, job);
}

static void list_is_maintained_in_the_caches(struct kunit *test)
{
	const struct list *list = test->param_value;
	enum dma_data_direction dir;

	need_bars_of(test, list);
	need_incoherent(test);
	for (dir = DMA_BIDIRECTIONAL; dir <= DMA_FROM_DEVICE; dir++) {
		maintain_list(test, new_job(test, list->piece, npieces(list),
					    dir), 0);
		maintain_list(test, new_job(test, list->piece, npieces(list),
					    dir), DMA_ATTR_SKIP_CPU_SYNC);
	}
}

/* All of it but the first byte; what drivers do with device memory is theirs. */
static void sync_range(struct kunit *test, struct job *job)
{
	dma_addr_t addr = sg_dma_address(job->sgt.sgl);
	unsigned int len = job->piece->len;

	if (is_bar(job->piece->place) || len < 2)
		return;
	dma_sync_single_range_for_cpu(machine.dev, addr, 1, len - 1, job->dir);
	expect_syncs(test, job, 1, true);
	dma_sync_single_range_for_device(machine.dev, addr, 1, len - 1,
					 job->dir);
	expect_syncs(test, job, 1, false);
}

static void maintain_range(struct kunit *test, struct job *job,
			   const struct phys_range *r)
{
	int ret = map_range(job, r);

	KUNIT_ASSERT_EQ(test, ret < 0, fate_of_range(r) < 0);
	if (ret)
		kunit_skip(test, "cannot be mapped here");
	if (r->attrs & DMA_ATTR_SKIP_CPU_SYNC)
		expect_no_syncs(test);
	else
		expect_syncs(test, job, 0, false);
	sync_range(test, job);
	unmap_range(job, r);
	if (r->attrs & DMA_ATTR_SKIP_CPU_SYNC)
		expect_no_syncs(test);
	else
		expect_syncs(test, job, 0, true);
	expect_nothing_left(test, job);
}

static void range_is_maintained_in_the_caches(struct kunit *test)
{
	struct phys_range r = *(const struct phys_range *)test->param_value;
	enum dma_data_direction dir;

	if (r.piece.place == PEER_BAR)
		need_peer(test);
	need_incoherent(test);
	for (dir = DMA_BIDIRECTIONAL; dir <= DMA_FROM_DEVICE; dir++) {
		maintain_range(test, new_job(test, &r.piece, 1, dir), &r);
		r.attrs ^= DMA_ATTR_SKIP_CPU_SYNC;
		maintain_range(test, new_job(test, &r.piece, 1, dir), &r);
		r.attrs ^= DMA_ATTR_SKIP_CPU_SYNC;
	}
}

/* --- addresses --------------------------------------------------------- */

/* A bus on which RAM appears 4 GiB above where the CPU sees it. */
static void memory_moves_with_the_bus_and_device_memory_does_not(struct kunit *test)
{
	static const struct bus_dma_region moved[] = {
		{ .cpu_start = 0, .dma_start = SZ_4G, .size = SZ_4G }, { },
	};
	const struct list *list = test->param_value;

	need_no_iommu(test);
	need_bars_of(test, list);
	machine.dev->dma_range_map = moved;
	machine.dma_offset = SZ_4G;
	run_job(test, new_job(test, list->piece, npieces(list),
			      DMA_TO_DEVICE));
}

#ifdef CONFIG_AMD_MEM_ENCRYPT
#include <asm/coco.h>

#define ENCRYPTED	BIT_ULL(47)

struct encryption {
	struct dma_region	*region;
	bool			fits;
	bool			can_map;
	int			ret;
	dma_addr_t		addr;
};

/* All other CPUs stand still: for them memory is not encrypted. */
static int map_encrypted(void *data)
{
	struct encryption *e = data;
	bool is_mmio = e->region->attr == DMA_REGION_MMIO;
	enum cc_vendor vendor = cc_vendor;
	u64 mask = sme_me_mask;

	cc_vendor = CC_VENDOR_AMD;
	sme_me_mask = ENCRYPTED;
	e->fits = iommu_dma_encryption_fits(is_mmio, e->region->encrypted);
	e->can_map = dma_region_can_map(e->region, machine.dev);
	e->ret = dma_direct_map_region(machine.dev, e->region,
				       dma_region_phys(e->region), PAGE_SIZE,
				       DMA_TO_DEVICE, 0, &e->addr);
	sme_me_mask = mask;
	cc_vendor = vendor;
	return 0;
}

/* The I/O MMU's page tables would set the bit for all memory. */
static void expect_encryption(struct kunit *test, struct dma_region *region,
			      u64 bit)
{
	struct encryption e = { .region = region };

	KUNIT_ASSERT_EQ(test, stop_machine(map_encrypted, &e, NULL), 0);
	if (region->attr != DMA_REGION_MMIO)
		KUNIT_EXPECT_EQ(test, e.fits, !!bit);
	KUNIT_EXPECT_EQ(test, e.can_map, e.fits || !machine.domain);
	KUNIT_EXPECT_EQ(test, e.ret, 0);
	KUNIT_EXPECT_EQ(test, e.addr, dma_region_phys(region) | bit);
}

static void encrypted_memory_and_nothing_else_gets_the_bit(struct kunit *test)
{
	struct dma_region copy = places[BARE].region;

	if (machine.force_bounce)
		kunit_skip(test, "everything is bounced");
	copy.encrypted = true;
	expect_encryption(test, &copy, ENCRYPTED);
	copy.encrypted = false;
	expect_encryption(test, &copy, 0);
	copy.attr = DMA_REGION_MMIO;
	expect_encryption(test, &copy, 0);
	copy.encrypted = true;
	expect_encryption(test, &copy, 0);
}
#else
static void encrypted_memory_and_nothing_else_gets_the_bit(struct kunit *test)
{
	kunit_skip(test, "no CONFIG_AMD_MEM_ENCRYPT");
}
#endif /* CONFIG_AMD_MEM_ENCRYPT */

/* --- dma_map_ops ------------------------------------------------------- */

#ifdef CONFIG_ARCH_HAS_DMA_OPS
static unsigned int ops_calls;

static int ops_map_sg(struct device *dev, struct scatterlist *sg, int nents,
		      enum dma_data_direction dir, unsigned long attrs)
{
	ops_calls++;
	sg_dma_address(sg) = SZ_1M;
	sg_dma_len(sg) = 1;
	return 1;
}

static void ops_unmap_sg(struct device *dev, struct scatterlist *sg, int nents,
			 enum dma_data_direction dir, unsigned long attrs)
{
}

static const struct dma_map_ops paged_ops = {
	.map_sg = ops_map_sg,
	.unmap_sg = ops_unmap_sg,
};

static const struct dma_map_ops pageless_ops = {
	.map_sg = ops_map_sg,
	.unmap_sg = ops_unmap_sg,
	.pageless = true,
};

static struct device *ops_device(struct kunit *test,
				 const struct dma_map_ops *ops)
{
	struct device *dev = kunit_device_register(test, "pageless-ops");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	dev->dma_mask = &dev->coherent_dma_mask;
	dev->coherent_dma_mask = DMA_BIT_MASK(64);
	set_dma_ops(dev, ops);
	ops_calls = 0;
	return dev;
}

static int map_by_ops(struct device *dev, struct job *job)
{
	int ret = dma_map_sgtable(dev, &job->sgt, job->dir, 0);

	if (!ret)
		dma_unmap_sgtable(dev, &job->sgt, job->dir, 0);
	return ret;
}

static void ops_that_need_pages_get_none_without(struct kunit *test)
{
	struct device *dev = ops_device(test, &paged_ops);
	struct piece last = good[1];
	struct job *job;

	job = new_job(test, good, ARRAY_SIZE(good), DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, map_by_ops(dev, job), -EREMOTEIO);
	expect_as_it_came(test, job);
	job = new_job(test, &last, 1, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, map_by_ops(dev, job), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, ops_calls, 0);
}

static void ops_that_need_pages_get_pages(struct kunit *test)
{
	struct device *dev = ops_device(test, &paged_ops);
	struct job *job = new_job(test, good, 1, DMA_TO_DEVICE);

	KUNIT_EXPECT_EQ(test, map_by_ops(dev, job), 0);
	KUNIT_EXPECT_EQ(test, ops_calls, 1);
}

static void ops_that_take_everything_get_it(struct kunit *test)
{
	struct device *dev = ops_device(test, &pageless_ops);
	struct job *job = new_job(test, good, ARRAY_SIZE(good), DMA_TO_DEVICE);

	KUNIT_EXPECT_EQ(test, map_by_ops(dev, job), 0);
	KUNIT_EXPECT_EQ(test, ops_calls, 1);
}

static void ops_get_no_range_without_pages(struct kunit *test)
{
	struct device *dev = ops_device(test, &pageless_ops);
	dma_addr_t addr = dma_map_phys(dev, piece_phys(&good[1]), 16,
				       DMA_TO_DEVICE, 0);

	KUNIT_EXPECT_TRUE(test, dma_mapping_error(dev, addr));
}
#else
static void need_ops(struct kunit *test)
{
	kunit_skip(test, "no CONFIG_ARCH_HAS_DMA_OPS");
}

#define ops_that_need_pages_get_none_without	need_ops
#define ops_that_need_pages_get_pages		need_ops
#define ops_that_take_everything_get_it		need_ops
#define ops_get_no_range_without_pages		need_ops
#endif /* CONFIG_ARCH_HAS_DMA_OPS */

/* --- transfers --------------------------------------------------------- */

static void edu_transfer(struct kunit *test, u64 src, u64 dst, u64 count,
			 u64 cmd)
{
	u64 val;

	KUNIT_ASSERT_LE(test, count, EDU_BUF_SIZE);
	writeq(src, machine.io + EDU_DMA_SRC);
	writeq(dst, machine.io + EDU_DMA_DST);
	writeq(count, machine.io + EDU_DMA_COUNT);
	writeq(cmd | EDU_DMA_RUN, machine.io + EDU_DMA_CMD);
	KUNIT_ASSERT_EQ(test, 0,
			readq_poll_timeout(machine.io + EDU_DMA_CMD, val,
					   !(val & EDU_DMA_RUN), 10 * USEC_PER_MSEC,
					   20 * USEC_PER_SEC));
}

/* All segments, one after the other, from or to the device's buffer. */
static void edu_run(struct kunit *test, struct job *job)
{
	struct scatterlist *sg;
	u64 buf = EDU_BUF;
	unsigned int i;

	for_each_sg(job->sgt.sgl, sg, job->sgt.nents, i) {
		if (job->dir == DMA_TO_DEVICE)
			edu_transfer(test, sg_dma_address(sg), buf,
				     sg_dma_len(sg), 0);
		else
			edu_transfer(test, buf, sg_dma_address(sg),
				     sg_dma_len(sg), EDU_DMA_TO_RAM);
		buf += sg_dma_len(sg);
	}
}

struct transfer {
	const char	*name;
	struct piece	from[MAX_PIECES];
	struct piece	to[MAX_PIECES];
};

/* At most EDU_BUF_SIZE bytes, as many in both lists. */
static const struct transfer transfers[] = {
	{ "pages to alias", { { PAGES, 0x123, 0x456 } },
			    { { ALIAS, 0x1fff, 0x456 } } },
	{ "alias to pages", { { ALIAS, 0x3333, 0xfed } },
			    { { PAGES, 0x1001, 0xfed } } },
	{ "pages to no alias", { { PAGES, 0xfff, 0x801 } },
			       { { BARE, 0x4567, 0x801 } } },
	{ "no alias to pages", { { BARE, 0x5fff, 3 } },
			       { { PAGES, 0x2ffe, 3 } } },
	{ "no alias to alias", { { BARE, 0x7123, 0xedd } },
			       { { ALIAS, 0x8321, 0xedd } } },
	{ "whole pages", { { BARE, 0x9000, 0xfff } },
			 { { BARE, 0xb000, 0xfff } } },
	{ "mixed to mixed, cut elsewhere", {
		{ PAGES, 0x111, 0x111 }, { ALIAS, 0xf0f, 0x222 },
		{ BARE, 0xfff, 0x333 }, { PAGES, 0x2222, 0x99 },
	}, {
		{ BARE, 0x21234, 1 }, { ALIAS, 0x21234, 0x2fe },
		{ PAGES, 0x4567, 0x400 },
	} },
};

static void transfer_desc(const struct transfer *t, char *desc)
{
	strscpy(desc, t->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(transfer, transfers, transfer_desc);

static unsigned int count_pieces(const struct piece *p)
{
	unsigned int n = 0;

	while (n < MAX_PIECES && p[n].len)
		n++;
	return n;
}

/* Through the CPU's own mapping, whatever the entries say. */
static unsigned int gather(const struct piece *p, unsigned int n, u8 *buf)
{
	unsigned int len = 0;

	for (; n; n--, p++) {
		memcpy(buf + len, piece_cpu(p), p->len);
		len += p->len;
	}
	return len;
}

#define GUARD	64

static void set_guards(const struct piece *p, unsigned int n)
{
	for (; n; n--, p++)
		memset(piece_cpu(p) - GUARD, 0xee, p->len + 2 * GUARD);
}

static void expect_guards(struct kunit *test, const struct piece *p,
			  unsigned int n)
{
	for (; n; n--, p++) {
		KUNIT_EXPECT_NULL(test, memchr_inv(piece_cpu(p) - GUARD, 0xee,
						   GUARD));
		KUNIT_EXPECT_NULL(test, memchr_inv(piece_cpu(p) + p->len, 0xee,
						   GUARD));
	}
}

static void edu_run_list(struct kunit *test, const struct piece *p,
			 unsigned int n, enum dma_data_direction dir)
{
	struct job *job = new_job(test, p, n, dir);

	if (fate_of_list(p, n))
		kunit_skip(test, "cannot be mapped here");
	KUNIT_ASSERT_EQ(test, map_job(job), 0);
	edu_run(test, job);
	unmap_job(job);
	expect_nothing_left(test, job);
}

static void device_moves_the_bytes(struct kunit *test)
{
	const struct transfer *t = test->param_value;
	unsigned int nfrom = count_pieces(t->from), nto = count_pieces(t->to);
	u8 *want = kunit_kmalloc(test, EDU_BUF_SIZE, GFP_KERNEL);
	u8 *got = kunit_kmalloc(test, EDU_BUF_SIZE, GFP_KERNEL);
	unsigned int len;

	KUNIT_ASSERT_NOT_NULL(test, want);
	KUNIT_ASSERT_NOT_NULL(test, got);
	len = gather(t->from, nfrom, want);
	edu_run_list(test, t->from, nfrom, DMA_TO_DEVICE);
	set_guards(t->to, nto);
	edu_run_list(test, t->to, nto, DMA_FROM_DEVICE);
	KUNIT_ASSERT_EQ(test, gather(t->to, nto, got), len);
	KUNIT_EXPECT_MEMEQ(test, got, want, len);
	expect_guards(test, t->to, nto);
}

/* From memory without alias into a register of the other device. */
static void device_writes_to_another(struct kunit *test)
{
	static const struct piece from = { ALIAS, 0x1234, 4 };
	static const struct piece to = { PEER_BAR, EDU_LIVENESS, 4 };
	u32 val = 0x12345678;

	need_peer(test);
	if (fate_of(&to) < 0)
		kunit_skip(test, "there is no route");
	if (machine.domain && fate_of(&to) == BUS_ADDRESS)
		kunit_skip(test, "QEMU's switches send all requests to the I/O MMU");
	memcpy(piece_cpu(&from), &val, sizeof(val));
	writel(0, machine.peer_io + EDU_LIVENESS);
	edu_run_list(test, &from, 1, DMA_TO_DEVICE);
	edu_run_list(test, &to, 1, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, readl(machine.peer_io + EDU_LIVENESS), ~val);
}

/* --- a region that goes away too early --------------------------------- */

static void region_goes_away_below_a_mapping(struct kunit *test)
{
	static const struct piece piece = { BARE, 0x1000, 0x1000 };
	struct job *job = new_job(test, &piece, 1, DMA_TO_DEVICE);

	if (!unregister_mapped)
		kunit_skip(test, "makes dma-debug warn, see pageless_kunit.unregister_mapped");
	KUNIT_ASSERT_EQ(test, map_job(job), 0);
	KUNIT_ASSERT_FALSE(test, test_taint(TAINT_WARN));
	remove_region(BARE);
	KUNIT_EXPECT_TRUE(test, test_taint(TAINT_WARN));
	unmap_job(job);
	expect_nothing_left(test, job);
}

/* ----------------------------------------------------------------------- */

static struct kunit_case trusted_cases[] = {
	KUNIT_CASE_PARAM(list_gets_what_the_table_says, list_gen_params),
	KUNIT_CASE_PARAM(list_is_synced, list_gen_params),
	KUNIT_CASE(list_is_longer_than_a_table),
	KUNIT_CASE_SLOW(random_list_gets_what_the_table_says),
	KUNIT_CASE_PARAM(entry_is_refused_in_a_table_used_before,
			 refused_gen_params),
	KUNIT_CASE_PARAM(entry_is_refused_in_a_table_full_of_junk,
			 refused_gen_params),
	KUNIT_CASE(table_is_used_with_and_without_bouncing),
	KUNIT_CASE(bounce_buffer_is_full),
	KUNIT_CASE_PARAM(memory_above_the_mask_is_bounced_or_refused,
			 list_gen_params),
	KUNIT_CASE(mask_is_set_again_while_a_list_is_bounced),
	KUNIT_CASE(empty_entry_is_restored),
	KUNIT_CASE_PARAM(segments_keep_the_limits, limits_gen_params),
	KUNIT_CASE(memory_of_every_kind_is_one_segment),
	KUNIT_CASE(memory_and_device_memory_are_one_segment),
	KUNIT_CASE(bus_address_is_a_segment_of_its_own),
	KUNIT_CASE(bus_address_does_not_continue_a_run),
	KUNIT_CASE(unmap_of_a_mixed_list_flushes_once),
	KUNIT_CASE(driver_fails_at_each_call),
	KUNIT_CASE(driver_fails_at_each_page),
	KUNIT_CASE(iova_space_is_given_back),
	KUNIT_CASE(iova_space_is_too_small),
	KUNIT_CASE(allocation_fails_at_each_step),
	KUNIT_CASE_PARAM(range_gets_what_the_table_says, range_gen_params),
	KUNIT_CASE_PARAM(range_that_failed_is_not_tracked, range_gen_params),
	KUNIT_CASE(offset_above_a_page_is_unmapped),
	KUNIT_CASE(range_is_synced),
	KUNIT_CASE_PARAM(list_is_maintained_in_the_caches, list_gen_params),
	KUNIT_CASE_PARAM(range_is_maintained_in_the_caches, range_gen_params),
	KUNIT_CASE_PARAM(memory_moves_with_the_bus_and_device_memory_does_not,
			 list_gen_params),
	KUNIT_CASE(encrypted_memory_and_nothing_else_gets_the_bit),
	KUNIT_CASE(ops_that_need_pages_get_none_without),
	KUNIT_CASE(ops_that_need_pages_get_pages),
	KUNIT_CASE(ops_that_take_everything_get_it),
	KUNIT_CASE(ops_get_no_range_without_pages),
	KUNIT_CASE_PARAM(device_moves_the_bytes, transfer_gen_params),
	KUNIT_CASE(device_writes_to_another),
	KUNIT_CASE(region_goes_away_below_a_mapping),
	{ }
};

/* The I/O MMU maps whole pages: what is none is bounced. */
static struct kunit_case untrusted_cases[] = {
	KUNIT_CASE_PARAM(list_gets_what_the_table_says, list_gen_params),
	KUNIT_CASE_PARAM(list_is_synced, list_gen_params),
	KUNIT_CASE_SLOW(random_list_gets_what_the_table_says),
	KUNIT_CASE_PARAM(entry_is_refused_in_a_table_used_before,
			 refused_gen_params),
	KUNIT_CASE_PARAM(entry_is_refused_in_a_table_full_of_junk,
			 refused_gen_params),
	KUNIT_CASE(allocation_fails_at_each_step),
	KUNIT_CASE_PARAM(range_gets_what_the_table_says, range_gen_params),
	KUNIT_CASE(range_is_synced),
	KUNIT_CASE_PARAM(list_is_maintained_in_the_caches, list_gen_params),
	KUNIT_CASE_PARAM(range_is_maintained_in_the_caches, range_gen_params),
	KUNIT_CASE_PARAM(device_moves_the_bytes, transfer_gen_params),
	{ }
};

static struct kunit_suite trusted_suite = {
	.name = "dma_pageless",
	.suite_init = machine_init,
	.suite_exit = machine_exit,
	.init = trusted_init,
	.exit = any_exit,
	.test_cases = trusted_cases,
};

static struct kunit_suite untrusted_suite = {
	.name = "dma_pageless_untrusted",
	.suite_init = machine_init,
	.suite_exit = machine_exit,
	.init = untrusted_init,
	.exit = any_exit,
	.test_cases = untrusted_cases,
};

kunit_test_suites(&trusted_suite, &untrusted_suite);

MODULE_DESCRIPTION("KUnit tests of DMA to memory without struct page");
MODULE_LICENSE("GPL");
