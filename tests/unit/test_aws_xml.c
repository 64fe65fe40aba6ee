/* XML answers as plain values. */
#include "aws_test.h"

#include "aws/xml.h"

static const char *root;

static const char *read_text(struct slice text)
{
    const struct value *v = NULL;
    const char *why = NULL;
    root = NULL;
    if (aws_xml_parse(arena, text, &v, &root, &why) < 0) {
        assert_non_null(why);
        return arena_printf(arena, "refused: %s", why);
    }
    return show(v);
}

static const char *read_xml(const char *text)
{
    return read_text(slice_str(text));
}

static void refused(const char *text, const char *why)
{
    const char *got = read_xml(text);
    if (strncmp(got, "refused: ", 9) != 0 || !strstr(got, why))
        fail_msg("\"%s\" does not say \"%s\"", got, why);
}

static void test_leaves(void **state)
{
    (void)state;
    assert_string_equal(read_xml("<a>text</a>"), "\"text\"");
    assert_string_equal(root, "a");
    assert_string_equal(read_xml("<a/>"), "\"\"");
    assert_string_equal(read_xml("<a><b/><c></c><d> </d></a>"),
                        "{\"b\":\"\",\"c\":\"\",\"d\":\" \"}");
    assert_string_equal(read_xml("<a><b>x &amp; y &lt;&#x263a;&#10;</b></a>"),
                        "{\"b\":\"x & y <☺\\n\"}");
    assert_string_equal(read_xml("<a><b><![CDATA[<x>&]]></b></a>"), "{\"b\":\"<x>&\"}");
    assert_string_equal(read_xml("<a><b>1<!-- no -->2</b></a>"), "{\"b\":\"12\"}");
    assert_string_equal(read_xml("<a><b>true</b><c>007</c></a>"), "{\"b\":\"true\",\"c\":\"007\"}");
}

/* The layout of an empty list is no text; the white space of a text is. */
static void test_white_space(void **state)
{
    (void)state;
    assert_string_equal(read_xml("<a>\n  <set>\n  </set>\n <t>\t</t>\n</a>"),
                        "{\"set\":\"\",\"t\":\"\\t\"}");
    assert_string_equal(read_xml("<a>\n  <b> x\n </b>\n</a>"), "{\"b\":\" x\\n \"}");
}

static void test_lists(void **state)
{
    (void)state;
    assert_string_equal(read_xml("<r><s><item>1</item></s></r>"), "{\"s\":[\"1\"]}");
    assert_string_equal(read_xml("<r><s><item><a>1</a></item><item><a>2</a></item></s></r>"),
                        "{\"s\":[{\"a\":\"1\"},{\"a\":\"2\"}]}");
    assert_string_equal(read_xml("<r><s><member>1</member><member/></s></r>"),
                        "{\"s\":[\"1\",\"\"]}");
    assert_string_equal(read_xml("<r><s><item><t><item>1</item></t></item></s></r>"),
                        "{\"s\":[{\"t\":[\"1\"]}]}");
    /* siblings of one name, wherever they stand */
    assert_string_equal(read_xml("<r><c><k>1</k></c><x>0</x><c><k>2</k></c><c>3</c></r>"),
                        "{\"c\":[{\"k\":\"1\"},{\"k\":\"2\"},\"3\"],\"x\":\"0\"}");
    /* a structure that has one of the names beside others is none */
    assert_string_equal(read_xml("<r><item>1</item><other>2</other></r>"),
                        "{\"item\":\"1\",\"other\":\"2\"}");
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(
        read_xml(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<x:R xmlns:x=\"urn:x\" xmlns=\"urn:y\" "
            "b=\"1\"><x:c d=\"2\">3</x:c></x:R>"),
        "{\"c\":\"3\"}");
    assert_string_equal(root, "R");
    assert_string_equal(read_xml("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>"),
                        "\"é\"");
    const struct value *v = NULL;
    const char *why = NULL;
    assert_int_equal(aws_xml_parse(arena, SLICE_LIT("<a/>"), &v, NULL, &why), 0);
}

