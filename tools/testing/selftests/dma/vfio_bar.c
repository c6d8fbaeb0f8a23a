// SPDX-License-Identifier: GPL-2.0
/*
 * DMA to a PCI BAR of which another driver, vfio-pci, has given a mapping to
 * user space: by a device that VFIO drives, too, through its I/O MMU, and by a
 * disk.
 *
 *	VFIO_EDU=0000:01:00.0		QEMU's edu, which does the DMA
 *	VFIO_BAR=0000:02:00.0		ivshmem: memory in its BAR 2, 256 bytes of registers in
 *					BAR 0; can be reset
 *	VFIO_REGS=0000:03:00.0		another edu, of which the registers are what is reached
 *	VFIO_CAMERA=/dev/video0		vedu, which takes mapped BARs of other owners
 *	VFIO_DISK=/dev/nvme0n1		of which the first bytes are overwritten
 *	VFIO_ROUTE=EREMOTEIO		if no host bridge is known to forward to the BAR: then
 *					run there_is_no_route and o_direct alone
 *	VFIO_RESETS=20			times that the BAR is taken away with DMA in flight
 *	VFIO_FAULTS=yes			let allocations fail; dma_debug may turn itself
 *					off then, and is better off before
 *
 * The devices are bound to vfio-pci, by their driver_override. An address that
 * is not mapped any more is seen in the kernel's log, as a fault of the I/O MMU.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/iommufd.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "bar_test.h"

#define PAGE		4096L
#define SIZE		(16 * PAGE)
#define IOVA		0x10000000ULL
#define RAM_IOVA	0x20000000ULL
#define RW		(PROT_READ | PROT_WRITE)

/* An emulated CPU with all of the kernel's checks is slow. */
#define VFIO_TEST(name)	TEST_F_TIMEOUT(vfio_bar, name, 3600)

/* QEMU: docs/specs/edu.rst */
#define EDU_LIVENESS	0x04		/* yields the inverse of what is written */
#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_CMD	0x98
#define EDU_DMA_RUN	1
#define EDU_DMA_TO_RAM	2
#define EDU_BUF		0x40000
#define EDU_LEN		2048

/* QEMU: docs/specs/ivshmem-spec.rst */
#define IVSHMEM_MASK	0x00		/* yields what is written */

/* --- VFIO ------------------------------------------------------------------ */

/* A device and, apart from others, what maps memory for it. */
struct device {
	char pci[16];
	int fd;			/* of the device */
	int iommu;		/* the container, or /dev/iommu */
	int group;		/* of the container's */
	__u32 ioas;
};

static bool read_link(const char *pci, const char *name, char *to, size_t len)
{
	char path[128];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", pci, name);
	n = readlink(path, to, len - 1);
	if (n < 0)
		return false;
	to[n] = 0;
	memmove(to, strrchr(to, '/') + 1, strlen(strrchr(to, '/')));
	return true;
}

static int open_by_container(struct device *device)
{
	char group[64], path[128];

	if (!read_link(device->pci, "iommu_group", group, sizeof(group)))
		return -1;
	snprintf(path, sizeof(path), "/dev/vfio/%s", group);
	device->iommu = open("/dev/vfio/vfio", O_RDWR);
	device->group = open(path, O_RDWR);
	if (device->iommu < 0 || device->group < 0 ||
	    ioctl(device->group, VFIO_GROUP_SET_CONTAINER, &device->iommu) ||
	    ioctl(device->iommu, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return -1;
	device->fd = ioctl(device->group, VFIO_GROUP_GET_DEVICE_FD,
			   device->pci);
	return device->fd;
}

static int open_by_iommufd(struct device *device)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
	};
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	char path[128];
	glob_t found;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev/vfio*",
		 device->pci);
	if (glob(path, 0, NULL, &found))
		return -1;
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s",
		 strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	device->group = -1;
	device->iommu = open("/dev/iommu", O_RDWR);
	device->fd = open(path, O_RDWR);
	bind.iommufd = device->iommu;
	if (device->iommu < 0 || device->fd < 0 ||
	    ioctl(device->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind) ||
	    ioctl(device->iommu, IOMMU_IOAS_ALLOC, &ioas))
		return -1;
	attach.pt_id = ioas.out_ioas_id;
	device->ioas = ioas.out_ioas_id;
	if (ioctl(device->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach))
		return -1;
	return device->fd;
}

static void close_device(struct device *device)
{
	close(device->fd);
	if (device->group >= 0)
		close(device->group);
	close(device->iommu);
}

