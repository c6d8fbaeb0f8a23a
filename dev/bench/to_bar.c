// SPDX-License-Identifier: GPL-2.0
/*
 * to_bar direct|copy DISK RESOURCE MIB: so much of a block device goes to a
 * PCI BAR: read into it, or into RAM and copied from there by the CPU.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK (1UL << 20)

int main(int argc, char **argv)
{
	unsigned long chunks = argc == 5 ? strtoul(argv[4], NULL, 0) : 0;
	int copy = chunks && !strcmp(argv[1], "copy");
	unsigned long i, at;
	char *bar, *ram;
	struct stat st;
	int disk, fd;

	if (!chunks)
		errx(2, "usage: to_bar direct|copy DISK RESOURCE MIB");
	disk = open(argv[2], O_RDONLY | O_DIRECT);
	fd = open(argv[3], O_RDWR);
	if (disk < 0 || fd < 0 || fstat(fd, &st))
		err(1, "open");
	bar = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	/* as large: how many of a chunk's pages are neighbours is luck */
	ram = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (bar == MAP_FAILED || ram == MAP_FAILED)
		err(1, "mmap");
	for (i = 0; i < chunks; i++) {
		at = i * CHUNK % st.st_size;
		if (pread(disk, (copy ? ram : bar) + at, CHUNK, i * CHUNK) != (ssize_t)CHUNK)
			err(1, "read");
		if (copy)
			memcpy(bar + at, ram + at, CHUNK);
	}
	return 0;
}
