// SPDX-License-Identifier: GPL-2.0
/*
 * O_DIRECT between a disk and a PCI BAR that is mapped through sysfs.
 *
 *	BAR_IO_DISK=/dev/nvme0n1	will be overwritten
 *	BAR_IO_BAR=/sys/bus/pci/devices/0000:00:04.0/resource2
 *	BAR_IO_OFFSET=0			into the BAR, of what may be written
 *	BAR_IO_SIZE=0x400000		of that; a power of two, from 256 KiB on
 *	BAR_IO_ERROR=EREMOTEIO		if the disk has no route to the BAR
 *	BAR_IO_MIXED=no			if a command cannot have RAM and BAR
 *	BAR_IO_OTHER_DISK=/dev/ram0	that cannot do it
 *	BAR_IO_REMOVALS=20		times that the device with the BAR is removed
 *	BAR_IO_UNBINDS=1000		times that the disk's driver is unbound
 *	BAR_IO_DISK_PCI=0000:00:05.0	for that
 *	BAR_IO_UNPLUGS=20		times that either is unplugged, by
 *	BAR_IO_HOTPLUG=command		with "unplug bar", "plug bar", "unplug disk"
 *					and "plug disk" as its last words
 *	BAR_IO_FAULTS=yes		let allocations fail; dma_debug may turn itself
 *					off then, and is better off before
 *
 * What the CPU compares with went to the disk, or came from it, through RAM.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "bar_test.h"

#define SIZE		bar_size()
#define BLOCK		4096L
#define HALF		(16 * BLOCK)	/* into the RAM, where the BAR can be */
#define COLOURS		(4L << 20)	/* parisc's; others have less */
#define RW		(PROT_READ | PROT_WRITE)

/* An emulated CPU with all of the kernel's checks is slow. */
#define BAR_TEST(name)	TEST_F_TIMEOUT(bar_io, name, 7200)

static int expected_error(void)
{
	const char *name = getenv("BAR_IO_ERROR");

	return name && !strcmp(name, "EREMOTEIO") ? EREMOTEIO : 0;
}

static long bar_size(void)
{
	const char *size = getenv("BAR_IO_SIZE");

	return size ? strtol(size, NULL, 0) : 4L << 20;
}

/*
 * Memory of which what begins at @pos can be replaced by the BAR, as at @like:
 * where caches are virtually indexed that is not so everywhere.
 */
static char *place(size_t len, size_t pos, const char *like)
{
	char *p = mmap(NULL, len + COLOURS, RW, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		return p;
	return p + (((uintptr_t)like - pos - (uintptr_t)p) & (COLOURS - 1));
}

FIXTURE(bar_io)
{
	int disk, bar, error;
	off_t offset;
	char *map;		/* of the BAR */
	char *ram, *other;
};

FIXTURE_SETUP(bar_io)
{
	const char *disk = getenv("BAR_IO_DISK"), *bar = getenv("BAR_IO_BAR");
	const char *offset = getenv("BAR_IO_OFFSET");

	if (!disk || !bar)
		SKIP(return, "BAR_IO_DISK and BAR_IO_BAR are not set");
	self->error = expected_error();
	self->offset = offset ? strtoul(offset, NULL, 0) : 0;
	self->disk = open(disk, O_RDWR | O_DIRECT);
	ASSERT_LE(0, self->disk);
	self->bar = open(bar, O_RDWR);
	ASSERT_LE(0, self->bar);
	self->map = mmap(NULL, SIZE, RW, MAP_SHARED, self->bar, self->offset);
	ASSERT_NE(MAP_FAILED, (void *)self->map);
	self->ram = place(SIZE, 0, self->map);
	ASSERT_NE(MAP_FAILED, (void *)self->ram);
	self->other = place(SIZE, HALF, self->map);
	ASSERT_NE(MAP_FAILED, (void *)self->other);
	fill(self->ram, SIZE);
	ASSERT_EQ(SIZE, pwrite(self->disk, self->ram, SIZE, 0));
}

FIXTURE_TEARDOWN(bar_io)
{
	munmap(self->map, SIZE);
	munmap(self->ram, SIZE);
	munmap(self->other, SIZE);
	close(self->bar);
	close(self->disk);
}

/* The result of an I/O that may have no route: -1 and errno, or all of it. */
#define EXPECT_IO(len, call) do {					\
	ssize_t ret_ = (call);						\
	int errno_ = errno;						\
	if (self->error) {						\
		EXPECT_EQ(-1, ret_);					\
		EXPECT_EQ(self->error, errno_);				\
	} else {							\
		EXPECT_EQ((ssize_t)(len), ret_) {			\
			TH_LOG("%s", strerror(errno_));			\
		}							\
	}								\
} while (0)

