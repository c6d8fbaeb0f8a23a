// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of lists that only devices may walk.
 *
 * The BARs are those of QEMU's edu devices, each of 1 MiB, on whatever machine
 * they are found: without I/O MMU or behind one, next to each other or below a
 * switch. What route there is, and what becomes of it, is found out by
 * mapping the same range in a scatterlist, which pageless_kunit.c compares with
 * the contract. A BAR of the device itself is always a bus address.
 *
 * User space maps a BAR as it does in real life: the files are those of sysfs.
 */
#include <kunit/test.h>
#include <linux/async.h>
#include <linux/completion.h>
#include <linux/delay.h>
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
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#include "debug.h"

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8
#define EDU_SIZE	SZ_1M
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
static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	return 0;
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(EDU_VENDOR, EDU_DEVICE) },
	{}
};

static struct pci_driver edu_driver = {
	.name		= "dma_sgl_kunit",
	.id_table	= edu_ids,
	.probe		= edu_probe,
};

static struct iommu_domain *find_domain(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain && domain->type & __IOMMU_DOMAIN_PAGING ? domain : NULL;
}

static void find_devices(void)
{
	machine.pdev = pci_get_device(EDU_VENDOR, EDU_DEVICE, NULL);
	if (!machine.pdev)
		return;
	machine.peer = pci_get_device(EDU_VENDOR, EDU_DEVICE,
				      pci_dev_get(machine.pdev));
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
	machine.driver = !pci_register_driver(&edu_driver);
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
		pci_unregister_driver(&edu_driver);
}

static phys_addr_t bar(struct pci_dev *pdev)
{
	return pci_resource_start(pdev, 0);
}

static void recall(struct pci_dev *pdev)
{
	dma_region_recall(bar(pdev), EDU_SIZE);
}

static int case_init(struct kunit *test)
{
	if (!machine.pdev || !machine.driver)
		kunit_skip(test, "no PCI device 1234:11e8, QEMU's edu");
	dma_set_max_seg_size(machine.dev, UINT_MAX);
	return dma_set_mask(machine.dev, DMA_BIT_MASK(64));
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
		kunit_skip(test, "no second edu device");
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
	{ "the last byte", EDU_SIZE - 1, 1 },
	{ "all of it", 0, EDU_SIZE },
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
	{ "behind the BAR", EDU_SIZE, 1 },
	{ "beyond the end", EDU_SIZE - 1, 2 },
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
						    EDU_SIZE));
	res = request_mem_region(bar(machine.pdev), EDU_SIZE, "kunit");
	KUNIT_EXPECT_NOT_NULL(test, res);
	KUNIT_EXPECT_EQ(test, map_and_unmap(0, 0x1000), 0);
	recall(machine.pdev);
	KUNIT_EXPECT_EQ(test, map_and_unmap(0, 0x1000), 0);
	if (res)
		release_mem_region(bar(machine.pdev), EDU_SIZE);
	expect_nothing_left(test, machine.pdev);
}

