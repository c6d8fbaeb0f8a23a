// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests that move memory without struct page to a real disk and back.
 *
 * What one way wrote is read another way, and compared by the CPU.  Memory
 * with a kernel alias and memory without is tried, as far as the architecture
 * has a pointer for RAM that the kernel leaves alone.  Give it disks that may
 * be overwritten and such RAM:
 *
 *	mem=512M blk_pageless_disk_kunit.disks=nvme0n1,dm-0
 *		blk_pageless_disk_kunit.phys=0x20000000
 *
 * And with a BAR that is memory, of the disk's own PCI function, such as the
 * persistent memory region of NVMe:
 *
 *		blk_pageless_disk_kunit.own_bar=4
 */
#include <kunit/test.h>
#include <linux/async.h>
#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-region.h>
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/iommu-dma.h>
#include <linux/moduleparam.h>
#include <linux/nvme.h>
#include <linux/pageless.h>
#include <linux/pci.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>
#ifdef CONFIG_S390
#include <asm/maccess.h>
#endif

#define RAM_BYTES	((unsigned int)SZ_2M)
#define BAR_BYTES	((unsigned int)SZ_64K)
#define MAX_PIECES	16
#define MAX_BYTES	((unsigned int)SZ_1M)

static char *disks[8];
static int nr_disks;
module_param_array(disks, charp, &nr_disks, 0400);
MODULE_PARM_DESC(disks, "names of the disks to overwrite");

static unsigned long long phys;
module_param(phys, ullong, 0400);
MODULE_PARM_DESC(phys, "physical address of 8 MiB of unused RAM");

static int own_bar = -1;
module_param(own_bar, int, 0400);
MODULE_PARM_DESC(own_bar, "number of a BAR of the disks' device that is memory");

static int rounds = 50;
module_param(rounds, int, 0400);
MODULE_PARM_DESC(rounds, "number of random lists, each way");

static uint seed;
module_param(seed, uint, 0400);
MODULE_PARM_DESC(seed, "of the random lists; 0 takes one and prints it");

static struct dma_region ram;	/* with an alias, if there can be one */
static struct dma_region bare;	/* without */
static struct dma_region bar;	/* RAM in the place of a BAR without route */
static void *cpu;		/* where the test finds @ram and @bare, or NULL */
static bool registered;

#if defined(CONFIG_SPARC64) || defined(CONFIG_S390)
static void *map_ram(void)
{
	return NULL;
}

static void unmap_ram(void)
{
}
#elif defined(CONFIG_ALPHA)
static void *map_ram(void)
{
	return phys_to_virt(phys);
}

static void unmap_ram(void)
{
}
#elif defined(CONFIG_PARISC)
/* ioremap() is uncached there, and which line is snooped would not matter. */
static void *map_ram(void)
{
	unsigned int npages = 2 * RAM_BYTES >> PAGE_SHIFT;
	unsigned long *pfns = kvmalloc_array(npages, sizeof(*pfns), GFP_KERNEL);
	void *addr = NULL;

	for (unsigned int i = 0; pfns && i < npages; i++)
		pfns[i] = PHYS_PFN(phys) + i;
	if (pfns)
		addr = vmap_pfn(pfns, npages, PAGE_KERNEL);
	kvfree(pfns);
	return addr;
}

static void unmap_ram(void)
{
	vunmap(cpu);
}
#elif defined(ioremap_cache) || defined(arch_memremap_wb)
static void *map_ram(void)
{
	return memremap(phys, 2 * RAM_BYTES, MEMREMAP_WB);
}

static void unmap_ram(void)
{
	memunmap(cpu);
}
#else
#define RAM_ATTR	DMA_REGION_UC
static void *map_ram(void)
{
	return (__force void *)ioremap(phys, 2 * RAM_BYTES);
}

static void unmap_ram(void)
{
	iounmap((__force void __iomem *)cpu);
}
#endif

#ifndef RAM_ATTR
#define RAM_ATTR	DMA_REGION_WB
#endif