#define EXPECT_FAULT(call) do {						\
	EXPECT_EQ(-1, (call));						\
	EXPECT_EQ(EFAULT, errno);					\
} while (0)

BAR_TEST(read_and_write)
{
	const ssize_t sizes[] = {
		512, BLOCK, BLOCK + 512, 16 * BLOCK, 256 * BLOCK + 512, SIZE,
	};
	ssize_t len;
	int i;

	for (i = 0; i < (int)(sizeof(sizes) / sizeof(*sizes)); i++) {
		len = sizes[i];
		if (len > SIZE)
			continue;
		clear(self->map, SIZE);
		EXPECT_IO(len, pread(self->disk, self->map, len, 0));
		if (!self->error)
			EXPECT_TRUE(same(self->map, self->ram, len));

		fill(self->other, SIZE);
		copy(self->map, self->other, SIZE);
		EXPECT_IO(len, pwrite(self->disk, self->map, len, SIZE));
		if (self->error)
			continue;
		ASSERT_EQ(len, pread(self->disk, self->ram, len, SIZE));
		EXPECT_TRUE(same(self->ram, self->other, len));
		fill(self->ram, SIZE);
		ASSERT_EQ(SIZE, pwrite(self->disk, self->ram, SIZE, 0));
	}
}

BAR_TEST(nothing_but_the_buffer_is_written)
{
	if (self->error)
		SKIP(return, "there is no route");
	fill(self->other, SIZE);
	copy(self->map, self->other, SIZE);
	ASSERT_EQ(BLOCK, pread(self->disk, self->map + BLOCK, BLOCK, 0));
	EXPECT_TRUE(same(self->map, self->other, BLOCK));
	EXPECT_TRUE(same(self->map + BLOCK, self->ram, BLOCK));
	EXPECT_TRUE(same(self->map + 2 * BLOCK, self->other + 2 * BLOCK,
			 SIZE - 2 * BLOCK));
}

BAR_TEST(vectors_of_both_kinds)
{
	struct iovec v[] = {
		{ self->other, 2 * BLOCK },
		{ self->map, BLOCK },
		{ NULL, 0 },
		{ self->map + BLOCK, BLOCK },
		{ self->other + 2 * BLOCK, BLOCK },
		{ self->map + 8 * BLOCK, 3 * BLOCK },
	};

	if (getenv("BAR_IO_MIXED"))
		SKIP(return, "BAR_IO_MIXED says no");
	EXPECT_IO(8 * BLOCK, preadv2(self->disk, v, 6, 0, 0));
	if (self->error)
		return;
	EXPECT_TRUE(same(self->other, self->ram, 2 * BLOCK));
	EXPECT_TRUE(same(self->map, self->ram + 2 * BLOCK, 2 * BLOCK));
	EXPECT_TRUE(same(self->other + 2 * BLOCK, self->ram + 4 * BLOCK, BLOCK));
	EXPECT_TRUE(same(self->map + 8 * BLOCK, self->ram + 5 * BLOCK,
			 3 * BLOCK));
	EXPECT_IO(8 * BLOCK, pwritev2(self->disk, v, 6, SIZE, RWF_DSYNC));
	ASSERT_EQ(8 * BLOCK, pread(self->disk, self->other, 8 * BLOCK, SIZE));
	EXPECT_TRUE(same(self->other, self->ram, 8 * BLOCK));
}

BAR_TEST(buffer_half_in_ram)
{
	char *half = self->other + HALF;

	if (getenv("BAR_IO_MIXED"))
		SKIP(return, "BAR_IO_MIXED says no");
	ASSERT_EQ((void *)half, mmap(half, 16 * BLOCK, RW,
				     MAP_SHARED | MAP_FIXED, self->bar,
				     self->offset));
	EXPECT_IO(48 * BLOCK, pread(self->disk, self->other, 48 * BLOCK, 0));
	if (!self->error)
		EXPECT_TRUE(same(self->other, self->ram, 48 * BLOCK));
	EXPECT_IO(20 * BLOCK, pread(self->disk, half, 20 * BLOCK, BLOCK));
	if (!self->error)
		EXPECT_TRUE(same(half, self->ram + BLOCK, 20 * BLOCK));
}

