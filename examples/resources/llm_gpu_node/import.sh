# A node is imported by cloud, region and name: aws/eu-west-1/chat, gcp/europe-west4/chat.
tofu import llm_gpu_node.chat aws/eu-west-1/chat