/* 0, or the error */
static int dma_map(struct device *device, void *from, __u64 iova, __u64 len,
		   int prot)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map), .vaddr = (unsigned long)from,
		.iova = iova, .size = len,
		.flags = (prot & PROT_READ ? VFIO_DMA_MAP_FLAG_READ : 0) |
			 (prot & PROT_WRITE ? VFIO_DMA_MAP_FLAG_WRITE : 0),
	};
	struct iommu_ioas_map ioas_map = {
		.size = sizeof(ioas_map), .ioas_id = device->ioas,
		.user_va = (unsigned long)from, .length = len, .iova = iova,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA |
			 (prot & PROT_READ ? IOMMU_IOAS_MAP_READABLE : 0) |
			 (prot & PROT_WRITE ? IOMMU_IOAS_MAP_WRITEABLE : 0),
	};
	int ret;

	if (device->group >= 0)
		ret = ioctl(device->iommu, VFIO_IOMMU_MAP_DMA, &map);
	else
		ret = ioctl(device->iommu, IOMMU_IOAS_MAP, &ioas_map);
	return ret ? -errno : 0;
}

/* Number of bytes, or an error. */
static long dma_unmap(struct device *device, __u64 iova, __u64 len)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap), .iova = iova, .size = len,
	};
	struct iommu_ioas_unmap ioas_unmap = {
		.size = sizeof(ioas_unmap), .ioas_id = device->ioas,
		.iova = iova, .length = len,
	};

	if (device->group >= 0)
		return ioctl(device->iommu, VFIO_IOMMU_UNMAP_DMA, &unmap) ?
		       -errno : (long)unmap.size;
	return ioctl(device->iommu, IOMMU_IOAS_UNMAP, &ioas_unmap) ?
	       -errno : (long)ioas_unmap.length;
}

static void *map_region(struct device *device, int index, size_t len, int prot)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info), .index = index,
	};

	if (ioctl(device->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		return MAP_FAILED;
	return mmap(NULL, len, prot, MAP_SHARED, device->fd, info.offset);
}

/* Memory of its BAR 2, somewhere or at an address. */
static void *map_by_sysfs(struct device *device, void *at, int prot, off_t from)
{
	char path[128];
	void *bar;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource2",
		 device->pci);
	fd = open(path, O_RDWR);
	bar = mmap(at, SIZE, prot, MAP_SHARED | (at ? MAP_FIXED : 0), fd, from);
	close(fd);
	return bar;
}

