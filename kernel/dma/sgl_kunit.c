// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of lists that only devices may walk.
 *
 * The BARs are those of QEMU's edu devices, each of 1 MiB, on whatever machine
 * they are found: without I/O MMU or behind one, next to each other or below a
 * switch. Where there is no edu, secondary-vga with vgamem_mb=1 will do, for no
 * DMA takes place. What route there is, and what becomes of it, is found out by
 * mapping the same range in a scatterlist, which pageless_kunit.c compares with
 * the contract. A BAR of the device itself is always a bus address.
 *
 * User space maps a BAR as it does in real life: the files are those of sysfs.
 */
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/async.h>
#include <linux/bitfield.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-direct.h>
#include <linux/dma-grant.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/dma-region.h>
#include <linux/dma-sgl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/pageless.h>
#include <linux/pci.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/swiotlb.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <xen/xen.h>
#include "debug.h"

#define QEMU_VENDOR	0x1234
#define BAR_SIZE	SZ_1M
#define COLOURS		SZ_4M		/* parisc's; others have less */
#define FOREVER		(10 * HZ)
#define A_WHILE		(HZ / 5)

static struct {
	bool			driver;		/* is registered */
	struct pci_dev		*pdev, *peer;
	struct device		*dev;
	struct iommu_domain	*domain;	/* NULL: DMA is not translated */
	struct vfsmount		*sysfs;
} machine;

/* It is when a driver is bound that DMA is configured for a device. */
static int bar_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	return 0;
}

/* The second is not the VGA that may be the console. */
static const struct pci_device_id bar_ids[] = {
	{ PCI_DEVICE(QEMU_VENDOR, 0x11e8) },
	{
		PCI_DEVICE(QEMU_VENDOR, 0x1111),
		.class = PCI_CLASS_DISPLAY_OTHER << 8,
		.class_mask = ~0,
	},
	{}
};

static struct pci_driver bar_driver = {
	.name		= "dma_sgl_kunit",
	.id_table	= bar_ids,
	.probe		= bar_probe,
};

static struct iommu_domain *find_domain(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain && domain->type & __IOMMU_DOMAIN_PAGING ? domain : NULL;
}

/* The next one behind @from, of which a reference is dropped. */
static struct pci_dev *next_device(struct pci_dev *from)
{
	do {
		from = pci_get_device(QEMU_VENDOR, PCI_ANY_ID, from);
	} while (from && (!pci_match_id(bar_ids, from) ||
			  pci_resource_len(from, 0) != BAR_SIZE));
	return from;
}

static void find_devices(void)
{
	machine.pdev = next_device(NULL);
	if (!machine.pdev)
		return;
	machine.peer = next_device(pci_dev_get(machine.pdev));
	machine.dev = &machine.pdev->dev;
	machine.domain = find_domain(machine.dev);
}

static struct vfsmount *mount_fs(const char *name)
{
	struct file_system_type *type = get_fs_type(name);

	return type ? kern_mount(type) : ERR_PTR(-ENODEV);
}

/* Never an error: each case says why it is skipped, and is counted. */
static int machine_init(struct kunit_suite *suite)
{
	wait_for_device_probe();
	async_synchronize_full();
	memset(&machine, 0, sizeof(machine));
	machine.driver = !pci_register_driver(&bar_driver);
	find_devices();
	machine.sysfs = mount_fs("sysfs");
	return 0;
}

static void machine_exit(struct kunit_suite *suite)
{
	if (!IS_ERR(machine.sysfs))
		kern_unmount(machine.sysfs);
	pci_dev_put(machine.peer);
	pci_dev_put(machine.pdev);
	if (machine.driver)
		pci_unregister_driver(&bar_driver);
}

static phys_addr_t bar(struct pci_dev *pdev)
{
	return pci_resource_start(pdev, 0);
}

static void recall(struct pci_dev *pdev)
{
	dma_region_recall(bar(pdev), BAR_SIZE);
}

static int case_init(struct kunit *test)
{
	if (!machine.pdev || !machine.driver)
		kunit_skip(test, "no PCI device 1234:11e8 or 1234:1111 with a BAR of 1 MiB");
	dma_set_max_seg_size(machine.dev, UINT_MAX);
	/* parisc's I/O MMUs refuse a 32-bit kernel more. */
	if (!dma_set_mask(machine.dev, DMA_BIT_MASK(64)))
		return 0;
	return dma_set_mask(machine.dev, DMA_BIT_MASK(32));
}

static void case_exit(struct kunit *test)
{
	if (machine.pdev)
		recall(machine.pdev);
	if (machine.peer)
		recall(machine.peer);
}

static void need_peer(struct kunit *test)
{
	if (!machine.peer)
		kunit_skip(test, "no second device with such a BAR");
}

static void expect_tracked(struct kunit *test, struct device *dev, int n)
{
#ifdef CONFIG_DMA_API_DEBUG
	struct dma_debug_entry *entry;

	KUNIT_EXPECT_EQ(test, device_dma_allocations(dev, &entry), n);
#endif
}

/* Nobody holds anything of the BAR: taking it back does not wait. */
static void expect_nothing_left(struct kunit *test, struct pci_dev *pdev)
{
	recall(pdev);
	KUNIT_EXPECT_NULL(test, dma_region_find(bar(pdev), 1));
	expect_tracked(test, machine.dev, 0);
}

/* --- routes -------------------------------------------------------------- */

static const struct bar_range {
	const char	*name;
	unsigned int	pos, len;
} bar_ranges[] = {
	{ "a page", 0x1000, 0x1000 },
	{ "one byte", 0x10, 1 },
	{ "odd", 0x123, 0x4567 },
	{ "the last byte", BAR_SIZE - 1, 1 },
	{ "all of it", 0, BAR_SIZE },
};

KUNIT_ARRAY_PARAM_DESC(bar_range, bar_ranges, name);

static void expect_covers(struct kunit *test, struct dma_sg_table *table,
			  struct device *dev, size_t len)
{
	unsigned int nents, i;
	const struct dma_sg *sg = sgl_dma_list(table, dev, &nents);

	KUNIT_ASSERT_NOT_NULL(test, sg);
	KUNIT_EXPECT_EQ(test, sgl_dma_length(table), len);
	for (i = 0; i < nents; i++)
		len -= sg[i].len;
	KUNIT_EXPECT_EQ(test, len, 0);
}

static void own_bar_is_a_bus_address(struct kunit *test)
{
	const struct bar_range *r = test->param_value;
	const struct dma_sg *sg;
	struct dma_sg_table *table;
	unsigned int nents;

	table = sgl_dma_map_pci_bar(machine.pdev, machine.dev,
				    bar(machine.pdev) + r->pos, r->len);
	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	expect_covers(test, table, machine.dev, r->len);
	KUNIT_EXPECT_EQ(test, sgl_dma_offset(table), offset_in_page(r->pos));
	sg = sgl_dma_list(table, machine.dev, &nents);
	KUNIT_EXPECT_EQ(test, nents, 1);
	KUNIT_EXPECT_EQ(test, sg->addr,
			pci_bus_address(machine.pdev, 0) + r->pos);
	expect_tracked(test, machine.dev, 0);
	sgl_dma_unmap(table);
	expect_nothing_left(test, machine.pdev);
}

static void bar_above_the_mask_is_refused(struct kunit *test)
{
	struct dma_sg_table *table;

	if (dma_set_mask(machine.dev, DMA_BIT_MASK(24)))
		kunit_skip(test, "no device may address so little here");
	table = sgl_dma_map_pci_bar(machine.pdev, machine.dev,
				    bar(machine.pdev), 0x1000);
	KUNIT_EXPECT_PTR_EQ(test, table, ERR_PTR(-EREMOTEIO));
	if (!IS_ERR(table))
		sgl_dma_unmap(table);
	expect_nothing_left(test, machine.pdev);
}

static phys_addr_t behind(dma_addr_t addr)
{
	return machine.domain ? iommu_iova_to_phys(machine.domain, addr) : addr;
}

static void expect_as_the_list(struct kunit *test, struct dma_sg_table *table,
			       struct scatterlist *sgl, phys_addr_t phys)
{
	unsigned int nents;
	const struct dma_sg *sg = sgl_dma_list(table, machine.dev, &nents);

	KUNIT_ASSERT_EQ(test, nents, 1);
	KUNIT_EXPECT_EQ(test, sg->len, sg_dma_len(sgl));
	if (sg_dma_is_bus_address(sgl))
		KUNIT_EXPECT_EQ(test, sg->addr, sg_dma_address(sgl));
	else
		KUNIT_EXPECT_EQ(test, behind(sg->addr), phys);
}

