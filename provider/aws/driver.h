/* AWS as a cloud driver. */
#ifndef LLM_AWS_DRIVER_H
#define LLM_AWS_DRIVER_H

#include "cloud/driver.h"

extern const struct cloud_driver aws_driver;

#endif
