/* SPDX-License-Identifier: GPL-2.0 */
#ifndef DRIVERS_PCI_P2PDMA_H
#define DRIVERS_PCI_P2PDMA_H

#include <linux/dma-map-ops.h>

struct pci_dev;
struct xarray;

enum pci_p2pdma_map_type
pci_p2pdma_calc_map_type_and_dist(struct pci_dev *provider,
				  struct pci_dev *client, int *dist,
				  struct xarray *map_types, bool verbose);

#endif /* DRIVERS_PCI_P2PDMA_H */
