/* XML answers as plain values: an element becomes an object of its children, or its text. Children
 * that repeat become a tuple, and so does every element whose children are all named "item" or
 * "member". An empty element is the empty string, also when it holds a line break. Attributes and
 * namespaces are dropped.
 *
 * Limits: 64 levels, 1 million elements. Documents that define entities are refused. */
#ifndef LLM_AWS_XML_H
#define LLM_AWS_XML_H

#include "value/value.h"

/* *ret_root (may be NULL) receives the root element's name. 0, or -1 with a line in *ret_why. */
int aws_xml_parse(struct arena *a, struct slice text, const struct value **ret,
                  const char **ret_root, const char **ret_why);

#endif