BAR_TEST(unaligned_buffer)
{
	EXPECT_EQ(-1, pread(self->disk, self->map + 1, BLOCK, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pread(self->disk, self->map, BLOCK + 8, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_IO(BLOCK, pread(self->disk, self->map + 64, BLOCK, 0));
	if (!self->error)
		EXPECT_TRUE(same(self->map + 64, self->ram, BLOCK));
}

BAR_TEST(buffer_too_long)
{
	char *end;

	munmap(self->map, SIZE);
	end = place(8 * BLOCK, 0, self->map);
	ASSERT_EQ(0, mprotect(end, 8 * BLOCK, PROT_NONE));
	self->map = mmap(end, 4 * BLOCK, RW, MAP_SHARED | MAP_FIXED, self->bar,
			 self->offset);
	ASSERT_EQ(end, self->map);
	EXPECT_IO(4 * BLOCK, pread(self->disk, self->map, 8 * BLOCK, 0));
	EXPECT_IO(4 * BLOCK, pwrite(self->disk, self->map, 8 * BLOCK, SIZE));
	/* A block that ends behind the mapping. */
	EXPECT_FAULT(pread(self->disk, self->map + 4 * BLOCK - 256, BLOCK, 0));
}

/* The rest of a short transfer is not copied by the CPU. */
BAR_TEST(block_half_in_ram)
{
	char *half = self->other + HALF;

	ASSERT_EQ((void *)half, mmap(half, 16 * BLOCK, RW,
				     MAP_SHARED | MAP_FIXED, self->bar,
				     self->offset));
	clear(half, 16 * BLOCK);
	EXPECT_EQ(512, pread(self->disk, half - 768, 2 * BLOCK, 0));
	EXPECT_TRUE(same(half - 768, self->ram, 512));
	/* What follows was never touched. */
	EXPECT_TRUE(same(half, half + 16 * BLOCK, 16 * BLOCK));
	EXPECT_EQ(512, pwrite(self->disk, half - 768, 2 * BLOCK, SIZE));
}

BAR_TEST(permissions)
{
	char *ro, *cow;

	ro = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, self->bar, self->offset);
	ASSERT_NE(MAP_FAILED, (void *)ro);
	EXPECT_FAULT(pread(self->disk, ro, BLOCK, 0));
	EXPECT_IO(BLOCK, pwrite(self->disk, ro, BLOCK, SIZE));
	munmap(ro, BLOCK);

	cow = mmap(NULL, BLOCK, RW, MAP_PRIVATE, self->bar, self->offset);
	ASSERT_NE(MAP_FAILED, (void *)cow);
	EXPECT_FAULT(pread(self->disk, cow, BLOCK, 0));
	EXPECT_FAULT(pwrite(self->disk, cow, BLOCK, SIZE));
	munmap(cow, BLOCK);

	ASSERT_EQ(0, mprotect(self->map, SIZE, PROT_NONE));
	EXPECT_FAULT(pwrite(self->disk, self->map, BLOCK, SIZE));
	ASSERT_EQ(0, mprotect(self->map, SIZE, RW));
	EXPECT_IO(BLOCK, pread(self->disk, self->map, BLOCK, 0));
}

/* --- I/O that is in flight ------------------------------------------------ */

static int io_setup(aio_context_t *ctx)
{
	return syscall(SYS_io_setup, 8, ctx);
}

static int io_start(aio_context_t ctx, int fd, void *buf, size_t len, bool write)
{
	struct iocb cb = {
		.aio_fildes = fd,
		.aio_lio_opcode = write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
		.aio_buf = (unsigned long)buf,
		.aio_nbytes = len,
		.aio_offset = write ? SIZE : 0,
	}, *cbs = &cb;

	return syscall(SYS_io_submit, ctx, 1, &cbs);
}

static long io_wait(aio_context_t ctx)
{
	struct io_event event;

	if (syscall(SYS_io_getevents, ctx, 1, 1, &event, NULL) != 1)
		return -EIO;
	return event.res;
}

enum what { UNMAP, REMAP, PROTECT, FORK, CLOSE };

static void disturb(enum what what, FIXTURE_DATA(bar_io) * io)
{
	void *to;

	switch (what) {
	case UNMAP:
		munmap(io->map, SIZE);
		break;
	case REMAP:
		to = place(SIZE, 0, io->map);
		io->map = mremap(io->map, SIZE, SIZE,
				 MREMAP_MAYMOVE | MREMAP_FIXED, to);
		break;
	case PROTECT:
		mprotect(io->map, SIZE, PROT_NONE);
		break;
	case FORK:
		if (!fork()) {
			munmap(io->map, SIZE);
			_exit(0);
		}
		break;
	case CLOSE:
		close(io->bar);
		munmap(io->map, SIZE);
	}
}

static void check_in_flight(struct __test_metadata *_metadata,
			    FIXTURE_DATA(bar_io) * io, enum what what)
{
	const char *bar = getenv("BAR_IO_BAR");
	aio_context_t ctx = 0;

	if (io->error)
		SKIP(return, "there is no route");
	ASSERT_EQ(0, io_setup(&ctx));
	clear(io->map, SIZE);
	ASSERT_EQ(1, io_start(ctx, io->disk, io->map, SIZE, false));
	disturb(what, io);
	EXPECT_EQ(SIZE, io_wait(ctx));
	if (what == FORK)
		wait(NULL);
	if (what == CLOSE)
		io->bar = open(bar, O_RDWR);
	if (what == UNMAP || what == CLOSE)
		io->map = mmap(NULL, SIZE, RW, MAP_SHARED, io->bar, io->offset);
	if (what == PROTECT)
		mprotect(io->map, SIZE, RW);
	ASSERT_NE(MAP_FAILED, (void *)io->map);
	EXPECT_TRUE(same(io->map, io->ram, SIZE));
}

BAR_TEST(munmap_in_flight)
{
	check_in_flight(_metadata, self, UNMAP);
}

BAR_TEST(mremap_in_flight)
{
#ifdef __hppa__
	/* It takes the BAR's address for the offset that decides the colour. */
	SKIP(return, "parisc moves a mapping of a BAR hardly anywhere");
#endif
	check_in_flight(_metadata, self, REMAP);
}

BAR_TEST(mprotect_in_flight)
{
	check_in_flight(_metadata, self, PROTECT);
}

BAR_TEST(fork_in_flight)
{
	check_in_flight(_metadata, self, FORK);
}

BAR_TEST(close_in_flight)
{
	check_in_flight(_metadata, self, CLOSE);
}

/* --- others --------------------------------------------------------------- */

static int ring_enter(int ring, int submit)
{
	return syscall(SYS_io_uring_enter, ring, submit, 1,
		       IORING_ENTER_GETEVENTS, NULL, 0);
}

/* One operation on a ring of its own: the result, as of the system call. */
static ssize_t uring_io(int op, int fd, void *buf, size_t len, off_t pos)
{
	struct io_uring_params p = {};
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	unsigned int *array;
	char *rings;
	ssize_t res;
	int ring;

	ring = syscall(SYS_io_uring_setup, 1, &p);
	if (ring < 0)
		return -1;
	rings = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*cqe), RW,
		     MAP_SHARED, ring, IORING_OFF_SQ_RING);
	sqe = mmap(NULL, sizeof(*sqe), RW, MAP_SHARED, ring, IORING_OFF_SQES);
	if (rings == MAP_FAILED || sqe == MAP_FAILED)
		return -1;
	*sqe = (struct io_uring_sqe) {
		.opcode = op, .fd = fd, .addr = (unsigned long)buf, .len = len,
		.off = pos,
	};
	array = (unsigned int *)(rings + p.sq_off.array);
	array[0] = 0;
	__atomic_store_n((unsigned int *)(rings + p.sq_off.tail), 1,
			 __ATOMIC_RELEASE);
	if (ring_enter(ring, 1) != 1)
		return -1;
	cqe = (struct io_uring_cqe *)(rings + p.cq_off.cqes);
	res = cqe->res;
	munmap(rings, p.cq_off.cqes + p.cq_entries * sizeof(*cqe));
	munmap(sqe, sizeof(*sqe));
	close(ring);
	if (res >= 0)
		return res;
	errno = -res;
	return -1;
}