static void *map_bar(struct device *device, void *at, int prot)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info), .index = 2,
	};
	void *bar;

	if (ioctl(device->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		return MAP_FAILED;
	bar = mmap(at, SIZE, prot, MAP_SHARED | (at ? MAP_FIXED : 0),
		   device->fd, info.offset);
	/* A 32-bit kernel maps no region but the first, see file_mmap_ok(). */
	if (bar == MAP_FAILED && errno == EOVERFLOW)
		bar = map_by_sysfs(device, at, prot, 0);
	return bar;
}

/* In the command register. */
static bool set_command(struct device *device, __u16 bit, bool on)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	__u16 command;
	off_t at;

	if (ioctl(device->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		return false;
	at = info.offset + PCI_COMMAND;
	if (pread(device->fd, &command, 2, at) != 2)
		return false;
	command = on ? command | bit : command & ~bit;
	return pwrite(device->fd, &command, 2, at) == 2;
}

/* With the group that is said to own it, or none. */
static int hot_reset(struct device *device, int group)
{
	struct vfio_pci_hot_reset *reset;
	int ret;

	reset = calloc(1, sizeof(*reset) + sizeof(*reset->group_fds));
	if (!reset)
		return -1;
	reset->argsz = sizeof(*reset) + sizeof(*reset->group_fds);
	reset->count = group >= 0;
	reset->group_fds[0] = group;
	ret = ioctl(device->fd, VFIO_DEVICE_PCI_HOT_RESET, reset);
	free(reset);
	return ret;
}

/* --- the fixture ----------------------------------------------------------- */

FIXTURE(vfio_bar)
{
	struct device edu, other;
	volatile char *regs;	/* of edu */
	char *bar;		/* of the other */
	char *ram;
	int log;		/* the kernel's */
};

FIXTURE_VARIANT(vfio_bar)
{
	int (*open)(struct device *device);
	const char *needs;
	int mixed;		/* what one mapping of RAM and BAR yields */
	bool routed;		/* it asks for a route */
};

FIXTURE_VARIANT_ADD(vfio_bar, type1)
{
	.open = open_by_container,
	.needs = "/dev/vfio/vfio",
};

FIXTURE_VARIANT_ADD(vfio_bar, iommufd)
{
	.open = open_by_iommufd,
	.needs = "/dev/iommu",
	.mixed = -EFAULT,
	.routed = true,
};

static bool open_edu(FIXTURE_DATA(vfio_bar) * self,
		     const FIXTURE_VARIANT(vfio_bar) * variant)
{
	if (variant->open(&self->edu) < 0 ||
	    !set_command(&self->edu, PCI_COMMAND_MASTER, true))
		return false;
	self->regs = map_region(&self->edu, 0, PAGE, RW);
	return self->regs != MAP_FAILED &&
	       !dma_map(&self->edu, self->ram, RAM_IOVA, SIZE, RW);
}

static void close_edu(FIXTURE_DATA(vfio_bar) * self)
{
	munmap((void *)self->regs, PAGE);
	close_device(&self->edu);
}

static bool open_other(FIXTURE_DATA(vfio_bar) * self,
		       const FIXTURE_VARIANT(vfio_bar) * variant)
{
	if (variant->open(&self->other) < 0)
		return false;
	self->bar = map_bar(&self->other, NULL, RW);
	return self->bar != MAP_FAILED;
}

static void close_other(FIXTURE_DATA(vfio_bar) * self)
{
	munmap(self->bar, SIZE);
	close_device(&self->other);
}

FIXTURE_SETUP(vfio_bar)
{
	const char *edu = getenv("VFIO_EDU"), *other = getenv("VFIO_BAR");

	if (!edu || !other)
		SKIP(return, "VFIO_EDU and VFIO_BAR are not set");
	if (access(variant->needs, F_OK))
		SKIP(return, "there is no %s", variant->needs);
	snprintf(self->edu.pci, sizeof(self->edu.pci), "%s", edu);
	snprintf(self->other.pci, sizeof(self->other.pci), "%s", other);
	self->ram = mmap(NULL, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->ram);
	ASSERT_TRUE(open_edu(self, variant));
	ASSERT_TRUE(open_other(self, variant));
	self->log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	ASSERT_LE(0, self->log);
	ASSERT_LE(0, lseek(self->log, 0, SEEK_END));
}

FIXTURE_TEARDOWN(vfio_bar)
{
	close_other(self);
	close_edu(self);
	munmap(self->ram, SIZE);
	close(self->log);
}

static void edu_write(FIXTURE_DATA(vfio_bar) * self, int reg, __u64 value)
{
	*(volatile __u64 *)(self->regs + reg) = value;
}

static bool edu_is_done(FIXTURE_DATA(vfio_bar) * self)
{
	return !(*(volatile __u64 *)(self->regs + EDU_DMA_CMD) & EDU_DMA_RUN);
}

static void edu_start_len(FIXTURE_DATA(vfio_bar) * self, __u64 iova,
			  bool to_memory, int len)
{
	edu_write(self, EDU_DMA_SRC, to_memory ? EDU_BUF : iova);
	edu_write(self, EDU_DMA_DST, to_memory ? iova : EDU_BUF);
	edu_write(self, EDU_DMA_COUNT, len);
	edu_write(self, EDU_DMA_CMD, EDU_DMA_RUN |
				     (to_memory ? EDU_DMA_TO_RAM : 0));
}

static void edu_start(FIXTURE_DATA(vfio_bar) * self, __u64 iova, bool to_memory)
{
	edu_start_len(self, iova, to_memory, EDU_LEN);
}

static bool edu_wait(FIXTURE_DATA(vfio_bar) * self)
{
	int i;

	for (i = 0; i < 60000; i++) {
		if (edu_is_done(self))
			return true;
		usleep(1000);
	}
	return false;
}

static bool edu_transfer(FIXTURE_DATA(vfio_bar) * self, __u64 iova,
			 bool to_memory)
{
	edu_start(self, iova, to_memory);
	return edu_wait(self);
}

static bool is_fault(const char *line)
{
	return (strstr(line, "DMAR: [DMA") && strstr(line, "fault")) ||
	       (strstr(line, "arm-smmu-v3") && strstr(line, "event 0x")) ||
	       (strstr(line, "virtio") && strstr(line, "fault from EP"));
}

/* Faults of the I/O MMU that the kernel has told of since the last call. */
static int faults(FIXTURE_DATA(vfio_bar) * self)
{
	char line[1024];
	int found = 0;
	ssize_t n;

	usleep(100000);
	while ((n = read(self->log, line, sizeof(line) - 1)) > 0 ||
	       (n < 0 && errno == EPIPE)) {
		if (n < 0)
			continue;
		line[n] = 0;
		found += is_fault(line);
	}
	return found;
}

/* Not the first time: of many faults within 5 seconds the kernel tells few. */
static bool edu_faults(FIXTURE_DATA(vfio_bar) * self, __u64 iova)
{
	int i;

	for (i = 0; i < 3; i++) {
		if (!edu_transfer(self, iova, true))
			return false;
		if (faults(self))
			return true;
		sleep(6);
	}
	return false;
}

/* What the RAM has goes through edu to an address, or the other way around. */
static bool copy_by_edu(FIXTURE_DATA(vfio_bar) * self, __u64 from, __u64 to)
{
	return edu_transfer(self, from, false) && edu_transfer(self, to, true);
}

/* 4 bytes from one address to another: registers are not written as memory is. */
static bool copy_word(FIXTURE_DATA(vfio_bar) * self, __u64 from, __u64 to)
{
	edu_start_len(self, from, false, 4);
	if (!edu_wait(self))
		return false;
	edu_start_len(self, to, true, 4);
	return edu_wait(self);
}

/* Data comes and goes, and nothing but that. */
static void check_dma(struct __test_metadata *_metadata,
		      FIXTURE_DATA(vfio_bar) * self, volatile char *bar,
		      __u64 iova)
{
	fill(self->ram, EDU_LEN);
	fill(bar, EDU_LEN);
	ASSERT_TRUE(copy_by_edu(self, RAM_IOVA, iova));
	EXPECT_TRUE(same(self->ram, bar, EDU_LEN));

	fill(bar, EDU_LEN);
	ASSERT_TRUE(copy_by_edu(self, iova, RAM_IOVA + PAGE));
	EXPECT_TRUE(same(self->ram + PAGE, bar, EDU_LEN));
	EXPECT_EQ(0, faults(self));
}

/* The device does not reach it any more; unmapping says that it was there. */
static void check_no_dma(struct __test_metadata *_metadata,
			 FIXTURE_DATA(vfio_bar) * self, __u64 iova)
{
	fill(self->ram, EDU_LEN);
	ASSERT_TRUE(edu_transfer(self, RAM_IOVA, false));
	EXPECT_EQ(0, faults(self));
	EXPECT_TRUE(edu_faults(self, iova));
	EXPECT_EQ(SIZE, dma_unmap(&self->edu, iova, SIZE));
}

/* --- tests ----------------------------------------------------------------- */

VFIO_TEST(there_is_no_route)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
	};
	struct vfio_device_detach_iommufd_pt detach = {
		.argsz = sizeof(detach),
	};
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	__u32 first = self->edu.ioas;

	if (!variant->routed || !getenv("VFIO_ROUTE"))
		SKIP(return, "there is one, or nobody asks for it");
	EXPECT_EQ(-EREMOTEIO, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));

	/* Where no device is yet it can be mapped, and none is let in. */
	ASSERT_EQ(0, ioctl(self->edu.iommu, IOMMU_IOAS_ALLOC, &ioas));
	attach.pt_id = ioas.out_ioas_id;
	self->edu.ioas = ioas.out_ioas_id;
	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	EXPECT_EQ(-1, ioctl(self->edu.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
			    &attach));
	/* What a domain of virtio's can address is not known until it is used. */
	EXPECT_TRUE(errno == EREMOTEIO || errno == EADDRINUSE);
	/* It is where it was. */
	ASSERT_TRUE(copy_by_edu(self, RAM_IOVA, RAM_IOVA + PAGE));

	ASSERT_EQ(0, ioctl(self->edu.fd, VFIO_DEVICE_DETACH_IOMMUFD_PT,
			   &detach));
	EXPECT_EQ(-1, ioctl(self->edu.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
			    &attach));
	EXPECT_EQ(EREMOTEIO, errno);
	EXPECT_EQ(SIZE, dma_unmap(&self->edu, IOVA, SIZE));
	self->edu.ioas = first;
	attach.pt_id = first;
	ASSERT_EQ(0, ioctl(self->edu.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
			   &attach));
	ASSERT_TRUE(copy_by_edu(self, RAM_IOVA, RAM_IOVA + PAGE));
	EXPECT_EQ(0, faults(self));
}