static void test_refused(void **state)
{
    (void)state;
    refused("", "no element found");
    refused("  \n", "no element found");
    refused("rubbish", "syntax error");
    refused("{\"a\": 1}", "well-formed");
    refused("<a><b></a>", "mismatched tag");
    refused("<a><b>1</b>", "no element found"); /* cut off */
    refused("<a><b>1</", "line 1");
    refused("<a/><b/>", "junk after document element");
    refused("<a>&nbsp;</a>", "undefined entity");
    refused("<a>\x01</a>", "invalid token");
    refused("<a>\xff\xfe</a>", "invalid token");
    assert_non_null(strstr(read_xml("<a>\n\n<b></a>"), "line 3"));
    assert_non_null(strstr(read_text((struct slice){NULL, 0}), "no element"));
}

/* Entities that grow ("billion laughs"), and files that are to be read in. */
static void test_entities(void **state)
{
    (void)state;
    refused("<!DOCTYPE a [<!ENTITY x \"ha\"><!ENTITY y \"&x;&x;&x;\">]><a>&y;</a>",
            "it defines entities");
    refused("<!DOCTYPE a [<!ENTITY f SYSTEM \"file:///etc/hostname\">]><a>&f;</a>",
            "it defines entities");
    refused("<!DOCTYPE a [<!ENTITY % p \"<!ELEMENT a ANY>\"> %p;]><a/>", "it defines entities");
    assert_string_equal(read_xml("<!DOCTYPE html><html><p>x</p></html>"), "{\"p\":\"x\"}");
    assert_string_equal(root, "html");
}

/* `count` times `each`, between `before` and `after`. */
static struct slice repeated(const char *before, const char *each, size_t count, const char *after)
{
    size_t len = strlen(before), n = strlen(each), tail = strlen(after);
    char *text = arena_alloc(arena, len + n * count + tail + 1);
    memcpy(text, before, len);
    for (size_t i = 0; i < count; i++)
        memcpy(text + len + i * n, each, n);
    memcpy(text + len + n * count, after, tail);
    return slice_from(text, len + n * count + tail);
}

static void test_depth(void **state)
{
    (void)state;
    const char *deep = read_text(repeated("", "<a>", 64, ""));
    assert_non_null(strstr(deep, "no element found")); /* deep enough, only cut off */
    deep = read_text(repeated("", "<a>", 65, ""));
    assert_non_null(strstr(deep, "nested too deep"));
    deep = read_text(repeated("", "<a>", 1000000, ""));
    assert_non_null(strstr(deep, "nested too deep"));
}

/* Many siblings: in a time that grows with their number, not with its square. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 300000 };
    const struct value *v = NULL;
    const char *why = NULL;
    struct slice text = repeated("<r><x>1</x>", "<k/>", MANY, "</r>");
    assert_int_equal(aws_xml_parse(arena, text, &v, NULL, &why), 0);
    assert_int_equal(value_count(value_get(v, "k")), MANY);
    text = repeated("<r>", "<k/>", (1 << 20) + 1, "</r>");
    assert_non_null(strstr(read_text(text), "too many elements"));
}

static void test_long_text(void **state)
{
    (void)state;
    const struct value *v = NULL;
    const char *why = NULL;
    struct slice text = repeated("<r>", "0123456789", 100000, "</r>");
    assert_int_equal(aws_xml_parse(arena, text, &v, NULL, &why), 0);
    assert_int_equal(value_slice(v).len, 1000000);
    assert_non_null(
        strstr(read_text(repeated("<r>", "0123456789abcdef", (1 << 20) + 1, "</r>")), "too long"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_leaves), TEST(test_white_space), TEST(test_lists),
        TEST(test_names),  TEST(test_refused),     TEST(test_entities),
        TEST(test_depth),  TEST(test_many),        TEST(test_long_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
