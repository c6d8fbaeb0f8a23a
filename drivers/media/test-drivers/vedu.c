// SPDX-License-Identifier: GPL-2.0
/*
 * A camera whose pictures QEMU's edu device writes: real DMA on each machine
 * that QEMU has, to test video buffers with.
 *
 * The engine of the device copies up to 4095 bytes between RAM and a buffer of
 * its own, and takes 100 ms for it. The picture is noise, which a program can
 * compute: see vedu_noise() and vedu_shift().
 *
 * The device is there for teaching, and many have a driver of their own for it.
 * This one takes only a device that it is given:
 *
 *	echo vedu >/sys/bus/pci/devices/0000:00:04.0/driver_override
 *	echo 0000:00:04.0 >/sys/bus/pci/drivers_probe
 */
#include <kunit/edu.h>
#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <media/v4l2-device.h>
#include <media/v4l2-ioctl.h>
#include <media/videobuf2-dma-contig.h>
#include <media/videobuf2-dma-sg.h>
#include <media/videobuf2-v4l2.h>

#define VEDU_CHUNK		2048	/* bytes of a picture in one transfer */
#define VEDU_WIDTH		64
#define VEDU_MIN_HEIGHT		(VEDU_CHUNK / VEDU_WIDTH)
#define VEDU_MAX_HEIGHT		512

static unsigned int dma_bits = 28;
module_param(dma_bits, uint, 0444);
MODULE_PARM_DESC(dma_bits, " how many bits the device addresses; QEMU: -device edu,dma_mask=0xfffffff");

enum { VEDU_DMA_CONTIG, VEDU_DMA_SG, VEDU_DMA_SG_PAGES };

static unsigned int allocator;
module_param(allocator, uint, 0644);
MODULE_PARM_DESC(allocator, " of buffers, for devices that are bound from now on:\n"
			    "\t\t 0 == dma-contig\n"
			    "\t\t 1 == dma-sg\n"
			    "\t\t 2 == dma-sg, and only memory that has pages");

struct vedu_buffer {
	struct vb2_v4l2_buffer	vb;
	struct list_head	node;
};

struct vedu {
	struct pci_dev		*pdev;
	void __iomem		*io;
	void			*noise;
	dma_addr_t		noise_dma;
	struct completion	transferred;

	struct v4l2_device	v4l2_dev;
	struct video_device	vdev;
	struct vb2_queue	queue;
	struct mutex		lock;	/* of the ioctls */
	unsigned int		height;

	struct work_struct	work;
	spinlock_t		bufs_lock;	/* of what follows */
	struct list_head	bufs;
	bool			streaming;
	unsigned int		sequence;
};

/* --- the device ---------------------------------------------------------- */

static irqreturn_t vedu_interrupt(int irq, void *data)
{
	struct vedu *vedu = data;
	u32 status = readl(vedu->io + EDU_IRQ_STATUS);

	if (!status)
		return IRQ_NONE;
	writel(status, vedu->io + EDU_IRQ_ACK);
	if (status & EDU_DMA_DONE)
		complete(&vedu->transferred);
	return IRQ_HANDLED;
}

static int vedu_transfer(struct vedu *vedu, u64 src, u64 dst, unsigned int len,
			 u32 cmd)
{
	reinit_completion(&vedu->transferred);
	writeq(src, vedu->io + EDU_DMA_SRC);
	writeq(dst, vedu->io + EDU_DMA_DST);
	writeq(len, vedu->io + EDU_DMA_COUNT);
	writeq(cmd | EDU_DMA_RUN | EDU_DMA_IRQ, vedu->io + EDU_DMA_CMD);
	if (wait_for_completion_timeout(&vedu->transferred, 20 * HZ))
		return 0;
	dev_err(&vedu->pdev->dev, "no interrupt\n");
	return -ETIMEDOUT;
}

/* What the device's buffer has. */
static u8 vedu_noise(u32 pos)
{
	return (pos * 2654435761U) >> 24;
}

/* Where in it a chunk of a picture begins. */
static unsigned int vedu_shift(unsigned int sequence, unsigned int chunk)
{
	return (sequence * 37 + chunk * 131) % (EDU_BUF_SIZE - VEDU_CHUNK);
}

static int vedu_load_noise(struct vedu *vedu)
{
	return vedu_transfer(vedu, vedu->noise_dma, EDU_BUF, EDU_BUF_SIZE, 0);
}