/* Reads memory that no pointer may lead to. */
static int peek(void *to, phys_addr_t from, unsigned int len)
{
#if defined(CONFIG_SPARC64)
	void __iomem *io = ioremap(from, len);

	if (!io)
		return -ENOMEM;
	memcpy_fromio(to, io, len);
	iounmap(io);
#elif defined(CONFIG_S390)
	return memcpy_real(to, from, len);
#else
	invalidate_kernel_vmap_range(cpu + (from - phys), len);
	memcpy(to, cpu + (from - phys), len);
#endif
	return 0;
}

static int add_region(struct dma_region *region, phys_addr_t start,
		      unsigned int bytes, enum dma_region_attr attr,
		      void *kaddr)
{
	*region = (struct dma_region) {
		.pfn	= PHYS_PFN(start),
		.npages	= bytes >> PAGE_SHIFT,
		.attr	= attr,
		.kaddr	= kaddr,
		.name	= "blk_pageless_disk",
	};
	return dma_region_register(region);
}

static int register_ram(struct kunit_suite *suite)
{
	int ret;

	if (!phys || !nr_disks)
		return 0;
	wait_for_device_probe();
	async_synchronize_full();
	cpu = map_ram();
	if (!cpu && !IS_ENABLED(CONFIG_SPARC64) && !IS_ENABLED(CONFIG_S390))
		return -ENOMEM;
	ret = add_region(&ram, phys, RAM_BYTES, RAM_ATTR, cpu);
	if (ret)
		goto unmap;
	ret = add_region(&bare, phys + RAM_BYTES, RAM_BYTES, RAM_ATTR, NULL);
	if (ret)
		goto unregister_ram;
	ret = add_region(&bar, phys + 2 * RAM_BYTES, BAR_BYTES, DMA_REGION_MMIO,
			 NULL);
	if (ret)
		goto unregister_bare;
	registered = true;
	return 0;

unregister_bare:
	dma_region_unregister(&bare);
unregister_ram:
	dma_region_unregister(&ram);
unmap:
	if (cpu)
		unmap_ram();
	return ret;
}

static void unregister_ram(struct kunit_suite *suite)
{
	if (!registered)
		return;
	dma_region_unregister(&bar);
	dma_region_unregister(&bare);
	dma_region_unregister(&ram);
	if (cpu)
		unmap_ram();
	registered = false;
}

static void put_dev(void *dev)
{
	put_device(dev);
}

/* An adapter may find its disks long after it was probed. */
static struct device *wait_for_disk(const char *name)
{
	unsigned int tries = 100;
	struct device *dev;

	while (!(dev = class_find_device_by_name(&block_class, name)) &&
	       --tries)
		msleep(100);
	return dev;
}

static int find_disk(struct kunit *test)
{
	const char *name = *(char *const *)test->param_value;
	struct device *dev;

	if (!registered)
		kunit_skip(test, "needs disks= and phys=");
	dev = wait_for_disk(name);
	KUNIT_ASSERT_NOT_NULL_MSG(test, dev, "no disk %s", name);
	test->priv = dev_to_bdev(dev);
	return kunit_add_action_or_reset(test, put_dev, dev);
}

static const void *disk_gen_params(const void *prev, char *desc)
{
	char *const *disk = prev ? (char *const *)prev + 1 : disks;

	if (disk - disks >= max(nr_disks, 1))
		return NULL;
	strscpy(desc, *disk ?: "none", KUNIT_PARAM_DESC_SIZE);
	return disk;
}

struct piece {
	void		*addr;	/* where the CPU finds it, or NULL */
	phys_addr_t	phys;	/* of what has no pages */
	unsigned int	len;
	struct dma_region *region;	/* or NULL, if it has pages */
};

struct list {
	struct piece	pieces[MAX_PIECES];
	unsigned int	nr;
	unsigned int	bytes;
	sector_t	sector;
};

static sector_t random_sector(struct kunit *test, struct rnd_state *rnd)
{
	struct block_device *bdev = test->priv;

	return prandom_u32_state(rnd) %
	       (u32)(bdev_nr_sectors(bdev) - MAX_BYTES / SECTOR_SIZE);
}

