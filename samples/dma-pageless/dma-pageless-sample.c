// SPDX-License-Identifier: GPL-2.0
/*
 * How the owner of memory without struct page registers it, and how a driver
 * has its device read it. The text around it is in
 * Documentation/core-api/dma-pageless.rst.
 *
 *	insmod dma-pageless-sample.ko phys=0x180000000 size=0x10000 \
 *	       device=0000:00:04.0
 *
 * maps a page of RAM and the range, which must have no struct pages, for a PCI
 * device, and logs what that device would be told. No transfer is started.
 */
#include <linux/dma-mapping.h>
#include <linux/dma-region.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>

static ulong phys;
module_param(phys, ulong, 0444);
MODULE_PARM_DESC(phys, "physical address of the range, page aligned");

static uint size;
module_param(size, uint, 0444);
MODULE_PARM_DESC(size, "size of the range in bytes, whole pages");

static char *device;
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "name of the PCI device to map for");

/* Stands for a device that is told its segments one after the other. */
static void sample_start_hw(struct device *dev, struct sg_table *sgt)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i)
		dev_info(dev, "segment %d: %pad, %u bytes\n", i,
			 &sg_dma_address(sg), sg_dma_len(sg));
}

/* owner */

static struct dma_region sample_region = {
	.attr	= DMA_REGION_WB,
	.kaddr	= NULL,		/* the CPU has no alias */
	.name	= "sample",
};

static int sample_own(void)
{
	sample_region.pfn = PHYS_PFN(phys);
	sample_region.npages = PHYS_PFN(size);
	return dma_region_register(&sample_region);
}

static void sample_disown(void)
{
	/* Waits for every hold; the memory is the owner's alone afterwards. */
	dma_region_unregister(&sample_region);
}

/* user */

static int sample_transfer(struct device *dev, struct page *header)
{
	struct dma_region *region;
	struct sg_table sgt;
	int ret;

	region = dma_region_get(phys, size);
	if (!region)
		return -ENODEV;
	ret = sg_alloc_table(&sgt, 2, GFP_KERNEL);
	if (ret)
		goto out_put;

	/* Entries with and without a struct page may be mixed. */
	sg_set_page(sgt.sgl, header, PAGE_SIZE, 0);
	ret = sg_set_pfn(sg_next(sgt.sgl), PHYS_PFN(phys), size, 0, 0);
	if (ret)
		goto out_free;

	ret = dma_map_sgtable(dev, &sgt, DMA_TO_DEVICE, 0);
	if (ret)	/* -EREMOTEIO: this device never reaches this memory */
		goto out_free;
	sample_start_hw(dev, &sgt);
	dma_unmap_sgtable(dev, &sgt, DMA_TO_DEVICE, 0);
out_free:
	sg_free_table(&sgt);
out_put:
	dma_region_put(region);
	return ret;
}

/* end */

static int sample_map(void)
{
	struct device *dev;
	struct page *header;
	int ret = -ENOMEM;

	dev = device ? bus_find_device_by_name(&pci_bus_type, NULL, device) :
		       NULL;
	if (!dev)
		return -ENODEV;
	header = alloc_page(GFP_KERNEL);
	if (header) {
		ret = sample_transfer(dev, header);
		__free_page(header);
	}
	put_device(dev);
	return ret;
}

static int __init sample_init(void)
{
	int ret = sample_own();

	if (ret)
		return ret;
	ret = sample_map();
	if (ret)
		sample_disown();
	return ret;
}

module_init(sample_init);

static void __exit sample_exit(void)
{
	sample_disown();
}

module_exit(sample_exit);

MODULE_DESCRIPTION("DMA from memory without struct page, an example");
MODULE_LICENSE("GPL");
