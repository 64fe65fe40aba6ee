/* Labels of ownership, and what of an object a field manager has applied. */
#include "kubernetes_test.h"

#include "kubernetes/applied.h"
#include "kubernetes/labels.h"

static bool is_valid_label(const char *s)
{
    size_t len = strlen(s);
    const char *ends = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    return len <= 63 &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                     "-_.") == len &&
           (!len || (strchr(ends, s[0]) && strchr(ends, s[len - 1])));
}

static void test_label_shapes(void **state)
{
    static const char most[] = "012345678901234567890123456789012345678901234567890123456789012";
    static const char *const same[] = {"", "a", "namespace.team-a", "A_b.C-9", "llm_x--y", most};
    static const char *const others[] = {
        "a/b",
        "a b",
        "-a",
        "a-",
        "_",
        ".",
        "---",
        "ü",
        "a\nb",
        "x:y",
        "a b.",
        "[\"k\"]",
        "0123456789012345678901234567890123456789012345678901234567890123",
        "0123456789012345678901234567890123456789012345678901234-.........................",
        "............................................................................."};
    (void)state;
    for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
        assert_true(is_valid_label(same[i]));
        assert_string_equal(kubernetes_label(arena, same[i]), same[i]);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        const char *label = kubernetes_label(arena, others[i]);
        if (!is_valid_label(label))
            fail_msg("\"%s\" became \"%s\"", others[i], label);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(label, kubernetes_label(arena, others[j]));
    }
    assert_string_not_equal(kubernetes_label(arena, "a/b"), kubernetes_label(arena, "a-b"));
}

static void test_owner_tags(void **state)
{
    (void)state;
    const struct value *tags = kubernetes_driver.owner_tags(
        arena, "llm_platform_cluster", value_str(arena, "demo"), "namespace.team-a");
    assert_json(tags, "{'app.kubernetes.io/managed-by':'terraform-provider-llm',"
                      "'llm-component':'namespace.team-a',"
                      "'llm-resource':'llm_platform_cluster--demo'}");
    assert_string_equal(value_cstr(kubernetes_driver.owner_filter(arena, tags), ""),
                        "app.kubernetes.io/managed-by=terraform-provider-llm,"
                        "llm-component=namespace.team-a,llm-resource=llm_platform_cluster--demo");
    tags = kubernetes_driver.owner_tags(arena, "t", value_unknown(arena, &type_string), "c");
    assert_true(value_is_unknown(value_get(tags, "llm-resource")));
    assert_false(value_is_unknown(value_get(tags, "llm-component")));
    assert_true(kubernetes_driver.ignores_tag(client, SLICE_LIT("kubernetes.io/metadata.name")));
    assert_false(kubernetes_driver.ignores_tag(client, SLICE_LIT("app.kubernetes.io/managed-by")));
    assert_int_equal(value_count(kubernetes_driver.default_tags(client, arena)), 0);
}

#define MANAGED(fields)                                                                            \
    "'managedFields':[{'manager':'kubectl','operation':'Update','fieldsV1':{'f:data':{'f:b':{}}}}" \
    ","                                                                                            \
    "{'manager':'us','operation':'Update','fieldsV1':{'f:data':{'f:b':{}}}},"                      \
    "{'manager':'us','operation':'Apply','subresource':'status','fieldsV1':{'f:status':{}}},"      \
    "{'manager':'us','operation':'Apply','fieldsV1':" fields "}]"

static const struct value *marked(const char *answer)
{
    const struct value *v = kubernetes_mark_applied(arena, json(answer), "us");
    assert_non_null(v);
    return v;
}

