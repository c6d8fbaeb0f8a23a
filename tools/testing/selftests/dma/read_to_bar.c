// SPDX-License-Identifier: GPL-2.0
/*
 * read_to_bar DISK RESOURCE SIZE: the first SIZE bytes of a block device go to a
 * PCI BAR, such as /sys/bus/pci/devices/0000:00:04.0/resource2, and never pass
 * the CPU. See Documentation/userspace-api/dma-bar.rst.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	size_t size = argc == 4 ? strtoul(argv[3], NULL, 0) : 0;
	int disk, bar;
	void *map;

	if (!size)
		errx(2, "usage: read_to_bar DISK RESOURCE SIZE");
	disk = open(argv[1], O_RDONLY | O_DIRECT);
	bar = open(argv[2], O_RDWR);
	if (disk < 0 || bar < 0)
		err(1, "open");
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bar, 0);
	if (map == MAP_FAILED)
		err(1, "mmap");
	if (read(disk, map, size) != (ssize_t)size)
		err(1, "read");
	return 0;
}
