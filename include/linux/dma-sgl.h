/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_DMA_SGL_H
#define _LINUX_DMA_SGL_H

#include <linux/dma-direction.h>
#include <linux/err.h>
#include <linux/types.h>

struct device;
struct pci_dev;

/*
 * A list that only devices may walk. Nothing in it can be given to sg_page(),
 * sg_virt(), kmap or sg_miter: it does not compile.
 */
struct dma_sg_table;

/**
 * struct dma_sg - what a device is told of a struct dma_sg_table
 * @addr: the device's address of the first byte: a DMA address, or the PCI bus
 *	address of a BAR
 * @len: number of bytes
 */
struct dma_sg {
	dma_addr_t	addr;
	size_t		len;
};

/* The callback of sgl_dma_set_revoke(). */
typedef void (*dma_sg_revoke_t)(struct dma_sg_table *table, void *data);

#ifdef CONFIG_DMA_PAGELESS
struct dma_sg_table *sgl_dma_map_pci_bar(struct pci_dev *from,
					 struct device *to,
					 phys_addr_t bar_ptr, size_t length);
struct dma_sg_table *sgl_dma_map_user(struct device *dev, void __user *uptr,
				      size_t len);
void sgl_dma_unmap(struct dma_sg_table *table);
int sgl_dma_map_more(struct dma_sg_table *table, struct device *dev);
int sgl_dma_set_revoke(struct dma_sg_table *table, dma_sg_revoke_t revoke,
		       void *data);

const struct dma_sg *sgl_dma_list(struct dma_sg_table *table,
				  struct device *dev, unsigned int *nents);
void sgl_dma_sync_for_cpu(struct dma_sg_table *table, struct device *dev,
			  enum dma_data_direction dir);
void sgl_dma_sync_for_device(struct dma_sg_table *table, struct device *dev,
			     enum dma_data_direction dir);
bool sgl_dma_is_bounded(const struct dma_sg_table *table);
size_t sgl_dma_length(const struct dma_sg_table *table);
unsigned int sgl_dma_offset(const struct dma_sg_table *table);
unsigned long sgl_dma_page_size(struct dma_sg_table *table, struct device *dev,
				unsigned long sizes, unsigned long iova);
#else
static inline struct dma_sg_table *
sgl_dma_map_pci_bar(struct pci_dev *from, struct device *to,
		    phys_addr_t bar_ptr, size_t length)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline struct dma_sg_table *
sgl_dma_map_user(struct device *dev, void __user *uptr, size_t len)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void sgl_dma_unmap(struct dma_sg_table *table)
{
}

static inline int sgl_dma_map_more(struct dma_sg_table *table,
				   struct device *dev)
{
	return -EOPNOTSUPP;
}

static inline int sgl_dma_set_revoke(struct dma_sg_table *table,
				     dma_sg_revoke_t revoke, void *data)
{
	return -EOPNOTSUPP;
}

static inline const struct dma_sg *sgl_dma_list(struct dma_sg_table *table,
						struct device *dev,
						unsigned int *nents)
{
	*nents = 0;
	return NULL;
}

static inline void sgl_dma_sync_for_cpu(struct dma_sg_table *table,
					struct device *dev,
					enum dma_data_direction dir)
{
}

static inline void sgl_dma_sync_for_device(struct dma_sg_table *table,
					   struct device *dev,
					   enum dma_data_direction dir)
{
}

static inline bool sgl_dma_is_bounded(const struct dma_sg_table *table)
{
	return false;
}

static inline size_t sgl_dma_length(const struct dma_sg_table *table)
{
	return 0;
}

static inline unsigned int sgl_dma_offset(const struct dma_sg_table *table)
{
	return 0;
}

static inline unsigned long sgl_dma_page_size(struct dma_sg_table *table,
					      struct device *dev,
					      unsigned long sizes,
					      unsigned long iova)
{
	return 0;
}
#endif /* CONFIG_DMA_PAGELESS */

#endif /* _LINUX_DMA_SGL_H */