VFIO_TEST(bar_is_mapped)
{
	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	check_dma(_metadata, self, self->bar, IOVA);
	check_dma(_metadata, self, self->bar + SIZE - PAGE, IOVA + SIZE - PAGE);
	EXPECT_EQ(SIZE, dma_unmap(&self->edu, IOVA, SIZE));
	EXPECT_TRUE(edu_faults(self, IOVA));
}

VFIO_TEST(mapping_outlives_that_of_the_cpu)
{
	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	munmap(self->bar, SIZE);
	self->bar = map_bar(&self->other, NULL, RW);
	ASSERT_NE(MAP_FAILED, self->bar);
	check_dma(_metadata, self, self->bar, IOVA);
}

VFIO_TEST(bar_of_sysfs_is_mapped)
{
	char *bar = map_by_sysfs(&self->other, NULL, RW, PAGE);

	ASSERT_NE(MAP_FAILED, bar);
	ASSERT_EQ(0, dma_map(&self->edu, bar, IOVA, SIZE, RW));
	check_dma(_metadata, self, bar, IOVA);
	/* Reset by whom vfio-pci drives it. */
	ASSERT_EQ(0, ioctl(self->other.fd, VFIO_DEVICE_RESET));
	check_no_dma(_metadata, self, IOVA);
	munmap(bar, SIZE);
}

