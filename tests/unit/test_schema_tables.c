/* The tables that the compiler makes of compiler/good: every field at its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "resources/tables.h"
#include "schema/tables.h"

static const struct schema_attr *attr(const char *path)
{
    const struct schema_attr *a = schema_find(&schema_llm_box, path);
    if (!a)
        fail_msg("no attribute %s", path);
    return a;
}

static void test_find(void **state)
{
    (void)state;
    assert_string_equal(attr("name")->name, "name");
    assert_string_equal(attr("net.cidr")->name, "cidr");
    assert_string_equal(attr("disks.gib")->name, "gib");
    assert_null(schema_find(&schema_llm_box, "nam"));
    assert_null(schema_find(&schema_llm_box, "name.x"));
    assert_null(schema_find(&schema_llm_box, "net.cidrs"));
    assert_null(schema_find(&schema_llm_box, ""));
}

static void test_schema(void **state)
{
    struct arena *a _cleanup_arena_ = arena_new();
    const struct schema *s = &schema_llm_box;
    (void)state;
    assert_string_equal(s->name, "llm_box");
    assert_int_equal(s->version, 2);
    assert_string_equal(s->description, "A box in a net.");
    assert_null(s->deprecation);
    assert_true(s->has_timeouts);
    assert_int_equal(s->timeout_create_s, 1800);
    assert_int_equal(s->timeout_update_s, 0);
    assert_int_equal(s->timeout_delete_s, 5400);
    assert_string_equal(
        type_string_of(a, s->type),
        "object({box_id = string, cloud = string, disks = list(object({gib = "
        "number})), key_wo = string, key_wo_version = number, name = string, net = "
        "object({cidr = string, id = string}), old = string, size = number, timeouts "
        "= object({create = string, delete = string}), zones = set(string)})");
    assert_int_equal(s->rule_count, 1);
    assert_int_equal(s->rules[0].kind, SCHEMA_CONFLICTS);
    assert_int_equal(s->rules[0].path_count, 2);
    assert_string_equal(s->rules[0].paths[1], "net.id");
    assert_string_equal(s->rules[0].message, "make one or use one");
    assert_string_equal(type_string_of(a, identity_llm_box.type),
                        "object({cloud = string, name = string})");
}

static void test_attributes(void **state)
{
    (void)state;
    assert_int_equal(attr("name")->flags, SCHEMA_REQUIRED);
    assert_int_equal(attr("name")->replace, SCHEMA_REPLACE_ALWAYS);
    assert_int_equal(attr("size")->flags, SCHEMA_OPTIONAL | SCHEMA_COMPUTED);
    assert_int_equal(attr("box_id")->flags, SCHEMA_COMPUTED);
    assert_int_equal(attr("key_wo")->flags, SCHEMA_OPTIONAL | SCHEMA_WRITE_ONLY | SCHEMA_SENSITIVE);
    assert_string_equal(attr("old")->deprecation, "Use `name`.");
    assert_int_equal(attr("net")->nesting, SCHEMA_NESTING_SINGLE);
    assert_int_equal(attr("disks")->nesting, SCHEMA_NESTING_LIST);
    assert_int_equal(attr("net")->attr_count, 2);
    assert_int_equal(value_int_or(attr("size")->default_value, -1), 4);
    assert_string_equal(value_cstr(attr("net.cidr")->default_value, ""), "10.0.0.0/16");
    const struct schema_validator *v = attr("size")->validators;
    assert_int_equal(v->kind, SCHEMA_RANGE);
    assert_int_equal(v->min, 1);
    assert_true(v->max == INT64_MAX);
    v = attr("zones")->validators;
    assert_true(v->each);
    v = attr("name")->validators;
    assert_string_equal(v->pattern, "[a-z]+");
    assert_string_equal(v->message, "letters");
    assert_int_equal(attr("name")->validator_count, 2);
    assert_string_equal(attr("cloud")->validators->choices[0], "aws");
}

static void test_function(void **state)
{
    const struct schema_function *f = &function_fits;
    (void)state;
    assert_int_equal(f->parameter_count, 1);
    assert_string_equal(f->parameters[0].name, "size");
    assert_true(f->parameters[0].allow_unknown);
    assert_false(f->parameters[0].allow_null);
    assert_string_equal(f->variadic->name, "things");
    assert_true(type_equal(f->result, &type_bool));
    assert_ptr_equal(all_functions[0], f);
    assert_null(all_functions[1]);
}

static void test_component(void **state)
{
    const struct component *k = &component_aws_net;
    (void)state;
    assert_string_equal(k->kind, "aws_net");
    assert_string_equal(k->cloud, "aws");
    assert_int_equal(k->attr_count, 4);
    assert_string_equal(k->attrs[0].name, "cidr");
    assert_int_equal(k->attrs[0].change, COMPONENT_REPLACE);
    assert_true(k->attrs[0].input && k->attrs[0].required && k->attrs[0].in_create);
    assert_null(k->attrs[0].absent);
    assert_true(value_is_known(k->attrs[1].absent) && !value_true(k->attrs[1].absent));
    assert_true(k->attrs[2].tags && k->attrs[2].read_as == TRANSFORM_TAGS_MAP);
    assert_int_equal(k->create_count, 1);
    assert_string_equal(k->create[0].op->name, "CreateNet");
    assert_string_equal(k->create[0].op->service, "ec2");
    assert_string_equal(k->create[0].op->token_param, "ClientToken");
    assert_false(k->create[0].op->idempotent);
    assert_true(k->read.op->idempotent && k->read.batch);
    assert_string_equal(k->create[0].outputs[0].path, "net.netId");
    assert_string_equal(k->states.failed[0], "failed*");
    assert_int_equal(k->updates[1].steps[0].each, COMPONENT_EACH_REMOVED);
    assert_string_equal(k->updates[1].steps[0].each_attr, "tags");
    assert_true(k->destroy[1].wait_gone);
    assert_null(k->destroy[1].op);
    assert_string_equal(k->destroy[0].retry[0], "InUse");
    assert_int_equal(k->poll_ms, 500);
    assert_int_equal(component_aws_box.poll_max_ms, 15000);
    assert_string_equal(component_aws_box.updates[0].steps[0].when_attr, "prior.size");
    assert_string_equal(component_aws_box.updates[0].steps[0].unless_attr, "peers");
    assert_string_equal(component_aws_box.create[1].when_equals, "x");
    assert_int_equal(component_aws_box.create[0].outputs[0].as, TRANSFORM_STRING);
    assert_int_equal(all_component_count, 2);
    assert_ptr_equal(all_components[1], k);
}

static const struct template *member(const struct template *t, const char *name)
{
    for (size_t i = 0; i < t->member_count; i++) {
        if (strcmp(t->members[i].name, name) == 0)
            return t->members[i].value;
    }
    fail_msg("no member %s", name);
    return NULL;
}

static void assert_ref(const struct template *t, const char *root, const char *path)
{
    assert_int_equal(t->kind, TEMPLATE_REF);
    assert_string_equal(t->root, root);
    if (path)
        assert_string_equal(t->path, path);
    else
        assert_null(t->path);
}

static void test_templates(void **state)
{
    const struct template *create = component_aws_net.create[0].request;
    const struct template *resize = component_aws_box.updates[0].steps[0].request;
    (void)state;
    assert_ref(member(create, "ClientToken"), "token", NULL);
    assert_ref(member(create, "Cidr"), "", "cidr");
    assert_ref(member(create, "Account"), "account", NULL);
    assert_int_equal(member(create, "Tags")->transform, TRANSFORM_TAGS);
    assert_ref(member(create, "Tags"), "", "tags");
    assert_ref(member(resize, "Old"), "prior", "size");
    assert_ref(member(component_aws_net.updates[1].steps[0].request, "Key"), "element", "key");
    const struct template *filter = member(component_aws_net.read.request, "Filter");
    assert_int_equal(filter->kind, TEMPLATE_TUPLE);
    assert_ref(member(filter->members[0].value, "Value"), "ids", NULL);
    assert_string_equal(value_cstr(member(filter->members[0].value, "Name")->literal, ""),
                        "net-id");
}

static void test_resource(void **state)
{
    static const char *const order[] = {"net", "net.part-{key}", "box", "box.part-{key}"};
    const struct resource_cloud *cloud = &table_llm_box.clouds[0];
    (void)state;
    assert_string_equal(table_llm_box.type_name, "llm_box");
    assert_string_equal(cloud->cloud, "aws");
    assert_int_equal(cloud->component_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(cloud->components[i].name, order[i]);
    const struct resource_component *part = &cloud->components[1], *box = &cloud->components[2];
    assert_ref(part->for_each, "derived", "zones");
    assert_ref(part->when, "config", "old");
    assert_string_equal(part->when_equals, "yes");
    assert_ref(member(part->inputs, "cidr"), "each", "cidr");
    assert_string_equal(box->after[0], "net.part-*");
    assert_int_equal(member(box->inputs, "net_id")->kind, TEMPLATE_FIRST);
    assert_ref(member(box->inputs, "net_id")->members[0].value, "net", "id");
    assert_ref(member(box->inputs, "secret"), "secrets", "key_wo");
    assert_ref(member(box->inputs, "peers"), "net.part-*", "id");
    assert_ref(member(cloud->components[3].inputs, "net_id"), "net.part-{key}", "id");
    assert_string_equal(value_cstr(member(cloud->components[3].inputs, "zone")->literal, ""),
                        "$literal");
    assert_string_equal(cloud->components[3].hook, "placement");
    assert_int_equal(cloud->components[3].attribute->member_count, 2);
}

static void test_permissions(void **state)
{
    (void)state;
    assert_int_equal(all_permission_count, 1);
    assert_string_equal(all_permissions[0].type_name, "llm_box");
    assert_int_equal(all_permissions[0].permission_count, 13);
    for (size_t i = 1; i < all_permissions[0].permission_count; i++)
        assert_true(
            strcmp(all_permissions[0].permissions[i - 1], all_permissions[0].permissions[i]) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),       cmocka_unit_test(test_schema),
        cmocka_unit_test(test_attributes), cmocka_unit_test(test_function),
        cmocka_unit_test(test_component),  cmocka_unit_test(test_templates),
        cmocka_unit_test(test_resource),   cmocka_unit_test(test_permissions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
