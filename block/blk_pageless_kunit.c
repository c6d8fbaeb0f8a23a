// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of bios with memory that has no struct page.
 *
 * The disks are made here and move no data. What they are given as a
 * scatterlist is compared with what the bio was made of.
 */
#include <kunit/pageless.h>
#include <kunit/test.h>
#include <linux/bio-integrity.h>
#include <linux/blk-crypto.h>
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/dma-region.h>
#include <linux/moduleparam.h>
#include <linux/pageless.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/uio.h>
#include <linux/workqueue.h>

#define REGION_PAGES	64U
#define REGION_BYTES	(REGION_PAGES * (unsigned int)PAGE_SIZE)
#define MAX_ENTRIES	1024
#define DISK_SECTORS	(1024 * 1024)

static uint seed;
module_param(seed, uint, 0400);
MODULE_PARM_DESC(seed, "of the random lists; 0 takes one and prints it");

static bool warn;
module_param(warn, bool, 0400);
MODULE_PARM_DESC(warn, "run the cases that make the kernel warn, too");

static void skip_unless_warn(struct kunit *test)
{
	if (!warn)
		kunit_skip(test,
			   "makes warnings, needs blk_pageless_kunit.warn=1");
}

/* One behind the other, and nothing behind the last. */
enum { RAM_A, RAM_B, BAR, NR_REGIONS };
static struct dma_region regions[NR_REGIONS];
static phys_addr_t base;

static phys_addr_t region_base(unsigned int nr)
{
	return base + (phys_addr_t)nr * REGION_BYTES;
}

static int register_regions(unsigned long pfn)
{
	int i, ret;

	for (i = 0; i < NR_REGIONS; i++) {
		regions[i] = (struct dma_region) {
			.pfn	= pfn + i * REGION_PAGES,
			.npages	= REGION_PAGES,
			.attr	= i == BAR ? DMA_REGION_MMIO : DMA_REGION_WB,
			.name	= "blk_pageless",
		};
		ret = dma_region_register(&regions[i]);
		if (ret)
			goto undo;
	}
	base = PFN_PHYS(pfn);
	return 0;
undo:
	while (i--)
		dma_region_unregister(&regions[i]);
	return ret;
}

static void unregister_regions(struct kunit_suite *suite)
{
	for (int i = 0; base && i < NR_REGIONS; i++)
		dma_region_unregister(&regions[i]);
	base = 0;
}

static int find_regions(struct kunit_suite *suite)
{
	/* Of one region more, to have a power of 2 and nothing behind. */
	u64 phys = kunit_find_phys_space((NR_REGIONS + 1) * REGION_BYTES, 0);

	return phys ? register_regions(PHYS_PFN(phys)) : 0;
}

static int need_regions(struct kunit *test)
{
	if (!base)
		kunit_skip(test, "no free physical address space found");
	return 0;
}

/* --- bvecs ------------------------------------------------------------- */

static const struct bvec_range {
	long		pfn;		/* negative: down from the largest */
	unsigned int	offset;
	unsigned int	len;
	unsigned long	flags;
} ranges[] = {
	{ 0, 0, 1, 0 },
	{ 1, 4095, 1, PAGELESS_MMIO },
	{ 0x12345, 0, PAGE_SIZE, 0 },
	{ 0x12345, 511, 512, 0 },
	{ 0x12345, PAGE_SIZE - 1, 2, PAGELESS_MMIO },
	{ 0x12345, 1, 3 * PAGE_SIZE - 1, 0 },
	{ 0x12345, 3 * PAGE_SIZE + 3, 2 * PAGE_SIZE, 0 },
	{ -1, 0, PAGE_SIZE, 0 },
	{ -3, 5, 3 * PAGE_SIZE - 5, PAGELESS_MMIO },
};

static unsigned long range_pfn(const struct bvec_range *r)
{
	return r->pfn < 0 ? PAGELESS_PFN_MAX + 1 + r->pfn : r->pfn;
}

static void range_desc(const struct bvec_range *r, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "pfn %#lx offset %u len %u %s",
		 range_pfn(r), r->offset, r->len,
		 r->flags ? "mmio" : "memory");
}

KUNIT_ARRAY_PARAM(range, ranges, range_desc);

static void bvec_names_range(struct kunit *test)
{
	const struct bvec_range *r = test->param_value;
	phys_addr_t phys = PFN_PHYS(range_pfn(r)) + r->offset;
	struct bvec_iter iter, start = { .bi_size = r->len };
	struct bvec_iter_all all;
	struct bio_vec bv, seg, *bvp;
	unsigned int done = 0;

	KUNIT_ASSERT_EQ(test, 0, bvec_set_pfn(&bv, range_pfn(r), r->len,
					      r->offset, r->flags));
	KUNIT_EXPECT_FALSE(test, bvec_has_page(&bv));
	KUNIT_EXPECT_EQ(test, bvec_is_mmio(&bv), !!r->flags);
	KUNIT_EXPECT_EQ(test, bvec_phys(&bv), phys);
	KUNIT_EXPECT_EQ(test, bv.bv_len, r->len);

	for_each_bvec(seg, &bv, iter, start) {
		KUNIT_ASSERT_EQ(test, bvec_phys(&seg), phys + done);
		KUNIT_ASSERT_LE(test, seg.bv_offset + seg.bv_len, PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, bvec_is_mmio(&seg), !!r->flags);
		done += seg.bv_len;
	}
	KUNIT_EXPECT_EQ(test, done, r->len);

	done = 0;
	bvp = bvec_init_iter_all(&all);
	while (!all.idx) {
		bvec_advance(&bv, &all);
		KUNIT_ASSERT_EQ(test, bvec_phys(bvp), phys + done);
		KUNIT_ASSERT_LE(test, bvp->bv_offset + bvp->bv_len, PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, bvec_is_mmio(bvp), !!r->flags);
		done += bvp->bv_len;
	}
	KUNIT_EXPECT_EQ(test, done, r->len);
}

