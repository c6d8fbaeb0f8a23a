// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests that move memory without struct page to a real disk and back.
 *
 * What one way wrote is read another way, and compared through the kernel's
 * alias.  Give it disks that may be overwritten and RAM that the kernel leaves
 * alone:
 *
 *	mem=512M blk_pageless_disk_kunit.disks=nvme0n1,dm-0
 *		blk_pageless_disk_kunit.phys=0x20000000
 */
#include <kunit/test.h>
#include <linux/blkdev.h>
#include <linux/dma-region.h>
#include <linux/io.h>
#include <linux/moduleparam.h>
#include <linux/pageless.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/sizes.h>

#define RAM_BYTES	((unsigned int)SZ_2M)
#define BAR_BYTES	((unsigned int)SZ_64K)
#define MAX_PIECES	16
#define MAX_BYTES	((unsigned int)SZ_1M)

static char *disks[4];
static int nr_disks;
module_param_array(disks, charp, &nr_disks, 0400);
MODULE_PARM_DESC(disks, "names of the disks to overwrite");

static unsigned long long phys;
module_param(phys, ullong, 0400);
MODULE_PARM_DESC(phys, "physical address of 4 MiB of unused RAM");

static uint seed;
module_param(seed, uint, 0400);
MODULE_PARM_DESC(seed, "of the random lists; 0 takes one and prints it");

static struct dma_region ram, bar;

/* The RAM stands in for a BAR that no device has a route to, too. */
static int register_ram(struct kunit_suite *suite)
{
	int ret;

	if (!phys || !nr_disks)
		return 0;
	ram = (struct dma_region) {
		.pfn	= PHYS_PFN(phys),
		.npages	= RAM_BYTES >> PAGE_SHIFT,
		.attr	= DMA_REGION_WB,
		.kaddr	= memremap(phys, RAM_BYTES, MEMREMAP_WB),
		.name	= "blk_pageless_disk",
	};
	bar = (struct dma_region) {
		.pfn	= ram.pfn + ram.npages,
		.npages	= BAR_BYTES >> PAGE_SHIFT,
		.attr	= DMA_REGION_MMIO,
		.name	= "blk_pageless_disk",
	};
	if (!ram.kaddr)
		return -ENOMEM;
	ret = dma_region_register(&ram);
	if (ret)
		goto unmap;
	ret = dma_region_register(&bar);
	if (!ret)
		return 0;
	dma_region_unregister(&ram);
unmap:
	memunmap(ram.kaddr);
	ram.kaddr = NULL;
	return ret;
}

static void unregister_ram(struct kunit_suite *suite)
{
	if (!ram.kaddr)
		return;
	dma_region_unregister(&bar);
	dma_region_unregister(&ram);
	memunmap(ram.kaddr);
}

static void put_dev(void *dev)
{
	put_device(dev);
}

static int find_disk(struct kunit *test)
{
	const char *name = *(char *const *)test->param_value;
	struct device *dev;

	if (!ram.kaddr)
		kunit_skip(test, "needs disks= and phys=");
	dev = class_find_device_by_name(&block_class, name);
	if (!dev)
		kunit_skip(test, "no disk %s", name);
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
	void		*addr;
	unsigned int	len;
	bool		paged;
};

struct list {
	struct piece	pieces[MAX_PIECES];
	unsigned int	nr;
	unsigned int	bytes;
	sector_t	sector;
};

/* Pieces are apart, so that what is next to them can be looked at. */
static void random_list(struct kunit *test, struct rnd_state *rnd,
			struct list *list, void *buf)
{
	struct block_device *bdev = test->priv;
	unsigned int slot = MAX_BYTES / MAX_PIECES;