static void bar_of_another_gets_what_a_list_gets(struct kunit *test)
{
	const struct bar_range *r = test->param_value;
	struct dma_sg_table *table;
	struct scatterlist sg;
	struct sg_table sgt = { .sgl = &sg, .orig_nents = 1 };
	phys_addr_t phys;
	int ret;

	need_peer(test);
	phys = bar(machine.peer) + r->pos;
	table = sgl_dma_map_pci_bar(machine.peer, machine.dev, phys, r->len);

	/* The BAR stays lent, whatever came of it. */
	sg_init_table(&sg, 1);
	KUNIT_ASSERT_EQ(test, 0, sg_set_pfn(&sg, PHYS_PFN(phys), r->len,
					    offset_in_page(phys),
					    PAGELESS_MMIO));
	ret = dma_map_sgtable(machine.dev, &sgt, DMA_BIDIRECTIONAL, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(table), ret);
	if (!IS_ERR(table)) {
		expect_covers(test, table, machine.dev, r->len);
		if (!ret)
			expect_as_the_list(test, table, &sg, phys);
		sgl_dma_unmap(table);
	}
	if (!ret)
		dma_unmap_sgtable(machine.dev, &sgt, DMA_BIDIRECTIONAL, 0);
	expect_nothing_left(test, machine.peer);
}

static const struct bar_range bad_ranges[] = {
	{ "empty", 0x1000, 0 },
	{ "behind the BAR", BAR_SIZE, 1 },
	{ "beyond the end", BAR_SIZE - 1, 2 },
	{ "before the start", -1, 2 },
	{ "wraps", 0x1000, -1U },
};

KUNIT_ARRAY_PARAM_DESC(bad_range, bad_ranges, name);

static void range_that_is_not_in_the_bar_is_refused(struct kunit *test)
{
	const struct bar_range *r = test->param_value;
	struct dma_sg_table *table;

	table = sgl_dma_map_pci_bar(machine.pdev, machine.dev,
				    bar(machine.pdev) + (int)r->pos,
				    r->len == -1U ? SIZE_MAX : r->len);
	KUNIT_EXPECT_PTR_EQ(test, table, ERR_PTR(-EINVAL));
	KUNIT_EXPECT_NULL(test, dma_region_find(bar(machine.pdev), 1));
}

static void entries_keep_the_limit(struct kunit *test)
{
	struct dma_sg_table *table;
	const struct dma_sg *sg;
	unsigned int nents, i;
	dma_addr_t at;

	dma_set_max_seg_size(machine.dev, 0x3000);
	table = sgl_dma_map_pci_bar(machine.pdev, machine.dev,
				    bar(machine.pdev) + 0x800, 0x10000);
	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	expect_covers(test, table, machine.dev, 0x10000);
	sg = sgl_dma_list(table, machine.dev, &nents);
	KUNIT_EXPECT_GT(test, nents, 5);
	at = pci_bus_address(machine.pdev, 0) + 0x800;
	for (i = 0; i < nents; i++) {
		KUNIT_EXPECT_EQ(test, sg[i].addr, at);
		KUNIT_EXPECT_LE(test, sg[i].len, 0x3000);
		at += sg[i].len;
	}
	sgl_dma_unmap(table);
}

static void page_size_is_what_fits(struct kunit *test)
{
	static const struct {
		unsigned int pos;
		unsigned long iova, sizes, best;
	} cases[] = {
		{ 0, 0, SZ_4K | SZ_64K | SZ_1M, SZ_1M },
		{ 0, SZ_64K, SZ_4K | SZ_64K | SZ_1M, SZ_64K },
		{ SZ_4K, 0, SZ_4K | SZ_64K, SZ_4K },
		{ SZ_4K, SZ_64K + SZ_4K, SZ_4K | SZ_64K, SZ_64K },
		{ 0x123, 0x123, SZ_4K, SZ_4K },
		{ 0x123, 0x124, SZ_4K, 0 },
	};
	struct dma_sg_table *table;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		table = sgl_dma_map_pci_bar(machine.pdev, machine.dev,
					    bar(machine.pdev) + cases[i].pos,
					    SZ_128K);
		KUNIT_ASSERT_FALSE(test, IS_ERR(table));
		KUNIT_EXPECT_EQ_MSG(test, cases[i].best,
				    sgl_dma_page_size(table, machine.dev,
						      cases[i].sizes,
						      cases[i].iova),
				    "case %u", i);
		sgl_dma_unmap(table);
	}
}

static void table_is_shared_by_devices(struct kunit *test)
{
	struct dma_sg_table *table;
	unsigned int nents;
	int ret;

	need_peer(test);
	table = sgl_dma_map_pci_bar(machine.pdev, machine.dev,
				    bar(machine.pdev), 0x4000);
	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	KUNIT_EXPECT_NULL(test, sgl_dma_list(table, &machine.peer->dev,
					     &nents));
	KUNIT_EXPECT_EQ(test, nents, 0);
	ret = sgl_dma_map_more(table, &machine.peer->dev);
	if (ret)
		KUNIT_EXPECT_EQ(test, ret, -EREMOTEIO);
	else
		expect_covers(test, table, &machine.peer->dev, 0x4000);
	KUNIT_EXPECT_EQ(test, sgl_dma_map_more(table, machine.dev), 0);
	expect_covers(test, table, machine.dev, 0x4000);
	sgl_dma_unmap(table);
	expect_tracked(test, &machine.peer->dev, 0);
	expect_nothing_left(test, machine.pdev);
}

/* --- who owns the BAR ---------------------------------------------------- */

static struct dma_region part_of_bar(enum dma_region_attr attr)
{
	return (struct dma_region) {
		.pfn	= PHYS_PFN(bar(machine.pdev)) + 16,
		.npages	= 16,
		.attr	= attr,
		.pdev	= attr == DMA_REGION_MMIO ? machine.pdev : NULL,
		.name	= "kunit",
	};
}

static int map_and_unmap(unsigned int pos, unsigned int len)
{
	struct dma_sg_table *table;

	table = sgl_dma_map_pci_bar(machine.pdev, machine.dev,
				    bar(machine.pdev) + pos, len);
	if (IS_ERR(table))
		return PTR_ERR(table);
	sgl_dma_unmap(table);
	return 0;
}

static void lent_bar_is_not_requested(struct kunit *test)
{
	struct resource *res;

	KUNIT_ASSERT_EQ(test, map_and_unmap(0, 0x1000), 0);
	KUNIT_ASSERT_NOT_NULL(test, dma_region_find(bar(machine.pdev),
						    BAR_SIZE));
	res = request_mem_region(bar(machine.pdev), BAR_SIZE, "kunit");
	KUNIT_EXPECT_NOT_NULL(test, res);
	KUNIT_EXPECT_EQ(test, map_and_unmap(0, 0x1000), 0);
	recall(machine.pdev);
	KUNIT_EXPECT_EQ(test, map_and_unmap(0, 0x1000), 0);
	if (res)
		release_mem_region(bar(machine.pdev), BAR_SIZE);
	expect_nothing_left(test, machine.pdev);
}