static void bvec_refuses_range(struct kunit *test)
{
	struct bio_vec bv = { .bv_len = 7 };

	KUNIT_EXPECT_EQ(test, -ERANGE,
			bvec_set_pfn(&bv, PAGELESS_PFN_MAX, PAGE_SIZE, 1, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			bvec_set_pfn(&bv, 1, 1, 0, PAGELESS_END));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			bvec_set_pfn(&bv, 1, 1, 0, PAGELESS_TAG));
	KUNIT_EXPECT_NULL(test, bv.bv_page);
	KUNIT_EXPECT_EQ(test, bv.bv_len, 7);
}

static void bvec_with_page_is_paged(struct kunit *test)
{
	struct page *page = ZERO_PAGE(0);
	struct bio_vec bv;

	bvec_set_page(&bv, page, 8, 16);
	KUNIT_EXPECT_TRUE(test, bvec_has_page(&bv));
	KUNIT_EXPECT_FALSE(test, bvec_is_mmio(&bv));
	KUNIT_EXPECT_EQ(test, bvec_phys(&bv), page_to_phys(page) + 16);
	KUNIT_EXPECT_PTR_EQ(test, bvec_nth_page(page, 3), page + 3);
}

/* --- building bios ------------------------------------------------------ */

static void put_bio(void *bio)
{
	bio_put(bio);
}

static struct bio *new_bio(struct kunit *test, struct block_device *bdev,
			   unsigned short nr_vecs)
{
	struct bio *bio = bio_alloc(bdev, nr_vecs, REQ_OP_WRITE, GFP_KERNEL);

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_bio, bio));
	return bio;
}

/* Adds it as the owner of the region does in which it begins. */
static int add_phys(struct bio *bio, phys_addr_t phys, unsigned int len)
{
	unsigned int nr = RAM_A;

	while (nr < BAR && phys >= region_base(nr + 1))
		nr++;
	return bio_add_region(bio, &regions[nr], len, phys - region_base(nr));
}

static struct bio *new_pageless_bio(struct kunit *test,
				    struct block_device *bdev)
{
	struct bio *bio = new_bio(test, bdev, 4);

	KUNIT_ASSERT_EQ(test, 4096, add_phys(bio, base, 4096));
	return bio;
}

static struct page *new_pages(struct kunit *test, unsigned int npages)
{
	void *addr = kunit_kmalloc(test, npages * PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, addr);
	return virt_to_page(addr);
}

static void add_region_refuses_range(struct kunit *test)
{
	static const struct {
		unsigned int	len;
		u64		off;
	} bad[] = {
		{ 0, 0 },
		{ (unsigned int)INT_MAX + 1, 0 },
		{ REGION_BYTES + 1, 0 },
		{ 2, REGION_BYTES - 1 },
		{ 1, REGION_BYTES },
		{ 512, U64_MAX - 511 },
		{ 512, (u64)S64_MAX + 1 },
	};
	struct bio *bio = new_bio(test, NULL, 4);

	/* Another region is behind that one, which changes nothing. */
	for (int i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
				    bio_add_region(bio, &regions[RAM_A],
						   bad[i].len, bad[i].off),
				    "range %d", i);
	KUNIT_EXPECT_EQ(test, bio->bi_vcnt, 0);
	KUNIT_EXPECT_EQ(test, bio->bi_iter.bi_size, 0);
	KUNIT_EXPECT_FALSE(test, bio_pageless(bio));
}

static void add_region_merges_within_region(struct kunit *test)
{
	struct bio *bio = new_bio(test, NULL, 4);

	KUNIT_EXPECT_EQ(test, 100, add_phys(bio, base + 1, 100));
	KUNIT_EXPECT_EQ(test, 9000, add_phys(bio, base + 101, 9000));
	KUNIT_EXPECT_EQ(test, bio->bi_vcnt, 1);
	KUNIT_EXPECT_EQ(test, bio->bi_io_vec[0].bv_len, 9100);
	KUNIT_EXPECT_EQ(test, bvec_phys(&bio->bi_io_vec[0]), base + 1);
	KUNIT_EXPECT_EQ(test, bio->bi_iter.bi_size, 9100);
	KUNIT_EXPECT_TRUE(test, bio_pageless(bio));

	/* A gap, and going back. */
	KUNIT_EXPECT_EQ(test, 1, add_phys(bio, base + 9102, 1));
	KUNIT_EXPECT_EQ(test, 1, add_phys(bio, base + 9101, 1));
	KUNIT_EXPECT_EQ(test, bio->bi_vcnt, 3);
}

