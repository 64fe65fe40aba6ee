/* The GCP driver: see cloud/driver.h for what its functions do. A call whose answer stands for a
 * long-running operation returns when that has ended. */
#ifndef LLM_GCP_DRIVER_H
#define LLM_GCP_DRIVER_H

#include "cloud/driver.h"

extern const struct cloud_driver gcp_driver;

#endif