static void driver_comes_before_who_borrows(struct kunit *test)
{
	struct dma_region own = part_of_bar(DMA_REGION_MMIO);

	KUNIT_ASSERT_EQ(test, map_and_unmap(0, BAR_SIZE), 0);
	KUNIT_ASSERT_EQ(test, dma_region_register(&own), 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_region_find(dma_region_phys(&own), 1),
			    &own);
	KUNIT_EXPECT_EQ(test, map_and_unmap(16 * PAGE_SIZE, 16 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, map_and_unmap(0, BAR_SIZE), -EBUSY);
	KUNIT_EXPECT_EQ(test, map_and_unmap(0, 0x1000), -EBUSY);
	dma_region_unregister(&own);
	KUNIT_EXPECT_EQ(test, map_and_unmap(0, BAR_SIZE), 0);
	expect_nothing_left(test, machine.pdev);
}

static void other_attribute_is_refused(struct kunit *test)
{
	struct dma_region own = part_of_bar(DMA_REGION_UC);

	if (dma_region_register(&own))
		kunit_skip(test, "the BAR cannot be memory here");
	KUNIT_EXPECT_EQ(test, map_and_unmap(16 * PAGE_SIZE, 0x1000), -EBUSY);
	dma_region_unregister(&own);
	expect_nothing_left(test, machine.pdev);
}

static void released_bar_is_taken_back(struct kunit *test)
{
	phys_addr_t before;
	int ret;

	need_peer(test);
	before = bar(machine.peer);
	KUNIT_ASSERT_EQ(test, dma_region_lend(machine.peer, 0), 0);
	KUNIT_ASSERT_NOT_NULL(test, dma_region_find(before, BAR_SIZE));
	pci_release_resource(machine.peer, 0);
	KUNIT_EXPECT_NULL(test, dma_region_find(before, 1));
	KUNIT_EXPECT_EQ(test, dma_region_lend(machine.peer, 0), -ENODEV);
	ret = pci_assign_resource(machine.peer, 0);
	KUNIT_ASSERT_EQ(test, ret, 0);
	KUNIT_EXPECT_EQ(test, dma_region_lend(machine.peer, 0), 0);
	KUNIT_EXPECT_NOT_NULL(test, dma_region_find(bar(machine.peer),
						    BAR_SIZE));
}

static void other_bars_cannot_be_lent(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, dma_region_lend(machine.pdev, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_region_lend(machine.pdev, 0), 0);
	KUNIT_EXPECT_EQ(test, dma_region_lend(machine.pdev, 0), 0);
}

/* --- the owner wants it back --------------------------------------------- */

struct taker {
	struct work_struct	work;
	struct completion	done;
	int			(*take)(struct pci_dev *pdev);
	struct pci_dev		*pdev;
	int			ret;
};

static void take_back(struct work_struct *work)
{
	struct taker *taker = container_of(work, struct taker, work);

	taker->ret = taker->take(taker->pdev);
	complete(&taker->done);
}

static void start_taking_with(struct taker *taker,
			      int (*take)(struct pci_dev *pdev),
			      struct pci_dev *pdev)
{
	taker->take = take;
	taker->pdev = pdev;
	INIT_WORK_ONSTACK(&taker->work, take_back);
	init_completion(&taker->done);
	queue_work(system_unbound_wq, &taker->work);
}

static int recall_bar(struct pci_dev *pdev)
{
	recall(pdev);
	return 0;
}

static void start_taking(struct taker *taker)
{
	start_taking_with(taker, recall_bar, machine.pdev);
}

static void stop_taking(struct taker *taker)
{
	flush_work(&taker->work);
	destroy_work_on_stack(&taker->work);
}

static struct dma_sg_table *new_table(struct kunit *test)
{
	struct dma_sg_table *table;

	table = sgl_dma_map_pci_bar(machine.pdev, machine.dev,
				    bar(machine.pdev), 0x4000);
	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	return table;
}

static void owner_waits_for_who_has_no_callback(struct kunit *test)
{
	struct dma_sg_table *table = new_table(test);
	struct taker taker, second;

	start_taking(&taker);
	KUNIT_EXPECT_EQ(test, 0, wait_for_completion_timeout(&taker.done,
							     A_WHILE));
	/* Nobody new is let in, and a second recall waits, too. */
	KUNIT_EXPECT_EQ(test, map_and_unmap(0, 0x1000), -ENODEV);
	start_taking(&second);
	KUNIT_EXPECT_EQ(test, 0, wait_for_completion_timeout(&second.done,
							     A_WHILE));
	expect_covers(test, table, machine.dev, 0x4000);
	sgl_dma_unmap(table);
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&taker.done,
							     FOREVER));
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&second.done,
							     FOREVER));
	stop_taking(&taker);
	stop_taking(&second);
	expect_nothing_left(test, machine.pdev);
}

/* 0 if user space is to lose what is in use by a driver. */
static int claim_bar(struct pci_dev *pdev)
{
	int ret = 0;

	if (!request_mem_region(bar(pdev), BAR_SIZE, "kunit"))
		return -EBUSY;
	if (!iomem_is_exclusive(bar(pdev)))
		ret = -EPERM;
	release_mem_region(bar(pdev), BAR_SIZE);
	return ret;
}

static void claimed_bar_is_taken_back(struct kunit *test)
{
	struct dma_sg_table *table;
	struct taker taker;

	if (claim_bar(machine.pdev) == -EPERM)
		kunit_skip(test, "needs CONFIG_IO_STRICT_DEVMEM, and not iomem=relaxed");
	table = new_table(test);
	start_taking_with(&taker, claim_bar, machine.pdev);
	KUNIT_EXPECT_EQ(test, 0, wait_for_completion_timeout(&taker.done,
							     A_WHILE));
	KUNIT_EXPECT_EQ(test, map_and_unmap(0, 0x1000), -ENODEV);
	sgl_dma_unmap(table);
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&taker.done,
							     FOREVER));
	stop_taking(&taker);
	KUNIT_EXPECT_EQ(test, taker.ret, 0);
	KUNIT_EXPECT_NULL(test, dma_region_find(bar(machine.pdev), 1));
	expect_nothing_left(test, machine.pdev);
}

static int deny(struct pci_dev *pdev)
{
	dma_region_deny(pdev);
	return 0;
}

static void denied_bar_is_not_lent(struct kunit *test)
{
	struct dma_sg_table *table = new_table(test);
	struct taker taker;

	start_taking_with(&taker, deny, machine.pdev);
	KUNIT_EXPECT_EQ(test, 0, wait_for_completion_timeout(&taker.done,
							     A_WHILE));
	sgl_dma_unmap(table);
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&taker.done,
							     FOREVER));
	stop_taking(&taker);
	expect_nothing_left(test, machine.pdev);

	KUNIT_EXPECT_EQ(test, map_and_unmap(0, 0x1000), -ENODEV);
	dma_region_deny(machine.pdev);
	dma_region_allow(machine.pdev);
	KUNIT_EXPECT_EQ(test, map_and_unmap(0, 0x1000), -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_region_lend(machine.pdev, 0), -ENODEV);
	dma_region_allow(machine.pdev);
	KUNIT_EXPECT_EQ(test, map_and_unmap(0, 0x1000), 0);
}

struct borrower {
	struct kunit		*test;
	atomic_t		revoked;
	struct completion	may_return;
};

static void user_revoke(struct dma_sg_table *table, void *data)
{
	struct borrower *user = data;

	atomic_inc(&user->revoked);
	wait_for_completion(&user->may_return);
}

static void callback_ends_the_mapping(struct kunit *test)
{
	struct dma_sg_table *table = new_table(test);
	struct borrower user = { .test = test };
	struct taker taker;
	unsigned int nents;

	init_completion(&user.may_return);
	KUNIT_ASSERT_EQ(test, sgl_dma_set_revoke(table, user_revoke, &user), 0);
	expect_covers(test, table, machine.dev, 0x4000);

	start_taking(&taker);
	KUNIT_EXPECT_EQ(test, 0, wait_for_completion_timeout(&taker.done,
							     A_WHILE));
	KUNIT_EXPECT_EQ(test, atomic_read(&user.revoked), 1);
	complete_all(&user.may_return);
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&taker.done,
							     FOREVER));
	stop_taking(&taker);

	KUNIT_EXPECT_NULL(test, sgl_dma_list(table, machine.dev, &nents));
	KUNIT_EXPECT_EQ(test, sgl_dma_map_more(table, machine.dev), -ENODEV);
	expect_tracked(test, machine.dev, 0);
	sgl_dma_unmap(table);
	KUNIT_EXPECT_EQ(test, atomic_read(&user.revoked), 1);
	expect_nothing_left(test, machine.pdev);
}

static void callback_is_not_called_after_unmap(struct kunit *test)
{
	struct dma_sg_table *table = new_table(test);
	struct borrower user = { .test = test };

	init_completion(&user.may_return);
	complete_all(&user.may_return);
	KUNIT_ASSERT_EQ(test, sgl_dma_set_revoke(table, user_revoke, &user), 0);
	sgl_dma_unmap(table);
	recall(machine.pdev);
	KUNIT_EXPECT_EQ(test, atomic_read(&user.revoked), 0);
}

static void callback_comes_too_late(struct kunit *test)
{
	struct dma_sg_table *table = new_table(test);
	struct borrower user = { .test = test };
	struct taker taker;

	init_completion(&user.may_return);
	complete_all(&user.may_return);
	start_taking(&taker);
	KUNIT_EXPECT_EQ(test, 0, wait_for_completion_timeout(&taker.done,
							     A_WHILE));
	KUNIT_EXPECT_EQ(test, sgl_dma_set_revoke(table, user_revoke, &user),
			-ENODEV);
	sgl_dma_unmap(table);
	stop_taking(&taker);
	expect_nothing_left(test, machine.pdev);
}