static void add_region_keeps_regions_apart(struct kunit *test)
{
	struct bio *bio = new_bio(test, NULL, 4);

	KUNIT_EXPECT_EQ(test, 512, add_phys(bio, region_base(RAM_B) - 512, 512));
	KUNIT_EXPECT_EQ(test, REGION_BYTES,
			add_phys(bio, region_base(RAM_B), REGION_BYTES));
	KUNIT_EXPECT_EQ(test, 512, add_phys(bio, region_base(BAR), 512));
	KUNIT_EXPECT_EQ(test, bio->bi_vcnt, 3);
	KUNIT_EXPECT_FALSE(test, bvec_is_mmio(&bio->bi_io_vec[1]));
	KUNIT_EXPECT_TRUE(test, bvec_is_mmio(&bio->bi_io_vec[2]));
}

static void add_region_mixes_with_pages(struct kunit *test)
{
	struct page *page = new_pages(test, 1);
	struct bio *bio = new_bio(test, NULL, 4);

	KUNIT_EXPECT_EQ(test, 512, bio_add_page(bio, page, 512, 0));
	KUNIT_EXPECT_FALSE(test, bio_pageless(bio));
	KUNIT_EXPECT_EQ(test, 512, add_phys(bio, base, 512));
	KUNIT_EXPECT_EQ(test, 512, bio_add_page(bio, page, 512, 512));
	KUNIT_EXPECT_EQ(test, 512, bio_add_page(bio, page, 512, 1024));
	KUNIT_EXPECT_EQ(test, bio->bi_vcnt, 3);
	KUNIT_EXPECT_EQ(test, bio->bi_iter.bi_size, 2048);
	KUNIT_EXPECT_TRUE(test, bio_pageless(bio));
	KUNIT_EXPECT_TRUE(test, bvec_has_page(&bio->bi_io_vec[0]));
	KUNIT_EXPECT_FALSE(test, bvec_has_page(&bio->bi_io_vec[1]));
	KUNIT_EXPECT_EQ(test, bio->bi_io_vec[2].bv_len, 1024);
}

static void add_region_to_full_bio(struct kunit *test)
{
	struct bio *bio = new_bio(test, NULL, 1);

	bio->bi_max_vecs = 1;
	KUNIT_EXPECT_EQ(test, 512, add_phys(bio, base, 512));
	KUNIT_EXPECT_EQ(test, 0, add_phys(bio, base + 1024, 512));
	KUNIT_EXPECT_EQ(test, 512, add_phys(bio, base + 512, 512));
	KUNIT_EXPECT_EQ(test, bio->bi_iter.bi_size, 1024);
	KUNIT_EXPECT_EQ(test, bio->bi_vcnt, 1);

	bio->bi_iter.bi_size = UINT_MAX - 511;
	KUNIT_EXPECT_EQ(test, 0, add_phys(bio, base + 1024, 512));
	KUNIT_EXPECT_EQ(test, bio->bi_io_vec[0].bv_len, 1024);
}

static void flag_is_inherited(struct kunit *test)
{
	struct bio *bio = new_pageless_bio(test, NULL);
	struct bio *clone, *split, local;

	clone = bio_alloc_clone(NULL, bio, GFP_KERNEL, &fs_bio_set);
	KUNIT_EXPECT_TRUE(test, bio_pageless(clone));

	split = bio_split(clone, 1, GFP_KERNEL, &fs_bio_set);
	KUNIT_EXPECT_TRUE(test, bio_pageless(split));
	KUNIT_EXPECT_TRUE(test, bio_pageless(clone));
	bio_trim(clone, 1, 1);
	KUNIT_EXPECT_TRUE(test, bio_pageless(clone));

	KUNIT_EXPECT_EQ(test, 0, bio_init_clone(NULL, &local, split,
						GFP_KERNEL));
	KUNIT_EXPECT_TRUE(test, bio_pageless(&local));
	bio_uninit(&local);
	bio_put(split);
	bio_put(clone);

	bio_reset(bio, NULL, REQ_OP_READ);
	KUNIT_EXPECT_FALSE(test, bio_pageless(bio));
}

/* --- disks -------------------------------------------------------------- */

struct entry {
	u64		pos;		/* of the request on the disk, bytes */
	u64		off;		/* of the entry in the request */
	phys_addr_t	phys;
	unsigned int	len;
	bool		paged;
	bool		mmio;
	bool		last;		/* of the request */
};

struct mock {
	struct gendisk		*disk;
	struct gendisk		*lower;		/* where bios are passed on */
	struct blk_mq_tag_set	set;
	bool			mq;
	atomic_t		submits;
	unsigned int		nents;
	struct entry		entries[MAX_ENTRIES];
	struct scatterlist	sgl[MAX_ENTRIES];
};

static void mock_submit_bio(struct bio *bio)
{
	struct mock *mock = bio->bi_bdev->bd_disk->private_data;

	atomic_inc(&mock->submits);
	bio = bio_split_to_limits(bio);
	if (!bio)
		return;
	if (!mock->lower) {
		bio_endio(bio);
		return;
	}
	bio_set_dev(bio, mock->lower->part0);
	submit_bio_noacct(bio);
}

