/* The AWS SDKs' shared config and credentials files (SDKs and Tools Reference Guide, "Shared config
 * and credentials files"): sections of profiles, sso-sessions and services, with keys and one level
 * of nested keys.
 *
 * Limits: 1 MiB a file, 4,096 sections, 65,536 keys in all. */
#ifndef LLM_AWS_PROFILE_FILE_H
#define LLM_AWS_PROFILE_FILE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/slice.h"

enum aws_section_kind { AWS_SECTION_PROFILE, AWS_SECTION_SSO_SESSION, AWS_SECTION_SERVICES };

struct aws_profile_key {
    const char *name; /* lower case; nested keys as "s3.addressing_style" */
    const char *value;
};

struct aws_section {
    enum aws_section_kind kind;
    const char *name;
    struct aws_profile_key *keys;
    size_t key_count, key_cap;
};

struct aws_profiles {
    struct arena *arena;
    struct aws_section *sections;
    size_t count, cap;
    size_t keys;
};

void aws_profiles_init(struct aws_profiles *p, struct arena *a);

/* Adds the sections of one file's text. `credentials` says that sections are named by the profile
 * alone ("[dev]"), and may hold nothing else; in a config file they are "[profile dev]",
 * "[default]",
 * "[sso-session x]" and "[services x]". A key that is there already is replaced, so that the files
 * are added in the order of growing precedence: config, then credentials. `path` is for messages.
 * A line that cannot be read is an error that names file and line. 0 or -1. */
int aws_profiles_add(struct aws_profiles *p, struct slice text, bool credentials, const char *path,
                     struct diags *diags);

/* Reads and adds a file. A file that does not exist is no error. 0 or -1. */
int aws_profiles_add_file(struct aws_profiles *p, const char *path, bool credentials,
                          struct diags *diags);

/* NULL when there is none. */
const struct aws_section *aws_profiles_find(const struct aws_profiles *p,
                                            enum aws_section_kind kind, const char *name);

/* The value of a key, or NULL; `s` may be NULL. */
const char *aws_section_get(const struct aws_section *s, const char *key);

#endif
