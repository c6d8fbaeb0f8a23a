/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The registers of QEMU's edu, a PCI device with a DMA engine for whoever tests
 * DMA: docs/specs/edu.rst in QEMU.
 */
#ifndef _KUNIT_EDU_H
#define _KUNIT_EDU_H

#include <linux/bits.h>

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8
#define EDU_LIVENESS	0x04	/* reads as the inverse of what was written */
#define EDU_IRQ_STATUS	0x24
#define EDU_IRQ_ACK	0x64
#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_CMD	0x98
#define EDU_DMA_RUN	BIT(0)
#define EDU_DMA_TO_RAM	BIT(1)
#define EDU_DMA_IRQ	BIT(2)
#define EDU_DMA_DONE	0x100	/* in the status */
#define EDU_BUF		0x40000
#define EDU_BUF_SIZE	4095	/* QEMU refuses the last byte */

#endif /* _KUNIT_EDU_H */