static void mock_record(struct mock *mock, struct request *rq, int nents)
{
	struct scatterlist *sg;
	u64 off = 0;
	int i;

	for_each_sg(mock->sgl, sg, nents, i) {
		if (mock->nents == MAX_ENTRIES)
			return;
		mock->entries[mock->nents++] = (struct entry) {
			.pos	= blk_rq_pos(rq) << SECTOR_SHIFT,
			.off	= off,
			.phys	= sg_phys(sg),
			.len	= sg->length,
			.paged	= sg_has_page(sg),
			.mmio	= sg_is_mmio(sg),
			.last	= sg_is_last(sg),
		};
		off += sg->length;
	}
}

static blk_status_t mock_queue_rq(struct blk_mq_hw_ctx *hctx,
				  const struct blk_mq_queue_data *bd)
{
	struct mock *mock = hctx->queue->queuedata;

	atomic_inc(&mock->submits);
	blk_mq_start_request(bd->rq);
	/* Not initialized on purpose: entries are used again, see mock_new(). */
	mock_record(mock, bd->rq, blk_rq_map_sg(hctx->queue, bd->rq,
						mock->sgl));
	blk_mq_end_request(bd->rq, BLK_STS_OK);
	return BLK_STS_OK;
}

static const struct block_device_operations mock_fops = {
	.submit_bio	= mock_submit_bio,
};

static const struct block_device_operations mock_mq_fops = { };

static const struct blk_mq_ops mock_mq_ops = {
	.queue_rq	= mock_queue_rq,
};

static void mock_free(void *data)
{
	struct mock *mock = data;

	del_gendisk(mock->disk);
	put_disk(mock->disk);
	if (mock->mq)
		blk_mq_free_tag_set(&mock->set);
}

static struct mock *mock_new(struct kunit *test, struct queue_limits *lim,
			     bool mq)
{
	struct mock *mock = kunit_kzalloc(test, sizeof(*mock), GFP_KERNEL);
	static unsigned int nr;

	KUNIT_ASSERT_NOT_NULL(test, mock);
	sg_init_table(mock->sgl, MAX_ENTRIES);
	mock->mq = mq;
	if (mq) {
		KUNIT_ASSERT_EQ(test, 0,
				blk_mq_alloc_sq_tag_set(&mock->set,
							&mock_mq_ops, 16,
							BLK_MQ_F_SHOULD_MERGE));
		mock->disk = blk_mq_alloc_disk(&mock->set, lim, mock);
	} else {
		mock->disk = blk_alloc_disk(lim, NUMA_NO_NODE);
	}
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mock->disk);
	mock->disk->fops = mq ? &mock_mq_fops : &mock_fops;
	mock->disk->private_data = mock;
	mock->disk->flags |= GENHD_FL_NO_PART;
	sprintf(mock->disk->disk_name, "blkpl%u", nr++);
	set_capacity(mock->disk, DISK_SECTORS);
	KUNIT_ASSERT_EQ(test, 0, device_add_disk(NULL, mock->disk, NULL));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mock_free,
							   mock));
	return mock;
}

static struct mock *mock_pageless(struct kunit *test, bool mq)
{
	struct queue_limits lim = { .features = BLK_FEAT_PAGELESS };

	return mock_new(test, &lim, mq);
}

static struct mock *mock_paged(struct kunit *test, bool mq)
{
	struct queue_limits lim = { };

	return mock_new(test, &lim, mq);
}

/* --- scatterlists ------------------------------------------------------- */

struct piece {
	phys_addr_t	phys;
	unsigned int	len;
	bool		paged;
	bool		mmio;
};

/* Is the entry what the bio has at that place? It may span bvecs. */
static void expect_entry(struct kunit *test, const struct entry *e,
			 const struct piece *piece)
{
	u64 skip = e->pos + e->off;
	phys_addr_t phys = e->phys;
	unsigned int left = e->len, part;

	for (; skip >= piece->len; piece++)
		skip -= piece->len;
	for (; left; left -= part, phys += part, skip = 0, piece++) {
		part = min_t(u64, left, piece->len - skip);
		KUNIT_ASSERT_GT(test, part, 0);
		KUNIT_ASSERT_EQ(test, phys, piece->phys + skip);
		KUNIT_ASSERT_EQ(test, e->paged, piece->paged);
		KUNIT_ASSERT_EQ(test, e->mmio, piece->mmio);
	}
	if (!e->paged)
		KUNIT_ASSERT_NOT_NULL(test, dma_region_find(e->phys, e->len));
}

static void expect_limits(struct kunit *test, const struct entry *e,
			  const struct queue_limits *lim)
{
	phys_addr_t end = e->phys + e->len;

	KUNIT_EXPECT_LE(test, e->len, lim->max_segment_size);
	KUNIT_EXPECT_EQ(test, e->phys | lim->seg_boundary_mask,
			(end - 1) | lim->seg_boundary_mask);
	if (e->off)
		KUNIT_EXPECT_EQ(test, e->phys & lim->virt_boundary_mask, 0);
	if (!e->last)
		KUNIT_EXPECT_EQ(test, end & lim->virt_boundary_mask, 0);
}

static void expect_entries(struct kunit *test, struct mock *mock,
			   const struct piece *pieces, u64 bytes)
{
	u64 total = 0;

	for (int i = 0; i < mock->nents; i++) {
		expect_entry(test, &mock->entries[i], pieces);
		expect_limits(test, &mock->entries[i],
			      &mock->disk->queue->limits);
		total += mock->entries[i].len;
	}
	KUNIT_EXPECT_EQ(test, total, bytes);
}