/* vfio-pci resets what it opens. */
VFIO_TEST(device_is_opened)
{
	char *bar = map_by_sysfs(&self->other, NULL, RW, PAGE);

	ASSERT_NE(MAP_FAILED, bar);
	close_other(self);
	ASSERT_EQ(0, dma_map(&self->edu, bar, IOVA, SIZE, RW));
	check_dma(_metadata, self, bar, IOVA);
	ASSERT_TRUE(open_other(self, variant));
	check_no_dma(_metadata, self, IOVA);
	munmap(bar, SIZE);
}

VFIO_TEST(ram_and_bar)
{
	char *both = mmap(NULL, 2 * SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	int ret;

	ASSERT_NE(MAP_FAILED, both);
	ASSERT_EQ(both + SIZE, mremap(self->bar, SIZE, SIZE,
				      MREMAP_MAYMOVE | MREMAP_FIXED,
				      both + SIZE));
	self->bar = both + SIZE;
	ret = dma_map(&self->edu, both, IOVA, 2 * SIZE, RW);
	EXPECT_EQ(variant->mixed, ret);
	if (!ret) {
		check_dma(_metadata, self, both, IOVA);
		check_dma(_metadata, self, self->bar, IOVA + SIZE);
		/* One is taken back, and the mapping is gone as a whole. */
		ASSERT_EQ(0, ioctl(self->other.fd, VFIO_DEVICE_RESET));
		EXPECT_TRUE(edu_faults(self, IOVA));
		EXPECT_TRUE(edu_faults(self, IOVA + SIZE));
		EXPECT_EQ(2 * SIZE, dma_unmap(&self->edu, IOVA, 2 * SIZE));
	}
	munmap(both, SIZE);
}

VFIO_TEST(read_only)
{
	char *bar = map_bar(&self->other, NULL, PROT_READ);

	ASSERT_NE(MAP_FAILED, bar);
	EXPECT_EQ(-EFAULT, dma_map(&self->edu, bar, IOVA, SIZE, RW));
	ASSERT_EQ(0, dma_map(&self->edu, bar, IOVA, SIZE, PROT_READ));
	fill(self->ram, EDU_LEN);
	copy(self->bar, self->ram, EDU_LEN);
	/* First: for what it has in its I/O TLB QEMU reports no fault. */
	ASSERT_TRUE(edu_transfer(self, RAM_IOVA + PAGE, false));
	EXPECT_TRUE(edu_faults(self, IOVA));
	EXPECT_TRUE(same(self->ram, self->bar, EDU_LEN));

	ASSERT_TRUE(copy_by_edu(self, IOVA, RAM_IOVA + PAGE));
	EXPECT_TRUE(same(self->ram + PAGE, self->bar, EDU_LEN));
	EXPECT_EQ(0, faults(self));
	munmap(bar, SIZE);
}

/* What DMA does to a register the CPU sees, and the other way around. */
VFIO_TEST(registers_of_an_edu)
{
	volatile __u32 *ram = (volatile __u32 *)self->ram, *regs;
	struct device target = { };

	if (!getenv("VFIO_REGS"))
		SKIP(return, "VFIO_REGS is not set");
	snprintf(target.pci, sizeof(target.pci), "%s", getenv("VFIO_REGS"));
	ASSERT_LE(0, variant->open(&target));
	regs = map_region(&target, 0, PAGE, RW);
	ASSERT_NE(MAP_FAILED, regs);
	ASSERT_EQ(0, dma_map(&self->edu, (void *)regs, IOVA, PAGE, RW));

	ram[0] = 0x5eed1234;
	ASSERT_TRUE(copy_word(self, RAM_IOVA, IOVA + EDU_LIVENESS));
	EXPECT_EQ(~0x5eed1234U, regs[EDU_LIVENESS / 4]);
	regs[EDU_LIVENESS / 4] = 0xcafe4321;
	ASSERT_TRUE(copy_word(self, IOVA + EDU_LIVENESS, RAM_IOVA + PAGE));
	EXPECT_EQ(~0xcafe4321U, ram[PAGE / 4]);
	EXPECT_EQ(0, faults(self));

	ASSERT_EQ(0, ioctl(target.fd, VFIO_DEVICE_RESET));
	regs[EDU_LIVENESS / 4] = 0xdead0000;
	EXPECT_TRUE(edu_faults(self, IOVA));
	ASSERT_TRUE(copy_word(self, RAM_IOVA, IOVA + EDU_LIVENESS));
	EXPECT_EQ(~0xdead0000U, regs[EDU_LIVENESS / 4]);
	EXPECT_EQ(PAGE, dma_unmap(&self->edu, IOVA, PAGE));
	munmap((void *)regs, PAGE);
	close_device(&target);
}

/* It cannot be lent: type1 looks into the page tables, as it always did. */
VFIO_TEST(smaller_than_a_page)
{
	volatile __u32 *ram = (volatile __u32 *)self->ram;
	volatile __u32 *regs = map_region(&self->other, 0, PAGE, RW);
	int ret;

	ASSERT_NE(MAP_FAILED, regs);
	ret = dma_map(&self->edu, (void *)regs, IOVA, PAGE, RW);
	EXPECT_EQ(variant->routed ? -EFAULT : 0, ret);
	if (!ret) {
		ram[0] = 0x5eed1234;
		ASSERT_TRUE(copy_word(self, RAM_IOVA, IOVA + IVSHMEM_MASK));
		EXPECT_EQ(0x5eed1234, regs[IVSHMEM_MASK / 4]);
		EXPECT_EQ(0, faults(self));
		EXPECT_EQ(PAGE, dma_unmap(&self->edu, IOVA, PAGE));
	}
	munmap((void *)regs, PAGE);
}

VFIO_TEST(longer_than_the_mapping)
{
	EXPECT_EQ(-EFAULT, dma_map(&self->edu, self->bar, IOVA,
				   64L << 20, RW));
	/* Nothing is left at that address. */
	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	check_dma(_metadata, self, self->bar, IOVA);
}

VFIO_TEST(device_is_reset)
{
	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	check_dma(_metadata, self, self->bar, IOVA);
	ASSERT_EQ(0, ioctl(self->other.fd, VFIO_DEVICE_RESET));
	check_no_dma(_metadata, self, IOVA);

	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	check_dma(_metadata, self, self->bar, IOVA);
}

VFIO_TEST(bus_is_reset)
{
	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	if (self->other.group >= 0) {
		/* By whom does not own it: nothing happens. */
		EXPECT_EQ(-1, hot_reset(&self->other, self->edu.group));
		EXPECT_EQ(EINVAL, errno);
		check_dma(_metadata, self, self->bar, IOVA);
	}
	ASSERT_EQ(0, hot_reset(&self->other, self->other.group));
	check_no_dma(_metadata, self, IOVA);

	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	check_dma(_metadata, self, self->bar, IOVA);
}

VFIO_TEST(memory_is_disabled)
{
	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	ASSERT_TRUE(set_command(&self->other, PCI_COMMAND_MEMORY, false));
	check_no_dma(_metadata, self, IOVA);

	EXPECT_EQ(-EFAULT, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	/* Once more is not twice. */
	ASSERT_TRUE(set_command(&self->other, PCI_COMMAND_MEMORY, false));
	EXPECT_EQ(-EFAULT, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	ASSERT_EQ(0, ioctl(self->other.fd, VFIO_DEVICE_RESET));
	EXPECT_EQ(-EFAULT, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));

	ASSERT_TRUE(set_command(&self->other, PCI_COMMAND_MEMORY, true));
	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	check_dma(_metadata, self, self->bar, IOVA);
	/* What else is written there is nobody's business. */
	ASSERT_TRUE(set_command(&self->other, PCI_COMMAND_MASTER, true));
	check_dma(_metadata, self, self->bar, IOVA);
}

VFIO_TEST(device_is_closed)
{
	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	check_dma(_metadata, self, self->bar, IOVA);
	close_other(self);
	check_no_dma(_metadata, self, IOVA);

	/* With its memory disabled, too. */
	ASSERT_LE(0, variant->open(&self->other));
	ASSERT_TRUE(set_command(&self->other, PCI_COMMAND_MEMORY, false));
	close_device(&self->other);

	ASSERT_TRUE(open_other(self, variant));
	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	check_dma(_metadata, self, self->bar, IOVA);
}

/* The one that does the DMA goes first. */
VFIO_TEST(importer_is_closed)
{
	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	close_edu(self);
	ASSERT_EQ(0, ioctl(self->other.fd, VFIO_DEVICE_RESET));
	ASSERT_TRUE(open_edu(self, variant));
	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	check_dma(_metadata, self, self->bar, IOVA);
}

static void *reset_again_and_again(void *data)
{
	FIXTURE_DATA(vfio_bar) * self = data;
	int resets = atoi(getenv("VFIO_RESETS"));

	for (; resets; resets--) {
		if (ioctl(self->other.fd, VFIO_DEVICE_RESET))
			return "the device cannot be reset";
		usleep(1000 * (resets % 7));
	}
	return NULL;
}

VFIO_TEST(reset_in_flight)
{
	int maps = 0, ret;
	pthread_t thread;
	void *trouble;

	if (!getenv("VFIO_RESETS"))
		SKIP(return, "VFIO_RESETS is not set");
	ASSERT_EQ(0, pthread_create(&thread, NULL, reset_again_and_again,
				    self));
	while (pthread_tryjoin_np(thread, &trouble) == EBUSY) {
		ret = dma_map(&self->edu, self->bar, IOVA, SIZE, RW);
		if (ret) {
			/* iommufd tells when it was granted and taken back. */
			if (!variant->routed || ret != -ENODEV)
				EXPECT_EQ(-EFAULT, ret);
			continue;
		}
		maps++;
		if (edu_is_done(self))
			edu_start(self, IOVA, maps % 2);
		EXPECT_EQ(SIZE, dma_unmap(&self->edu, IOVA, SIZE));
	}
	EXPECT_EQ(NULL, trouble);
	EXPECT_LT(0, maps);
	ksft_print_msg("mapped %d times\n", maps);
	ASSERT_TRUE(edu_wait(self));
	faults(self);
	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	check_dma(_metadata, self, self->bar, IOVA);
}

struct replaced {
	struct device *device;
	void *ram;
	int delay;
};

static void *map_bar_over_ram(void *data)
{
	struct replaced *r = data;

	usleep(r->delay);
	return map_bar(r->device, r->ram, RW) == r->ram ?
	       NULL : "the BAR cannot be mapped";
}

/* Whatever is found there: that it is taken back nobody gets around. */
VFIO_TEST(replaced_while_it_is_mapped)
{
	struct replaced r = { .device = &self->other };
	pthread_t thread;
	void *trouble;
	int ret;

	for (; r.delay < 4000; r.delay += 500) {
		r.ram = mmap(NULL, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0);
		ASSERT_NE(MAP_FAILED, r.ram);
		ASSERT_EQ(0, pthread_create(&thread, NULL, map_bar_over_ram,
					    &r));
		ret = dma_map(&self->edu, r.ram, IOVA, SIZE, RW);
		ASSERT_EQ(0, pthread_join(thread, &trouble));
		ASSERT_EQ(NULL, trouble);
		ASSERT_EQ(0, ioctl(self->other.fd, VFIO_DEVICE_RESET));
		fill(self->bar, EDU_LEN);
		copy(self->ram + PAGE, self->bar, EDU_LEN);
		fill(self->ram, EDU_LEN);
		ASSERT_TRUE(copy_by_edu(self, RAM_IOVA, IOVA));
		EXPECT_TRUE(same(self->ram + PAGE, self->bar, EDU_LEN));
		if (!ret)
			EXPECT_EQ(SIZE, dma_unmap(&self->edu, IOVA, SIZE));
		munmap(r.ram, SIZE);
	}
}

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool written = fd >= 0 && write(fd, text, strlen(text)) > 0;

	close(fd);
	return written;
}

/* It waits for who has the device open. */
static void *take_driver(void *pci)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver/unbind",
		 (char *)pci);
	return write_text(path, pci) ? NULL : "the device cannot be unbound";
}

