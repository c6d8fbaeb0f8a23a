// SPDX-License-Identifier: GPL-2.0
/*
 * One V4L2 device writes to buffers that another device has allocated and this
 * program has mapped: mmap() of the one, V4L2_MEMORY_USERPTR of the other.
 *
 *	VB2_EXPORTER=/dev/video0	vivid.allocators=1, that is dma-contig
 *	VB2_IMPORTER=/dev/video1	vedu: its pictures are known
 *	VB2_SCATTERED=yes		if it takes what is not contiguous: with
 *					an I/O MMU, or vedu.allocator=1
 *	VB2_ERROR=EFAULT		if it cannot import, or vedu.allocator=2
 *	VB2_DISK=/dev/nvme0n1		that is read
 *	VB2_BAR=/sys/bus/pci/devices/0000:00:04.0/resource2
 *					of 64 KiB, which it reaches
 *	VB2_BAR_PCI=0000:00:04.0	to be removed
 *	VB2_FAR_BAR=/sys/bus/pci/devices/0000:00:06.0/resource2
 *					which it does not reach
 *	VB2_SYNC_DEVICE=v7_dma_map_area	the kernel's function that maintains caches
 *	VB2_SYNC_CPU=v7_dma_unmap_area	before DMA, and the one afterwards, if any
 *	VB2_COHERENT=yes		if they are not to be called
 *	VB2_IMPORTER_PCI=0000:00:05.0	to be unbound
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"

#define NBUFS		3
#define WIDTH		64
#define HEIGHT		128
#define SIZE		(WIDTH * HEIGHT)
#define PAGE		4096L
#define RW		(PROT_READ | PROT_WRITE)
#define CAPTURE		V4L2_BUF_TYPE_VIDEO_CAPTURE

/* An emulated CPU with all of the kernel's checks is slow. */
#define VB2_TEST(fixture, name)	TEST_F_TIMEOUT(fixture, name, 7200)

/* --- what vedu draws ----------------------------------------------------- */

#define NOISE		4095
#define CHUNK		2048

static unsigned char pixel(unsigned int sequence, size_t pos)
{
	unsigned int shift = (sequence * 37 + pos / CHUNK * 131) %
			     (NOISE - CHUNK);

	return ((shift + pos % CHUNK) * 2654435761U) >> 24;
}

static bool is_picture(const void *buf, size_t size, unsigned int sequence)
{
	const unsigned char *p = buf;
	size_t i;

	for (i = 0; i < size; i++)
		if (p[i] != pixel(sequence, i))
			return false;
	return true;
}

static bool is_filled(const void *buf, size_t size, unsigned char with)
{
	const unsigned char *p = buf;

	for (; size; size--)
		if (*p++ != with)
			return false;
	return true;
}

/* --- V4L2 ---------------------------------------------------------------- */

static int request(int fd, unsigned int memory, unsigned int count)
{
	struct v4l2_requestbuffers req = {
		.count = count, .type = CAPTURE, .memory = memory,
	};

	return ioctl(fd, VIDIOC_REQBUFS, &req);
}

static int set_height(int fd, unsigned int height)
{
	struct v4l2_format f = {
		.type = CAPTURE,
		.fmt.pix = {
			.width = WIDTH, .height = height,
			.pixelformat = V4L2_PIX_FMT_GREY,
		},
	};

	return ioctl(fd, VIDIOC_S_FMT, &f);
}

static int queue(int fd, unsigned int index, void *buf, size_t len)
{
	struct v4l2_buffer b = {
		.index = index, .type = CAPTURE, .memory = V4L2_MEMORY_USERPTR,
		.m.userptr = (unsigned long)buf, .length = len,
	};

	return ioctl(fd, VIDIOC_QBUF, &b);
}

static int dequeue(int fd, struct v4l2_buffer *b)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	*b = (struct v4l2_buffer) {
		.type = CAPTURE, .memory = V4L2_MEMORY_USERPTR,
	};
	if (poll(&pfd, 1, 60000) != 1) {
		errno = ETIMEDOUT;
		return -1;
	}
	return ioctl(fd, VIDIOC_DQBUF, b);
}

