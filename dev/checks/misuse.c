// SPDX-License-Identifier: GPL-2.0
/* What must not compile, one a time: see dev/checks/misuse. */
#include <linux/bio.h>
#include <linux/dma-mapping.h>
#include <linux/dma-sgl.h>
#include <linux/highmem.h>
#include <linux/scatterlist.h>

unsigned long misuse(struct dma_sg_table *table, struct device *dev);

unsigned long misuse(struct dma_sg_table *table, struct device *dev)
{
	unsigned int nents;
	const struct dma_sg *list = sgl_dma_list(table, dev, &nents);
	struct dma_sg *sg = (struct dma_sg *)list;

#ifdef MISUSE_nothing
	return sg->addr + sg->len;
#endif
#ifdef MISUSE_sg_page
	return (unsigned long)sg_page(sg);
#endif
#ifdef MISUSE_sg_virt
	return (unsigned long)sg_virt(sg);
#endif
#ifdef MISUSE_sg_phys
	return (unsigned long)sg_phys(sg);
#endif
#ifdef MISUSE_sg_kaddr
	return (unsigned long)sg_kaddr(sg);
#endif
#ifdef MISUSE_kmap_local_page
	return (unsigned long)kmap_local_page(sg);
#endif
#ifdef MISUSE_kmap_of_sg_page
	return (unsigned long)kmap_local_page(sg_page(sg));
#endif
#ifdef MISUSE_sg_miter
	struct sg_mapping_iter miter;

	sg_miter_start(&miter, sg, nents, SG_MITER_FROM_SG);
#endif
#ifdef MISUSE_sg_copy_to_buffer
	return sg_copy_to_buffer(sg, nents, dev, 1);
#endif
#ifdef MISUSE_sg_next
	return (unsigned long)sg_next(sg);
#endif
#ifdef MISUSE_for_each_sg
	struct scatterlist *s;
	int i;

	for_each_sg(sg, s, nents, i)
		;
#endif
#ifdef MISUSE_sgl_of_table
	return (unsigned long)table->sgl;
#endif
#ifdef MISUSE_dma_map_sgtable
	return dma_map_sgtable(dev, table, DMA_TO_DEVICE, 0);
#endif
#ifdef MISUSE_dma_unmap_sg
	dma_unmap_sg(dev, sg, nents, DMA_TO_DEVICE);
#endif
	return nents + sg->len;
}