/* The part of a picture that begins at pos. */
static int vedu_draw_part(struct vedu *vedu, dma_addr_t dma, unsigned int pos,
			  unsigned int size, unsigned int sequence)
{
	unsigned int len;
	u32 noise;
	int ret = 0;

	for (; size && !ret; pos += len, dma += len, size -= len) {
		noise = EDU_BUF + vedu_shift(sequence, pos / VEDU_CHUNK) +
			pos % VEDU_CHUNK;
		len = min(size, VEDU_CHUNK - pos % VEDU_CHUNK);
		ret = vedu_transfer(vedu, noise, dma, len, EDU_DMA_TO_RAM);
	}
	return ret;
}

static int vedu_draw_sg(struct vedu *vedu, struct sg_table *sgt,
			unsigned int size, unsigned int sequence)
{
	unsigned int pos = 0, len, i;
	struct scatterlist *sg;
	int ret;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		len = min(size - pos, sg_dma_len(sg));
		ret = vedu_draw_part(vedu, sg_dma_address(sg), pos, len,
				     sequence);
		if (ret)
			return ret;
		pos += len;
	}
	return pos < size ? -EIO : 0;
}

static int vedu_draw(struct vedu *vedu, struct vb2_buffer *vb,
		     unsigned int sequence)
{
	unsigned int size = vb2_get_plane_payload(vb, 0);

	if (vb->vb2_queue->mem_ops == &vb2_dma_sg_memops)
		return vedu_draw_sg(vedu, vb2_dma_sg_plane_desc(vb, 0), size,
				    sequence);
	return vedu_draw_part(vedu, vb2_dma_contig_plane_dma_addr(vb, 0), 0,
			      size, sequence);
}

/* --- streaming ----------------------------------------------------------- */

static unsigned int vedu_size(const struct vedu *vedu)
{
	return VEDU_WIDTH * vedu->height;
}

static struct vedu_buffer *vedu_next(struct vedu *vedu, unsigned int *sequence)
{
	struct vedu_buffer *buf = NULL;

	spin_lock_irq(&vedu->bufs_lock);
	if (vedu->streaming)
		buf = list_first_entry_or_null(&vedu->bufs, typeof(*buf), node);
	if (buf) {
		list_del(&buf->node);
		*sequence = vedu->sequence++;
	}
	spin_unlock_irq(&vedu->bufs_lock);
	return buf;
}

static void vedu_work(struct work_struct *work)
{
	struct vedu *vedu = container_of(work, struct vedu, work);
	struct vedu_buffer *buf;
	unsigned int sequence;
	struct vb2_buffer *vb;
	int ret;

	while ((buf = vedu_next(vedu, &sequence))) {
		vb = &buf->vb.vb2_buf;
		ret = vedu_draw(vedu, vb, sequence);
		buf->vb.sequence = sequence;
		buf->vb.field = V4L2_FIELD_NONE;
		vb->timestamp = ktime_get_ns();
		vb2_buffer_done(vb, ret ? VB2_BUF_STATE_ERROR :
					  VB2_BUF_STATE_DONE);
	}
}

static int vedu_queue_setup(struct vb2_queue *q, unsigned int *nbuffers,
			    unsigned int *nplanes, unsigned int sizes[],
			    struct device *alloc_devs[])
{
	struct vedu *vedu = vb2_get_drv_priv(q);

	if (*nplanes)
		return sizes[0] < vedu_size(vedu) ? -EINVAL : 0;
	*nplanes = 1;
	sizes[0] = vedu_size(vedu);
	return 0;
}

/* What has no entries for the CPU has no address for it. */
static int vedu_buf_init(struct vb2_buffer *vb)
{
	struct vb2_queue *q = vb->vb2_queue;
	struct sg_table *sgt;

	if (q->mem_ops != &vb2_dma_sg_memops || q->memory != VB2_MEMORY_USERPTR)
		return 0;
	sgt = vb2_dma_sg_plane_desc(vb, 0);
	return WARN_ON(!sgt->orig_nents != !vb2_plane_vaddr(vb, 0)) ? -EIO : 0;
}

static int vedu_buf_prepare(struct vb2_buffer *vb)
{
	struct vedu *vedu = vb2_get_drv_priv(vb->vb2_queue);

	if (vb2_plane_size(vb, 0) < vedu_size(vedu))
		return -EINVAL;
	vb2_set_plane_payload(vb, 0, vedu_size(vedu));
	return 0;
}