static void driver_comes_before_who_borrows(struct kunit *test)
{
	struct dma_region own = part_of_bar(DMA_REGION_MMIO);

	KUNIT_ASSERT_EQ(test, map_and_unmap(0, EDU_SIZE), 0);
	KUNIT_ASSERT_EQ(test, dma_region_register(&own), 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_region_find(dma_region_phys(&own), 1),
			    &own);
	KUNIT_EXPECT_EQ(test, map_and_unmap(16 * PAGE_SIZE, 16 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, map_and_unmap(0, EDU_SIZE), -EBUSY);
	KUNIT_EXPECT_EQ(test, map_and_unmap(0, 0x1000), -EBUSY);
	dma_region_unregister(&own);
	KUNIT_EXPECT_EQ(test, map_and_unmap(0, EDU_SIZE), 0);
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
	KUNIT_ASSERT_NOT_NULL(test, dma_region_find(before, EDU_SIZE));
	pci_release_resource(machine.peer, 0);
	KUNIT_EXPECT_NULL(test, dma_region_find(before, 1));
	KUNIT_EXPECT_EQ(test, dma_region_lend(machine.peer, 0), -ENODEV);
	ret = pci_assign_resource(machine.peer, 0);
	KUNIT_ASSERT_EQ(test, ret, 0);
	KUNIT_EXPECT_EQ(test, dma_region_lend(machine.peer, 0), 0);
	KUNIT_EXPECT_NOT_NULL(test, dma_region_find(bar(machine.peer),
						    EDU_SIZE));
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
};

static void take_back(struct work_struct *work)
{
	struct taker *taker = container_of(work, struct taker, work);

	recall(machine.pdev);
	complete(&taker->done);
}

static void start_taking(struct taker *taker)
{
	INIT_WORK_ONSTACK(&taker->work, take_back);
	init_completion(&taker->done);
	queue_work(system_unbound_wq, &taker->work);
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
	machine.peer = pci_get_device(EDU_VENDOR, EDU_DEVICE,
				      pci_dev_get(machine.pdev)) ?:
		       pci_get_device(EDU_VENDOR, EDU_DEVICE, NULL);
	KUNIT_ASSERT_NOT_NULL(test, machine.peer);
	KUNIT_EXPECT_STREQ(test, pci_name(machine.peer), name);
}

/* --- what user space has mapped ------------------------------------------ */

static struct file *open_bar(struct kunit *test, struct pci_dev *pdev)
{
	char *dir = kobject_get_path(&pdev->dev.kobj, GFP_KERNEL), *path;
	struct file *file;

	KUNIT_ASSERT_NOT_NULL(test, dir);
	if (IS_ERR(machine.sysfs)) {
		kfree(dir);
		kunit_skip(test, "no sysfs");
	}
	path = kasprintf(GFP_KERNEL, "%s/resource0", dir + 1);
	file = file_open_root_mnt(machine.sysfs, path, O_RDWR, 0);
	kfree(path);
	kfree(dir);
	if (IS_ERR(file))
		kunit_skip(test, "no %s/resource0", pci_name(pdev));
	return file;
}

/* Of @len bytes from @addr on, or anywhere, of a BAR or of ordinary memory. */
static unsigned long map_user(struct kunit *test, struct file *file,
			      unsigned long addr, unsigned long len,
			      unsigned long prot, unsigned long flags)
{
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
	unsigned long addr = map_bar(test, 0, EDU_SIZE, RW, MAP_SHARED);
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
	vm_munmap(addr, EDU_SIZE);
	expect_covers(test, table, machine.dev, 0x3000);
	expect_uptr_error(test, addr + 0x1010, 0x3000, -EFAULT);
	sgl_dma_unmap(table);
	expect_nothing_left(test, machine.pdev);
}

static void user_range_spans_mappings(struct kunit *test)
{
	unsigned long addr = map_user(test, NULL, 0, 12 * PAGE_SIZE, RW,
				      MAP_PRIVATE);
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
	unsigned long addr = map_bar(test, 0, EDU_SIZE, PROT_READ, MAP_SHARED);
	struct dma_grant grant;

	expect_uptr_error(test, addr, 0x1000, -EFAULT);
	KUNIT_ASSERT_EQ(test, 0, dma_grant_user(addr, 0x1000, false, &grant));
	KUNIT_EXPECT_EQ(test, grant.phys, bar(machine.pdev));
	KUNIT_EXPECT_EQ(test, grant.len, 0x1000);
	dma_region_put(grant.region);
	vm_munmap(addr, EDU_SIZE);
	expect_nothing_left(test, machine.pdev);
}

static void private_mapping_is_not_granted(struct kunit *test)
{
	unsigned long addr = map_bar(test, 0, EDU_SIZE, RW, MAP_PRIVATE);

	expect_uptr_error(test, addr, 0x1000, -EFAULT);
	KUNIT_EXPECT_FALSE(test, dma_grant_possible(addr, 0x1000));
	vm_munmap(addr, EDU_SIZE);
}

static void user_range_is_wrong(struct kunit *test)
{
	unsigned long addr = map_bar(test, 0, EDU_SIZE, RW, MAP_SHARED);

	expect_uptr_error(test, addr, 0, -EINVAL);
	expect_uptr_error(test, addr, SIZE_MAX, -EINVAL);
	expect_uptr_error(test, 0, 0x1000, -EFAULT);
	expect_uptr_error(test, addr, EDU_SIZE + 1, -EFAULT);
	KUNIT_EXPECT_TRUE(test, dma_grant_possible(addr - 1, 2));
	KUNIT_EXPECT_FALSE(test, dma_grant_possible(addr, 0));
	vm_munmap(addr, EDU_SIZE);
	KUNIT_EXPECT_FALSE(test, dma_grant_possible(addr, 0x1000));
	expect_nothing_left(test, machine.pdev);
}

static void drivers_region_is_granted(struct kunit *test)
{
	struct dma_region own = part_of_bar(DMA_REGION_MMIO);
	struct dma_region other = part_of_bar(DMA_REGION_UC);
	unsigned long addr = map_bar(test, 0, EDU_SIZE, RW, MAP_SHARED);
	struct dma_grant grant;

	KUNIT_ASSERT_EQ(test, dma_region_register(&own), 0);
	KUNIT_EXPECT_EQ(test, 0, dma_grant_user(addr + 16 * PAGE_SIZE,
						32 * PAGE_SIZE, true, &grant));
	KUNIT_EXPECT_PTR_EQ(test, grant.region, &own);
	KUNIT_EXPECT_EQ(test, grant.len, 16 * PAGE_SIZE);
	dma_region_put(grant.region);
	KUNIT_EXPECT_EQ(test, dma_grant_user(addr, 1, true, &grant), -EFAULT);
	dma_region_unregister(&own);

	if (!dma_region_register(&other)) {
		KUNIT_EXPECT_EQ(test, -EBUSY,
				dma_grant_user(addr + 16 * PAGE_SIZE, 1, true,
					       &grant));
		dma_region_unregister(&other);
	}
	vm_munmap(addr, EDU_SIZE);
	expect_nothing_left(test, machine.pdev);
}

/* The file is gone, although it is still open and was mapped. */
static void removed_file_grants_nothing(struct kunit *test)
{
	unsigned long addr = map_bar(test, 0, EDU_SIZE, RW, MAP_SHARED);
	struct bin_attribute *attr = machine.pdev->res_attr[0];
	struct dma_grant grant;

	KUNIT_ASSERT_EQ(test, 0, dma_grant_user(addr, 1, true, &grant));
	sysfs_remove_bin_file(&machine.dev->kobj, attr);
	dma_region_put(grant.region);
	KUNIT_EXPECT_EQ(test, dma_grant_user(addr, 1, true, &grant), -EFAULT);
	KUNIT_EXPECT_EQ(test, 0, sysfs_create_bin_file(&machine.dev->kobj,
						       attr));
	vm_munmap(addr, EDU_SIZE);
	expect_nothing_left(test, machine.pdev);
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

/* A page, then the BAR. */
static void user_allocation_fails_at_each_step(struct kunit *test)
{
	unsigned long addr = map_user(test, NULL, 0, 4 * PAGE_SIZE, RW,
				      MAP_PRIVATE | MAP_POPULATE);

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
	KUNIT_CASE(allocation_fails_at_each_step),
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
