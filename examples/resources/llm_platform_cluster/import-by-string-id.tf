# The id is CLOUD/REGION/NAME, for example aws/us-west-2/llmplatform-dev or gcp/europe-west4/llmplatform-dev.
import {
  to = llm_platform_cluster.this
  id = "aws/us-west-2/llmplatform-dev"
}