VFIO_TEST(unbind_in_flight)
{
	pthread_t thread;
	void *trouble;

	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	ASSERT_EQ(0, pthread_create(&thread, NULL, take_driver,
				    self->other.pci));
	sleep(1);
	check_dma(_metadata, self, self->bar, IOVA);
	ASSERT_EQ(EBUSY, pthread_tryjoin_np(thread, &trouble));

	edu_start(self, IOVA, true);
	close_other(self);
	ASSERT_EQ(0, pthread_join(thread, &trouble));
	EXPECT_EQ(NULL, trouble);
	ASSERT_TRUE(edu_wait(self));
	faults(self);
	check_no_dma(_metadata, self, IOVA);

	ASSERT_TRUE(write_text("/sys/bus/pci/drivers_probe", self->other.pci));
	ASSERT_TRUE(open_other(self, variant));
	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	check_dma(_metadata, self, self->bar, IOVA);
}

VFIO_TEST(o_direct)
{
	const char *disk = getenv("VFIO_DISK"), *route = getenv("VFIO_ROUTE");
	char *other;
	int fd;

	if (!disk)
		SKIP(return, "VFIO_DISK is not set");
	fd = open(disk, O_RDWR | O_DIRECT);
	ASSERT_LE(0, fd);
	if (route) {
		EXPECT_EQ(-1, pread(fd, self->bar, SIZE, 0));
		EXPECT_EQ(strcmp(route, "EREMOTEIO") ? 0 : EREMOTEIO, errno);
		close(fd);
		return;
	}
	other = mmap(NULL, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, other);
	fill(other, SIZE);
	ASSERT_EQ(SIZE, pwrite(fd, other, SIZE, 0));
	ASSERT_EQ(SIZE, pread(fd, self->bar, SIZE, 0));
	EXPECT_TRUE(same(other, self->bar, SIZE));
	fill(self->bar, SIZE);
	ASSERT_EQ(SIZE, pwrite(fd, self->bar, SIZE, 0));
	ASSERT_EQ(SIZE, pread(fd, other, SIZE, 0));
	EXPECT_TRUE(same(other, self->bar, SIZE));

	ASSERT_TRUE(set_command(&self->other, PCI_COMMAND_MEMORY, false));
	EXPECT_EQ(-1, pread(fd, self->bar, SIZE, 0));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_TRUE(set_command(&self->other, PCI_COMMAND_MEMORY, true));
	EXPECT_EQ(SIZE, pread(fd, self->bar, SIZE, 0));
	munmap(other, SIZE);
	close(fd);
}