	list->nr = 1 + prandom_u32_state(rnd) % MAX_PIECES;
	list->bytes = 0;
	list->sector = prandom_u32_state(rnd) %
		       (bdev_nr_sectors(bdev) - MAX_BYTES / SECTOR_SIZE);
	for (int i = 0; i < list->nr; i++) {
		struct piece *p = &list->pieces[i];
		unsigned int shift = prandom_u32_state(rnd) % 7;

		p->paged = prandom_u32_state(rnd) % 3 == 0;
		p->len = SECTOR_SIZE * (1 + prandom_u32_state(rnd) %
					    (1 << shift));
		p->addr = (p->paged ? buf : ram.kaddr) + i * slot +
			  4 * (prandom_u32_state(rnd) % 4096);
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

		if (p->paged)
			ret = bio_add_page(bio, virt_to_page(p->addr), p->len,
					   offset_in_page(p->addr));
		else
			ret = bio_add_phys(bio, phys + (p->addr - ram.kaddr),
					   p->len, 0);
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
		.pieces	= { { .addr = buf, .len = list->bytes, .paged = true } },
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

		if (p->paged == paged)
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

static void write_round(struct kunit *test, struct rnd_state *rnd,
			struct list *list, void *buf, void *data, void *expect)
{
	fill(rnd, buf, MAX_BYTES);
	fill(rnd, ram.kaddr, MAX_BYTES);
	KUNIT_ASSERT_EQ(test, 0, submit_list(test, list, REQ_OP_WRITE));
	gather(list, expect);
	memset(data, 0, MAX_BYTES);
	KUNIT_ASSERT_EQ(test, 0, submit_pages(test, list, data, REQ_OP_READ));
	KUNIT_EXPECT_MEMEQ(test, data, expect, list->bytes);
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
	KUNIT_EXPECT_MEMEQ(test, buf, expect, MAX_BYTES);
	KUNIT_EXPECT_MEMEQ(test, ram.kaddr, expect_ram, MAX_BYTES);
}

static void *new_buf(struct kunit *test, unsigned int len)
{
	void *buf = kunit_kmalloc(test, len, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	return buf;
}

static void data_survives(struct kunit *test)
{
	u32 my_seed = seed ?: get_random_u32() ?: 1;
	struct list *list = new_buf(test, sizeof(*list));
	void *buf = new_buf(test, MAX_BYTES);
	void *data = new_buf(test, MAX_BYTES);
	void *expect = new_buf(test, 2 * MAX_BYTES);
	struct rnd_state rnd;

	KUNIT_ASSERT_TRUE(test, bdev_pageless(test->priv));
	kunit_info(test, "blk_pageless_disk_kunit.seed=%u", my_seed);
	prandom_seed_state(&rnd, my_seed);
	for (int round = 0; round < 50; round++) {
		random_list(test, &rnd, list, buf);
		write_round(test, &rnd, list, buf, data, expect);
		random_list(test, &rnd, list, buf);
		read_round(test, &rnd, list, buf, data, expect);
		if (test->status == KUNIT_FAILURE)
			return;
	}
}

/* One segment short enough for the driver's shortcut, and more. */
static const unsigned int error_lens[] = { 4096, BAR_BYTES };

static int submit_phys(struct kunit *test, phys_addr_t addr, unsigned int len,
		       unsigned long flags, struct dma_region *drop)
{
	struct bio *bio = bio_alloc(test->priv, 1, REQ_OP_WRITE, GFP_KERNEL);
	int ret;

	KUNIT_EXPECT_EQ(test, len, bio_add_phys(bio, addr, len, flags));
	if (drop)
		dma_region_unregister(drop);
	ret = submit_bio_wait(bio);
	if (drop)
		KUNIT_EXPECT_EQ(test, 0, dma_region_register(drop));
	bio_put(bio);
	return ret;
}

static void memory_without_route_is_an_error(struct kunit *test)
{
	for (int i = 0; i < ARRAY_SIZE(error_lens); i++)
		KUNIT_EXPECT_EQ(test, -EREMOTEIO,
				submit_phys(test, phys + RAM_BYTES,
					    error_lens[i], PAGELESS_MMIO,
					    NULL));
}

/* Against the rules of bio_add_phys(), and yet no reason to hang. */
static void memory_that_is_gone_is_an_error(struct kunit *test)
{
	for (int i = 0; i < ARRAY_SIZE(error_lens); i++)
		KUNIT_EXPECT_EQ(test, -EINVAL,
				submit_phys(test, phys, error_lens[i], 0,
					    &ram));
}

static struct kunit_case blk_pageless_disk_cases[] = {
	KUNIT_CASE_PARAM(data_survives, disk_gen_params),
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
