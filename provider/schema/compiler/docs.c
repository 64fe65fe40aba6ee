#include "schemac.h"
int docs_write(struct compilation *c, const char *docs_dir, const char *examples_dir, bool check)
{
    (void)c;
    (void)docs_dir;
    (void)examples_dir;
    (void)check;
    return 0;
}