/* Pieces are apart, so that what is next to them can be looked at. */
static void random_list(struct kunit *test, struct rnd_state *rnd,
			struct list *list, void *buf, struct dma_region *region)
{
	unsigned int slot = MAX_BYTES / MAX_PIECES;

	list->nr = 1 + prandom_u32_state(rnd) % MAX_PIECES;
	list->bytes = 0;
	list->sector = random_sector(test, rnd);
	for (int i = 0; i < list->nr; i++) {
		struct piece *p = &list->pieces[i];
		unsigned int shift = prandom_u32_state(rnd) % 7;
		unsigned int at = i * slot +
				  4 * (prandom_u32_state(rnd) % 4096);

		p->region = prandom_u32_state(rnd) % 3 ? region : NULL;
		p->len = SECTOR_SIZE * (1 + prandom_u32_state(rnd) %
					    (1 << shift));
		p->phys = PFN_PHYS(region->pfn) + at;
		if (!p->region)
			p->addr = buf + at;
		else
			p->addr = region->kaddr ? region->kaddr + at : NULL;
		list->bytes += p->len;
	}
}

static int submit_list(struct kunit *test, struct list *list, blk_opf_t op)
{
	struct bio *bio = bio_alloc(test->priv, MAX_PIECES, op, GFP_KERNEL);
	int ret;

	bio->bi_iter.bi_sector = list->sector;
	for (int i = 0; i < list->nr; i++) {
		struct piece *p = &list->pieces[i];

		if (!p->region)
			ret = bio_add_page(bio, virt_to_page(p->addr), p->len,
					   offset_in_page(p->addr));
		else
			ret = bio_add_region(bio, p->region, p->len,
					     p->phys - dma_region_phys(p->region));
		KUNIT_EXPECT_EQ(test, ret, p->len);
	}
	ret = submit_bio_wait(bio);
	bio_put(bio);
	return ret;
}

static int submit_pages(struct kunit *test, struct list *list, void *buf,
			blk_opf_t op)
{
	struct list whole = {
		.pieces	= { { .addr = buf, .len = list->bytes } },
		.nr	= 1,
		.sector	= list->sector,
	};

	return submit_list(test, &whole, op);
}

static void fill(struct rnd_state *rnd, void *mem, unsigned int len)
{
	prandom_bytes_state(rnd, mem, len);
}

/* What memory has to look like when the data has been read into it. */
static void scatter(const struct list *list, void *mem, void *expect,
		    const void *data, bool paged)
{
	for (int i = 0; i < list->nr; i++) {
		const struct piece *p = &list->pieces[i];

		if (!p->region == paged)
			memcpy(expect + (p->addr - mem), data, p->len);
		data += p->len;
	}
}

static void gather(const struct list *list, void *data)
{
	for (int i = 0; i < list->nr; i++) {
		memcpy(data, list->pieces[i].addr, list->pieces[i].len);
		data += list->pieces[i].len;
	}
}

/* The whole of what differs would not fit the memory of a small machine. */
static void expect_same(struct kunit *test, const struct list *list,
			const void *found, const void *expected,
			unsigned int len)
{
	unsigned int at = 0;

	if (!memcmp(found, expected, len))
		return;
	while (((const u8 *)found)[at] == ((const u8 *)expected)[at])
		at++;
	for (int i = 0; i < list->nr; i++)
		kunit_info(test, "%d: %s %pa, %u bytes", i,
			   list->pieces[i].region ? "page-less" : "paged",
			   &list->pieces[i].phys, list->pieces[i].len);
	KUNIT_FAIL(test, "byte %u of %u is %#x, not %#x; sector %llu", at, len,
		   ((const u8 *)found)[at], ((const u8 *)expected)[at],
		   (u64)list->sector);
}

static void write_round(struct kunit *test, struct rnd_state *rnd,
			struct list *list, void *buf, void *data, void *expect)
{
	fill(rnd, buf, MAX_BYTES);
	fill(rnd, ram.kaddr, MAX_BYTES);
	KUNIT_ASSERT_EQ(test, 0, submit_list(test, list, REQ_OP_WRITE));
	gather(list, expect);
	memset(data, 0, MAX_BYTES);
	KUNIT_ASSERT_EQ(test, 0, submit_pages(test, list, data, REQ_OP_READ));
	expect_same(test, list, data, expect, list->bytes);
}