static int stream(int fd, bool on)
{
	int type = CAPTURE;

	return ioctl(fd, on ? VIDIOC_STREAMON : VIDIOC_STREAMOFF, &type);
}

/* Where no other mapping follows. */
static void *map_buffer(int fd, unsigned int index, int prot, size_t *len)
{
	struct v4l2_buffer b = {
		.index = index, .type = CAPTURE, .memory = V4L2_MEMORY_MMAP,
	};
	char *at;

	if (ioctl(fd, VIDIOC_QUERYBUF, &b))
		return MAP_FAILED;
	*len = b.length;
	at = mmap(NULL, b.length + 2 * PAGE, PROT_NONE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return at;
	return mmap(at, b.length, prot, MAP_SHARED | MAP_FIXED, fd, b.m.offset);
}

/* Different errors for what cannot be done at all and what this asks for. */
#define EXPECT_ERROR(error, call) do {					\
	EXPECT_EQ(-1, (call));						\
	EXPECT_EQ(error, errno);					\
} while (0)

static void write_file(const char *format, const char *name, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), format, name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

/* Both devices, and the buffers of the one. */
struct devices {
	int exporter, importer;
	char *map[NBUFS];
	size_t len;		/* of each */
};

/* One page of an exporter's buffer, instead of what is there. */
static bool place_page(const struct devices *d, unsigned int index, long page,
		       char *at)
{
	size_t len;
	char *whole = map_buffer(d->exporter, index, RW, &len);
	bool placed;

	if (whole == MAP_FAILED)
		return false;
	placed = mremap(whole + page * PAGE, PAGE, PAGE,
			MREMAP_MAYMOVE | MREMAP_FIXED, at) == at;
	munmap(whole, len);
	return placed;
}

static void open_devices(struct __test_metadata *_metadata, struct devices *d)
{
	const char *exporter = getenv("VB2_EXPORTER");
	const char *importer = getenv("VB2_IMPORTER");
	int i;

	if (!exporter || !importer)
		SKIP(return, "VB2_EXPORTER and VB2_IMPORTER are not set");
	d->exporter = open(exporter, O_RDWR);
	ASSERT_LE(0, d->exporter);
	ASSERT_EQ(0, request(d->exporter, V4L2_MEMORY_MMAP, NBUFS));
	for (i = 0; i < NBUFS; i++) {
		d->map[i] = map_buffer(d->exporter, i, RW, &d->len);
		ASSERT_NE(MAP_FAILED, (void *)d->map[i]);
		ASSERT_LE(SIZE + 2 * PAGE, (long)d->len);
	}
	d->importer = open(importer, O_RDWR);
	ASSERT_LE(0, d->importer);
	ASSERT_EQ(0, set_height(d->importer, HEIGHT));
	ASSERT_EQ(0, request(d->importer, V4L2_MEMORY_USERPTR, NBUFS));
}

static void close_devices(struct devices *d)
{
	int i;

	close(d->importer);
	for (i = 0; i < NBUFS; i++)
		munmap(d->map[i], d->len);
	close(d->exporter);
}

/* --- with any kernel ----------------------------------------------------- */

FIXTURE(vb2_userptr)
{
	struct devices d;
};

FIXTURE_SETUP(vb2_userptr)
{
	open_devices(_metadata, &self->d);
}

FIXTURE_TEARDOWN(vb2_userptr)
{
	close_devices(&self->d);
}

VB2_TEST(vb2_userptr, ordinary_memory)
{
	struct devices *d = &self->d;
	struct v4l2_buffer b;
	char *ram;

	ASSERT_EQ(0, request(d->importer, V4L2_MEMORY_USERPTR, 0));
	ASSERT_EQ(0, set_height(d->importer, PAGE / WIDTH));
	ASSERT_EQ(0, request(d->importer, V4L2_MEMORY_USERPTR, 1));
	ram = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)ram);
	memset(ram, 0x5a, 3 * PAGE);
	ASSERT_EQ(0, queue(d->importer, 0, ram + PAGE, PAGE));
	ASSERT_EQ(0, stream(d->importer, true));
	ASSERT_EQ(0, dequeue(d->importer, &b));
	EXPECT_TRUE(is_picture(ram + PAGE, PAGE, b.sequence));
	EXPECT_TRUE(is_filled(ram, PAGE, 0x5a));
	EXPECT_TRUE(is_filled(ram + 2 * PAGE, PAGE, 0x5a));
	EXPECT_EQ(0, stream(d->importer, false));
	munmap(ram, 3 * PAGE);
}

