# A node is imported by cloud, region and name.
tofu import llm_gpu_node.chat aws/eu-west-1/chat
