/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For KUnit tests of memory that has no struct page: addresses where nothing
 * is, and scatterlists that have to come back as they were.
 */
#ifndef _KUNIT_PAGELESS_H
#define _KUNIT_PAGELESS_H

#include <kunit/test.h>
#include <linux/align.h>
#include <linux/ioport.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/pageless.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>

static inline bool kunit_phys_space_is_free(u64 phys, u64 size)
{
	u64 pos;

	if (region_intersects(phys, size, IORESOURCE_MEM,
			      IORES_DESC_NONE) != REGION_DISJOINT)
		return false;
	for (pos = 0; pos < size; pos += SZ_1M)
		if (pfn_valid(PHYS_PFN(phys + pos)))
			return false;
	return true;
}

/**
 * kunit_find_phys_space - find physical address space that nothing uses
 * @size: in bytes, a power of 2
 * @limit: end of where it may be, 0 for none
 *
 * What is in use may be long, as the 12 GiB that AMD reserves below 1 TiB, or
 * as large as a half of all.
 *
 * Return: the highest that was found where the architecture could have memory,
 * aligned to @size; or 0.
 */
static inline u64 kunit_find_phys_space(u64 size, u64 limit)
{
	u64 end = min3(limit ?: U64_MAX, (u64)iomem_resource.end,
		       PFN_PHYS((u64)PAGELESS_PFN_MAX));
	int tries;

#ifdef MAX_PHYSMEM_BITS
	end = min_t(u64, end, (1ULL << MAX_PHYSMEM_BITS) - 1);
#endif
	for (tries = 1; end > 2 * size; tries++) {
		u64 phys = ALIGN_DOWN(end, size) - size;

		if (kunit_phys_space_is_free(phys, size))
			return phys;
		end = tries % 256 ? phys : end / 2;
	}
	return 0;
}

#define KUNIT_SGL_CHUNK	4		/* entries; the last one is a link */

/**
 * kunit_new_sgl - make a scatterlist that is chained as much as possible
 * @test: that it is freed with
 * @n: how many entries it has at least
 *
 * Return: the list; @test ends where there is no memory for it.
 */
static inline struct scatterlist *kunit_new_sgl(struct kunit *test,
						unsigned int n)
{
	unsigned int nchunks = DIV_ROUND_UP(n, KUNIT_SGL_CHUNK - 1), i;
	struct scatterlist *sgl;

	sgl = kunit_kcalloc(test, nchunks * KUNIT_SGL_CHUNK, sizeof(*sgl),
			    GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sgl);
	sg_init_table(sgl, nchunks * KUNIT_SGL_CHUNK);
	for (i = 1; i < nchunks; i++)
		sg_chain(sgl + (i - 1) * KUNIT_SGL_CHUNK, KUNIT_SGL_CHUNK,
			 sgl + i * KUNIT_SGL_CHUNK);
	return sgl;
}

/* What a mapping must leave alone, or put back. */
struct kunit_sg_entry {
	unsigned long	page_link;
	unsigned int	offset;
	unsigned int	length;
	unsigned int	dma_flags;
};

static inline void kunit_get_sg_entry(struct scatterlist *sg,
				      struct kunit_sg_entry *entry)
{
	memset(entry, 0, sizeof(*entry));
	entry->page_link = sg->page_link;
	entry->offset = sg->offset;
	entry->length = sg->length;
#ifdef CONFIG_NEED_SG_DMA_FLAGS
	entry->dma_flags = sg->dma_flags;
#endif
}

/* Are the first @n entries of @sgl what kunit_get_sg_entry() found? */
static inline void kunit_expect_sg_entries(struct kunit *test,
					   struct scatterlist *sgl,
					   const struct kunit_sg_entry *entry,
					   unsigned int n)
{
	struct kunit_sg_entry now;
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(sgl, sg, n, i) {
		kunit_get_sg_entry(sg, &now);
		KUNIT_EXPECT_MEMEQ_MSG(test, &now, &entry[i], sizeof(now),
				       "entry %u changed", i);
	}
}

#endif /* _KUNIT_PAGELESS_H */