VB2_TEST(vb2_userptr, error_is_the_expected_one)
{
	struct devices *d = &self->d;

	if (!getenv("VB2_ERROR"))
		SKIP(return, "VB2_ERROR is not set");
	EXPECT_ERROR(EFAULT, queue(d->importer, 0, d->map[0], SIZE));
}

VB2_TEST(vb2_userptr, what_is_not_granted)
{
	struct devices *d = &self->d;
	size_t len;
	char *ro;

	EXPECT_ERROR(EFAULT, queue(d->importer, 0, NULL + PAGE, SIZE));
	/* What is mapped ends where a page does. */
	len = (d->len + PAGE - 1) & ~(PAGE - 1);
	EXPECT_ERROR(EFAULT, queue(d->importer, 0,
				   d->map[0] + len - SIZE + PAGE, SIZE));
	ro = map_buffer(d->exporter, 0, PROT_READ, &len);
	ASSERT_NE(MAP_FAILED, (void *)ro);
	EXPECT_ERROR(EFAULT, queue(d->importer, 0, ro, SIZE));
	munmap(ro, len);
}

/* Direct I/O has no place for the owner's hold, and the CPU does the rest. */
VB2_TEST(vb2_userptr, direct_io_is_as_before)
{
	struct devices *d = &self->d;
	const char *name = getenv("VB2_DISK");
	char *ram, *disk;
	int fd;

	if (!name)
		SKIP(return, "VB2_DISK is not set");
	fd = open(name, O_RDONLY | O_DIRECT);
	ASSERT_LE(0, fd);
	EXPECT_ERROR(EFAULT, pread(fd, d->map[0], 4 * PAGE, 0));

	ram = mmap(NULL, d->len + PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0);
	disk = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)ram);
	ASSERT_NE(MAP_FAILED, (void *)disk);
	ASSERT_EQ(4 * PAGE, pread(fd, disk, 4 * PAGE, 0));
	d->map[0] = mremap(d->map[0], d->len, d->len,
			   MREMAP_MAYMOVE | MREMAP_FIXED, ram + PAGE);
	ASSERT_EQ(ram + PAGE, d->map[0]);
	memset(ram, 0x5a, d->len + PAGE);
	EXPECT_EQ(4 * PAGE, pread(fd, ram, 4 * PAGE, 0));
	EXPECT_EQ(0, memcmp(ram, disk, 4 * PAGE));
	munmap(ram, PAGE);
	munmap(disk, 4 * PAGE);
	close(fd);
}

/* --- with one that imports ----------------------------------------------- */

FIXTURE(vb2_import)
{
	struct devices d;
};

FIXTURE_SETUP(vb2_import)
{
	if (getenv("VB2_ERROR"))
		SKIP(return, "buffers are not imported: VB2_ERROR");
	open_devices(_metadata, &self->d);
}

FIXTURE_TEARDOWN(vb2_import)
{
	close_devices(&self->d);
}

VB2_TEST(vb2_import, pictures_in_every_buffer)
{
	struct devices *d = &self->d;
	struct v4l2_buffer b;
	int i;

	for (i = 0; i < NBUFS; i++) {
		memset(d->map[i], 0x5a, d->len);
		ASSERT_EQ(0, queue(d->importer, i, d->map[i],
				   d->len));
	}
	ASSERT_EQ(0, stream(d->importer, true));
	for (i = 0; i < 3 * NBUFS; i++) {
		ASSERT_EQ(0, dequeue(d->importer, &b));
		EXPECT_EQ(0, b.flags & V4L2_BUF_FLAG_ERROR);
		EXPECT_TRUE(is_picture(d->map[b.index], SIZE, b.sequence));
		EXPECT_TRUE(is_filled(d->map[b.index] + SIZE,
				      d->len - SIZE, 0x5a));
		memset(d->map[b.index], 0x5a, SIZE);
		ASSERT_EQ(0, queue(d->importer, b.index,
				   d->map[b.index], d->len));
	}
	EXPECT_EQ(0, stream(d->importer, false));
}

