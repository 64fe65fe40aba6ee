/* tables_schema.c and schema/tables.h: schemas, identities, functions. */
#include "schemac.h"

#include <string.h>

static void emit_validators(FILE *f, const struct attr_def *a)
{
    if (!a->validator_count)
        return;
    fputs(".validators = (const struct schema_validator[]){", f);
    for (size_t i = 0; i < a->validator_count; i++) {
        const struct validator_def *v = &a->validators[i];
        fprintf(f, "{.kind = %s, .pattern = ", v->kind);
        emit_string(f, v->pattern);
        fputs(", .message = ", f);
        emit_string(f, v->message);
        fputs(", .min = ", f);
        if (v->has_min)
            fprintf(f, "INT64_C(%lld)", (long long)v->min);
        else
            fputs("INT64_MIN", f);
        fputs(", .max = ", f);
        if (v->has_max)
            fprintf(f, "INT64_C(%lld)", (long long)v->max);
        else
            fputs("INT64_MAX", f);
        fputs(", ", f);
        emit_strings(f, "choices", "choice_count", &v->choices);
        fprintf(f, ".each = %s}, ", v->each ? "true" : "false");
    }
    fprintf(f, "}, .validator_count = %zu, ", a->validator_count);
}

static void emit_flags(FILE *f, const struct attr_def *a)
{
    fputs(".flags = 0", f);
    if (a->required)
        fputs(" | SCHEMA_REQUIRED", f);
    if (a->optional)
        fputs(" | SCHEMA_OPTIONAL", f);
    if (a->computed)
        fputs(" | SCHEMA_COMPUTED", f);
    if (a->sensitive)
        fputs(" | SCHEMA_SENSITIVE", f);
    if (a->write_only)
        fputs(" | SCHEMA_WRITE_ONLY", f);
    fputs(", ", f);
}

static const char *nesting_name(const struct attr_def *a)
{
    static const struct word words[] = {{"single", "SCHEMA_NESTING_SINGLE"},
                                        {"list", "SCHEMA_NESTING_LIST"},
                                        {"set", "SCHEMA_NESTING_SET"},
                                        {"map", "SCHEMA_NESTING_MAP"}};
    return a->nesting ? word_find(words, 4, a->nesting) : "SCHEMA_NESTING_NONE";
}

static void emit_attrs(struct compilation *c, FILE *f, struct attr_def *const *attrs, size_t count)
{
    if (!count)
        return;
    fputs(".attrs = (const struct schema_attr[]){\n", f);
    for (size_t i = 0; i < count; i++) {
        const struct attr_def *a = attrs[i];
        fputs("    {.name = ", f);
        emit_string(f, a->name);
        fprintf(f, ", .type = %s, .nesting = %s, .replace = %s, ", a->type->symbol, nesting_name(a),
                a->replace);
        emit_flags(f, a);
        emit_attrs(c, f, a->attrs, a->attr_count);
        if (a->default_value) {
            fputs(".default_value = ", f);
            emit_value(c, f, a->type, a->default_value);
            fputs(", ", f);
        }
        emit_validators(f, a);
        fputs("\n     .description = ", f);
        emit_string(f, a->description);
        fputs(", .deprecation = ", f);
        emit_string(f, a->deprecated);
        fputs("},\n", f);
    }
    fprintf(f, "}, .attr_count = %zu, ", count);
}

static void emit_rules(FILE *f, const struct schema_def *s)
{
    if (!s->rule_count)
        return;
    fputs(".rules = (const struct schema_rule[]){\n", f);
    for (size_t i = 0; i < s->rule_count; i++) {
        fprintf(f, "    {.kind = %s, ", s->rules[i].kind);
        emit_strings(f, "paths", "path_count", &s->rules[i].paths);
        fputs(".message = ", f);
        emit_string(f, s->rules[i].message);
        fputs("},\n", f);
    }
    fprintf(f, "}, .rule_count = %zu, ", s->rule_count);
}

static void emit_schema(struct compilation *c, FILE *f, const struct schema_def *s)
{
    fprintf(f, "const struct schema %s = {.name = ", s->symbol);
    emit_string(f, s->type);
    fprintf(f, ", .version = %lld, .type = %s, ", (long long)s->version, s->implied->symbol);
    emit_attrs(c, f, s->attrs, s->attr_count);
    if (s->timeouts)
        fprintf(f,
                ".has_timeouts = true, .timeout_create_s = %lld, .timeout_update_s = %lld, "
                ".timeout_delete_s = %lld, ",
                (long long)s->timeouts->create_s, (long long)s->timeouts->update_s,
                (long long)s->timeouts->destroy_s);
    emit_rules(f, s);
    fputs(".description = ", f);
    emit_string(f, s->description);
    fputs(", .deprecation = ", f);
    emit_string(f, s->deprecated);
    fputs("};\n\n", f);
    if (s->identity)
        fprintf(f, "const struct schema_identity identity_%s = {.version = %lld, .type = %s};\n\n",
                s->type, (long long)s->identity->version, s->identity->type->symbol);
}

