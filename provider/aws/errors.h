/* AWS error codes and what they mean for us. */
#ifndef LLM_AWS_ERRORS_H
#define LLM_AWS_ERRORS_H

#include "cloud/error.h"

/* The class of a code; NULL or unknown codes are classed by the HTTP status. */
enum cloud_error_class aws_classify(const char *service, const char *code, int http_status);

/* True for codes that say that the clock of one side is off. */
bool aws_is_clock_skew(const char *code);

#endif
