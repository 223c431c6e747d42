/*
 * core/mem_code.c - pages of code and constants that only the start needed.
 */
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/mem.h"

/* Segments that nobody writes are the file's own pages: what is dropped comes back from the page cache when touched. */
static int drop_segments(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t from = (info->dlpi_addr + p->p_vaddr + page - 1) & ~(page - 1);
		uintptr_t to = (info->dlpi_addr + p->p_vaddr + p->p_memsz) & ~(page - 1);

		if (p->p_type == PT_LOAD && !(p->p_flags & PF_W) && from < to)
			(void)!madvise((void *)from, to - from, MADV_DONTNEED);  /* the vdso refuses, rightly */
	}
	return 0;
}

void mem_trim_code(void)
{
	dl_iterate_phdr(drop_segments, NULL);
}
