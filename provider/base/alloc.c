/* The allocator table: the C library's functions. */
#include "base/alloc.h"

#include <stdlib.h>

struct alloc_table alloc_table = {malloc, realloc, free};