static void read_round(struct kunit *test, struct rnd_state *rnd,
		       struct list *list, void *buf, void *data, void *expect)
{
	void *expect_ram = expect + MAX_BYTES;

	fill(rnd, data, list->bytes);
	KUNIT_ASSERT_EQ(test, 0, submit_pages(test, list, data, REQ_OP_WRITE));
	fill(rnd, buf, MAX_BYTES);
	fill(rnd, ram.kaddr, MAX_BYTES);
	memcpy(expect, buf, MAX_BYTES);
	memcpy(expect_ram, ram.kaddr, MAX_BYTES);
	KUNIT_ASSERT_EQ(test, 0, submit_list(test, list, REQ_OP_READ));
	scatter(list, buf, expect, data, true);
	scatter(list, ram.kaddr, expect_ram, data, false);
	expect_same(test, list, buf, expect, MAX_BYTES);
	expect_same(test, list, ram.kaddr, expect_ram, MAX_BYTES);
}

static void *new_buf(struct kunit *test, unsigned int len)
{
	void *buf = kunit_kmalloc(test, len, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	return buf;
}

static bool dma_ops_bypass(struct device *dev)
{
#ifdef CONFIG_DMA_OPS_BYPASS
	return dev->dma_ops_bypass;
#else
	return false;
#endif
}

static struct device *dma_dev(struct kunit *test)
{
	struct block_device *bdev = test->priv;
	struct device *dev = disk_to_dev(bdev->bd_disk);

	while (dev && !dev->dma_mask)
		dev = dev->parent;
	return dev;
}

/* What the log has to say for a machine: who mapped the memory. */
static void tell_ops(struct kunit *test)
{
	struct device *dev = dma_dev(test);
	const struct dma_map_ops *ops;

	if (!dev) {
		kunit_info(test, "no device above the disk does DMA");
		return;
	}
	ops = get_dma_ops(dev);
	if (use_dma_iommu(dev))
		kunit_info(test, "%s maps with iommu-dma", dev_name(dev));
	else if (!ops || dma_ops_bypass(dev))
		kunit_info(test, "%s maps with dma-direct", dev_name(dev));
	else
		kunit_info(test, "%s maps with %ps", dev_name(dev), ops);
}

static void start_random(struct kunit *test, struct rnd_state *rnd)
{
	u32 my_seed = seed ?: get_random_u32() ?: 1;

	kunit_info(test, "blk_pageless_disk_kunit.seed=%u", my_seed);
	prandom_seed_state(rnd, my_seed);
	tell_ops(test);
}

static void data_survives(struct kunit *test)
{
	struct list *list = new_buf(test, sizeof(*list));
	void *buf = new_buf(test, MAX_BYTES);
	void *data = new_buf(test, MAX_BYTES);
	void *expect = new_buf(test, 2 * MAX_BYTES);
	struct rnd_state rnd;

	KUNIT_ASSERT_TRUE(test, bdev_pageless(test->priv));
	if (!ram.kaddr)
		kunit_skip(test, "no pointer leads to this RAM here");
	start_random(test, &rnd);
	for (int round = 0; round < rounds; round++) {
		random_list(test, &rnd, list, buf, &ram);
		write_round(test, &rnd, list, buf, data, expect);
		random_list(test, &rnd, list, buf, &ram);
		read_round(test, &rnd, list, buf, data, expect);
		if (test->status == KUNIT_FAILURE)
			return;
	}
}

static void peek_list(struct kunit *test, const struct list *list, void *data)
{
	for (int i = 0; i < list->nr; i++) {
		const struct piece *p = &list->pieces[i];

		if (!p->region)
			memcpy(data, p->addr, p->len);
		else
			KUNIT_EXPECT_EQ(test, 0, peek(data, p->phys, p->len));
		data += p->len;
	}
}

/* Read in one place of the disk, and written to another. */
static void data_survives_without_alias(struct kunit *test)
{
	struct list *list = new_buf(test, sizeof(*list));
	void *buf = new_buf(test, MAX_BYTES);
	void *data = new_buf(test, MAX_BYTES);
	void *seen = new_buf(test, MAX_BYTES);
	struct rnd_state rnd;

	KUNIT_ASSERT_TRUE(test, bdev_pageless(test->priv));
	if (strstr(saved_command_line, "swiotlb=force"))
		kunit_skip(test, "everything is bounced");
	start_random(test, &rnd);
	for (int round = 0; round < rounds; round++) {
		random_list(test, &rnd, list, buf, &bare);
		fill(&rnd, data, list->bytes);
		KUNIT_ASSERT_EQ(test, 0, submit_pages(test, list, data,
						      REQ_OP_WRITE));
		KUNIT_ASSERT_EQ(test, 0, submit_list(test, list, REQ_OP_READ));
		peek_list(test, list, seen);
		expect_same(test, list, seen, data, list->bytes);

		list->sector = random_sector(test, &rnd);
		KUNIT_ASSERT_EQ(test, 0, submit_list(test, list, REQ_OP_WRITE));
		memset(seen, 0, list->bytes);
		KUNIT_ASSERT_EQ(test, 0, submit_pages(test, list, seen,
						      REQ_OP_READ));
		expect_same(test, list, seen, data, list->bytes);
		if (test->status == KUNIT_FAILURE)
			return;
	}
}

static void unregister(void *region)
{
	dma_region_unregister(region);
}

static bool is_nvme(struct pci_dev *pdev)
{
	return pdev->class == PCI_CLASS_STORAGE_EXPRESS;
}

/* It decodes nothing until it is asked to. Its driver has no use for it. */
static void enable_nvme_pmr(struct kunit *test, struct pci_dev *pdev)
{
	void __iomem *regs = ioremap(pci_resource_start(pdev, 0), SZ_4K);

	KUNIT_ASSERT_TRUE(test, regs);
	writel(1, regs + NVME_REG_PMRCTL);
	readl(regs + NVME_REG_PMRCTL);
	iounmap(regs);
}

/* The BAR's first bytes, while the case lasts. */
static struct dma_region *register_own_bar(struct kunit *test)
{
	struct device *dev = dma_dev(test);
	struct dma_region *region;
	struct pci_dev *pdev;

	if (own_bar < 0)
		kunit_skip(test, "needs own_bar=");
	if (!dev || !dev_is_pci(dev))
		kunit_skip(test, "the disk has no PCI device");
	pdev = to_pci_dev(dev);
	KUNIT_ASSERT_GE(test, pci_resource_len(pdev, own_bar), BAR_BYTES);
	if (is_nvme(pdev))
		enable_nvme_pmr(test, pdev);
	region = new_buf(test, sizeof(*region));
	*region = (struct dma_region) {
		.pfn	= PHYS_PFN(pci_resource_start(pdev, own_bar)),
		.npages	= BAR_BYTES >> PAGE_SHIFT,
		.attr	= DMA_REGION_MMIO,
		.pdev	= pdev,
		.name	= "own BAR",
	};
	KUNIT_ASSERT_EQ(test, 0, dma_region_register(region));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, unregister,
							   region));
	return region;
}