static void random_piece(struct rnd_state *rnd, struct piece *piece,
			 struct page *pages)
{
	static const unsigned int aligns[] = { 1, 4, 512, PAGE_SIZE };
	unsigned int kind = prandom_u32_state(rnd) % 4;
	unsigned int offset = prandom_u32_state(rnd) % (REGION_BYTES / 2);

	offset = round_down(offset, aligns[prandom_u32_state(rnd) % 4]);
	/* A bio is split at multiples of a sector. */
	piece->len = SECTOR_SIZE * (1 + prandom_u32_state(rnd) % 64);
	if (piece->len > PAGE_SIZE && prandom_u32_state(rnd) % 2)
		piece->len = round_down(piece->len, PAGE_SIZE);
	piece->paged = kind == NR_REGIONS;
	piece->mmio = kind == BAR;
	piece->phys = offset + (piece->paged ? page_to_phys(pages) :
				region_base(kind));
}

static int add_piece(struct bio *bio, const struct piece *piece)
{
	struct page *page;

	if (!piece->paged)
		return add_phys(bio, piece->phys, piece->len);
	page = pfn_to_page(PHYS_PFN(piece->phys));
	return bio_add_page(bio, page, piece->len, offset_in_page(piece->phys));
}

static const struct queue_limits map_limits[] = {
	{ .max_segments = 128 },
	{ .max_segments = 128, .max_segment_size = PAGE_SIZE },
	{ .max_segments = 128, .max_segment_size = 3 * PAGE_SIZE },
	{ .max_segments = 128, .seg_boundary_mask = PAGE_SIZE - 1 },
	{ .max_segments = 128, .seg_boundary_mask = 4 * PAGE_SIZE - 1 },
	{ .max_segments = 128, .virt_boundary_mask = PAGE_SIZE - 1 },
	{ .max_segments = 3 },
	{ .max_segments = 128, .max_hw_sectors = PAGE_SECTORS },
};

static void limits_desc(const struct queue_limits *lim, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE,
		 "segments %u size %u boundary %#lx gap %#lx sectors %u",
		 lim->max_segments, lim->max_segment_size,
		 lim->seg_boundary_mask, lim->virt_boundary_mask,
		 lim->max_hw_sectors);
}

KUNIT_ARRAY_PARAM(limits, map_limits, limits_desc);

static void sg_list_is_what_bio_has(struct kunit *test)
{
	struct queue_limits lim = *(struct queue_limits *)test->param_value;
	u32 my_seed = seed ?: get_random_u32() ?: 1;
	struct page *pages = new_pages(test, REGION_PAGES);
	struct piece pieces[12];
	struct rnd_state rnd;
	struct mock *mock;

	kunit_info(test, "blk_pageless_kunit.seed=%u", my_seed);
	prandom_seed_state(&rnd, my_seed);
	lim.features |= BLK_FEAT_PAGELESS;
	mock = mock_new(test, &lim, true);

	for (int round = 0; round < 200; round++) {
		struct bio *bio = bio_alloc(mock->disk->part0,
					    ARRAY_SIZE(pieces), REQ_OP_WRITE,
					    GFP_KERNEL);
		int nr = 1 + prandom_u32_state(&rnd) % ARRAY_SIZE(pieces);
		u64 bytes;

		for (int i = 0; i < nr; i++) {
			random_piece(&rnd, &pieces[i], pages);
			if (i && pieces[i].paged == pieces[i - 1].paged &&
			    prandom_u32_state(&rnd) % 4 == 0) {
				pieces[i].phys = pieces[i - 1].phys +
						 pieces[i - 1].len;
				pieces[i].mmio = !pieces[i].paged &&
					pieces[i].phys >= region_base(BAR);
			}
			if (add_piece(bio, &pieces[i]) <= 0)
				nr = i;
		}
		bytes = bio->bi_iter.bi_size;
		mock->nents = 0;
		if (nr)
			KUNIT_EXPECT_EQ(test, 0, submit_bio_wait(bio));
		bio_put(bio);
		expect_entries(test, mock, pieces, bytes);
		if (test->status == KUNIT_FAILURE)
			return;
	}
}

/* Two bios that are neighbours on the disk become one request. */
static unsigned int merged_entries(struct kunit *test, phys_addr_t first,
				   phys_addr_t second)
{
	struct mock *mock = mock_pageless(test, true);
	struct bio *bios[2];
	struct blk_plug plug;

	for (int i = 0; i < 2; i++) {
		bios[i] = bio_alloc(mock->disk->part0, 1, REQ_OP_WRITE,
				    GFP_KERNEL);
		bios[i]->bi_iter.bi_sector = i;
		KUNIT_EXPECT_EQ(test, 512,
				add_phys(bios[i], i ? second : first, 512));
	}
	bio_chain(bios[0], bios[1]);
	blk_start_plug(&plug);
	submit_bio(bios[0]);
	submit_bio_wait(bios[1]);
	blk_finish_plug(&plug);
	bio_put(bios[1]);

	KUNIT_EXPECT_EQ(test, atomic_read(&mock->submits), 1);
	return mock->nents;
}

static void requests_merge_within_region(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 1, merged_entries(test, base, base + 512));
	KUNIT_EXPECT_EQ(test, 2, merged_entries(test, base, base + 1024));
}

