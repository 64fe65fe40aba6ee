/* The start-up scripts of scripts/, as the build embeds them: without comments and indentation, and
 * with their @@name@@ places still to be filled. */
#ifndef LLM_RESOURCES_SCRIPTS_H
#define LLM_RESOURCES_SCRIPTS_H

extern const char script_aws_startup[];
extern const char script_gcp_startup[];

#endif
