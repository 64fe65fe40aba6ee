# An endpoint is imported by cloud, region and name: aws/us-west-2/quant, gcp/europe-west4/quant; one in a cluster by
# cloud, region, cluster, namespace and name: aws/us-west-2/llmplatform-dev/quant/chat.
tofu import llm_endpoint.quant aws/us-west-2/quant