static int submit_bar(struct kunit *test, struct dma_region *region,
		      const struct list *list, blk_opf_t op)
{
	struct bio *bio = bio_alloc(test->priv, 1, op, GFP_KERNEL);
	int ret;

	bio->bi_iter.bi_sector = list->sector;
	KUNIT_EXPECT_EQ(test, list->bytes,
			bio_add_region(bio, region, list->bytes, 0));
	ret = submit_bio_wait(bio);
	bio_put(bio);
	return ret;
}

static void bar_round(struct kunit *test, struct rnd_state *rnd,
		      struct dma_region *region, void __iomem *io,
		      void *data, void *seen)
{
	struct list list = {
		.bytes	= SECTOR_SIZE * (1 + prandom_u32_state(rnd) %
					     (BAR_BYTES / SECTOR_SIZE)),
		.sector	= random_sector(test, rnd),
	};

	fill(rnd, data, BAR_BYTES);
	memcpy_toio(io, data, BAR_BYTES);
	KUNIT_ASSERT_EQ(test, 0, submit_bar(test, region, &list, REQ_OP_WRITE));
	memset(seen, 0, BAR_BYTES);
	KUNIT_ASSERT_EQ(test, 0, submit_pages(test, &list, seen, REQ_OP_READ));
	expect_same(test, &list, seen, data, list.bytes);

	memset_io(io, 0, BAR_BYTES);
	memset(data + list.bytes, 0, BAR_BYTES - list.bytes);
	KUNIT_ASSERT_EQ(test, 0, submit_bar(test, region, &list, REQ_OP_READ));
	memcpy_fromio(seen, io, BAR_BYTES);
	expect_same(test, &list, seen, data, BAR_BYTES);
}