BAR_TEST(io_uring)
{
	clear(self->map, SIZE);
	EXPECT_IO(SIZE, uring_io(IORING_OP_READ, self->disk, self->map, SIZE, 0));
	if (!self->error)
		EXPECT_TRUE(same(self->map, self->ram, SIZE));
	EXPECT_IO(BLOCK, uring_io(IORING_OP_WRITE, self->disk, self->map, BLOCK,
				  SIZE));
	if (self->error)
		return;
	ASSERT_EQ(BLOCK, pread(self->disk, self->other, BLOCK, SIZE));
	EXPECT_TRUE(same(self->other, self->ram, BLOCK));
}

BAR_TEST(two_processes)
{
	int i, status;
	pid_t pid;

	if (self->error)
		SKIP(return, "there is no route");
	fflush(NULL);
	pid = fork();
	ASSERT_LE(0, pid);
	for (i = 0; i < 50; i++) {
		char *to = self->map + (pid ? 0 : SIZE / 2);

		if (pread(self->disk, to, SIZE / 4, 0) != SIZE / 4 ||
		    !same(to, self->ram, SIZE / 4))
			break;
		munmap(self->map, SIZE);
		self->map = mmap(NULL, SIZE, RW, MAP_SHARED, self->bar,
				 self->offset);
	}
	if (!pid)
		_exit(i != 50);
	EXPECT_EQ(50, i);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Who reads and writes with the CPU can; who wants pages is refused, as ever. */
BAR_TEST(everybody_else_is_as_before)
{
	struct iovec v = { self->map, BLOCK }, local = { self->other, BLOCK };
	struct io_uring_params p = {};
	int pipes[2], ring, file;

	copy(self->map, self->ram, BLOCK);
	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(BLOCK, write(pipes[1], self->map, BLOCK));
	EXPECT_EQ(BLOCK, read(pipes[0], self->other, BLOCK));
	EXPECT_TRUE(same(self->other, self->ram, BLOCK));
	EXPECT_FAULT(vmsplice(pipes[1], &v, 1, 0));

	EXPECT_FAULT(process_vm_readv(getpid(), &local, 1, &v, 1, 0));

	file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	ASSERT_LE(0, file);
	EXPECT_EQ(BLOCK, write(file, self->map, BLOCK));
	EXPECT_EQ(BLOCK, pread(file, self->map, BLOCK, 0));

	ring = syscall(SYS_io_uring_setup, 1, &p);
	ASSERT_LE(0, ring);
	EXPECT_FAULT(syscall(SYS_io_uring_register, ring,
			     IORING_REGISTER_BUFFERS, &v, 1));
	close(ring);
	close(file);
	close(pipes[0]);
	close(pipes[1]);
}

BAR_TEST(sockets_are_as_before)
{
	int sockets[2];

	if (access("/proc/net/unix", F_OK))
		SKIP(return, "the kernel has no Unix sockets");
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	copy(self->map, self->ram, BLOCK);
	EXPECT_EQ(BLOCK, send(sockets[0], self->map, BLOCK, 0));
	EXPECT_EQ(BLOCK, recv(sockets[1], self->map + BLOCK, BLOCK, 0));
	EXPECT_TRUE(same(self->map + BLOCK, self->ram, BLOCK));
	close(sockets[0]);
	close(sockets[1]);
}

/* A disk that needs pages gets nothing, and nobody copies for it. */
BAR_TEST(disk_that_cannot)
{
	const char *name = getenv("BAR_IO_OTHER_DISK");
	char *half = self->other + HALF;
	int disk;

	if (!name || !*name)
		SKIP(return, "BAR_IO_OTHER_DISK is not set");
	disk = open(name, O_RDWR | O_DIRECT);
	ASSERT_LE(0, disk);
	copy(self->map, self->ram, 4 * BLOCK);
	EXPECT_EQ(-1, pread(disk, self->map, BLOCK, 0));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(-1, pwrite(disk, self->map, BLOCK, 0));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(-1, uring_io(IORING_OP_READ, disk, self->map, BLOCK, 0));
	EXPECT_EQ(EOPNOTSUPP, errno);

	/* Nor is the rest of a buffer copied that begins in RAM. */
	ASSERT_EQ((void *)half, mmap(half, 4 * BLOCK, RW,
				     MAP_SHARED | MAP_FIXED, self->bar,
				     self->offset));
	EXPECT_EQ(-1, pread(disk, half - 4 * BLOCK, 8 * BLOCK, 0));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_TRUE(same(self->map, self->ram, 4 * BLOCK));
	close(disk);
}

/* --- the device goes away ------------------------------------------------- */

/* To a file in the folder of the device with the BAR. */
static int write_beside_bar(const char *file, const char *what)
{
	const char *bar = getenv("BAR_IO_BAR");
	char path[256];

	snprintf(path, sizeof(path), "%.*s/%s",
		 (int)(strrchr(bar, '/') - bar), bar, file);
	return write_to(path, what);
}

/* Who plugs and unplugs devices takes its time. */
static bool wait_until(const char *path, bool is_there)
{
	int tries = 12000;

	while (!access(path, F_OK) != is_there && tries--)
		usleep(10000);
	return tries >= 0;
}

static int hotplug(const char *what)
{
	char command[256];

	snprintf(command, sizeof(command), "%s %s", getenv("BAR_IO_HOTPLUG"),
		 what);
	return system(command);
}

static void unmap_bar(FIXTURE_DATA(bar_io) * io)
{
	munmap(io->map, SIZE);
	close(io->bar);
}

static void map_bar_again(struct __test_metadata *_metadata,
			  FIXTURE_DATA(bar_io) * io)
{
	const char *bar = getenv("BAR_IO_BAR");

	ASSERT_TRUE(wait_until(bar, true));
	io->bar = open(bar, O_RDWR);
	ASSERT_LE(0, io->bar);
	io->map = mmap(NULL, SIZE, RW, MAP_SHARED, io->bar, io->offset);
	ASSERT_NE(MAP_FAILED, (void *)io->map);
}

/* Waits for whoever uses the BAR: when it comes back, nothing of it is lent. */
static void remove_and_rescan(struct __test_metadata *_metadata,
			      FIXTURE_DATA(bar_io) * io)
{
	unmap_bar(io);
	ASSERT_EQ(0, write_beside_bar("remove", "1"));
	ASSERT_EQ(0, write_to("/sys/bus/pci/rescan", "1"));
	map_bar_again(_metadata, io);
}

BAR_TEST(device_is_removed)
{
	const char *times = getenv("BAR_IO_REMOVALS");
	aio_context_t ctx = 0;
	int n;

	if (self->error)
		SKIP(return, "there is no route");
	if (!times)
		SKIP(return, "BAR_IO_REMOVALS is not set");
	ASSERT_EQ(0, io_setup(&ctx));
	for (n = atoi(times); n; n--) {
		ASSERT_EQ(1, io_start(ctx, self->disk, self->map, SIZE,
				      n & 1));
		ASSERT_EQ(0, write_beside_bar("remove", "1"));
		EXPECT_EQ(SIZE, io_wait(ctx));
		EXPECT_FAULT(pread(self->disk, self->map, BLOCK, 0));
		unmap_bar(self);
		ASSERT_EQ(0, write_to("/sys/bus/pci/rescan", "1"));
		map_bar_again(_metadata, self);
		EXPECT_EQ(BLOCK, pread(self->disk, self->map, BLOCK, 0));
	}
}

static int reopen(const char *name)
{
	int fd = -1, tries = 12000;

	while (fd < 0 && tries--) {
		usleep(10000);
		fd = open(name, O_RDWR | O_DIRECT);
	}
	return fd;
}

/* Until it fails: what came before the disk or the BAR went has to be right. */
static bool reads_are_right(FIXTURE_DATA(bar_io) * io)
{
	do {
		if (pread(io->disk, io->map, 16 * BLOCK, 0) != 16 * BLOCK)
			return true;
	} while (same(io->map, io->ram, 16 * BLOCK));
	return false;
}

/* The same for a BAR that goes, which the CPU may not look at. */
static bool writes_are_right(FIXTURE_DATA(bar_io) * io)
{
	const ssize_t half = SIZE / 2;

	do {
		memset(io->other, 0, half);
		if (pwrite(io->disk, io->other, half, SIZE) != half)
			return false;
		if (pwrite(io->disk, io->map + half, half, SIZE) != half)
			return errno == EFAULT;
		if (pread(io->disk, io->other, half, SIZE) != half)
			return false;
	} while (same(io->other, io->ram + half, half));
	return false;
}

static void bar_is_gone(int sig)
{
	_exit(0);
}

static pid_t start_process(FIXTURE_DATA(bar_io) * io,
			   bool (*is_right)(FIXTURE_DATA(bar_io) * io))
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	_exit(!is_right(io));
}