/* Not where a page begins, and then in another one of the exporter's. */
VB2_TEST(vb2_import, picture_amid_a_buffer)
{
	struct devices *d = &self->d;
	static const long offsets[] = { 0x280, PAGE + 0x80, 2 * PAGE };
	struct v4l2_buffer b;
	char *at;
	int i;

	ASSERT_EQ(0, stream(d->importer, true));
	for (i = 0; i < NBUFS; i++) {
		memset(d->map[i], 0x5a, d->len);
		at = d->map[i] + offsets[i];
		ASSERT_EQ(0, queue(d->importer, 0, at, SIZE));
		ASSERT_EQ(0, dequeue(d->importer, &b));
		EXPECT_TRUE(is_picture(at, SIZE, b.sequence));
		EXPECT_TRUE(is_filled(d->map[i], offsets[i], 0x5a));
		EXPECT_TRUE(is_filled(at + SIZE, d->len - SIZE - offsets[i],
				      0x5a));
	}
	EXPECT_EQ(0, stream(d->importer, false));
}

/* The mapping no longer begins where the buffer does. */
VB2_TEST(vb2_import, rest_of_a_mapping)
{
	struct devices *d = &self->d;
	char *at = d->map[0] + 2 * PAGE;
	struct v4l2_buffer b;
	char *whole;
	size_t len;

	whole = map_buffer(d->exporter, 0, RW, &len);
	ASSERT_NE(MAP_FAILED, (void *)whole);
	memset(whole, 0x5a, len);
	ASSERT_EQ(0, munmap(d->map[0], 2 * PAGE));
	EXPECT_ERROR(EFAULT, queue(d->importer, 0, d->map[0], SIZE));
	ASSERT_EQ(0, queue(d->importer, 0, at, SIZE));
	ASSERT_EQ(0, stream(d->importer, true));
	ASSERT_EQ(0, dequeue(d->importer, &b));
	EXPECT_TRUE(is_picture(whole + 2 * PAGE, SIZE, b.sequence));
	EXPECT_TRUE(is_filled(whole, 2 * PAGE, 0x5a));
	EXPECT_EQ(0, stream(d->importer, false));
	munmap(whole, len);
}

VB2_TEST(vb2_import, half_in_ram)
{
	struct devices *d = &self->d;
	struct v4l2_buffer b;
	char *ram, *half;

	ram = mmap(NULL, d->len + PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0);
	ASSERT_NE(MAP_FAILED, (void *)ram);
	half = mremap(d->map[0], d->len, d->len,
		      MREMAP_MAYMOVE | MREMAP_FIXED, ram + PAGE);
	ASSERT_EQ(ram + PAGE, half);
	d->map[0] = half;
	memset(ram, 0x5a, d->len + PAGE);
	if (queue(d->importer, 0, ram, SIZE)) {
		/* Contiguous by chance only. */
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(NULL, getenv("VB2_SCATTERED"));
		munmap(ram, PAGE);
		return;
	}
	ASSERT_EQ(0, stream(d->importer, true));
	ASSERT_EQ(0, dequeue(d->importer, &b));
	EXPECT_TRUE(is_picture(ram, SIZE, b.sequence));
	EXPECT_EQ(0, stream(d->importer, false));
	munmap(ram, PAGE);
}