static void emit_parameter(FILE *f, const struct parameter_def *p)
{
    fputs("{.name = ", f);
    emit_string(f, p->name);
    fprintf(f,
            ", .type = %s, .allow_null = %s, .allow_unknown = %s, .description = ", p->type->symbol,
            p->allow_null ? "true" : "false", p->allow_unknown ? "true" : "false");
    emit_string(f, p->description);
    fputs("}", f);
}

static void emit_function(FILE *f, const struct function_def *d)
{
    fprintf(f, "const struct schema_function function_%s = {.name = ", d->name);
    emit_string(f, d->name);
    fputs(", ", f);
    if (d->parameter_count) {
        fputs(".parameters = (const struct schema_parameter[]){", f);
        for (size_t i = 0; i < d->parameter_count; i++) {
            emit_parameter(f, &d->parameters[i]);
            fputs(", ", f);
        }
        fprintf(f, "}, .parameter_count = %zu, ", d->parameter_count);
    }
    if (d->variadic) {
        fputs(".variadic = &(const struct schema_parameter)", f);
        emit_parameter(f, d->variadic);
        fputs(", ", f);
    }
    fprintf(f, ".result = %s, .summary = ", d->result->symbol);
    emit_string(f, d->summary);
    fputs(", .description = ", f);
    emit_string(f, d->description);
    fputs("};\n\n", f);
}

/* "name[] = {&a, &b, NULL}" */
static void emit_list(FILE *f, const char *name, const struct schema_list *list)
{
    fprintf(f, "const struct schema *const %s[] = {", name);
    for (size_t i = 0; i < list->count; i++)
        fprintf(f, "&%s, ", list->items[i]->symbol);
    fputs("NULL};\n", f);
}

static const char generated[] = "/* Generated by llm-schemac from schemas/. */\n";

int emit_schema_tables(struct compilation *c, FILE *f)
{
    const struct schema_list *lists[3] = {&c->resources, &c->data_sources, &c->ephemerals};
    fputs(generated, f);
    fputs("#include \"schema/tables.h\"\n\n", f);
    emit_types(c, f);
    emit_schema(c, f, c->provider);
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < lists[i]->count; k++)
            emit_schema(c, f, lists[i]->items[k]);
    }
    for (size_t i = 0; i < c->function_count; i++)
        emit_function(f, c->functions[i]);
    emit_list(f, "all_resource_schemas", &c->resources);
    emit_list(f, "all_data_source_schemas", &c->data_sources);
    emit_list(f, "all_ephemeral_schemas", &c->ephemerals);
    fputs("const struct schema_function *const all_functions[] = {", f);
    for (size_t i = 0; i < c->function_count; i++)
        fprintf(f, "&function_%s, ", c->functions[i]->name);
    fputs("NULL};\n", f);
    return ferror(f) ? -1 : 0;
}

int emit_schema_header(struct compilation *c, FILE *f)
{
    const struct schema_list *lists[3] = {&c->resources, &c->data_sources, &c->ephemerals};
    fputs(generated, f);
    fputs("#ifndef LLM_SCHEMA_TABLES_H\n#define LLM_SCHEMA_TABLES_H\n\n"
          "#include \"schema/schema.h\"\n\nextern const struct schema provider_schema;\n",
          f);
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < lists[i]->count; k++) {
            const struct schema_def *s = lists[i]->items[k];
            fprintf(f, "extern const struct schema %s;\n", s->symbol);
            if (s->identity)
                fprintf(f, "extern const struct schema_identity identity_%s;\n", s->type);
        }
    }
    for (size_t i = 0; i < c->function_count; i++)
        fprintf(f, "extern const struct schema_function function_%s;\n", c->functions[i]->name);
    fputs("\n/* All of a kind, sorted by file name, NULL-terminated. */\n"
          "extern const struct schema *const all_resource_schemas[];\n"
          "extern const struct schema *const all_data_source_schemas[];\n"
          "extern const struct schema *const all_ephemeral_schemas[];\n"
          "extern const struct schema_function *const all_functions[];\n\n#endif\n",
          f);
    return ferror(f) ? -1 : 0;
}
