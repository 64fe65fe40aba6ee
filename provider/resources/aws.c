/* What the resources on AWS share. */
#include "resources/aws.h"

#include <string.h>

#include "cloud/template.h"
#include "resources/config.h"
#include "resources/derived.h"

enum { DOCUMENT_MOST = 4096 };

/* ---- questions ---- */

const struct cloud_operation aws_describe_subnets = {
    .service = "ec2", .name = "DescribeSubnets", .idempotent = true};

const struct value *aws_filter(struct arena *a, const char *name, const struct value *const *values,
                               size_t count)
{
    const struct value_member m[] = {{SLICE_LIT("Name"), value_str(a, name)},
                                     {SLICE_LIT("Value"), value_tuple(a, values, count)}};
    const struct value *filter = value_object(a, m, 2);
    return value_tuple(a, &filter, 1);
}

int aws_owned_subnets(const struct composite_context *c, const char *resource_type,
                      struct records *ret)
{
    struct arena *a = c->arena;
    struct cloud_error err;
    const struct value *answer = NULL;
    const struct value *owner = value_get(
        c->driver->owner_tags(a, resource_type, value_get(c->config, "name"), ""), "llm:resource");
    const struct value_member m[] = {
        {SLICE_LIT("Filter"), aws_filter(a, "tag:llm:resource", &owner, 1)}};
    if (composite_call(c, a, &aws_describe_subnets, value_object(a, m, 1), &answer, &err) < 0)
        return cloud_error_report(c->diags, NULL, "looking up subnets", &err);
    const struct value *list = template_select(a, answer, "subnetSet.*");
    ret->items = arena_new_array(a, value_count(list) + 1, struct record);
    for (size_t i = 0; ret->items && i < value_count(list); i++) {
        const struct value *item = value_at(list, i);
        const struct value *tags =
            template_transform(a, TRANSFORM_TAGS_MAP, value_get(item, "tagSet"));
        const char *component = value_cstr(value_get(tags, "llm:component"), NULL);
        const struct value_member attrs[] = {
            {SLICE_LIT("availability_zone"), value_get(item, "availabilityZone")},
            {SLICE_LIT("cidr_block"), value_get(item, "cidrBlock")}};
        if (component)
            ret->items[ret->count++] =
                (struct record){.name = component, .attrs = value_object(a, attrs, 2)};
    }
    return ret->items ? 0 : -1;
}

/* ---- zones and ranges ---- */

const char *aws_zone_key(const char *zone, const char *region)
{
    size_t n = strlen(region);
    const char *key = strncmp(zone, region, n) == 0 ? zone + n : zone;
    return *key == '-' ? key + 1 : key;
}

const char *aws_part_cidr(struct arena *a, uint32_t base, int prefix, unsigned part)
{
    uint32_t ip = base + ((uint32_t)part << (32 - prefix));
    return arena_printf(a, "%u.%u.%u.%u/%d", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255,
                        prefix);
}

/* ---- roles ---- */

const char *aws_ec2_principal(const char *partition)
{
    return strcmp(partition, "aws-cn") == 0 ? "ec2.amazonaws.com.cn" : "ec2.amazonaws.com";
}

const struct value *aws_trust_policy(struct arena *a, const char *service)
{
    _cleanup_buf_ struct buf b = BUF_INIT(DOCUMENT_MOST);
    buf_printf(&b,
               "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
               "\"Action\":\"sts:AssumeRole\",\"Principal\":{\"Service\":\"%s\"}}]}",
               service);
    return derived_json(a, &b);
}

void aws_policy_begin(struct buf *b)
{
    buf_append_str(b, "{\"Version\":\"2012-10-17\",\"Statement\":[");
}

void aws_policy_allow(struct buf *b, const char *sid, const char *actions, const char *resources,
                      const char *condition)
{
    bool first = b->len && b->ptr[b->len - 1] == '[';
    b->failed |= !resources || !condition;
    if (b->failed)
        return;
    buf_printf(b, "%s{\"Sid\":\"%s\",\"Effect\":\"Allow\",\"Action\":[%s],\"Resource\":[%s]",
               first ? "" : ",", sid, actions, resources);
    if (*condition)
        buf_printf(b, ",\"Condition\":{%s}", condition);
    buf_append_char(b, '}');
}