/* From RAM to RAM, by way of pages of the exporter, not in their order. */
VB2_TEST(vb2_import, ranges_in_any_order)
{
	struct devices *d = &self->d;
	struct v4l2_buffer b;
	char *at;

	if (!getenv("VB2_SCATTERED"))
		SKIP(return, "VB2_SCATTERED is not set");
	at = mmap(NULL, 6 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)at);
	ASSERT_TRUE(place_page(d, 0, 2, at + PAGE));
	ASSERT_TRUE(place_page(d, 0, 1, at + 2 * PAGE));
	ASSERT_TRUE(place_page(d, 1, 0, at + 4 * PAGE));
	memset(at, 0x5a, 6 * PAGE);
	ASSERT_EQ(0, request(d->importer, V4L2_MEMORY_USERPTR, 0));
	ASSERT_EQ(0, set_height(d->importer, 5 * PAGE / WIDTH));
	ASSERT_EQ(0, request(d->importer, V4L2_MEMORY_USERPTR, 1));
	ASSERT_EQ(0, queue(d->importer, 0, at + 0x280, 5 * PAGE));
	ASSERT_EQ(0, stream(d->importer, true));
	ASSERT_EQ(0, dequeue(d->importer, &b));
	EXPECT_EQ(0, b.flags & V4L2_BUF_FLAG_ERROR);
	EXPECT_TRUE(is_picture(at + 0x280, 5 * PAGE, b.sequence));
	EXPECT_TRUE(is_filled(at, 0x280, 0x5a));
	EXPECT_TRUE(is_filled(at + 5 * PAGE + 0x280, PAGE - 0x280, 0x5a));
	EXPECT_EQ(0, stream(d->importer, false));
	munmap(at, 6 * PAGE);
}

/* Nobody has the buffers any more but the importer, which goes on. */
VB2_TEST(vb2_import, buffer_outlives_exporter)
{
	struct devices *d = &self->d;
	size_t len = 96 << 20;
	struct v4l2_buffer b;
	char *ram;
	int i;

	for (i = 0; i < NBUFS; i++)
		ASSERT_EQ(0, queue(d->importer, i, d->map[i],
				   d->len));
	for (i = 0; i < NBUFS; i++)
		ASSERT_EQ(0, munmap(d->map[i], d->len));
	ASSERT_EQ(0, request(d->exporter, V4L2_MEMORY_MMAP, 0));
	ASSERT_EQ(0, close(d->exporter));
	d->exporter = -1;

	/* Who gets what was freed? */
	ram = mmap(NULL, len, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
		   -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)ram);
	memset(ram, 0x5a, len);
	ASSERT_EQ(0, stream(d->importer, true));
	for (i = 0; i < NBUFS; i++) {
		ASSERT_EQ(0, dequeue(d->importer, &b));
		EXPECT_EQ(0, b.flags & V4L2_BUF_FLAG_ERROR);
	}
	EXPECT_EQ(0, stream(d->importer, false));
	EXPECT_TRUE(is_filled(ram, len, 0x5a));
	munmap(ram, len);
}

/* No emulated CPU has stale lines to show. But somebody has to be called. */
#define TRACING		"/sys/kernel/tracing/"

static void probe_function(const char *function)
{
	char probe[128];

	snprintf(probe, sizeof(probe), "p:%s %s", function, function);
	write_file(TRACING "%s", "kprobe_events", probe);
	write_file(TRACING "events/kprobes/%s/enable", function, "1");
}

static long count_calls(const char *function)
{
	FILE *profile = fopen(TRACING "kprobe_profile", "r");
	long calls, found = -1;
	char name[64];

	while (profile && fscanf(profile, "%63s %ld %*d", name, &calls) == 2)
		if (!strcmp(name, function))
			found = calls;
	if (profile)
		fclose(profile);
	return found;
}