static void vedu_buf_queue(struct vb2_buffer *vb)
{
	struct vedu *vedu = vb2_get_drv_priv(vb->vb2_queue);
	struct vb2_v4l2_buffer *vbuf = to_vb2_v4l2_buffer(vb);
	struct vedu_buffer *buf = container_of(vbuf, struct vedu_buffer, vb);
	unsigned long flags;

	spin_lock_irqsave(&vedu->bufs_lock, flags);
	list_add_tail(&buf->node, &vedu->bufs);
	spin_unlock_irqrestore(&vedu->bufs_lock, flags);
	schedule_work(&vedu->work);
}

/* Nothing is being transferred any more, and the buffers go back. */
static void vedu_stop(struct vedu *vedu, enum vb2_buffer_state state)
{
	struct vedu_buffer *buf, *next;
	LIST_HEAD(bufs);

	spin_lock_irq(&vedu->bufs_lock);
	vedu->streaming = false;
	list_splice_init(&vedu->bufs, &bufs);
	spin_unlock_irq(&vedu->bufs_lock);
	cancel_work_sync(&vedu->work);
	list_for_each_entry_safe(buf, next, &bufs, node)
		vb2_buffer_done(&buf->vb.vb2_buf, state);
}

static int vedu_start_streaming(struct vb2_queue *q, unsigned int count)
{
	struct vedu *vedu = vb2_get_drv_priv(q);
	int ret = vedu_load_noise(vedu);

	if (ret) {
		vedu_stop(vedu, VB2_BUF_STATE_QUEUED);
		return ret;
	}
	spin_lock_irq(&vedu->bufs_lock);
	vedu->streaming = true;
	vedu->sequence = 0;
	spin_unlock_irq(&vedu->bufs_lock);
	schedule_work(&vedu->work);
	return 0;
}

static void vedu_stop_streaming(struct vb2_queue *q)
{
	vedu_stop(vb2_get_drv_priv(q), VB2_BUF_STATE_ERROR);
}

static const struct vb2_ops vedu_queue_ops = {
	.queue_setup		= vedu_queue_setup,
	.buf_init		= vedu_buf_init,
	.buf_prepare		= vedu_buf_prepare,
	.buf_queue		= vedu_buf_queue,
	.start_streaming	= vedu_start_streaming,
	.stop_streaming		= vedu_stop_streaming,
	.wait_prepare		= vb2_ops_wait_prepare,
	.wait_finish		= vb2_ops_wait_finish,
};

/* --- ioctls -------------------------------------------------------------- */

static int vedu_querycap(struct file *file, void *priv,
			 struct v4l2_capability *cap)
{
	strscpy(cap->driver, KBUILD_MODNAME, sizeof(cap->driver));
	strscpy(cap->card, "QEMU edu", sizeof(cap->card));
	return 0;
}

static int vedu_enum_fmt(struct file *file, void *priv, struct v4l2_fmtdesc *f)
{
	if (f->index)
		return -EINVAL;
	f->pixelformat = V4L2_PIX_FMT_GREY;
	return 0;
}

static int vedu_enum_framesizes(struct file *file, void *priv,
				struct v4l2_frmsizeenum *f)
{
	unsigned int height = VEDU_MIN_HEIGHT * (f->index + 1);

	if (f->index >= VEDU_MAX_HEIGHT / VEDU_MIN_HEIGHT ||
	    f->pixel_format != V4L2_PIX_FMT_GREY)
		return -EINVAL;
	f->type = V4L2_FRMSIZE_TYPE_DISCRETE;
	f->discrete.width = VEDU_WIDTH;
	f->discrete.height = height;
	return 0;
}

static void vedu_fill_format(struct v4l2_format *f, unsigned int height)
{
	f->fmt.pix = (struct v4l2_pix_format) {
		.width		= VEDU_WIDTH,
		.height		= height,
		.pixelformat	= V4L2_PIX_FMT_GREY,
		.field		= V4L2_FIELD_NONE,
		.bytesperline	= VEDU_WIDTH,
		.sizeimage	= VEDU_WIDTH * height,
		.colorspace	= V4L2_COLORSPACE_RAW,
	};
}

static int vedu_g_fmt(struct file *file, void *priv, struct v4l2_format *f)
{
	struct vedu *vedu = video_drvdata(file);

	vedu_fill_format(f, vedu->height);
	return 0;
}

