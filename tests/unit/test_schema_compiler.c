/* The schema compiler: the good schemas of compiler/good compile, and each case of
 * compiler/refusals.json (an edit of one of their files) is refused with the message that it names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define GOOD TEST_SOURCE_DIR "/compiler/good/"

static const char *const files[] = {
    "provider.json",       "resources/box.json",      "data_sources/sizes.json",
    "functions/fits.json", "components/aws/net.json", "components/aws/box.json",
};
enum { FILE_COUNT = sizeof(files) / sizeof(*files) };

static char dir[64]; /* the schemas that are compiled */
static char output[65536];

static json_t *load(const char *path)
{
    json_error_t e;
    json_t *v = json_load_file(path, JSON_ALLOW_NUL, &e);
    if (!v)
        fail_msg("%s:%d: %s", path, e.line, e.text);
    return v;
}

static void put(const char *file, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, file);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void put_json(const char *file, json_t *v)
{
    char *text = json_dumps(v, JSON_INDENT(1));
    assert_non_null(text);
    put(file, text);
    free(text);
}

static int copy_good(void **state)
{
    static const char *const dirs[] = {"",           "/resources",  "/data_sources",
                                       "/functions", "/components", "/components/aws"};
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/test_schema_compiler.XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    for (size_t i = 1; i < sizeof(dirs) / sizeof(*dirs); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s%s", dir, dirs[i]);
        if (mkdir(path, 0700))
            return -1;
    }
    for (size_t i = 0; i < FILE_COUNT; i++) {
        char path[512];
        snprintf(path, sizeof(path), GOOD "%s", files[i]);
        json_t *v = load(path);
        put_json(files[i], v);
        json_decref(v);
    }
    return 0;
}

static int remove_all(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

/* Runs the compiler; its exit code, with all it printed in `output`. */
static int compile(const char *arguments)
{
    char command[512];
    snprintf(command, sizeof(command), "'%s' %s 2>&1", SCHEMAC, arguments);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    size_t len = fread(output, 1, sizeof(output) - 1, p);
    output[len] = '\0';
    int status = pclose(p);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The parent of a slash-separated path, and its last name. */
static json_t *parent_of(json_t *v, const char *path, char *last, size_t size)
{
    const char *slash = strchr(path, '/');
    if (!slash) {
        snprintf(last, size, "%s", path);
        return v;
    }
    char name[128];
    snprintf(name, sizeof(name), "%.*s", (int)(slash - path), path);
    json_t *next =
        json_is_array(v) ? json_array_get(v, strtoul(name, NULL, 10)) : json_object_get(v, name);
    if (!next)
        fail_msg("the good file has nothing at %s", path);
    return parent_of(next, slash + 1, last, size);
}

static void set(json_t *v, const char *path, json_t *value)
{
    char last[128];
    json_t *parent = parent_of(v, path, last, sizeof(last));
    size_t index = strtoul(last, NULL, 10);
    int rc = !json_is_array(parent)             ? json_object_set(parent, last, value)
             : index == json_array_size(parent) ? json_array_append(parent, value)
                                                : json_array_set(parent, index, value);
    assert_int_equal(rc, 0);
}

static void drop(json_t *v, const char *path)
{
    char last[128];
    json_t *parent = parent_of(v, path, last, sizeof(last));
    if (json_object_del(parent, last))
        fail_msg("the good file has nothing at %s", path);
}

static void edit(json_t *v, json_t *c)
{
    const char *path;
    json_t *value;
    json_object_foreach(json_object_get(c, "set"), path, value)
    {
        set(v, path, value);
    }
    size_t i;
    json_array_foreach(json_object_get(c, "remove"), i, value)
    {
        drop(v, json_string_value(value));
    }
}

static bool refused_as_expected(json_t *c)
{
    const char *file = json_string_value(json_object_get(c, "file"));
    const char *expected = json_string_value(json_object_get(c, "expect"));
    const char *text = json_string_value(json_object_get(c, "text"));
    char path[512], arguments[128];
    snprintf(path, sizeof(path), GOOD "%s", file);
    json_t *good = load(path), *bad = json_deep_copy(good);
    edit(bad, c);
    if (text)
        put(file, text);
    else
        put_json(file, bad);
    snprintf(arguments, sizeof(arguments), "check '%s'", dir);
    int rc = compile(arguments);
    const char *at = strstr(output, expected);
    /* The message is of this file, and starts with its name. */
    bool ok = rc == 1 && at && strstr(output, file);
    if (!ok)
        print_error("expected: %s\nfile: %s\nexit code %d, output:\n%s\n", expected, file, rc,
                    output);
    put_json(file, good);
    json_decref(good);
    json_decref(bad);
    return ok;
}

static void test_good(void **state)
{
    char arguments[256];
    (void)state;
    snprintf(arguments, sizeof(arguments), "tables '%s' '%s/out'", dir, dir);
    if (compile(arguments) || *output)
        fail_msg("%s", output);
}

static void test_refusals(void **state)
{
    size_t i, wrong = 0;
    json_t *c, *cases = load(TEST_SOURCE_DIR "/compiler/refusals.json");
    (void)state;
    assert_true(json_array_size(cases) > 100);
    json_array_foreach(cases, i, c)
    {
        wrong += !refused_as_expected(c);
    }
    json_decref(cases);
    assert_int_equal(wrong, 0);
}

/* ---- documentation ---- */

#define COMPILER TEST_SOURCE_DIR "/compiler"

static int docs_of(const char *schemas, const char *flag, const char *examples)
{
    char arguments[512];
    snprintf(arguments, sizeof(arguments), "docs %s '" COMPILER "/%s' '%s' '%s/docs'", flag,
             schemas, examples, dir);
    return compile(arguments);
}

static int docs(const char *flag, const char *examples)
{
    return docs_of("good", flag, examples);
}

static void expect_output(const char *expected)
{
    if (!strstr(output, expected))
        fail_msg("expected: %s\noutput:\n%s", expected, output);
}

/* A file of `dir`; to be freed. */
static char *read_text(const char *file)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, file);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char *s = calloc(1, 65536);
    assert_non_null(s);
    assert_true(fread(s, 1, 65535, f) > 0);
    fclose(f);
    return s;
}