VB2_TEST(vb2_import, caches_are_maintained)
{
	struct devices *d = &self->d;
	const char *device = getenv("VB2_SYNC_DEVICE");
	const char *cpu = getenv("VB2_SYNC_CPU") ?: device;
	bool coherent = getenv("VB2_COHERENT");
	long before, queued, after;
	struct v4l2_buffer b;
	int i;

	if (!device)
		SKIP(return, "VB2_SYNC_DEVICE is not set");
	probe_function(device);
	if (cpu != device)
		probe_function(cpu);
	ASSERT_LE(0, count_calls(device));
	ASSERT_LE(0, count_calls(cpu));
	ASSERT_EQ(0, stream(d->importer, true));
	/* Mapped once, and synced for each picture. */
	for (i = 0; i < NBUFS; i++) {
		before = count_calls(device);
		queued = count_calls(cpu);
		ASSERT_EQ(0, queue(d->importer, 0, d->map[0], d->len));
		after = count_calls(device);
		EXPECT_EQ(!coherent, after > before);
		ASSERT_EQ(0, dequeue(d->importer, &b));
		after = count_calls(cpu);
		EXPECT_EQ(!coherent, after > queued);
	}
	EXPECT_EQ(0, stream(d->importer, false));
	write_file(TRACING "events/kprobes/%s", "enable", "0");
	close(open(TRACING "kprobe_events", O_WRONLY | O_TRUNC));
}

VB2_TEST(vb2_import, importer_is_unbound)
{
	struct devices *d = &self->d;
	const char *name = getenv("VB2_IMPORTER_PCI");
	struct v4l2_buffer b;
	int i;

	if (!name)
		SKIP(return, "VB2_IMPORTER_PCI is not set");
	for (i = 0; i < NBUFS; i++)
		ASSERT_EQ(0, queue(d->importer, i, d->map[i],
				   d->len));
	ASSERT_EQ(0, stream(d->importer, true));
	write_file("/sys/bus/pci/devices/%s/driver/unbind", name, name);
	EXPECT_EQ(-1, dequeue(d->importer, &b));
	EXPECT_EQ(ENODEV, errno);
	close(d->importer);
	d->importer = -1;
	memset(d->map[0], 0x5a, d->len);
	write_file("/sys/bus/pci/drivers_probe%s", "", name);
}

/* --- a PCI BAR ----------------------------------------------------------- */

VB2_TEST(vb2_import, far_bar_is_refused)
{
	const char *name = getenv("VB2_FAR_BAR");
	struct devices *d = &self->d;
	char *bar;
	int fd;

	if (!name)
		SKIP(return, "VB2_FAR_BAR is not set");
	fd = open(name, O_RDWR);
	ASSERT_LE(0, fd);
	bar = mmap(NULL, SIZE, RW, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)bar);
	close(fd);
	EXPECT_ERROR(EREMOTEIO, queue(d->importer, 0, bar, SIZE));
	ASSERT_EQ(0, queue(d->importer, 0, d->map[0], d->len));
	munmap(bar, SIZE);
}

FIXTURE(vb2_bar)
{
	struct devices d;
	int fd;
	char *bar;
	const char *pci;
};

FIXTURE_SETUP(vb2_bar)
{
	const char *name = getenv("VB2_BAR");

	self->pci = getenv("VB2_BAR_PCI");
	if (getenv("VB2_ERROR") || !name || !self->pci)
		SKIP(return, "VB2_BAR and VB2_BAR_PCI are not set");
	open_devices(_metadata, &self->d);
	self->fd = open(name, O_RDWR);
	ASSERT_LE(0, self->fd);
	self->bar = mmap(NULL, NBUFS * SIZE, RW, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->bar);
}

FIXTURE_TEARDOWN(vb2_bar)
{
	munmap(self->bar, NBUFS * SIZE);
	close(self->fd);
	close_devices(&self->d);
}

static pid_t remove_device(const char *name)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	write_file("/sys/bus/pci/devices/%s/remove", name, "1");
	_exit(0);
}

static void rescan_bus(void)
{
	write_file("/sys/bus/pci/rescan%s", "", "1");
	usleep(100000);
}

VB2_TEST(vb2_bar, picture_in_a_bar)
{
	struct devices *d = &self->d;
	struct v4l2_buffer b;
	int i;

	for (i = 0; i < NBUFS; i++)
		ASSERT_EQ(0, queue(d->importer, i, self->bar + i * SIZE, SIZE));
	ASSERT_EQ(0, stream(d->importer, true));
	for (i = 0; i < NBUFS; i++) {
		ASSERT_EQ(0, dequeue(d->importer, &b));
		EXPECT_TRUE(is_picture(self->bar + b.index * SIZE, SIZE,
				       b.sequence));
	}
	EXPECT_EQ(0, stream(d->importer, false));
}