static void requests_keep_regions_apart(struct kunit *test)
{
	phys_addr_t b = region_base(RAM_B), bar = region_base(BAR);

	KUNIT_EXPECT_EQ(test, 2, merged_entries(test, b - 512, b));
	KUNIT_EXPECT_EQ(test, 2, merged_entries(test, bar - 512, bar));
}

/* --- limits ------------------------------------------------------------- */

static void feature_is_not_inherited(struct kunit *test)
{
	struct queue_limits with, without, top;

	blk_set_stacking_limits(&with);
	with.features |= BLK_FEAT_PAGELESS;
	blk_set_stacking_limits(&without);

	blk_set_stacking_limits(&top);
	blk_stack_limits(&top, &with, 0);
	KUNIT_EXPECT_FALSE(test, top.features & BLK_FEAT_PAGELESS);

	blk_set_stacking_limits(&top);
	top.features |= BLK_FEAT_PAGELESS;
	blk_stack_limits(&top, &with, 0);
	KUNIT_EXPECT_TRUE(test, top.features & BLK_FEAT_PAGELESS);
	blk_stack_limits(&top, &without, 0);
	KUNIT_EXPECT_FALSE(test, top.features & BLK_FEAT_PAGELESS);
	blk_stack_limits(&top, &with, 0);
	KUNIT_EXPECT_FALSE(test, top.features & BLK_FEAT_PAGELESS);
}

/* --- refusals ----------------------------------------------------------- */

static void expect_accepted(struct kunit *test, struct mock *mock,
			    struct bio *bio)
{
	KUNIT_EXPECT_EQ(test, 0, submit_bio_wait(bio));
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&mock->submits));
}

static void expect_refused(struct kunit *test, struct mock *mock,
			   struct bio *bio)
{
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, submit_bio_wait(bio));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&mock->submits));
}

static void queue_with_feature_accepts(struct kunit *test)
{
	for (int mq = 0; mq < 2; mq++) {
		struct mock *mock = mock_pageless(test, mq);
		struct block_device *bdev = mock->disk->part0;

		KUNIT_EXPECT_TRUE(test, bdev_pageless(bdev));
		expect_accepted(test, mock, new_pageless_bio(test, bdev));
	}
}

static void queue_without_feature_refuses(struct kunit *test)
{
	for (int mq = 0; mq < 2; mq++) {
		struct mock *mock = mock_paged(test, mq);
		struct block_device *bdev = mock->disk->part0;

		KUNIT_EXPECT_FALSE(test, bdev_pageless(bdev));
		expect_refused(test, mock, new_pageless_bio(test, bdev));
	}
}

static void queue_that_bounces_refuses(struct kunit *test)
{
	struct queue_limits lim = {
		.features = BLK_FEAT_PAGELESS | BLK_FEAT_BOUNCE_HIGH,
	};
	struct mock *mock = mock_new(test, &lim, true);

	expect_refused(test, mock, new_pageless_bio(test, mock->disk->part0));
}

static void queue_with_integrity_refuses(struct kunit *test)
{
	struct queue_limits lim = {
		.features = BLK_FEAT_PAGELESS,
		.integrity = {
			.csum_type	= BLK_INTEGRITY_CSUM_CRC,
			.tuple_size	= 8,
		},
	};
	struct mock *mock;

	if (!IS_ENABLED(CONFIG_BLK_DEV_INTEGRITY))
		kunit_skip(test, "needs CONFIG_BLK_DEV_INTEGRITY");
	mock = mock_new(test, &lim, true);
	expect_refused(test, mock, new_pageless_bio(test, mock->disk->part0));
}

static void bio_with_integrity_is_refused(struct kunit *test)
{
	struct mock *mock = mock_pageless(test, true);
	struct bio *bio = new_pageless_bio(test, mock->disk->part0);

	if (!IS_ENABLED(CONFIG_BLK_DEV_INTEGRITY))
		kunit_skip(test, "needs CONFIG_BLK_DEV_INTEGRITY");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test,
				     bio_integrity_alloc(bio, GFP_KERNEL, 1));
	expect_refused(test, mock, bio);
}

#ifdef CONFIG_BLK_INLINE_ENCRYPTION
static void bio_with_encryption_is_refused(struct kunit *test)
{
	static const u64 dun[BLK_CRYPTO_DUN_ARRAY_SIZE];
	static struct blk_crypto_key key;
	struct mock *mock = mock_pageless(test, true);
	struct bio *bio = new_pageless_bio(test, mock->disk->part0);

	bio_crypt_set_ctx(bio, &key, dun, GFP_KERNEL);
	expect_refused(test, mock, bio);
}
#else
static void bio_with_encryption_is_refused(struct kunit *test)
{
	kunit_skip(test, "needs CONFIG_BLK_INLINE_ENCRYPTION");
}
#endif

static void remapped_bio_is_refused(struct kunit *test)
{
	for (int mq = 0; mq < 2; mq++) {
		struct mock *top = mock_pageless(test, false);
		struct mock *bottom = mock_paged(test, mq);

		struct bio *bio = new_pageless_bio(test, top->disk->part0);

		top->lower = bottom->disk;
		KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, submit_bio_wait(bio));
		KUNIT_EXPECT_EQ(test, 1, atomic_read(&top->submits));
		KUNIT_EXPECT_EQ(test, 0, atomic_read(&bottom->submits));
	}
}