/*
 * It may have them for as long as user space lets it stream: who closes the
 * device would wait for itself.
 */
VFIO_TEST(no_buffer_of_a_camera)
{
	struct v4l2_requestbuffers request = {
		.count = 1, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_USERPTR,
	};
	struct v4l2_buffer buf = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_USERPTR,
		.m.userptr = (unsigned long)self->bar, .length = SIZE,
	};
	struct v4l2_format format = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.fmt.pix = {
			.width = 64, .height = 128,
			.pixelformat = V4L2_PIX_FMT_GREY,
		},
	};
	int fd;

	if (!getenv("VFIO_CAMERA"))
		SKIP(return, "VFIO_CAMERA is not set");
	fd = open(getenv("VFIO_CAMERA"), O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ioctl(fd, VIDIOC_S_FMT, &format));
	ASSERT_EQ(0, ioctl(fd, VIDIOC_REQBUFS, &request));
	EXPECT_EQ(-1, ioctl(fd, VIDIOC_QBUF, &buf));
	EXPECT_EQ(EFAULT, errno);
	buf.m.userptr = (unsigned long)self->ram;
	EXPECT_EQ(0, ioctl(fd, VIDIOC_QBUF, &buf));
	close(fd);
}

VFIO_TEST(allocation_fails)
{
	int fd, nth = 0, ret, errors = 0;
	char text[16];

	if (!getenv("VFIO_FAULTS"))
		SKIP(return, "VFIO_FAULTS is not set");
	fd = open("/proc/thread-self/fail-nth", O_RDWR);
	if (fd < 0 || !let_everything_fail())
		SKIP(return, "no CONFIG_FAILSLAB and CONFIG_FAIL_PAGE_ALLOC");
	do {
		/* To lend the BAR needs memory, too. */
		ASSERT_EQ(0, ioctl(self->other.fd, VFIO_DEVICE_RESET));
		ASSERT_GT(200, ++nth);
		snprintf(text, sizeof(text), "%d", nth);
		ASSERT_LE(0, pwrite(fd, text, strlen(text), 0));
		ret = dma_map(&self->edu, self->bar, IOVA, SIZE, RW);
		ASSERT_LE(0, pread(fd, text, sizeof(text), 0));
		ASSERT_EQ(1, pwrite(fd, "0", 1, 0));
		if (ret) {
			/* CONFIG_IOMMUFD_TEST fails where it finds objects. */
			if (!variant->routed || ret != -ENOENT)
				EXPECT_EQ(-ENOMEM, ret);
			errors++;
		} else {
			EXPECT_EQ(SIZE, dma_unmap(&self->edu, IOVA, SIZE));
		}
	} while (*text == '0');
	EXPECT_EQ(0, ret);
	EXPECT_LT(0, errors);
	ksft_print_msg("%d allocations failed, and %d times the mapping\n",
		       nth - 1, errors);
	close(fd);
	/* Nobody holds anything: nobody is waited for. */
	ASSERT_EQ(0, ioctl(self->other.fd, VFIO_DEVICE_RESET));
	ASSERT_EQ(0, dma_map(&self->edu, self->bar, IOVA, SIZE, RW));
	check_dma(_metadata, self, self->bar, IOVA);
}

TEST_HARNESS_MAIN