static int vedu_try_fmt(struct file *file, void *priv, struct v4l2_format *f)
{
	unsigned int height = clamp(f->fmt.pix.height, VEDU_MIN_HEIGHT,
				    VEDU_MAX_HEIGHT);

	vedu_fill_format(f, round_down(height, VEDU_MIN_HEIGHT));
	return 0;
}

static int vedu_s_fmt(struct file *file, void *priv, struct v4l2_format *f)
{
	struct vedu *vedu = video_drvdata(file);

	if (vb2_is_busy(&vedu->queue))
		return -EBUSY;
	vedu_try_fmt(file, priv, f);
	vedu->height = f->fmt.pix.height;
	return 0;
}

static int vedu_enum_input(struct file *file, void *priv, struct v4l2_input *i)
{
	if (i->index)
		return -EINVAL;
	i->type = V4L2_INPUT_TYPE_CAMERA;
	strscpy(i->name, "Noise", sizeof(i->name));
	return 0;
}

static int vedu_g_input(struct file *file, void *priv, unsigned int *i)
{
	*i = 0;
	return 0;
}

static int vedu_s_input(struct file *file, void *priv, unsigned int i)
{
	return i ? -EINVAL : 0;
}

static const struct v4l2_ioctl_ops vedu_ioctl_ops = {
	.vidioc_querycap		= vedu_querycap,
	.vidioc_enum_fmt_vid_cap	= vedu_enum_fmt,
	.vidioc_enum_framesizes		= vedu_enum_framesizes,
	.vidioc_g_fmt_vid_cap		= vedu_g_fmt,
	.vidioc_try_fmt_vid_cap		= vedu_try_fmt,
	.vidioc_s_fmt_vid_cap		= vedu_s_fmt,
	.vidioc_enum_input		= vedu_enum_input,
	.vidioc_g_input			= vedu_g_input,
	.vidioc_s_input			= vedu_s_input,
	.vidioc_reqbufs			= vb2_ioctl_reqbufs,
	.vidioc_create_bufs		= vb2_ioctl_create_bufs,
	.vidioc_prepare_buf		= vb2_ioctl_prepare_buf,
	.vidioc_querybuf		= vb2_ioctl_querybuf,
	.vidioc_qbuf			= vb2_ioctl_qbuf,
	.vidioc_dqbuf			= vb2_ioctl_dqbuf,
	.vidioc_expbuf			= vb2_ioctl_expbuf,
	.vidioc_remove_bufs		= vb2_ioctl_remove_bufs,
	.vidioc_streamon		= vb2_ioctl_streamon,
	.vidioc_streamoff		= vb2_ioctl_streamoff,
};

static const struct v4l2_file_operations vedu_fops = {
	.owner		= THIS_MODULE,
	.open		= v4l2_fh_open,
	.release	= vb2_fop_release,
	.read		= vb2_fop_read,
	.poll		= vb2_fop_poll,
	.mmap		= vb2_fop_mmap,
	.unlocked_ioctl	= video_ioctl2,
};

/* --- coming and going ---------------------------------------------------- */

static void vedu_release(struct v4l2_device *v4l2_dev)
{
	struct vedu *vedu = container_of(v4l2_dev, struct vedu, v4l2_dev);

	v4l2_device_unregister(v4l2_dev);
	mutex_destroy(&vedu->lock);
	kfree(vedu);
}

static int vedu_init_device(struct vedu *vedu)
{
	struct pci_dev *pdev = vedu->pdev;
	unsigned int i;
	u8 *noise;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	/* Of an address in two halves the device takes the lower one. */
	ret = dma_set_mask_and_coherent(&pdev->dev,
					DMA_BIT_MASK(min(dma_bits,
							 BITS_PER_LONG)));
	if (ret)
		return ret;
	vb2_dma_contig_set_max_seg_size(&pdev->dev, UINT_MAX);
	vedu->io = pcim_iomap(pdev, 0, 0);
	if (!vedu->io)
		return -ENOMEM;
	noise = dmam_alloc_coherent(&pdev->dev, EDU_BUF_SIZE, &vedu->noise_dma,
				    GFP_KERNEL);
	if (!noise)
		return -ENOMEM;
	for (i = 0; i < EDU_BUF_SIZE; i++)
		noise[i] = vedu_noise(i);
	pci_set_master(pdev);
	return 0;
}

