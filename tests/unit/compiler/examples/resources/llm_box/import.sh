tofu import llm_box.x aws/x