static void unmap_races_with_the_owner(struct kunit *test)
{
	struct borrower user = { .test = test };
	struct dma_sg_table *table;
	struct taker taker;
	unsigned int i;

	init_completion(&user.may_return);
	complete_all(&user.may_return);
	for (i = 0; i < 300; i++) {
		table = new_table(test);
		if (i % 3)
			KUNIT_ASSERT_EQ(test, 0,
					sgl_dma_set_revoke(table, user_revoke,
							   &user));
		start_taking(&taker);
		udelay(get_random_u32_below(200));
		sgl_dma_unmap(table);
		stop_taking(&taker);
		expect_nothing_left(test, machine.pdev);
	}
	KUNIT_EXPECT_LE(test, atomic_read(&user.revoked), 200);
}

static void device_is_removed(struct kunit *test)
{
	struct borrower user = { .test = test };
	struct dma_sg_table *table;
	struct pci_bus *bus;
	phys_addr_t phys;
	char name[32];

	need_peer(test);
	bus = machine.peer->bus;
	phys = bar(machine.peer);
	strscpy(name, pci_name(machine.peer), sizeof(name));
	table = sgl_dma_map_pci_bar(machine.peer, &machine.peer->dev, phys,
				    0x4000);
	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	init_completion(&user.may_return);
	complete_all(&user.may_return);
	KUNIT_ASSERT_EQ(test, sgl_dma_set_revoke(table, user_revoke, &user), 0);

	pci_stop_and_remove_bus_device_locked(machine.peer);
	KUNIT_EXPECT_EQ(test, atomic_read(&user.revoked), 1);
	KUNIT_EXPECT_NULL(test, dma_region_find(phys, 1));
	KUNIT_EXPECT_EQ(test, dma_region_lend(machine.peer, 0), -ENODEV);
	sgl_dma_unmap(table);
	pci_dev_put(machine.peer);

	pci_lock_rescan_remove();
	pci_rescan_bus(bus);
	pci_unlock_rescan_remove();
	machine.peer = next_device(pci_dev_get(machine.pdev)) ?:
		       next_device(NULL);
	KUNIT_ASSERT_NOT_NULL(test, machine.peer);
	KUNIT_EXPECT_STREQ(test, pci_name(machine.peer), name);
}

/* --- what user space has mapped ------------------------------------------ */

static struct file *open_of(struct pci_dev *pdev, const char *name)
{
	char *dir = kobject_get_path(&pdev->dev.kobj, GFP_KERNEL), *path;
	struct file *file;

	if (IS_ERR(machine.sysfs) || !dir) {
		kfree(dir);
		return ERR_PTR(-ENODEV);
	}
	path = kasprintf(GFP_KERNEL, "%s/%s", dir + 1, name);
	file = file_open_root_mnt(machine.sysfs, path, O_RDWR, 0);
	kfree(path);
	kfree(dir);
	return file;
}

static struct file *open_bar(struct kunit *test, struct pci_dev *pdev)
{
	struct file *file = open_of(pdev, "resource0");

	if (IS_ERR(file))
		kunit_skip(test, "no sysfs, or no %s/resource0 in it",
			   pci_name(pdev));
	return file;
}