static int vedu_init_irq(struct vedu *vedu)
{
	int ret = pci_alloc_irq_vectors(vedu->pdev, 1, 1, PCI_IRQ_ALL_TYPES);

	if (ret < 0)
		return ret;
	ret = pci_request_irq(vedu->pdev, 0, vedu_interrupt, NULL, vedu, "%s",
			      KBUILD_MODNAME);
	if (ret)
		pci_free_irq_vectors(vedu->pdev);
	return ret;
}

static int vedu_init_queue(struct vedu *vedu)
{
	struct vb2_queue *q = &vedu->queue;

	q->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	q->io_modes = VB2_MMAP | VB2_USERPTR | VB2_DMABUF | VB2_READ;
	q->dev = &vedu->pdev->dev;
	q->drv_priv = vedu;
	q->buf_struct_size = sizeof(struct vedu_buffer);
	q->ops = &vedu_queue_ops;
	q->mem_ops = allocator == VEDU_DMA_CONTIG ? &vb2_dma_contig_memops :
						    &vb2_dma_sg_memops;
	q->dma_addrs_only = allocator == VEDU_DMA_SG;
	q->timestamp_flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
	q->min_queued_buffers = 1;
	q->lock = &vedu->lock;
	return vb2_queue_init(q);
}

static int vedu_init_video(struct vedu *vedu)
{
	struct video_device *vdev = &vedu->vdev;

	strscpy(vdev->name, KBUILD_MODNAME, sizeof(vdev->name));
	vdev->fops = &vedu_fops;
	vdev->ioctl_ops = &vedu_ioctl_ops;
	vdev->release = video_device_release_empty;
	vdev->v4l2_dev = &vedu->v4l2_dev;
	vdev->queue = &vedu->queue;
	vdev->lock = &vedu->lock;
	vdev->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING |
			    V4L2_CAP_READWRITE;
	video_set_drvdata(vdev, vedu);
	return video_register_device(vdev, VFL_TYPE_VIDEO, -1);
}

static int vedu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct vedu *vedu = kzalloc(sizeof(*vedu), GFP_KERNEL);
	int ret;

	if (!vedu)
		return -ENOMEM;
	vedu->pdev = pdev;
	vedu->height = VEDU_WIDTH;
	init_completion(&vedu->transferred);
	mutex_init(&vedu->lock);
	spin_lock_init(&vedu->bufs_lock);
	INIT_LIST_HEAD(&vedu->bufs);
	INIT_WORK(&vedu->work, vedu_work);

	ret = v4l2_device_register(&pdev->dev, &vedu->v4l2_dev);
	if (ret) {
		mutex_destroy(&vedu->lock);
		kfree(vedu);
		return ret;
	}
	/* The driver's data, which the device had for v4l2_device_register(). */
	pci_set_drvdata(pdev, vedu);
	vedu->v4l2_dev.release = vedu_release;

	ret = vedu_init_device(vedu);
	if (ret)
		goto out_put;
	ret = vedu_init_irq(vedu);
	if (ret)
		goto out_put;
	ret = vedu_init_queue(vedu) ?: vedu_init_video(vedu);
	if (ret)
		goto out_free_irq;
	return 0;

out_free_irq:
	pci_free_irq(pdev, 0, vedu);
	pci_free_irq_vectors(pdev);
out_put:
	v4l2_device_put(&vedu->v4l2_dev);
	return ret;
}

static void vedu_remove(struct pci_dev *pdev)
{
	struct vedu *vedu = pci_get_drvdata(pdev);

	vb2_video_unregister_device(&vedu->vdev);
	pci_free_irq(pdev, 0, vedu);
	pci_free_irq_vectors(pdev);
	v4l2_device_disconnect(&vedu->v4l2_dev);
	v4l2_device_put(&vedu->v4l2_dev);
}

static const struct pci_device_id vedu_ids[] = {
	{ PCI_DEVICE_DRIVER_OVERRIDE(EDU_VENDOR, EDU_DEVICE, 1) },
	{ }
};

static struct pci_driver vedu_driver = {
	.name		= KBUILD_MODNAME,
	.id_table	= vedu_ids,
	.probe		= vedu_probe,
	.remove		= vedu_remove,
};
module_pci_driver(vedu_driver);

MODULE_DESCRIPTION("Video capture with QEMU's edu device");
MODULE_LICENSE("GPL");