static void every_part_of_split_bio_is_refused(struct kunit *test)
{
	struct queue_limits lim = {
		.features	= BLK_FEAT_PAGELESS,
		.max_hw_sectors	= PAGE_SECTORS,
	};
	struct mock *top = mock_new(test, &lim, false);
	struct mock *bottom = mock_paged(test, true);
	struct bio *bio = new_bio(test, top->disk->part0, 4);

	top->lower = bottom->disk;
	KUNIT_EXPECT_EQ(test, 4 * PAGE_SIZE,
			add_phys(bio, base, 4 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, submit_bio_wait(bio));
	KUNIT_EXPECT_EQ(test, 4, atomic_read(&top->submits));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&bottom->submits));
}

struct submit_work {
	struct work_struct	work;
	struct bio		*bio;
	int			ret;
};

static void submit_fn(struct work_struct *work)
{
	struct submit_work *sw = container_of(work, struct submit_work, work);

	sw->ret = submit_bio_wait(sw->bio);
}

static void bio_that_waited_for_limits_is_refused(struct kunit *test)
{
	for (int mq = 0; mq < 2; mq++) {
		struct mock *mock = mock_pageless(test, mq);
		struct request_queue *q = mock->disk->queue;
		struct submit_work sw = {
			.bio = new_pageless_bio(test, mock->disk->part0),
		};
		struct queue_limits lim;

		INIT_WORK_ONSTACK(&sw.work, submit_fn);
		blk_mq_freeze_queue(q);
		queue_work(system_unbound_wq, &sw.work);
		/* Long enough to get past the first check and wait. */
		msleep(100);
		lim = queue_limits_start_update(q);
		lim.features &= ~BLK_FEAT_PAGELESS;
		KUNIT_EXPECT_EQ(test, 0, queue_limits_commit_update(q, &lim));
		blk_mq_unfreeze_queue(q);
		flush_work(&sw.work);
		destroy_work_on_stack(&sw.work);

		KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, sw.ret);
		KUNIT_EXPECT_EQ(test, 0, atomic_read(&mock->submits));
	}
}

static void passthrough_is_refused(struct kunit *test)
{
	for (int mq_feature = 0; mq_feature < 2; mq_feature++) {
		struct mock *mock = mq_feature ? mock_pageless(test, true) :
						 mock_paged(test, true);
		struct bio *bio = new_pageless_bio(test, NULL);
		struct request *rq;

		rq = blk_mq_alloc_request(mock->disk->queue, REQ_OP_DRV_OUT, 0);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, rq);
		KUNIT_EXPECT_EQ(test, mq_feature ? 0 : -EOPNOTSUPP,
				blk_rq_append_bio(rq, bio));
		blk_mq_free_request(rq);
	}
}

static void cloned_request_is_refused(struct kunit *test)
{
	struct mock *top = mock_pageless(test, true);
	struct mock *bottom = mock_paged(test, true);
	struct bio *bio = new_pageless_bio(test, top->disk->part0);
	struct request *rq, *clone;

	rq = blk_mq_alloc_request(top->disk->queue, REQ_OP_WRITE, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, rq);
	KUNIT_ASSERT_EQ(test, 0, blk_rq_append_bio(rq, bio));
	clone = blk_mq_alloc_request(bottom->disk->queue, REQ_OP_WRITE, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, clone);
	KUNIT_ASSERT_EQ(test, 0, blk_rq_prep_clone(clone, rq, NULL, GFP_KERNEL,
						   NULL, NULL));

	KUNIT_EXPECT_EQ(test, (__force int)BLK_STS_NOTSUPP,
			(__force int)blk_insert_cloned_request(clone));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&bottom->submits));
	blk_rq_unprep_clone(clone);
	blk_mq_free_request(clone);
	blk_mq_free_request(rq);
}

/* dm-1 is dm-crypt over a disk that takes page-less bios: see dm-mod.create */
static const char *const drivers_that_need_pages[] = {
	"ram0", "loop0", "nullb0", "dm-1",
};