/* Of @len bytes from @addr on, or anywhere, of a BAR or of ordinary memory. */
static unsigned long map_user(struct kunit *test, struct file *file,
			      unsigned long addr, unsigned long len,
			      unsigned long prot, unsigned long flags)
{
	if (xen_pv_domain())
		kunit_skip(test, "Xen has not pinned what KUnit has for user space");
	if (!file)
		flags |= MAP_ANONYMOUS;
	if (addr)
		flags |= MAP_FIXED;
	addr = kunit_vm_mmap(test, file, addr, len, prot, flags, 0);
	KUNIT_ASSERT_NE(test, addr, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	return addr;
}

#define RW	(PROT_READ | PROT_WRITE)

static unsigned long map_bar(struct kunit *test, unsigned long addr,
			     unsigned long len, unsigned long prot,
			     unsigned long flags)
{
	struct file *file = open_bar(test, machine.pdev);

	addr = map_user(test, file, addr, len, prot, flags);
	fput(file);
	return addr;
}

/*
 * Of @len bytes of ordinary memory, those from @pos on can be replaced by the
 * BAR: where caches are virtually indexed that is not so everywhere.
 */
static unsigned long map_around(struct kunit *test, unsigned long len,
				unsigned long pos, unsigned long flags)
{
	unsigned long like, addr;

	like = map_bar(test, 0, PAGE_SIZE, RW, MAP_SHARED);
	vm_munmap(like, PAGE_SIZE);
	addr = map_user(test, NULL, 0, len + COLOURS, RW, MAP_PRIVATE | flags);
	return addr + ((like - pos - addr) & (COLOURS - 1));
}

static struct dma_sg_table *map_uptr(unsigned long addr, size_t len)
{
	return sgl_dma_map_user(machine.dev, (void __user *)addr, len);
}

static void expect_uptr_error(struct kunit *test, unsigned long addr,
			      size_t len, int error)
{
	struct dma_sg_table *table = map_uptr(addr, len);

	KUNIT_EXPECT_PTR_EQ(test, table, ERR_PTR(error));
	if (!IS_ERR(table))
		sgl_dma_unmap(table);
	expect_tracked(test, machine.dev, 0);
}

static void user_memory_is_pinned(struct kunit *test)
{
	unsigned long addr = map_user(test, NULL, 0, 200 * PAGE_SIZE, RW,
				      MAP_PRIVATE);
	struct dma_sg_table *table;
	struct page *page;

	/* Some I/O MMUs take no more at once. */
	dma_set_max_seg_size(machine.dev, SZ_64K);
	table = map_uptr(addr + 0x123, 199 * PAGE_SIZE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	expect_covers(test, table, machine.dev, 199 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, sgl_dma_offset(table), 0x123);
	KUNIT_ASSERT_EQ(test, 1, get_user_pages_fast(addr, 1, 0, &page));
	KUNIT_EXPECT_TRUE(test, folio_maybe_dma_pinned(page_folio(page)));
	sgl_dma_unmap(table);
	KUNIT_EXPECT_FALSE(test, folio_maybe_dma_pinned(page_folio(page)));
	put_page(page);
	expect_tracked(test, machine.dev, 0);
	vm_munmap(addr, 200 * PAGE_SIZE);
}

static void user_bar_is_granted(struct kunit *test)
{
	unsigned long addr = map_bar(test, 0, BAR_SIZE, RW, MAP_SHARED);
	struct dma_sg_table *table = map_uptr(addr + 0x1010, 0x3000);
	const struct dma_sg *sg;
	unsigned int nents;

	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	sg = sgl_dma_list(table, machine.dev, &nents);
	KUNIT_ASSERT_EQ(test, nents, 1);
	KUNIT_EXPECT_EQ(test, sg->addr,
			pci_bus_address(machine.pdev, 0) + 0x1010);
	KUNIT_EXPECT_EQ(test, sg->len, 0x3000);

	/* The table goes on when the mapping ends. */
	vm_munmap(addr, BAR_SIZE);
	expect_covers(test, table, machine.dev, 0x3000);
	expect_uptr_error(test, addr + 0x1010, 0x3000, -EFAULT);
	sgl_dma_unmap(table);
	expect_nothing_left(test, machine.pdev);
}

static void user_range_spans_mappings(struct kunit *test)
{
	unsigned long addr = map_around(test, 12 * PAGE_SIZE, 4 * PAGE_SIZE,
					0);
	struct dma_sg_table *table;
	const struct dma_sg *sg;
	unsigned int nents, i, bus = 0;

	map_bar(test, addr + 4 * PAGE_SIZE, 4 * PAGE_SIZE, RW, MAP_SHARED);
	table = map_uptr(addr + 0x800, 11 * PAGE_SIZE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	expect_covers(test, table, machine.dev, 11 * PAGE_SIZE);
	sg = sgl_dma_list(table, machine.dev, &nents);
	for (i = 0; i < nents; i++)
		if (sg[i].addr == pci_bus_address(machine.pdev, 0) &&
		    sg[i].len == 4 * PAGE_SIZE)
			bus++;
	KUNIT_EXPECT_EQ(test, bus, 1);
	KUNIT_EXPECT_GE(test, nents, 3);
	sgl_dma_unmap(table);
	expect_nothing_left(test, machine.pdev);

	/* What comes before the fault is let go of. */
	vm_munmap(addr + 8 * PAGE_SIZE, PAGE_SIZE);
	expect_uptr_error(test, addr, 12 * PAGE_SIZE, -EFAULT);
	expect_nothing_left(test, machine.pdev);
	vm_munmap(addr, 12 * PAGE_SIZE);
}

static void user_may_not_write(struct kunit *test)
{
	unsigned long addr = map_bar(test, 0, BAR_SIZE, PROT_READ, MAP_SHARED);
	struct dma_grant grant;

	expect_uptr_error(test, addr, 0x1000, -EFAULT);
	KUNIT_ASSERT_EQ(test, 0, dma_grant_user(addr, 0x1000, false, &grant));
	KUNIT_EXPECT_EQ(test, grant.phys, bar(machine.pdev));
	KUNIT_EXPECT_EQ(test, grant.len, 0x1000);
	dma_region_put(grant.region);
	vm_munmap(addr, BAR_SIZE);
	expect_nothing_left(test, machine.pdev);
}

static void private_mapping_is_not_granted(struct kunit *test)
{
	unsigned long addr = map_bar(test, 0, BAR_SIZE, RW, MAP_PRIVATE);

	expect_uptr_error(test, addr, 0x1000, -EFAULT);
	KUNIT_EXPECT_FALSE(test, dma_grant_possible(addr, 0x1000));
	vm_munmap(addr, BAR_SIZE);
}

static void user_range_is_wrong(struct kunit *test)
{
	unsigned long addr = map_bar(test, 0, BAR_SIZE, RW, MAP_SHARED);

	expect_uptr_error(test, addr, 0, -EINVAL);
	expect_uptr_error(test, addr, SIZE_MAX, -EINVAL);
	expect_uptr_error(test, 0, 0x1000, -EFAULT);
	expect_uptr_error(test, addr, BAR_SIZE + 1, -EFAULT);
	KUNIT_EXPECT_TRUE(test, dma_grant_possible(addr - 1, 2));
	KUNIT_EXPECT_FALSE(test, dma_grant_possible(addr, 0));
	vm_munmap(addr, BAR_SIZE);
	KUNIT_EXPECT_FALSE(test, dma_grant_possible(addr, 0x1000));
	expect_nothing_left(test, machine.pdev);
}

static void drivers_region_is_granted(struct kunit *test)
{
	struct dma_region own = part_of_bar(DMA_REGION_MMIO);
	struct dma_region other = part_of_bar(DMA_REGION_UC);
	unsigned long addr = map_bar(test, 0, BAR_SIZE, RW, MAP_SHARED);
	struct dma_grant grant;
	int ret;

	KUNIT_ASSERT_EQ(test, dma_region_register(&own), 0);
	ret = dma_grant_user(addr + 16 * PAGE_SIZE, 32 * PAGE_SIZE, true,
			     &grant);
	if (iomem_is_exclusive(dma_region_phys(&own))) {
		/* What a driver has claimed user space may not reach. */
		KUNIT_EXPECT_EQ(test, ret, -EFAULT);
	} else {
		KUNIT_EXPECT_EQ(test, ret, 0);
	}
	if (!ret) {
		KUNIT_EXPECT_PTR_EQ(test, grant.region, &own);
		KUNIT_EXPECT_EQ(test, grant.len, 16 * PAGE_SIZE);
		dma_region_put(grant.region);
	}
	KUNIT_EXPECT_EQ(test, dma_grant_user(addr, 1, true, &grant), -EFAULT);
	dma_region_unregister(&own);

	if (!dma_region_register(&other)) {
		ret = iomem_is_exclusive(dma_region_phys(&other)) ? -EFAULT :
								    -EBUSY;
		KUNIT_EXPECT_EQ(test, ret,
				dma_grant_user(addr + 16 * PAGE_SIZE, 1, true,
					       &grant));
		dma_region_unregister(&other);
	}
	vm_munmap(addr, BAR_SIZE);
	expect_nothing_left(test, machine.pdev);
}

/* The file is gone, although it is still open and was mapped. */
static void removed_file_grants_nothing(struct kunit *test)
{
	unsigned long addr = map_bar(test, 0, BAR_SIZE, RW, MAP_SHARED);
	struct bin_attribute *attr = machine.pdev->res_attr[0];
	struct dma_grant grant;

	KUNIT_ASSERT_EQ(test, 0, dma_grant_user(addr, 1, true, &grant));
	sysfs_remove_bin_file(&machine.dev->kobj, attr);
	dma_region_put(grant.region);
	KUNIT_EXPECT_EQ(test, dma_grant_user(addr, 1, true, &grant), -EFAULT);
	KUNIT_EXPECT_EQ(test, 0, sysfs_create_bin_file(&machine.dev->kobj,
						       attr));
	vm_munmap(addr, BAR_SIZE);
	expect_nothing_left(test, machine.pdev);
}

/* --- the BAR is moved or resized ----------------------------------------- */

/* Who has it mapped, and as what a driver keeps it. */
struct moving {
	const char		*name;
	bool			callback;
	struct resource		before, *window;
	unsigned long		addr;
	struct dma_sg_table	*table;
	struct borrower		user;
};

static const struct moving movings[] = {
	{ "who has no callback is waited for", false },
	{ "callback", true },
};

KUNIT_ARRAY_PARAM_DESC(moving, movings, name);

static void lend_peer(struct kunit *test, struct moving *moving)
{
	struct file *file;

	need_peer(test);
	*moving = *(const struct moving *)test->param_value;
	file = open_bar(test, machine.peer);
	moving->addr = map_user(test, file, 0, BAR_SIZE, RW, MAP_SHARED);
	fput(file);
	moving->window = machine.peer->resource[0].parent;
	moving->before = DEFINE_RES_MEM_NAMED(bar(machine.peer), BAR_SIZE,
					      "kunit");
	moving->table = sgl_dma_map_pci_bar(machine.peer, &machine.peer->dev,
					    bar(machine.peer), 0x4000);
	KUNIT_ASSERT_FALSE(test, IS_ERR(moving->table));
	init_completion(&moving->user.may_return);
	if (moving->callback)
		KUNIT_ASSERT_EQ(test, 0,
				sgl_dma_set_revoke(moving->table, user_revoke,
						   &moving->user));
}

/* The table's user goes on until it ends by itself, or as long as it takes. */
static int take_peer(struct kunit *test, struct moving *moving,
		     int (*take)(struct pci_dev *pdev))
{
	struct device *dev = &machine.peer->dev;
	struct taker taker;
	unsigned int nents;

	start_taking_with(&taker, take, machine.peer);
	KUNIT_EXPECT_EQ(test, 0, wait_for_completion_timeout(&taker.done,
							     A_WHILE));
	KUNIT_EXPECT_EQ(test, atomic_read(&moving->user.revoked),
			moving->callback);
	KUNIT_EXPECT_EQ(test, bar(machine.peer), moving->before.start);
	KUNIT_EXPECT_EQ(test, dma_region_lend(machine.peer, 0), -ENODEV);
	if (moving->callback) {
		complete_all(&moving->user.may_return);
	} else {
		expect_covers(test, moving->table, dev, 0x4000);
		sgl_dma_unmap(moving->table);
	}
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&taker.done,
							     FOREVER));
	stop_taking(&taker);
	if (moving->callback) {
		KUNIT_EXPECT_NULL(test, sgl_dma_list(moving->table, dev,
						     &nents));
		sgl_dma_unmap(moving->table);
	}
	KUNIT_EXPECT_NULL(test, dma_region_find(moving->before.start, 1));
	expect_tracked(test, dev, 0);
	return taker.ret;
}

/* Nothing reaches where the BAR was, all of it is reached where it is. */
static void expect_moved(struct kunit *test, struct moving *moving, size_t size)
{
	struct dma_sg_table *table;
	struct dma_grant grant;

	KUNIT_EXPECT_EQ(test, -EFAULT, dma_grant_user(moving->addr, 0x1000,
						      true, &grant));
	if (bar(machine.peer) != moving->before.start) {
		table = sgl_dma_map_pci_bar(machine.peer, &machine.peer->dev,
					    moving->before.start, 0x4000);
		KUNIT_EXPECT_PTR_EQ(test, table, ERR_PTR(-EINVAL));
	}
	KUNIT_EXPECT_EQ(test, pci_resource_len(machine.peer, 0), size);
	table = sgl_dma_map_pci_bar(machine.peer, &machine.peer->dev,
				    bar(machine.peer), size);
	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	expect_covers(test, table, &machine.peer->dev, size);
	sgl_dma_unmap(table);
	recall(machine.peer);
}

static void end_moving(struct kunit *test, struct moving *moving)
{
	vm_munmap(moving->addr, BAR_SIZE);
	KUNIT_EXPECT_EQ(test, pci_resource_len(machine.peer, 0), BAR_SIZE);
	KUNIT_EXPECT_EQ(test, dma_region_lend(machine.peer, 0), 0);
	expect_nothing_left(test, machine.peer);
}

static int release_bar(struct pci_dev *pdev)
{
	pci_release_resource(pdev, 0);
	return 0;
}

static void bar_is_moved(struct kunit *test)
{
	struct moving moving;
	int ret;

	lend_peer(test, &moving);
	take_peer(test, &moving, release_bar);
	KUNIT_EXPECT_EQ(test, bar(machine.peer), 0);
	KUNIT_EXPECT_EQ(test, dma_region_lend(machine.peer, 0), -ENODEV);

	KUNIT_ASSERT_EQ(test, 0, request_resource(moving.window,
						  &moving.before));
	ret = pci_assign_resource(machine.peer, 0);
	if (!ret)
		expect_moved(test, &moving, BAR_SIZE);
	release_resource(&moving.before);
	if (ret)
		KUNIT_ASSERT_EQ(test, 0, pci_assign_resource(machine.peer, 0));
	end_moving(test, &moving);
	if (ret)
		kunit_skip(test, "no other room below the bridge");
}

/*
 * The capability that QEMU's edu lacks: its BAR has one or two MiB.  The device
 * decodes the first one, whatever it is told.
 */
#define REBAR_POS	PCI_CFG_SPACE_SIZE
#define SIZE_1M		"0"
#define SIZE_2M		"1"

static struct {
	struct pci_ops	*ops, played;
	unsigned int	devfn;
	u32		ctrl;
	phys_addr_t	phys;
	unsigned int	writes, while_lent;
	int		cfg_size;
} rebar;

static int rebar_read(struct pci_bus *bus, unsigned int devfn, int where,
		      int size, u32 *val)
{
	if (devfn != rebar.devfn || where < REBAR_POS)
		return rebar.ops->read(bus, devfn, where, size, val);
	*val = 0;
	if (where == REBAR_POS)
		*val = PCI_EXT_CAP_ID_REBAR | 1 << 16;
	else if (where == REBAR_POS + PCI_REBAR_CAP)
		*val = FIELD_PREP(PCI_REBAR_CAP_SIZES,
				  BIT(0) | BIT(1));
	else if (where == REBAR_POS + PCI_REBAR_CTRL)
		*val = rebar.ctrl;
	return PCIBIOS_SUCCESSFUL;
}

static int rebar_write(struct pci_bus *bus, unsigned int devfn, int where,
		       int size, u32 val)
{
	bool config = devfn != rebar.devfn || where < REBAR_POS;

	if (devfn == rebar.devfn && dma_region_find(rebar.phys, 1))
		rebar.while_lent++;
	if (config)
		return rebar.ops->write(bus, devfn, where, size, val);
	rebar.ctrl = val;
	rebar.writes++;
	return PCIBIOS_SUCCESSFUL;
}

/* Who may resize it has no driver, and sysfs finds out anew what there is. */
static void start_rebar(struct kunit *test, struct pci_dev *pdev)
{
	device_release_driver(&pdev->dev);
	memset(&rebar, 0, sizeof(rebar));
	rebar.devfn = pdev->devfn;
	rebar.phys = bar(pdev);
	rebar.ctrl = FIELD_PREP(PCI_REBAR_CTRL_NBAR_MASK, 1);
	/* Generic ones ask the bus for its .map_bus. */
	rebar.played = *pdev->bus->ops;
	rebar.played.read = rebar_read;
	rebar.played.write = rebar_write;
	rebar.ops = pci_bus_set_ops(pdev->bus, &rebar.played);
	rebar.cfg_size = pdev->cfg_size;
	pdev->cfg_size = PCI_CFG_SPACE_EXP_SIZE;
	KUNIT_EXPECT_EQ(test, 0, sysfs_update_groups(&pdev->dev.kobj,
						     pdev->dev.bus->dev_groups));
}

static void stop_rebar(struct kunit *test, struct pci_dev *pdev)
{
	pdev->cfg_size = rebar.cfg_size;
	pci_bus_set_ops(pdev->bus, rebar.ops);
	KUNIT_EXPECT_EQ(test, 0, sysfs_update_groups(&pdev->dev.kobj,
						     pdev->dev.bus->dev_groups));
	KUNIT_EXPECT_EQ(test, 1, device_attach(&pdev->dev));
}

static int resize_bar(struct pci_dev *pdev, const char *size)
{
	struct file *file = open_of(pdev, "resource0_resize");
	loff_t pos = 0;
	int ret;

	if (IS_ERR(file))
		return PTR_ERR(file);
	ret = kernel_write(file, size, strlen(size), &pos);
	fput(file);
	return min(ret, 0);
}

static int double_bar(struct pci_dev *pdev)
{
	return resize_bar(pdev, SIZE_2M);
}

static void bar_is_resized(struct kunit *test)
{
	struct moving moving;
	int ret;

	lend_peer(test, &moving);
	start_rebar(test, machine.peer);
	ret = take_peer(test, &moving, double_bar);
	KUNIT_EXPECT_GT(test, rebar.writes, 0);
	KUNIT_EXPECT_EQ(test, rebar.while_lent, 0);
	if (!ret) {
		expect_moved(test, &moving, 2 * BAR_SIZE);
		KUNIT_EXPECT_EQ(test, resize_bar(machine.peer, SIZE_1M), 0);
	} else {
		/* It stays what it was, and where. */
		KUNIT_EXPECT_EQ(test, ret, -ENOSPC);
		KUNIT_EXPECT_EQ(test, bar(machine.peer), moving.before.start);
	}
	stop_rebar(test, machine.peer);
	end_moving(test, &moving);
	if (ret)
		kunit_skip(test, "no room for more below the bridge");
}

/* --- memory that its owner holds ------------------------------------------ */

#define OWNED	5	/* pages */

/* Mapped by PFN, although it has pages: [3] [1 2] [0] [4] of what is allocated. */
static struct owner {
	struct dma_hold		hold;
	atomic_t		holds, puts;
	bool			bounded;
	struct page		*pages;
	struct sg_table		sgt;
	void			*coherent;	/* instead of the pages */
	dma_addr_t		dma_addr;
} owner;

static const unsigned int owned[] = { 3, 1, 2, 0, 4 };

static void owner_put(struct dma_hold *hold)
{
	struct owner *o = container_of(hold, struct owner, hold);

	atomic_dec(&o->holds);
	atomic_inc(&o->puts);
}

static const struct dma_hold_ops owner_hold_ops = {
	.owner	= THIS_MODULE,
	.put	= owner_put,
};

static int owner_dma_grant(struct vm_area_struct *vma, unsigned long addr,
			   size_t len, struct dma_grant *grant)
{
	size_t offset = (vma->vm_pgoff << PAGE_SHIFT) + addr - vma->vm_start;
	int ret;

	if (owner.coherent)
		ret = dma_grant_coherent(machine.dev, owner.coherent,
					 owner.dma_addr, OWNED * PAGE_SIZE, 0,
					 offset, len, &owner.hold, grant);
	else
		ret = dma_grant_sgtable(&owner.sgt, offset, len, &owner.hold,
					grant);
	if (!ret)
		atomic_inc(&owner.holds);
	grant->bounded = owner.bounded;
	return ret;
}

static const struct vm_operations_struct owner_vm_ops = {
	.dma_grant = owner_dma_grant,
};

static int owner_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned long addr;
	unsigned int i;
	int ret = 0;

	vma->vm_ops = &owner_vm_ops;
	if (owner.coherent)
		return dma_mmap_attrs(machine.dev, vma, owner.coherent,
				      owner.dma_addr, OWNED * PAGE_SIZE, 0);
	for (i = 0, addr = vma->vm_start; addr < vma->vm_end && !ret; i++) {
		ret = remap_pfn_range(vma, addr,
				      page_to_pfn(owner.pages + owned[i]),
				      PAGE_SIZE, vma->vm_page_prot);
		addr += PAGE_SIZE;
	}
	return ret;
}