static void expect_right(struct __test_metadata *_metadata, pid_t pid)
{
	int status;

	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* The number of times, or 0 if the test is to be skipped. */
static int unplugs(FIXTURE_DATA(bar_io) * io)
{
	const char *times = getenv("BAR_IO_UNPLUGS");

	return !io->error && times && getenv("BAR_IO_HOTPLUG") ? atoi(times) :
								 0;
}

BAR_TEST(device_is_unplugged)
{
	int n = unplugs(self);
	pid_t reader, writer;

	if (!n)
		SKIP(return, "no route, or no BAR_IO_HOTPLUG and _UNPLUGS");
	signal(SIGBUS, bar_is_gone);
	for (; n; n--) {
		copy(self->map, self->ram, SIZE);
		reader = start_process(self, reads_are_right);
		ASSERT_LE(0, reader);
		writer = start_process(self, writes_are_right);
		ASSERT_LE(0, writer);
		ASSERT_EQ(0, hotplug("unplug bar"));
		ASSERT_TRUE(wait_until(getenv("BAR_IO_BAR"), false));
		expect_right(_metadata, reader);
		expect_right(_metadata, writer);
		EXPECT_FAULT(pread(self->disk, self->map, BLOCK, 0));
		unmap_bar(self);
		ASSERT_EQ(0, hotplug("plug bar"));
		ASSERT_TRUE(wait_until(getenv("BAR_IO_BAR"), true));
		/* A new device answers to no address. */
		ASSERT_EQ(0, write_beside_bar("enable", "1"));
		map_bar_again(_metadata, self);
		EXPECT_EQ(BLOCK, pread(self->disk, self->map, BLOCK, 0));
		EXPECT_TRUE(same(self->map, self->ram, BLOCK));
	}
}

static void check_disk_again(struct __test_metadata *_metadata,
			     FIXTURE_DATA(bar_io) * io)
{
	io->disk = reopen(getenv("BAR_IO_DISK"));
	ASSERT_LE(0, io->disk);
	EXPECT_EQ(BLOCK, pread(io->disk, io->map, BLOCK, 0));
}

BAR_TEST(disk_is_unplugged)
{
	int n = unplugs(self);
	pid_t reader;

	if (!n)
		SKIP(return, "no route, or no BAR_IO_HOTPLUG and _UNPLUGS");
	for (; n; n--) {
		reader = start_process(self, reads_are_right);
		ASSERT_LE(0, reader);
		ASSERT_EQ(0, hotplug("unplug disk"));
		expect_right(_metadata, reader);
		close(self->disk);
		ASSERT_TRUE(wait_until(getenv("BAR_IO_DISK"), false));
		ASSERT_EQ(0, hotplug("plug disk"));
		check_disk_again(_metadata, self);
	}
}

BAR_TEST(driver_is_unbound)
{
	const char *pci = getenv("BAR_IO_DISK_PCI");
	const char *times = getenv("BAR_IO_UNBINDS");
	pid_t reader;
	int n;

	if (self->error)
		SKIP(return, "there is no route");
	if (!times || !pci)
		SKIP(return, "BAR_IO_UNBINDS or BAR_IO_DISK_PCI is not set");
	for (n = atoi(times); n; n--) {
		reader = start_process(self, reads_are_right);
		ASSERT_LE(0, reader);
		usleep(n * 7919 % 30000);
		ASSERT_EQ(0, write_to("/sys/bus/pci/drivers/nvme/unbind", pci));
		expect_right(_metadata, reader);
		close(self->disk);
		ASSERT_EQ(0, write_to("/sys/bus/pci/drivers/nvme/bind", pci));
		check_disk_again(_metadata, self);
	}
}

/* --- memory runs out ------------------------------------------------------ */

static const struct nth_io {
	const char *name;
	bool write;
	size_t bar, ram;
	bool aio;
} nth_ios[] = {
	{ "read of a block", false, BLOCK, 0 },
	{ "AIO read", false, 260 * BLOCK, 0, true },
	{ "read", false, 260 * BLOCK, 0 },
	{ "write", true, 260 * BLOCK, 0 },
	{ "read into both", false, 16 * BLOCK, 16 * BLOCK },
};

static aio_context_t nth_ctx;

/* The result, or a negative error. */
static ssize_t nth_transfer(FIXTURE_DATA(bar_io) * io, const struct nth_io *how)
{
	struct iovec v[] = {
		{ io->map, how->bar }, { io->other, how->ram },
	};
	ssize_t ret;

	if (how->aio) {
		ret = io_start(nth_ctx, io->disk, io->map, how->bar, how->write);
		return ret == 1 ? io_wait(nth_ctx) : -errno;
	}
	ret = how->write ? pwritev2(io->disk, v, 2, SIZE, 0) :
			   preadv2(io->disk, v, 2, 0, 0);
	return ret < 0 ? -errno : ret;
}

static bool nth_data_is_right(FIXTURE_DATA(bar_io) * io,
			      const struct nth_io *how)
{
	ssize_t len = how->bar + how->ram;

	if (!how->write)
		return same(io->map, io->ram, how->bar) &&
		       same(io->other, io->ram + how->bar, how->ram);
	return pread(io->disk, io->other, len, SIZE) == len &&
	       same(io->map, io->other, len);
}

/*
 * Fail the first allocation of an I/O, the second, and so on, until none does.
 * Returns how often the I/O failed: some can do without.
 */
static int check_each_nth(struct __test_metadata *_metadata,
			  FIXTURE_DATA(bar_io) * io, const struct nth_io *how,
			  int fail_nth, bool lend)
{
	ssize_t len = how->bar + how->ram, ret;
	int nth = 0, errors = 0;
	char nth_text[16];

	do {
		if (lend)
			remove_and_rescan(_metadata, io);
		fill(io->map, how->bar);
		ASSERT_GT(500, ++nth);
		snprintf(nth_text, sizeof(nth_text), "%d", nth);
		ASSERT_LE(0, pwrite(fail_nth, nth_text, strlen(nth_text), 0));
		ret = nth_transfer(io, how);
		ASSERT_LE(0, pread(fail_nth, nth_text, sizeof(nth_text), 0));
		ASSERT_EQ(1, pwrite(fail_nth, "0", 1, 0));
		if (ret < 0) {
			/* io_submit() has an error of its own. */
			if (!how->aio || ret != -EAGAIN)
				EXPECT_EQ(-ENOMEM, ret);
			errors++;
			continue;
		}
		EXPECT_EQ(len, ret);
		EXPECT_TRUE(nth_data_is_right(io, how));
	} while (*nth_text == '0');
	EXPECT_EQ(len, ret);
	ksft_print_msg("%s: %d allocations failed, and %d times the I/O\n",
		       how->name, nth - 1, errors);
	return errors;
}

BAR_TEST(allocation_fails)
{
	bool mixed = !getenv("BAR_IO_MIXED");
	int i, fail_nth;

	if (self->error || !getenv("BAR_IO_FAULTS"))
		SKIP(return, "there is no route, or BAR_IO_FAULTS is not set");
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR);
	if (fail_nth < 0 || !let_everything_fail())
		SKIP(return, "no CONFIG_FAILSLAB and CONFIG_FAIL_PAGE_ALLOC");
	ASSERT_EQ(0, io_setup(&nth_ctx));
	/* The kernel looks into the ring: without page tables that is -EINVAL. */
	(void)*(volatile unsigned int *)nth_ctx;
	for (i = 0; i < (int)(sizeof(nth_ios) / sizeof(*nth_ios)); i++) {
		if (nth_ios[i].ram && !mixed)
			continue;
		/* To lend a BAR cannot do without. */
		if (getenv("BAR_IO_REMOVALS"))
			EXPECT_LT(0, check_each_nth(_metadata, self,
						    &nth_ios[i], fail_nth,
						    true));
		check_each_nth(_metadata, self, &nth_ios[i], fail_nth, false);
	}
	close(fail_nth);
	/* Nothing is held: nobody is waited for. */
	if (getenv("BAR_IO_REMOVALS"))
		remove_and_rescan(_metadata, self);
}

