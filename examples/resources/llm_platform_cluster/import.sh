# A platform is imported by cloud, region and name: aws/us-west-2/llmplatform-dev, gcp/europe-west4/llmplatform-dev.
tofu import llm_platform_cluster.this aws/us-west-2/llmplatform-dev
