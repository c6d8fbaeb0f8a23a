// SPDX-License-Identifier: GPL-2.0
/*
 * Bios with memory that has no struct page.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/dma-region.h>
#include <linux/export.h>
#include <linux/mm.h>
#include "blk.h"

/*
 * May one scatterlist entry name the memory of both bvecs, of which the second
 * starts where the first ends, and one at least is page-less?  Only memory of
 * the same region is known to have the same attribute, kernel alias and route.
 */
bool bvec_pageless_mergeable(const struct bio_vec *vec1,
			     const struct bio_vec *vec2)
{
	struct dma_region *region;

	if (bvec_has_page(vec1) || bvec_has_page(vec2) ||
	    bvec_is_mmio(vec1) != bvec_is_mmio(vec2))
		return false;

	region = dma_region_find(bvec_phys(vec1), vec1->bv_len);
	return region &&
	       dma_region_covers(region, bvec_phys(vec2), vec2->bv_len);
}

static bool bvec_try_merge(struct bio_vec *bv, const struct bio_vec *next)
{
	if (bvec_phys(bv) + bv->bv_len != bvec_phys(next))
		return false;
	if (!bvec_pageless_mergeable(bv, next))
		return false;
	bv->bv_len += next->bv_len;
	return true;
}

/* Is the range in a region, and is that of the kind that the flags say? */
static bool range_is_pageless(phys_addr_t phys, unsigned int len,
			      unsigned long flags)
{
	struct dma_region *region = dma_region_find(phys, len);

	return region && (region->attr == DMA_REGION_MMIO) ==
			 !!(flags & PAGELESS_MMIO);
}

/**
 * bio_add_phys - add memory that has no struct page to a bio
 * @bio: destination bio
 * @phys: physical address of the first byte
 * @len: number of bytes, from 1 to %INT_MAX
 * @flags: %PAGELESS_MMIO for device memory (a PCI BAR), else 0
 *
 * For memory without struct page what bio_add_page() is for other memory. A
 * bio may have both. The range lies in one registered region, which the caller
 * holds, by dma_region_get() or dma_region_attach(), from before this call
 * until @bio and all that was cloned or split from it have completed. The bio
 * does not take a hold, and nothing lets go of one when it completes.
 *
 * The block device may refuse the bio when it is submitted, with
 * %BLK_STS_NOTSUPP: bdev_pageless() says whether it is worth trying. It ends
 * with %BLK_STS_TARGET if the device has no route to the memory.
 *
 * The CPU must not be asked to read or write the data of the bio: no
 * bio_copy_data(), zero_fill_bio(), bio_set_pages_dirty() and the like, no
 * integrity data and no encryption context.
 *
 * Context: Any.
 * Return: @len; 0 if @bio is full, as bio_add_page(): submit it and go on with
 * another; or an error that leaves @bio as it was: %-EINVAL if no region covers
 * the range or it is of the other kind, for a @len out of range and for an unknown flag;
 * %-EOPNOTSUPP without CONFIG_DMA_PAGELESS.
 */
int bio_add_phys(struct bio *bio, phys_addr_t phys, unsigned int len,
		 unsigned long flags)
{
	struct bio_vec bv;
	int ret;

	if (WARN_ON_ONCE(bio_flagged(bio, BIO_CLONED)))
		return 0;
	/* A PFN that the bvec cannot hold is in no region either. */
	if (!len || len > INT_MAX || !range_is_pageless(phys, len, flags))
		return -EINVAL;
	ret = bvec_set_pfn(&bv, PHYS_PFN(phys), len, offset_in_page(phys),
			   flags);
	if (ret)
		return ret;

	if (bio->bi_iter.bi_size > UINT_MAX - len)
		return 0;
	if (!bio->bi_vcnt ||
	    !bvec_try_merge(&bio->bi_io_vec[bio->bi_vcnt - 1], &bv)) {
		if (bio->bi_vcnt >= bio->bi_max_vecs)
			return 0;
		bio->bi_io_vec[bio->bi_vcnt++] = bv;
	}
	bio->bi_iter.bi_size += len;
	bio_set_flag(bio, BIO_PAGELESS);
	return len;
}
EXPORT_SYMBOL_GPL(bio_add_phys);
