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

/* Does the bvec end at the address, and lie in the region as a whole? */
static bool bvec_ends_at(const struct bio_vec *bv, phys_addr_t phys,
			 const struct dma_region *region)
{
	return !bvec_has_page(bv) && bvec_phys(bv) + bv->bv_len == phys &&
	       dma_region_covers(region, bvec_phys(bv), bv->bv_len);
}

/**
 * bio_add_region - add memory that has no struct page to a bio
 * @bio: destination bio
 * @region: the registered region that the memory is in
 * @len: number of bytes, from 1 to %INT_MAX
 * @off: where they begin, in bytes from the begin of @region
 *
 * For memory without struct page what bio_add_page() is for other memory. A
 * bio may have both. The caller holds @region, by dma_region_get() or
 * dma_region_attach(), from before this call until @bio and all that was
 * cloned or split from it have completed. The bio does not take a hold, and
 * nothing lets go of one when it completes.
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
 * another; or an error that leaves @bio as it was: %-EINVAL if the range is not
 * within @region, and for a @len out of range; %-EOPNOTSUPP without
 * CONFIG_DMA_PAGELESS.
 */
int bio_add_region(struct bio *bio, const struct dma_region *region,
		   unsigned int len, u64 off)
{
	phys_addr_t phys = dma_region_phys(region) + off;
	struct bio_vec *bv = &bio->bi_io_vec[bio->bi_vcnt];
	int ret;

	if (WARN_ON_ONCE(bio_flagged(bio, BIO_CLONED)))
		return 0;
	if (!len || len > INT_MAX || off >= dma_region_size(region) ||
	    len > dma_region_size(region) - off)
		return -EINVAL;
	if (bio->bi_iter.bi_size > UINT_MAX - len)
		return 0;

	if (bio->bi_vcnt && bvec_ends_at(bv - 1, phys, region)) {
		bv[-1].bv_len += len;
	} else {
		if (bio->bi_vcnt >= bio->bi_max_vecs)
			return 0;
		ret = bvec_set_pfn(bv, PHYS_PFN(phys), len,
				   offset_in_page(phys),
				   region->attr == DMA_REGION_MMIO ?
				   PAGELESS_MMIO : 0);
		if (ret)
			return ret;
		bio->bi_vcnt++;
	}
	bio->bi_iter.bi_size += len;
	bio_set_flag(bio, BIO_PAGELESS);
	return len;
}
EXPORT_SYMBOL_GPL(bio_add_region);