static void test_applied_members(void **state)
{
    (void)state;
    assert_json(
        marked(
            "{'kind':'ConfigMap','metadata':{'name':'c','labels':{'ours':'1','other':'2'}," MANAGED(
                "{'f:data':{'f:a':{}},'f:metadata':{'f:labels':{'f:ours':{}}},"
                "'f:gone':{}}") "},'data':{'a':'1','b':'2'}}"),
        "{'kind':'ConfigMap','metadata':{'name':'c','labels':{'ours':'1','other':'2'}},"
        "'data':{'a':'1','b':'2'},"
        "'applied':{'data':{'a':'1'},'metadata':{'labels':{'ours':'1'}}},'id':'c'}");
    /* a whole that is owned, and one of which only the place is */
    assert_json(value_get(marked("{'metadata':{" MANAGED(
                              "{'f:spec':{'f:hard':{},'f:x':{'.':{}}}}") "},'spec':{'hard':{'cpu':'"
                                                                         "1'},'x':{'y':1},'z':2}}"),
                          "applied"),
                "{'spec':{'hard':{'cpu':'1'},'x':{}}}");
}

static void test_applied_items(void **state)
{
    (void)state;
    const char *fields =
        MANAGED("{'f:ports':{'k:{\\'port\\':80,\\'protocol\\':\\'TCP\\'}':{'.':{},'f:port':{}}},"
                "'f:finalizers':{'v:\\'b\\'':{}},'f:list':{'i:1':{}},'f:odd':{'x':{}}}");
    assert_json(
        value_get(marked(arena_printf(
                      arena,
                      "{'metadata':{%s},'ports':[{'port':53,'protocol':'UDP'},"
                      "{'port':80,'protocol':'UDP'},{'port':80,'protocol':'TCP','extra':1}],"
                      "'finalizers':['a','b'],'list':[5,6,7],'odd':[1,{'x':2}]}",
                      fields)),
                  "applied"),
        "{'ports':[{'port':80}],'finalizers':['b'],'list':[6],'odd':[]}");
}

static void test_applied_of_lists(void **state)
{
    (void)state;
    assert_json(
        marked("{'kind':'ConfigMapList','items':[7,{'metadata':{},'data':{}},{'metadata':{" MANAGED(
            "{'f:data':{}}") "},'data':{'a':'1'}}]}"),
        "{'kind':'ConfigMapList','items':[7,{'metadata':{},'data':{}},{'metadata':{},"
        "'data':{'a':'1'},'applied':{'data':{'a':'1'}},'id':''}]}");
}

/* A field that is passed over would look as if it had gone: rather no answer. */
static void test_keys_that_make_no_sense(void **state)
{
    (void)state;
    static const char *const keys[] = {"k:not json", "v:", "i:{", "k:"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        const char *answer =
            arena_printf(arena, "{'metadata':{" MANAGED("{'f:x':{'%s':{}}}") "},'x':[1]}", keys[i]);
        assert_null(kubernetes_mark_applied(arena, json(answer), "us"));
    }
}

/* What is applied by us has a name that people know it by. */
static void test_ids(void **state)
{
    (void)state;
    const char *text = "{'metadata':{'name':'c',%s" MANAGED("{'f:x':{}}") "},'id':'forged','x':1}";
    const struct value *v = marked(arena_printf(arena, text, "'namespace':'n',"));
    assert_json(value_get(v, "id"), "'n/c'");
    assert_json(value_get(marked(arena_printf(arena, text, "")), "id"), "'c'");
}

/* Not applied by us: the noise goes, and nothing comes. */
static void test_nothing_applied(void **state)
{
    (void)state;
    assert_json(marked("{'metadata':{'name':'n','managedFields':[{'manager':'kubectl'},{},3,"
                       "{'manager':'helm'},{'manager':'kubectl'}]},'applied':'forged',"
                       "'managers':['forged']}"),
                "{'metadata':{'name':'n'},'managers':['kubectl','helm']}");
    static const char *const same[] = {"{}",
                                       "{'kind':'Status','metadata':{}}",
                                       "{'metadata':3}",
                                       "{'items':{}}",
                                       "{'items':[]}",
                                       "{'metadata':null}"};
    for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
        assert_json(marked(same[i]), same[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_label_shapes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_owner_tags, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_applied_members, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_applied_items, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_applied_of_lists, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keys_that_make_no_sense, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_applied, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