/* Begins in RAM, and ends in a buffer of the exporter. */
VB2_TEST(vb2_bar, picture_across_a_bar)
{
	struct devices *d = &self->d;
	struct v4l2_buffer b;
	char *at;

	if (!getenv("VB2_SCATTERED"))
		SKIP(return, "VB2_SCATTERED is not set");
	at = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)at);
	ASSERT_EQ(at + PAGE, mmap(at + PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED,
				  self->fd, 2 * PAGE));
	ASSERT_TRUE(place_page(d, 0, 1, at + 2 * PAGE));
	memset(at, 0x5a, 3 * PAGE);
	ASSERT_EQ(0, queue(d->importer, 0, at + 0x280, SIZE));
	ASSERT_EQ(0, stream(d->importer, true));
	ASSERT_EQ(0, dequeue(d->importer, &b));
	EXPECT_EQ(0, b.flags & V4L2_BUF_FLAG_ERROR);
	EXPECT_TRUE(is_picture(at + 0x280, SIZE, b.sequence));
	EXPECT_TRUE(is_filled(at, 0x280, 0x5a));
	EXPECT_TRUE(is_filled(at + SIZE + 0x280, PAGE - 0x280, 0x5a));
	EXPECT_EQ(0, stream(d->importer, false));
	munmap(at, 3 * PAGE);
}

VB2_TEST(vb2_bar, removal_errors_the_queue)
{
	struct devices *d = &self->d;
	struct v4l2_buffer b = { };
	int i, status;
	pid_t pid;

	for (i = 0; i < NBUFS; i++)
		ASSERT_EQ(0, queue(d->importer, i, self->bar + i * SIZE, SIZE));
	ASSERT_EQ(0, stream(d->importer, true));
	pid = remove_device(self->pci);
	ASSERT_LT(0, pid);
	for (i = 0; i < 50 && !dequeue(d->importer, &b); i++)
		if (queue(d->importer, b.index, self->bar + b.index * SIZE,
			  SIZE))
			break;
	EXPECT_GT(50, i);
	EXPECT_EQ(EIO, errno);
	EXPECT_ERROR(EIO, dequeue(d->importer, &b));
	/* It comes to its end because the camera does, whatever we do. */
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, stream(d->importer, false));

	/* The same pointers, which are not taken for what they were. */
	EXPECT_ERROR(EFAULT, queue(d->importer, 0, self->bar, SIZE));
	ASSERT_EQ(0, queue(d->importer, 1, d->map[1], d->len));
	ASSERT_EQ(0, stream(d->importer, true));
	ASSERT_EQ(0, dequeue(d->importer, &b));
	EXPECT_EQ(1, b.index);
	EXPECT_TRUE(is_picture(d->map[1], SIZE, b.sequence));
	EXPECT_EQ(0, stream(d->importer, false));
	rescan_bus();
}

/* Queued, and the camera has not begun. */
VB2_TEST(vb2_bar, removal_before_streaming)
{
	struct devices *d = &self->d;
	struct v4l2_buffer b;
	int status;
	pid_t pid;

	ASSERT_EQ(0, queue(d->importer, 0, self->bar, SIZE));
	ASSERT_EQ(0, queue(d->importer, 1, d->map[1], d->len));
	pid = remove_device(self->pci);
	ASSERT_LT(0, pid);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_ERROR(EIO, stream(d->importer, true));
	EXPECT_EQ(0, stream(d->importer, false));
	EXPECT_ERROR(EFAULT, queue(d->importer, 0, self->bar, SIZE));
	ASSERT_EQ(0, queue(d->importer, 1, d->map[1], d->len));
	ASSERT_EQ(0, stream(d->importer, true));
	EXPECT_EQ(0, dequeue(d->importer, &b));
	EXPECT_EQ(0, stream(d->importer, false));
	rescan_bus();
}

TEST_HARNESS_MAIN