/* The pages are those that were read and found good. */
static void expect_pages(const char *good)
{
    char command[512];
    snprintf(command, sizeof(command), "diff -r '" COMPILER "/%s' '%s/docs'", good, dir);
    assert_int_equal(system(command), 0);
}

static void test_docs(void **state)
{
    (void)state;
    assert_int_equal(docs("--check", COMPILER "/examples"), 1);
    expect_output("docs/index.md: missing; run scripts/docs");
    expect_output("docs/guides/components.md: missing; run scripts/docs");
    if (docs("", COMPILER "/examples"))
        fail_msg("%s", output);
    expect_pages("docs");
    assert_int_equal(docs("--check", COMPILER "/examples"), 0);
    put("docs/functions/gone.md", "x");
    assert_int_equal(docs("--check", COMPILER "/examples"), 1);
    expect_output(
        "docs/functions/gone.md: no schema file stands behind this page; run scripts/docs");
    put("docs/index.md", "x");
    assert_int_equal(docs("--check", COMPILER "/examples"), 1);
    expect_output("docs/index.md: differs from the schemas and examples; run scripts/docs");
    assert_int_equal(docs("", COMPILER "/examples"), 0);
    assert_int_equal(docs("--check", COMPILER "/examples"), 0);
    assert_int_equal(docs("", "/nonexistent"), 1);
    expect_output("/nonexistent/resources/llm_box/import.sh: missing: every page shows an example");
}

/* Another cloud, and a graph with a look-up and two ways to the same component in it. */
static void test_docs_of_another_cloud(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s/docs'", dir);
    assert_int_equal(system(command), 0);
    if (docs_of("good_gcp", "", COMPILER "/examples"))
        fail_msg("%s", output);
    expect_pages("docs_gcp");
}

static void test_docs_list_the_guides(void **state)
{
    (void)state;
    assert_int_equal(docs("", COMPILER "/examples"), 0);
    put("docs/guides/zoo.md", "---\npage_title: \"Animals\"\nsubcategory: \"Guides\"\n"
                              "description: |-\n  What lives here.\n---\n\n# Animals\n");
    put("docs/guides/getting-started.md",
        "---\npage_title: \"Start\"\ndescription: \"Where to begin.\"\n---\n");
    assert_int_equal(docs("--check", COMPILER "/examples"), 1);
    expect_output("docs/index.md: differs");
    assert_int_equal(docs("", COMPILER "/examples"), 0);
    char *index = read_text("docs/index.md");
    const char *first = strstr(index, "- [Start](guides/getting-started.md): Where to begin.\n");
    const char *last = strstr(index, "- [Animals](guides/zoo.md): What lives here.\n\n");
    const char *between = strstr(index, "(guides/components.md)");
    assert_true(first && between && last && first < between && between < last);
    free(index);
    put("docs/guides/zoo.md", "# Animals\n");
    assert_int_equal(docs("--check", COMPILER "/examples"), 1);
    expect_output("docs/guides/zoo.md: a guide starts with a page_title and a description");
}

static void test_usage(void **state)
{
    (void)state;
    assert_int_equal(compile(""), 2);
    assert_non_null(strstr(output, "usage: llm-schemac"));
    assert_int_equal(compile("check /nonexistent"), 1);
    assert_non_null(strstr(output, "provider.json: top level: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_docs),
        cmocka_unit_test(test_docs_of_another_cloud),
        cmocka_unit_test(test_docs_list_the_guides),
        cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests(tests, copy_good, remove_all);
}