static const struct file_operations owner_fops = {
	.mmap	= owner_mmap,
};

static void owner_exit(void *unused)
{
	if (owner.coherent)
		dma_free_coherent(machine.dev, OWNED * PAGE_SIZE,
				  owner.coherent, owner.dma_addr);
	if (owner.pages)
		__free_pages(owner.pages, get_order(OWNED * PAGE_SIZE));
	sg_free_table(&owner.sgt);
	memset(&owner, 0, sizeof(owner));
}

static phys_addr_t owned_phys(unsigned int i)
{
	return page_to_phys(owner.pages + owned[i]);
}

static void owner_init_pages(struct kunit *test)
{
	struct scatterlist *sg;
	unsigned int i;

	owner.pages = alloc_pages(GFP_KERNEL | __GFP_ZERO,
				  get_order(OWNED * PAGE_SIZE));
	KUNIT_ASSERT_NOT_NULL(test, owner.pages);
	KUNIT_ASSERT_EQ(test, 0, sg_alloc_table(&owner.sgt, OWNED - 1,
						GFP_KERNEL));
	sg = owner.sgt.sgl;
	for (i = 0; i < OWNED; i++) {
		if (i == 2)
			continue;
		sg_set_page(sg, owner.pages + owned[i],
			    i == 1 ? 2 * PAGE_SIZE : PAGE_SIZE, 0);
		sg = sg_next(sg);
	}
}