/* --- the CPU's attribute -------------------------------------------------- */

/* Device memory is device memory, however the CPU has it mapped. */
BAR_TEST(write_combining)
{
	char path[256], *wc, *first, *second;
	int bar, wc_first;

	snprintf(path, sizeof(path), "%s_wc", getenv("BAR_IO_BAR"));
	bar = open(path, O_RDWR);
	if (bar < 0)
		SKIP(return, "no file of the BAR that ends in _wc");
	for (wc_first = 0; wc_first < 2; wc_first++) {
		if (getenv("BAR_IO_REMOVALS")) {
			close(bar);
			remove_and_rescan(_metadata, self);
			bar = open(path, O_RDWR);
		}
		wc = mmap(NULL, SIZE, RW, MAP_SHARED, bar, self->offset);
		ASSERT_NE(MAP_FAILED, (void *)wc);
		first = wc_first ? wc : self->map;
		second = wc_first ? self->map : wc;
		clear(self->map, SIZE);
		EXPECT_IO(SIZE, pread(self->disk, first, SIZE, 0));
		if (!self->error)
			EXPECT_TRUE(same(second, self->ram, SIZE));
		clear(self->map, SIZE);
		EXPECT_IO(SIZE, pread(self->disk, second, SIZE, 0));
		if (!self->error)
			EXPECT_TRUE(same(first, self->ram, SIZE));
		EXPECT_IO(SIZE, pwrite(self->disk, wc, SIZE, SIZE));
		munmap(wc, SIZE);
	}
	close(bar);
}

TEST_HARNESS_MAIN