static void name_desc(const char *const *name, char *desc)
{
	strscpy(desc, *name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(name, drivers_that_need_pages, name_desc);

static void driver_refuses(struct kunit *test)
{
	const char *name = *(const char *const *)test->param_value;
	struct device *dev = class_find_device_by_name(&block_class, name);
	struct block_device *bdev;

	if (!dev)
		kunit_skip(test, "no %s", name);
	bdev = dev_to_bdev(dev);
	KUNIT_EXPECT_FALSE(test, bdev_pageless(bdev));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			submit_bio_wait(new_pageless_bio(test, bdev)));
	put_device(dev);
}

/* --- what prints a warning, once ---------------------------------------- */

static void warns_and_leaves_bvec_alone(struct kunit *test)
{
	char buf[16] = "unchanged";
	struct bio_vec bv;

	skip_unless_warn(test);
	KUNIT_ASSERT_EQ(test, 0, bvec_set_pfn(&bv, 0x12345, 8, 0, 0));
	memcpy_from_bvec(buf, &bv);
	KUNIT_EXPECT_STREQ(test, buf, "unchanged");
	memcpy_to_bvec(&bv, buf);
	memzero_bvec(&bv);
	KUNIT_EXPECT_NULL(test, bvec_kmap_local(&bv));
	KUNIT_EXPECT_NULL(test, bvec_virt(&bv));
}

static void warns_and_leaves_bio_alone(struct kunit *test)
{
	struct page *pages = new_pages(test, 2);
	struct bio *bio = new_bio(test, NULL, 4);
	struct bio *paged = new_bio(test, NULL, 4);
	struct folio_iter fi;
	unsigned int folios = 0;

	skip_unless_warn(test);
	KUNIT_ASSERT_EQ(test, 512, add_phys(bio, base, 512));
	KUNIT_ASSERT_EQ(test, 512, bio_add_page(bio, pages, 512, 0));
	KUNIT_ASSERT_EQ(test, 512, add_phys(bio, base + 512, 512));
	KUNIT_ASSERT_EQ(test, 512, bio_add_page(paged, pages + 1, 512, 0));

	bio_for_each_folio_all(fi, bio)
		folios++;
	KUNIT_EXPECT_EQ(test, folios, 1);
	memset(page_address(pages), 0x5a, 512);
	zero_fill_bio(bio);
	KUNIT_EXPECT_NULL(test, memchr_inv(page_address(pages), 0, 512));
	memset(page_address(pages + 1), 0x5a, 512);
	bio_copy_data(paged, bio);
	bio_copy_data(bio, paged);
	KUNIT_EXPECT_NULL(test, memchr_inv(page_address(pages + 1), 0x5a, 512));
	KUNIT_EXPECT_NULL(test, bio_data(bio));
	KUNIT_EXPECT_NULL(test, bio_first_page_all(bio));
}

static void warns_and_stops_iov_iter(struct kunit *test)
{
	struct page *page = NULL, **pages = &page;
	struct iov_iter iter;
	struct bio_vec bv;
	size_t offset;
	char buf[8];

	skip_unless_warn(test);
	KUNIT_ASSERT_EQ(test, 0, bvec_set_pfn(&bv, 0x12345, 8, 0, 0));
	iov_iter_bvec(&iter, ITER_SOURCE, &bv, 1, 8);
	KUNIT_EXPECT_EQ(test, 0, copy_from_iter(buf, 8, &iter));
	KUNIT_EXPECT_EQ(test, 8, iov_iter_count(&iter));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			iov_iter_get_pages2(&iter, pages, 8, 1, &offset));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			iov_iter_extract_pages(&iter, &pages, 8, 1, 0,
					       &offset));
	KUNIT_EXPECT_NULL(test, page);
}

static struct kunit_case blk_pageless_cases[] = {
	KUNIT_CASE_PARAM(bvec_names_range, range_gen_params),
	KUNIT_CASE(bvec_refuses_range),
	KUNIT_CASE(bvec_with_page_is_paged),
	KUNIT_CASE(add_region_refuses_range),
	KUNIT_CASE(add_region_merges_within_region),
	KUNIT_CASE(add_region_keeps_regions_apart),
	KUNIT_CASE(add_region_mixes_with_pages),
	KUNIT_CASE(add_region_to_full_bio),
	KUNIT_CASE(flag_is_inherited),
	KUNIT_CASE_PARAM(sg_list_is_what_bio_has, limits_gen_params),
	KUNIT_CASE(requests_merge_within_region),
	KUNIT_CASE(requests_keep_regions_apart),
	KUNIT_CASE(feature_is_not_inherited),
	KUNIT_CASE(queue_with_feature_accepts),
	KUNIT_CASE(queue_without_feature_refuses),
	KUNIT_CASE(queue_that_bounces_refuses),
	KUNIT_CASE(queue_with_integrity_refuses),
	KUNIT_CASE(bio_with_integrity_is_refused),
	KUNIT_CASE(bio_with_encryption_is_refused),
	KUNIT_CASE(remapped_bio_is_refused),
	KUNIT_CASE(every_part_of_split_bio_is_refused),
	KUNIT_CASE(bio_that_waited_for_limits_is_refused),
	KUNIT_CASE(passthrough_is_refused),
	KUNIT_CASE(cloned_request_is_refused),
	KUNIT_CASE_PARAM(driver_refuses, name_gen_params),
	{}
};

static struct kunit_suite blk_pageless_suite = {
	.name		= "blk_pageless",
	.suite_init	= find_regions,
	.suite_exit	= unregister_regions,
	.init		= need_regions,
	.test_cases	= blk_pageless_cases,
};

/* Apart from the others, for those who want a log without any splats. */
static struct kunit_case blk_pageless_warn_cases[] = {
	KUNIT_CASE(warns_and_leaves_bvec_alone),
	KUNIT_CASE(warns_and_leaves_bio_alone),
	KUNIT_CASE(warns_and_stops_iov_iter),
	{}
};

static struct kunit_suite blk_pageless_warn_suite = {
	.name		= "blk_pageless_warn",
	.suite_init	= find_regions,
	.suite_exit	= unregister_regions,
	.init		= need_regions,
	.test_cases	= blk_pageless_warn_cases,
};

kunit_test_suites(&blk_pageless_suite, &blk_pageless_warn_suite);

MODULE_DESCRIPTION("KUnit tests of bios with memory that has no struct page");
MODULE_LICENSE("GPL");