static unsigned long map_owned(struct kunit *test, bool coherent,
			       unsigned long prot)
{
	struct file *file;
	unsigned long addr;

	if (coherent && !dma_can_mmap(machine.dev))
		kunit_skip(test, "user space cannot map coherent memory here");
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, owner_exit,
							   NULL));
	owner.hold.ops = &owner_hold_ops;
	if (coherent) {
		owner.coherent = dma_alloc_coherent(machine.dev,
						    OWNED * PAGE_SIZE,
						    &owner.dma_addr,
						    GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, owner.coherent);
	} else {
		owner_init_pages(test);
	}
	file = anon_inode_getfile("dma_sgl_kunit", &owner_fops, NULL, O_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	addr = map_user(test, file, 0, OWNED * PAGE_SIZE, prot, MAP_SHARED);
	fput(file);
	return addr;
}

/* Where the device's address leads to; NULL if that cannot be found out here. */
static void *device_sees(dma_addr_t addr)
{
	phys_addr_t phys;

	if (machine.domain)
		phys = iommu_iova_to_phys(machine.domain, addr);
	else if (!get_dma_ops(machine.dev))
		phys = dma_to_phys(machine.dev, addr);
	else
		return NULL;
	if (!pfn_valid(PHYS_PFN(phys)) || PageHighMem(pfn_to_page(PHYS_PFN(phys))))
		return NULL;
	return phys_to_virt(phys);
}

static void owned_memory_is_granted(struct kunit *test)
{
	unsigned long addr = map_owned(test, false, RW);
	struct dma_sg_table *table = map_uptr(addr + 0x123, 4 * PAGE_SIZE);
	const struct dma_sg *sg;
	unsigned int nents;

	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	expect_covers(test, table, machine.dev, 4 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, sgl_dma_offset(table), 0x123);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner.holds), 4);
	sg = sgl_dma_list(table, machine.dev, &nents);
	if (!machine.domain && nents == 4 && !get_dma_ops(machine.dev) &&
	    !is_swiotlb_force_bounce(machine.dev)) {
		KUNIT_EXPECT_EQ(test, dma_to_phys(machine.dev, sg[0].addr),
				owned_phys(0) + 0x123);
		KUNIT_EXPECT_EQ(test, dma_to_phys(machine.dev, sg[1].addr),
				owned_phys(1));
		KUNIT_EXPECT_EQ(test, sg[1].len, 2 * PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, dma_to_phys(machine.dev, sg[3].addr),
				owned_phys(4));
		KUNIT_EXPECT_EQ(test, sg[3].len, 0x123);
	}

	/* It has no owner that could take it back, and outlasts the mapping. */
	KUNIT_EXPECT_EQ(test, sgl_dma_set_revoke(table, NULL, NULL), 0);
	vm_munmap(addr, OWNED * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner.puts), 0);
	expect_covers(test, table, machine.dev, 4 * PAGE_SIZE);
	sgl_dma_unmap(table);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner.holds), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner.puts), 4);
	expect_tracked(test, machine.dev, 0);
}

/* Two grants of what lies in one piece are one range, with one hold. */
static void owned_range_grows(struct kunit *test)
{
	unsigned long addr = map_owned(test, false, RW);
	struct dma_sg_table *table;

	/* The list says two pages, the page tables say three. */
	sg_free_table(&owner.sgt);
	KUNIT_ASSERT_EQ(test, 0, sg_alloc_table(&owner.sgt, 3, GFP_KERNEL));
	sg_set_page(owner.sgt.sgl, owner.pages, PAGE_SIZE, 0);
	sg_set_page(sg_next(owner.sgt.sgl), owner.pages + 1, PAGE_SIZE, 0);
	sg_set_page(sg_last(owner.sgt.sgl, 3), owner.pages + 3, PAGE_SIZE, 0);
	table = map_uptr(addr, 3 * PAGE_SIZE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	expect_covers(test, table, machine.dev, 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner.holds), 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner.puts), 1);
	sgl_dma_unmap(table);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner.holds), 0);

	/* The list ends before the mapping does. */
	expect_uptr_error(test, addr, 4 * PAGE_SIZE, -EFAULT);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner.holds), 0);
	vm_munmap(addr, OWNED * PAGE_SIZE);
}

static void owned_memory_is_synced(struct kunit *test)
{
	unsigned long addr = map_owned(test, false, RW);
	struct dma_sg_table *table = map_uptr(addr, PAGE_SIZE);
	u8 *cpu = page_address(owner.pages + owned[0]), *seen;
	unsigned int nents;

	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	seen = device_sees(sgl_dma_list(table, machine.dev, &nents)->addr);
	if (!seen || !cpu) {
		sgl_dma_unmap(table);
		kunit_skip(test, "nobody knows what the device sees");
	}
	cpu[0x10] = 0xa5;
	sgl_dma_sync_for_device(table, machine.dev, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, seen[0x10], 0xa5);
	seen[0x20] = 0x5a;
	sgl_dma_sync_for_cpu(table, machine.dev, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, cpu[0x20], 0x5a);

	/* Not of this table: nothing happens. */
	if (machine.peer)
		sgl_dma_sync_for_cpu(table, &machine.peer->dev,
				     DMA_FROM_DEVICE);
	seen[0x30] = 0x77;
	sgl_dma_unmap(table);
	KUNIT_EXPECT_EQ(test, cpu[0x30], 0x77);
	vm_munmap(addr, OWNED * PAGE_SIZE);
}

static void pinned_memory_is_synced(struct kunit *test)
{
	unsigned long addr = map_user(test, NULL, 0, PAGE_SIZE, RW,
				      MAP_PRIVATE | MAP_POPULATE);
	struct dma_sg_table *table = map_uptr(addr, PAGE_SIZE);
	unsigned int nents;
	u8 *seen, byte;

	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	seen = device_sees(sgl_dma_list(table, machine.dev, &nents)->addr);
	if (!seen) {
		sgl_dma_unmap(table);
		kunit_skip(test, "nobody knows what the device sees");
	}
	KUNIT_EXPECT_EQ(test, 0, put_user(0xa5, (u8 __user *)addr));
	sgl_dma_sync_for_device(table, machine.dev, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, seen[0], 0xa5);
	seen[0] = 0x5a;
	sgl_dma_sync_for_cpu(table, machine.dev, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, 0, copy_from_user(&byte, (u8 __user *)addr, 1));
	KUNIT_EXPECT_EQ(test, byte, 0x5a);
	sgl_dma_unmap(table);
	vm_munmap(addr, PAGE_SIZE);
}

static void coherent_memory_is_granted(struct kunit *test)
{
	unsigned long addr = map_owned(test, true, RW);
	void *at = owner.coherent + 2 * PAGE_SIZE;
	struct dma_grant grant;
	struct page *page = is_vmalloc_addr(at) ? vmalloc_to_page(at) :
						  virt_to_page(at);

	KUNIT_ASSERT_EQ(test, 0, dma_grant_user(addr + 2 * PAGE_SIZE + 0x45,
						PAGE_SIZE, true, &grant));
	KUNIT_EXPECT_EQ(test, grant.phys, page_to_phys(page) + 0x45);
	KUNIT_EXPECT_LE(test, grant.len, PAGE_SIZE);
	KUNIT_EXPECT_GE(test, grant.len, PAGE_SIZE - 0x45);
	KUNIT_EXPECT_NULL(test, grant.region);
	KUNIT_EXPECT_PTR_EQ(test, grant.hold, &owner.hold);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner.holds), 1);
	dma_grant_put(&grant);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner.holds), 0);
	vm_munmap(addr, OWNED * PAGE_SIZE);
}