const struct value *aws_policy_end(struct arena *a, struct buf *b)
{
    buf_append_str(b, "]}");
    return derived_json(a, b);
}

/* ---- checks ---- */

int aws_check_region(struct arena *a, const struct value *config, struct diags *diags)
{
    struct slice r = value_slice(config_get(config, "region"));
    bool zone = r.len > 2 && r.ptr[r.len - 1] >= 'a' && r.ptr[r.len - 1] <= 'z' &&
                r.ptr[r.len - 2] >= '0' && r.ptr[r.len - 2] <= '9';
    if (zone)
        return diags_error(diags, path_attribute(a, NULL, "region"), "A zone, not a region",
                           "\"%.*s\" is a zone. Its region is \"%.*s\".", (int)r.len, r.ptr,
                           (int)r.len - 1, r.ptr);
    return 0;
}

bool aws_is_id(struct slice s, const char *prefix)
{
    bool is = slice_has_prefix(s, prefix) && s.len > strlen(prefix);
    for (size_t i = strlen(prefix); is && i < s.len; i++)
        is = (s.ptr[i] >= 'a' && s.ptr[i] <= 'z') || (s.ptr[i] >= '0' && s.ptr[i] <= '9');
    return is;
}

int aws_check_ids(struct arena *a, const struct value *config, const struct aws_id *ids,
                  size_t count, struct diags *diags)
{
    int rc = 0;
    for (size_t i = 0; i < count; i++) {
        struct slice s = value_slice(config_get(config, ids[i].path));
        if (s.len && !aws_is_id(s, ids[i].prefix))
            rc = diags_error(diags, path_parse(a, ids[i].path), "Invalid value",
                             "\"%.*s\" is not %s, which starts with %s.", (int)s.len, s.ptr,
                             ids[i].what, ids[i].prefix);
    }
    return rc;
}

/* CloudWatch Logs API Reference, PutRetentionPolicy. */
int aws_check_retention(struct arena *a, int64_t days, const char *path, struct diags *diags)
{
    static const int64_t allowed[] = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
                                      365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};
    for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
        if (allowed[i] == days)
            return 0;
    return diags_error(
        diags, path_parse(a, path), "CloudWatch has no such retention",
        "%lld days are not offered; nearby are 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, "
        "180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 and 3653.",
        (long long)days);
}

/* What all services take, IAM being the narrowest (IAM API Reference, Tag): letters of any script,
 * digits, white space and _.:/=+-@. */
static bool is_tag_text(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char ch = (unsigned char)s.ptr[i];
        bool letter = ch >= 0x80 || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
        if (!letter && !(ch >= '0' && ch <= '9') && (!ch || !strchr(" _.:/=+-@", ch)))
            return false;
    }
    return true;
}

/* EC2 API Reference, Tag; the prefix llm: is how this provider finds its objects. */
int aws_check_tags(struct arena *a, const struct value *config, struct diags *diags)
{
    const struct value *tags = config_get(config, "tags");
    int rc = 0;
    for (size_t i = 0; i < value_count(tags); i++) {
        struct slice key = tags->members[i].key, value = value_slice(tags->members[i].value);
        const struct path *path = path_key(a, path_attribute(a, NULL, "tags"), key);
        if (slice_has_prefix(key, "aws:") || slice_has_prefix(key, "llm:"))
            rc = diags_error(diags, path, "Reserved tag",
                             "Keys that start with aws: or llm: are set by AWS and this provider.");
        if (!key.len || utf8_length(key) > 127 || utf8_length(value) > AWS_TAG_VALUE_MOST)
            rc = diags_error(diags, path, "The tag is too long",
                             "AWS allows 1 to 127 characters in a key and 256 in a value.");
        if (!is_tag_text(key) || !is_tag_text(value))
            rc = diags_error(diags, path, "Invalid tag",
                             "Letters, digits, spaces and _ . : / = + - @ are allowed in keys and "
                             "values.");
    }
    return rc;
}