static void unmap_bar(void *io)
{
	iounmap((__force void __iomem *)io);
}

/* It has a bus address, which takes a mark in the entry of a list. */
static void data_survives_in_own_bar(struct kunit *test)
{
	struct dma_region *region = register_own_bar(test);
	void *data = new_buf(test, BAR_BYTES), *seen = new_buf(test, BAR_BYTES);
	struct list list = { .bytes = BAR_BYTES };
	struct rnd_state rnd;
	void __iomem *io;

	start_random(test, &rnd);
	if (!IS_ENABLED(CONFIG_NEED_SG_DMA_FLAGS)) {
		KUNIT_EXPECT_EQ(test, -EREMOTEIO,
				submit_bar(test, region, &list, REQ_OP_WRITE));
		return;
	}
	io = ioremap(dma_region_phys(region), BAR_BYTES);
	KUNIT_ASSERT_TRUE(test, io);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, unmap_bar,
							   (__force void *)io));
	for (int round = 0; round < 20 && test->status != KUNIT_FAILURE;
	     round++)
		bar_round(test, &rnd, region, io, data, seen);
}

/* One segment short enough for the driver's shortcut, and more. */
static const unsigned int error_lens[] = { 4096, BAR_BYTES };

static int submit_region(struct kunit *test, struct dma_region *region,
			 unsigned int len, bool drop)
{
	struct bio *bio = bio_alloc(test->priv, 1, REQ_OP_WRITE, GFP_KERNEL);
	int ret;

	KUNIT_EXPECT_EQ(test, len, bio_add_region(bio, region, len, 0));
	if (drop)
		dma_region_unregister(region);
	ret = submit_bio_wait(bio);
	if (drop)
		KUNIT_EXPECT_EQ(test, 0, dma_region_register(region));
	bio_put(bio);
	return ret;
}

static void memory_without_route_is_an_error(struct kunit *test)
{
	for (int i = 0; i < ARRAY_SIZE(error_lens); i++)
		KUNIT_EXPECT_EQ(test, -EREMOTEIO,
				submit_region(test, &bar, error_lens[i], false));
}

/* Against the rules of bio_add_region(), and yet no reason to hang. */
static void memory_that_is_gone_is_an_error(struct kunit *test)
{
	for (int i = 0; i < ARRAY_SIZE(error_lens); i++)
		KUNIT_EXPECT_EQ(test, -EINVAL,
				submit_region(test, &ram, error_lens[i], true));
}

static struct kunit_case blk_pageless_disk_cases[] = {
	KUNIT_CASE_PARAM(data_survives, disk_gen_params),
	KUNIT_CASE_PARAM(data_survives_without_alias, disk_gen_params),
	KUNIT_CASE_PARAM(data_survives_in_own_bar, disk_gen_params),
	KUNIT_CASE_PARAM(memory_without_route_is_an_error, disk_gen_params),
	KUNIT_CASE_PARAM(memory_that_is_gone_is_an_error, disk_gen_params),
	{}
};

static struct kunit_suite blk_pageless_disk_suite = {
	.name		= "blk_pageless_disk",
	.suite_init	= register_ram,
	.suite_exit	= unregister_ram,
	.init		= find_disk,
	.test_cases	= blk_pageless_disk_cases,
};

kunit_test_suites(&blk_pageless_disk_suite);

MODULE_DESCRIPTION("KUnit tests of page-less memory on real disks");
MODULE_LICENSE("GPL");