static void owner_may_not_wait_for_user_space(struct kunit *test)
{
	unsigned long addr = map_owned(test, false, RW);
	struct dma_sg_table *table;

	table = sgl_dma_map_user(machine.dev, (void __user *)addr, PAGE_SIZE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	KUNIT_EXPECT_FALSE(test, sgl_dma_is_bounded(table));
	sgl_dma_unmap(table);

	owner.bounded = true;
	table = sgl_dma_map_user(machine.dev, (void __user *)addr, PAGE_SIZE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	KUNIT_EXPECT_TRUE(test, sgl_dma_is_bounded(table));
	sgl_dma_unmap(table);
	vm_munmap(addr, OWNED * PAGE_SIZE);
}

static void owned_memory_may_not_be_written(struct kunit *test)
{
	unsigned long addr = map_owned(test, false, PROT_READ);

	expect_uptr_error(test, addr, PAGE_SIZE, -EFAULT);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner.puts), 0);
	vm_munmap(addr, OWNED * PAGE_SIZE);
}

static void owned_memory_is_good_for_the_cpu(struct kunit *test)
{
	unsigned long addr = map_owned(test, false, RW);

	KUNIT_EXPECT_FALSE(test, dma_grant_possible(addr - 1,
						    OWNED * PAGE_SIZE + 1));
	KUNIT_EXPECT_GT(test, atomic_read(&owner.puts), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner.holds), 0);
	vm_munmap(addr, OWNED * PAGE_SIZE);
}

/* --- failures in the middle ---------------------------------------------- */

#if defined(CONFIG_FAILSLAB) && defined(CONFIG_FAULT_INJECTION_DEBUG_FS)
/* Allocations that may sleep fail only if debugfs says so, as user space does. */
static void let_sleepers_fail(struct kunit *test, char yes)
{
	unsigned long addr = map_user(test, NULL, 0, PAGE_SIZE, RW,
				      MAP_PRIVATE);
	struct vfsmount *debugfs = mount_fs("debugfs");
	char ignore = yes == 'Y' ? 'N' : 'Y';
	struct file *file;
	loff_t pos = 0;

	KUNIT_ASSERT_FALSE(test, IS_ERR(debugfs));
	file = file_open_root_mnt(debugfs, "failslab/ignore-gfp-wait", O_RDWR,
				  0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_EXPECT_EQ(test, 0, put_user(ignore, (char __user *)addr));
	KUNIT_EXPECT_EQ(test, 1, vfs_write(file, (char __user *)addr, 1, &pos));
	fput(file);
	kern_unmount(debugfs);
	vm_munmap(addr, PAGE_SIZE);
}

static int map_and_unmap_user(unsigned long addr)
{
	struct dma_sg_table *table = map_uptr(addr + 0x123, 3 * PAGE_SIZE);

	if (IS_ERR(table))
		return PTR_ERR(table);
	sgl_dma_unmap(table);
	return 0;
}

/* The kernel's own BAR if there is no address; each time from the beginning. */
static void fail_at_each_step(struct kunit *test, unsigned long addr)
{
	unsigned int nth = 0;
	bool failed;
	int ret;

	let_sleepers_fail(test, 'Y');
	do {
		recall(machine.pdev);
		current->fail_nth = ++nth;
		ret = addr ? map_and_unmap_user(addr) :
			     map_and_unmap(0x123, 0x4567);
		failed = !current->fail_nth;
		current->fail_nth = 0;
		if (ret)
			KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
		expect_nothing_left(test, machine.pdev);
	} while (failed && nth < 100);
	let_sleepers_fail(test, 'N');
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_FALSE(test, failed);
	KUNIT_EXPECT_GT(test, nth, 5);
}
#else
static void fail_at_each_step(struct kunit *test, unsigned long addr)
{
	kunit_skip(test, "no CONFIG_FAILSLAB or CONFIG_FAULT_INJECTION_DEBUG_FS");
}
#endif

static void allocation_fails_at_each_step(struct kunit *test)
{
	fail_at_each_step(test, 0);
}

static void owned_allocation_fails_at_each_step(struct kunit *test)
{
	unsigned long addr = map_owned(test, false, RW);

	fail_at_each_step(test, addr);
	KUNIT_EXPECT_GT(test, atomic_read(&owner.puts), 5);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner.holds), 0);
	vm_munmap(addr, OWNED * PAGE_SIZE);
}

/* A page, then the BAR. */
static void user_allocation_fails_at_each_step(struct kunit *test)
{
	unsigned long addr = map_around(test, 4 * PAGE_SIZE, PAGE_SIZE,
					MAP_POPULATE);

	map_bar(test, addr + PAGE_SIZE, 3 * PAGE_SIZE, RW, MAP_SHARED);
	fail_at_each_step(test, addr);
	vm_munmap(addr, 4 * PAGE_SIZE);
}

static struct kunit_case sgl_cases[] = {
	KUNIT_CASE_PARAM(own_bar_is_a_bus_address, bar_range_gen_params),
	KUNIT_CASE(bar_above_the_mask_is_refused),
	KUNIT_CASE_PARAM(bar_of_another_gets_what_a_list_gets,
			 bar_range_gen_params),
	KUNIT_CASE_PARAM(range_that_is_not_in_the_bar_is_refused,
			 bad_range_gen_params),
	KUNIT_CASE(entries_keep_the_limit),
	KUNIT_CASE(page_size_is_what_fits),
	KUNIT_CASE(table_is_shared_by_devices),
	KUNIT_CASE(lent_bar_is_not_requested),
	KUNIT_CASE(driver_comes_before_who_borrows),
	KUNIT_CASE(other_attribute_is_refused),
	KUNIT_CASE(released_bar_is_taken_back),
	KUNIT_CASE(other_bars_cannot_be_lent),
	KUNIT_CASE(owner_waits_for_who_has_no_callback),
	KUNIT_CASE(claimed_bar_is_taken_back),
	KUNIT_CASE(denied_bar_is_not_lent),
	KUNIT_CASE(callback_ends_the_mapping),
	KUNIT_CASE(callback_is_not_called_after_unmap),
	KUNIT_CASE(callback_comes_too_late),
	KUNIT_CASE_SLOW(unmap_races_with_the_owner),
	KUNIT_CASE(user_memory_is_pinned),
	KUNIT_CASE(user_bar_is_granted),
	KUNIT_CASE(user_range_spans_mappings),
	KUNIT_CASE(user_may_not_write),
	KUNIT_CASE(private_mapping_is_not_granted),
	KUNIT_CASE(user_range_is_wrong),
	KUNIT_CASE(drivers_region_is_granted),
	KUNIT_CASE(removed_file_grants_nothing),
	KUNIT_CASE_PARAM(bar_is_moved, moving_gen_params),
	KUNIT_CASE_PARAM(bar_is_resized, moving_gen_params),
	KUNIT_CASE(owned_memory_is_granted),
	KUNIT_CASE(owned_range_grows),
	KUNIT_CASE(owned_memory_is_synced),
	KUNIT_CASE(pinned_memory_is_synced),
	KUNIT_CASE(coherent_memory_is_granted),
	KUNIT_CASE(owner_may_not_wait_for_user_space),
	KUNIT_CASE(owned_memory_may_not_be_written),
	KUNIT_CASE(owned_memory_is_good_for_the_cpu),
	KUNIT_CASE(allocation_fails_at_each_step),
	KUNIT_CASE(owned_allocation_fails_at_each_step),
	KUNIT_CASE(user_allocation_fails_at_each_step),
	KUNIT_CASE(device_is_removed),
	{ }
};

/* The name says which boots run it, beside dma_pageless. */
static struct kunit_suite sgl_suite = {
	.name = "dma_pageless_sgl",
	.suite_init = machine_init,
	.suite_exit = machine_exit,
	.init = case_init,
	.exit = case_exit,
	.test_cases = sgl_cases,
};

kunit_test_suites(&sgl_suite);

MODULE_DESCRIPTION("KUnit tests of lists that only devices may walk");
MODULE_LICENSE("GPL");
